/** The installed package on servers: in Node imported, required, and with the module given by the caller; in Bun, Deno, edge functions. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { EdgeRuntime } from "edge-runtime";
import { SERVER, answer, application, sources } from "./application.mjs";

const MAIN = 'import { said } from "./server.js";\nconsole.log(await said());\n';

/** What a program of an application prints, when it has ended by itself. */
function printed(program, given, files) {
  const cwd = application({ ...sources(...SERVER), ...files });
  return execFileSync(program, given, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 }).trim();
}
const node = (name, text) => printed(process.execPath, [name], { [name]: text });

/** A program that npm brought. */
const brought = (...names) => names.map((name) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url))).find(existsSync);

test("Node imports it with no configuration, and the process ends by itself", () => {
  assert.equal(node("main.mjs", MAIN), answer);
});

test("Node requires it", () => {
  const text = `
    const { openQueue } = require("posthaste");
    const { passed } = require("./letters.js");
    openQueue("here").then(passed).then((said) => console.log(JSON.stringify(said)));`;
  assert.equal(node("main.cjs", text), answer);
});

test("Node gives slim the module", () => {
  const text = `
    import { readFile } from "node:fs/promises";
    import { init, openQueue } from "posthaste/slim";
    import { passed } from "./letters.js";
    await init(await readFile(new URL(import.meta.resolve("posthaste/posthaste.wasm"))));
    console.log(JSON.stringify(await passed(await openQueue("here"))));`;
  assert.equal(node("main.mjs", text), answer);
});

test("slim without a module says what to do", () => {
  const text = 'import { openQueue } from "posthaste/slim"; openQueue("a").catch((error) => console.log(error.name, error.message));';
  assert.match(node("main.mjs", text), /^InvalidStateError .*init/);
});

test("Bun imports it", () => {
  assert.equal(printed(brought("bun/bin/bun.exe", "bun/bin/bun"), ["main.js"], { "main.js": MAIN }), answer);
});

test("Bun requires it", () => {
  const text = 'const { openQueue } = require("posthaste"); openQueue("here").then((queue) => queue.close()).then(() => console.log("closed"));';
  assert.equal(printed(brought("bun/bin/bun.exe", "bun/bin/bun"), ["main.cjs"], { "main.cjs": text }), "closed");
});

test("Deno imports it", () => {
  assert.equal(printed(brought("deno/deno.exe", "deno/deno"), ["run", "--no-prompt", "main.js"], { "main.js": MAIN }), answer);
});

test("an edge function gives slim the bytes", async () => {
  const text = `
    import { init, openQueue } from "posthaste/slim";
    import wasm from "posthaste/posthaste.wasm";
    import { passed } from "./letters.js";
    const answered = async () => new Response(JSON.stringify(await passed(await openQueue("here"))));
    addEventListener("fetch", (event) => event.respondWith(init(wasm).then(answered)));`;
  const entry = join(application({ ...sources(...SERVER), "main.js": text }), "main.js");
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, target: "es2022", loader: { ".wasm": "binary" } });
  const runtime = new EdgeRuntime({ initialCode: outputFiles[0].text });
  const response = await runtime.dispatchFetch("http://localhost/");
  assert.equal(await response.text(), answer);
});
