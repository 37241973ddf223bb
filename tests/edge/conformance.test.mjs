/** The suites that stores and queues pass, in the runtimes of the edge: on memory queues, which every one of them has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { engineBytes, inBun, inDeno, isolate } from "./runtimes.mjs";

function passed({ cases, failures }) {
  assert.ok(cases > 100, `only ${cases} cases were run`);
  assert.equal(failures.length, 0, failures.join("\n"));
}

test("Bun passes every case", async () => passed(await inBun("edge/main.mjs")));
test("Deno passes every case", async () => passed(await inDeno("edge/main.mjs")));
test("an isolate of edge-runtime passes every case", async () => passed(await (await isolate("edge/isolate.mjs")).run(engineBytes())));
