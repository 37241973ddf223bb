/** The installed package bundled by what needs no time: esbuild and Rollup, for pages, service workers, and for nobody. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import resolve from "@rollup/plugin-node-resolve";
import { build } from "esbuild";
import { rollup } from "rollup";
import { ONE, PAGE, PRINTING, SERVER, answer, application, bun, installed, manifest, outboxAnswer, printed, scripted, scripts, sources,
  weight, works } from "./application.mjs";

const page = () => application({ ...sources(...PAGE), "dist/index.html": scripted("main.js") });
/** What bundlers of `new URL("./worker.js", import.meta.url)` find by themselves, these want told. */
const entries = (root) => ["main.js", "worker.js"].map((name) => join(root, name));
const options = { where: ONE };

test("esbuild bundles it without a warning", async (t) => {
  const root = page();
  const { warnings } = await build({ entryPoints: entries(root), outdir: join(root, "dist"), bundle: true, format: "esm", minify: true });
  assert.deepEqual(warnings, []);
  await works(join(root, "dist"), options);
  const { copies, ...size } = weight(join(root, "dist"));
  assert.equal(copies, 2);
  t.diagnostic(JSON.stringify(size));
});

test("esbuild shares it between page and worker, where asked to", async () => {
  const root = page();
  await build({ entryPoints: entries(root), outdir: join(root, "dist"), bundle: true, format: "esm", splitting: true });
  await works(join(root, "dist"), options);
  assert.equal(weight(join(root, "dist")).copies, 1);
});

/** Bundles by Rollup, with nothing but the plugin that finds packages. */
async function rolled(input, dir, conditions = {}) {
  const warnings = [];
  const ours = { input, external: (name) => /^(?:node|cloudflare):|\.wasm/.test(name), plugins: [resolve(conditions)] };
  const bundle = await rollup({ ...ours, onwarn: ({ message }) => warnings.push(message) });
  const { output } = dir ? await bundle.write({ dir }) : await bundle.generate({});
  await bundle.close();
  assert.deepEqual(warnings.filter((text) => !text.startsWith("Generated an empty chunk")), []);
  return output;
}

test("Rollup bundles it without a warning", async (t) => {
  const root = page();
  await rolled(entries(root), join(root, "dist"));
  await works(join(root, "dist"), options);
  const { copies, ...size } = weight(join(root, "dist"));
  assert.equal(copies, 1);
  t.diagnostic(JSON.stringify(size));
});

test("Bun bundles it", async (t) => {
  const root = page();
  printed(root, bun, "build", "main.js", "worker.js", "--outdir", "dist", "--minify");
  await works(join(root, "dist"), options);
  const { copies, ...size } = weight(join(root, "dist"));
  assert.equal(copies, 2);
  t.diagnostic(JSON.stringify(size));
});

test("bundled for servers by esbuild, Rollup and Bun, it runs", async () => {
  const root = application({ ...sources(...SERVER), "main.js": PRINTING });
  const entry = join(root, "main.js");
  await build({ entryPoints: [entry], outfile: join(root, "esbuild.cjs"), bundle: true, platform: "node" });
  await rolled({ rollup: entry }, root);
  printed(root, bun, "build", "main.js", "--target", "bun", "--outfile", "bun.js");
  assert.equal(printed(root, process.execPath, "esbuild.cjs"), answer);
  assert.equal(printed(root, process.execPath, "rollup.js"), answer);
  assert.equal(printed(root, bun, "bun.js"), answer);
});

test("a service worker keeps messages: bundled as a classic script", async () => {
  const root = application({ ...sources("service-worker.js", "register.js"), "dist/index.html": scripted("register.js") });
  const entryPoints = ["service-worker.js", "register.js"].map((name) => join(root, name));
  await build({ entryPoints, outdir: join(root, "dist"), bundle: true });
  await works(join(root, "dist"), { text: outboxAnswer });
});

/** What is loaded when it is needed: service workers forbid that, and go without (`rings.js`) or import it at once (`ports-part.js`). */
const LATE = { "client.js": ["./rings.js"], "engine.js": ["./ports-part.js"], "ports-part.js": ["./rings.js"] };

test("nothing in it is imported late but ports and rings: service workers forbid that", () => {
  const files = readdirSync(join(installed, "dist"), { recursive: true }).filter((name) => name.endsWith(".js"));
  assert.ok(files.length >= scripts.length);
  for (const name of files) {
    const text = readFileSync(join(installed, "dist", name), "utf8");
    const late = [...text.matchAll(/\bimport\s*\(\s*(?:"([^"]*)")?/g)].map(([, file]) => file);
    assert.deepEqual(late, LATE[name] ?? [], name);
    assert.doesNotMatch(text, /\bimport\.meta\b/, `${name}: classic scripts have none`);
  }
});

/** What some platforms bring, and we never do. */
const external = ["node:*", "cloudflare:*", "*.wasm", "*.wasm?module"];
const bundled = async (entry, conditions = []) => {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    write: false,
    external,
    conditions,
    logLevel: "error",
  });
  return outputFiles[0].text;
};

// Ports are imported for what that does.
for (const script of scripts.filter((name) => name !== "./dist/ports.js")) {
  test(`importing ${script} for nothing leaves nothing`, async () => {
    const address = `./node_modules/posthaste/${script}`;
    const entry = join(application({ "main.js": `import * as all from "${address}";\nimport "${address}";\nexport const kept = 1;\n` }),
      "main.js");
    for (const text of [await bundled(entry), (await rolled(entry))[0].code]) assert.ok(text.length < 200, text.slice(0, 500));
  });
}

test("an application that imports one error brings no engine", async () => {
  const entry = join(application({ "main.js": 'import { QueueFullError } from "posthaste";\nconsole.log(QueueFullError.name);\n' }),
    "main.js");
  for (const text of [await bundled(entry), (await rolled(entry))[0].code])
    assert.ok(text.length < 10_000 && text.includes("QueueFullError"), `${text.length} characters`);
});

/** The conditions under which platforms take another file for "posthaste". */
const conditions = Object.keys(manifest.exports["."]).filter((name) => !["types", "default"].includes(name));
for (const condition of conditions) {
  test(`where it is ${condition}, it brings the module even if only one thing is used, and no other copy`, async () => {
    const entry = join(application({ "main.js": 'import { openQueue } from "posthaste";\nopenQueue("a");\n' }), "main.js");
    for (const text of [await bundled(entry, [condition]), (await rolled(entry, undefined, { exportConditions: [condition] }))[0].code]) {
      assert.ok(/^import [\w$]+ from ["'][^"']*posthaste\.wasm/m.test(text), text.slice(0, 200));
      assert.ok(!/[A-Za-z0-9+/]{10000}/.test(text), "no wasm in base64 beside it");
    }
  });
}
