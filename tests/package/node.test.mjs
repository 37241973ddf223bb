/** The installed package on servers: in Node imported, required, and with the module given by the caller; in Bun, Deno, edge functions. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { EdgeRuntime } from "edge-runtime";
import { PRINTING, SERVER, answer, application, brought, bun, printed, sources } from "./application.mjs";

/** What a program says in an application with these files beside those of a server. */
const ran = (files, program, ...given) => printed(application({ ...sources(...SERVER), ...files }), program, ...given);
const node = (name, text) => ran({ [name]: text }, process.execPath, name);

test("Node imports it with no configuration, and the process ends by itself", () => {
  assert.equal(node("main.mjs", PRINTING), answer);
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
  assert.equal(ran({ "main.js": PRINTING }, bun, "main.js"), answer);
});

test("Bun requires it", () => {
  const text =
    'const { openQueue } = require("posthaste"); openQueue("here").then((queue) => queue.close()).then(() => console.log("closed"));';
  assert.equal(ran({ "main.cjs": text }, bun, "main.cjs"), "closed");
});

test("Deno imports it", () => {
  assert.equal(ran({ "main.js": PRINTING }, brought("deno/deno.exe", "deno/deno"), "run", "--no-prompt", "main.js"), answer);
});

test("an edge function gives slim the bytes", async () => {
  const text = `
    import { init } from "posthaste/slim";
    import wasm from "posthaste/posthaste.wasm";
    import { said } from "./server.js";
    addEventListener("fetch", (event) => event.respondWith(init(wasm).then(said).then((text) => new Response(text))));`;
  const { "server.js": server, ...others } = sources(...SERVER);
  const slim = server.replace('"posthaste"', '"posthaste/slim"');
  const entry = join(application({ ...others, "server.js": slim, "main.js": text }), "main.js");
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    target: "es2022",
    loader: { ".wasm": "binary" },
  });
  const runtime = new EdgeRuntime({ initialCode: outputFiles[0].text });
  const response = await runtime.dispatchFetch("http://localhost/");
  assert.equal(await response.text(), answer);
});
