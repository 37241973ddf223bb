// The suites that stores and queues pass, on folders, in Node and in Bun.
import assert from "node:assert/strict";
import { test } from "node:test";
import { suites } from "./file-conformance.mjs";
import { Program, bun, newFolder } from "./file-lab.mjs";

for (const [name, run] of suites) test(name, () => run(newFolder()));

test("all of it is so in Bun", async () => {
  const { lines, ended } = await Program.start("file-conformance.mjs", [newFolder()], { runtime: bun }).rest();
  assert.deepEqual([lines, ended], [suites.map(([name]) => name), 0]);
});
