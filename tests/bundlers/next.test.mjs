/** The installed package in Next.js: a client component, a Node route and an edge route, built and started. No configuration. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ONE, PAGE, SERVER, answer, application, says, sources, weight } from "../package/application.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const next = join(here, "node_modules/next/dist/bin/next");
const options = (cwd) => ({ cwd, encoding: "utf8", env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" } });

const PAGES = {
  "app/layout.js": 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;',
  "app/page.js": `"use client";
    import { useEffect } from "react";
    import { said } from "../page.js";
    export default function Page() {
      useEffect(() => void said().then((text) => (document.title = text), (error) => (document.title = String(error))), []);
      return null;
    }`,
  "app/node/route.js": `import { said } from "../../server.js";
    export const dynamic = "force-dynamic";
    export const GET = async () => new Response(await said());`,
};
const EDGE_ROUTE = {
  "app/edge/route.js": `import { said } from "../../server.js";
    export const runtime = "edge";
    export const GET = async () => new Response(await said());`,
};
/** By webpack, Next.js 16.4 fails to build any edge route beside pages of app/. */
const EDGE_API = {
  "pages/api/edge.js": `import { said } from "../../server.js";
    export const config = { runtime: "edge" };
    export default async () => new Response(await said());`,
};

/** Starts what was built, and gives its address to `check`. */
async function started(folder, check) {
  const server = spawn(process.execPath, [next, "start", "-p", "0"], { ...options(folder), stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    let address;
    for await (const line of createInterface({ input: server.stdout })) {
      address ??= line.match(/http:\/\/localhost:\d+/)?.[0];
      if (line.includes("Ready")) break;
    }
    server.stdout.resume();
    await check(address);
  } finally {
    server.kill();
    await ended;
  }
}

for (
  const { tool, flags, edge, address } of [
    { tool: "Turbopack", flags: [], edge: EDGE_ROUTE, address: "edge" },
    { tool: "webpack", flags: ["--webpack"], edge: EDGE_API, address: "api/edge" },
  ]
) {
  test(`Next.js builds and runs it by ${tool}`, async (t) => {
    const folder = application({ ...sources(...PAGE, ...SERVER), ...PAGES, ...edge }, here);
    execFileSync(process.execPath, [next, "build", ...flags], { ...options(folder), stdio: ["ignore", "ignore", "inherit"] });
    rmSync(join(folder, ".next/cache"), { recursive: true, force: true });
    await started(folder, async (origin) => {
      for (const path of ["node", address]) {
        const response = await fetch(`${origin}/${path}`);
        assert.deepEqual([path, response.status, await response.text()], [path, 200, answer]);
      }
      await says(`${origin}/`, { where: ONE });
    });
    const client = weight(join(folder, ".next/static"));
    t.diagnostic(JSON.stringify(client));
    assert.equal(client.copies, 1);
    const modules = readdirSync(join(folder, ".next/server"), { recursive: true }).filter((name) => name.endsWith(".wasm"));
    assert.equal(modules.length, 1, `the edge route's, and no other: ${modules}`);
  });
}
