// README.md: its example for Deno runs as it is written.
import assert from "node:assert/strict";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { folder, start } from "./deno.mjs";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

test("the example of README.md", async (context) => {
  const [, section] = readFileSync(file("../../README.md"), "utf8").split("\n### Deno\n");
  const [, code] = /```js\n([^]*?)```/.exec(section);
  assert.ok(code.split("\n").filter((line) => line.trim()).length <= 10, "more than ten lines");
  const made = folder(context);
  const script = path.join(made, "example.mjs");
  writeFileSync(script, code);
  symlinkSync(file("../node_modules"), path.join(made, "node_modules"), "junction");
  writeFileSync(path.join(made, "package.json"), "{}");
  // The database is Deno's own for this script: it goes where Deno keeps what it remembers.
  const said = start(script, [], { environment: { DENO_DIR: path.join(made, "deno") } });
  await said.heard(1);
  // It waits for more.
  said.kill();
  await said.ended;
  assert.deepEqual(said.lines, ['17 Map(1) { "cup" => 2 }'], said.errors);
});
