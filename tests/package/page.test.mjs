/** The installed package in pages: plain files on any server, built by Vite, developed with Vite. No configuration. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer } from "vite";
import { PAGE, application, page, says, scripted, sources, weight, works } from "./application.mjs";

/** The package by its address: workers know no import map. */
const byAddress = (files) =>
  Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, text.replace('"posthaste"', '"/node_modules/posthaste/dist/index.js"')]),
  );

test("plain files are enough", async () => {
  await works(application({ "index.html": scripted("main.js"), ...byAddress(sources(...PAGE)) }));
});

test("an import map gives it its name", async () => {
  const map = '<script type="importmap">{ "imports": { "posthaste": "/node_modules/posthaste/dist/index.js" } }</script>';
  const head = `${map}<script type="module" src="main.js"></script>`;
  await works(application({ "index.html": page(head), ...sources(...PAGE), ...byAddress(sources("worker.js")) }));
});

test("slim fetches the module from where the page says", async () => {
  const { "page.js": text, ...others } = sources(...PAGE);
  const slim = text.replace('import { openQueue } from "posthaste";', `
    import { init, openQueue } from "/node_modules/posthaste/dist/slim.js";
    await init(new URL("/node_modules/posthaste/dist/posthaste.wasm", location.href));`);
  assert.notEqual(slim, text);
  await works(application({ "index.html": scripted("main.js"), ...byAddress(others), "page.js": slim }));
});

const vite = () => application({ "index.html": scripted("/main.js"), ...sources(...PAGE) });

test("Vite builds it without a warning", async (t) => {
  const root = vite();
  const warnings = [];
  await build({ root, configFile: false, customLogger: listening(warnings) });
  assert.deepEqual(warnings, []);
  await works(join(root, "dist"));
  const { copies, ...size } = weight(join(root, "dist"));
  assert.equal(copies, 2);
  t.diagnostic(JSON.stringify(size));
});

test("Vite's development server takes it as it is", async () => {
  const server = { port: 0, host: "127.0.0.1" };
  const developing = await createServer({ root: vite(), configFile: false, logLevel: "warn", server });
  try {
    await developing.listen();
    await says(`http://127.0.0.1:${developing.httpServer.address().port}/`);
  } finally {
    await developing.close();
  }
});

/** A logger of Vite's shape that keeps what is not good. */
function listening(warnings) {
  // How long a build took depends on what else the machine does.
  const keep = (text) => text.includes("PLUGIN_TIMINGS") || warnings.push(text);
  return { hasWarned: false, info() {}, clearScreen() {}, hasErrorLogged: () => false, warn: keep, warnOnce: keep, error: keep };
}
