/** What package.json of the installed package promises is there, and readable by every tool. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { installed as folder, manifest, scripts } from "./application.mjs";

test("nothing is wrong with the manifest", async () => {
  const { messages, pkg } = await publint({ pkgDir: folder, strict: true, pack: false });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg, { color: false })), []);
});

test("it depends on nothing", () => {
  assert.deepEqual([manifest.dependencies, manifest.peerDependencies], [undefined, undefined]);
});

test("its licence and its front page are in it", () => {
  assert.ok(existsSync(join(folder, "README.md")));
  assert.match(readFileSync(join(folder, "LICENSE"), "utf8"), /MIT License[^]*Apache License/);
});

test("the engine is in one file, which the entry shares on every platform with slim and ports; their client has none", () => {
  const imports = (name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/\b(?:from|import)\s*"\.\/([^"]+)"/g)].map(([, other]) => `./dist/${other}`);
  const engine = "./dist/engine.js";
  const { ".": entry, "./slim": slim, "./ports": ports } = manifest.exports;
  const meant = [entry, slim, ports].flatMap((paths) => Object.values(paths)).filter((name) => name.endsWith(".js"));
  assert.deepEqual(scripts.filter((name) => imports(name).includes(engine)).sort(), meant.sort());
  const all = readdirSync(join(folder, "dist")).filter((name) => name.endsWith(".js"));
  assert.deepEqual(all.filter((name) => readFileSync(join(folder, "dist", name), "utf8").includes("posthaste/slim has no wasm")), [
    "engine.js",
  ]);
});

test("the module is in it once, and once more inside the default entry", () => {
  const modules = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".wasm"));
  assert.deepEqual(modules, [join("dist", "posthaste.wasm")]);
  const module = readFileSync(join(folder, "dist/posthaste.wasm"));
  // Texts too long to be anything else. The rings bring a module of their own, a thousandth of this one's size.
  const packed = scripts.flatMap((name) =>
    (readFileSync(join(folder, name), "utf8").match(/[\w+/=]{5000,}/g) ?? []).map((text) => [name, text])
  );
  assert.deepEqual(packed.map(([name]) => name), [manifest.exports["."].default]);
  assert.ok(inflateRawSync(Buffer.from(packed[0][1], "base64")).equals(module));
});
