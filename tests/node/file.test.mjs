// Queues in a folder, in Node and in Bun: file-cases.mjs says what they promise.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "./file-cases.mjs";
import { using, waiting } from "./file-folder.mjs";
import { Program, bun, newFolder } from "./file-lab.mjs";

for (const [name, run] of Object.entries(cases)) test(name, () => run(newFolder()));

test("all of it is so in Bun", async () => {
  const names = Object.keys(cases);
  const { lines, ended } = await Program.start("file-run.mjs", names.map(() => newFolder()), { runtime: bun }).rest();
  assert.deepEqual([lines, ended], [names, 0]);
});

test("Bun reads what Node wrote, and Node what Bun did", async () => {
  const folder = newFolder();
  const policy = { visibilityTimeout: 0.2, retryDelay: 0, maxRetries: 10_000 };
  await using(folder, (queue) => queue.send({ from: "Node", n: 1, map: new Map([[1, new Uint8Array([1])]]) }), policy);
  const drained = Program.start("file-user.mjs", [folder, "strict", "drain"], { runtime: bun });
  drained.tell("go");
  assert.deepEqual((await drained.rest()).lines, ["ready", "got 1", "acking 1", "acked 1", "empty"]);
  const busy = Program.start("file-user.mjs", [folder, "relaxed", "busy", "5"], { runtime: bun });
  busy.tell("go");
  for (let line = await busy.line(); line !== "acked 6"; ) line = await busy.line();
  busy.kill();
  await busy.rest();
  assert.ok((await waiting(folder)).every(({ n, text }) => text.length === (n * 37) % 3000));
});
