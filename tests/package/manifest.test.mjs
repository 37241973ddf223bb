/** What package.json of the installed package promises is there, and readable by every tool. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const folder = fileURLToPath(new URL("../node_modules/posthaste", import.meta.url));
const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

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
