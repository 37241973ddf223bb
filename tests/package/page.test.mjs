/** The installed package in pages: plain files on any server, built by Vite, developed with Vite. No configuration. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer } from "vite";
import { serve } from "../../www/serve.mjs";
import { application, page, script, shown, well } from "./application.mjs";

const byName = 'import { openQueue } from "posthaste";';
const inline = (text) => page(`<script type="module">${text}</script>`);

/** What the page of this folder says. */
async function served(folder) {
  const { origin, close } = await serve({ "/": folder }, 0);
  try {
    return await shown(`${origin}/`);
  } finally {
    close();
  }
}

test("one script element is enough", async () => {
  const main = script('import { openQueue } from "./node_modules/posthaste/dist/index.js";', "indexeddb");
  assert.deepEqual(await served(application({ "index.html": inline(main) })), well);
});

test("an import map gives it its name", async () => {
  const map = '<script type="importmap">{ "imports": { "posthaste": "/node_modules/posthaste/dist/index.js" } }</script>';
  const main = `<script type="module">${script(byName, "memory")}</script>`;
  assert.deepEqual(await served(application({ "index.html": page(map + main) })), well);
});

test("slim fetches the module from where the page says", async () => {
  const dist = "./node_modules/posthaste/dist";
  const imports = `import { init, openQueue } from "${dist}/slim.js"; await init(new URL("${dist}/posthaste.wasm", location.href));`;
  assert.deepEqual(await served(application({ "index.html": inline(script(imports, "indexeddb")) })), well);
});

const vite = { "index.html": page('<script type="module" src="/main.js"></script>'), "main.js": script(byName, "indexeddb") };

test("Vite builds it without a warning", async () => {
  const root = application(vite);
  const warnings = [];
  await build({ root, configFile: false, customLogger: listening(warnings) });
  assert.deepEqual(warnings, []);
  assert.deepEqual(await served(join(root, "dist")), well);
});

test("Vite's development server takes it as it is", async () => {
  const server = { port: 0, host: "127.0.0.1" };
  const developing = await createServer({ root: application(vite), configFile: false, logLevel: "warn", server });
  try {
    await developing.listen();
    assert.deepEqual(await shown(`http://127.0.0.1:${developing.httpServer.address().port}/`), well);
  } finally {
    await developing.close();
  }
});

/** A logger of Vite's shape that keeps what is not good. */
function listening(warnings) {
  const keep = (text) => warnings.push(text);
  return { hasWarned: false, info() {}, clearScreen() {}, hasErrorLogged: () => false, warn: keep, warnOnce: keep, error: keep };
}
