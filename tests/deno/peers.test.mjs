// posthaste/deno: processes and isolates on one database are peers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { database, run, start } from "./deno.mjs";

/** Each sender's messages came once each. */
function complete(bodies, senders, count) {
  for (const sender of senders) {
    const numbers = bodies.filter(([from]) => from === sender).map(([, n]) => n);
    assert.deepEqual(numbers.toSorted((a, b) => a - b), Array.from({ length: count }, (_, n) => n), `messages of ${sender}`);
  }
}

/** In the order in which they were sent. */
function ordered(bodies, senders) {
  for (const sender of senders) {
    const numbers = bodies.filter(([from]) => from === sender).map(([, n]) => n);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `messages of ${sender}`);
  }
}

test("two processes that compete take and ack each message once", async (context) => {
  const file = database(context);
  const [senders, count] = [["a", "b"], 100];
  const lines = await Promise.all(senders.map((name) => run("competing.mjs", [file, name, count, 2 * count])));
  const results = lines.map((said) => JSON.parse(said.at(-1)));
  // In what order is not told: what one has leased ahead and gives back comes to the other later.
  complete(results.flatMap(({ got }) => got), senders, count);
  for (const { acked, delivered } of results) assert.deepEqual([acked, delivered], [2 * count, 2 * count]);
});

test("four isolates in a storm of conflicts lose nothing, and each one's messages keep their order", async (context) => {
  const count = 100;
  const [line] = await run("storm.mjs", [database(context), 4, count]);
  const bodies = JSON.parse(line);
  complete(bodies, [0, 1, 2, 3], count);
  ordered(bodies, [0, 1, 2, 3]);
});

test("who waits hears of another process's message without waiting for the poll", async (context) => {
  const file = database(context);
  const count = 4;
  const waiting = start("waiting.mjs", [file, count]);
  await waiting.heard(1);
  await run("sending.mjs", [file, count]);
  assert.equal(await waiting.ended, 0, waiting.errors);
  const delays = waiting.lines.slice(1).map(Number).sort((a, b) => a - b);
  assert.equal(delays.length, count);
  // The poll comes every 2 s.
  assert.ok(delays[1] < 1000, `after ${delays.join(", ")} ms`);
});

test("an open queue does not keep a program from ending", async (context) => {
  assert.deepEqual(await run("ending.mjs", [database(context)]), ["sent"]);
});

test("without Deno KV it says what to do", async (context) => {
  const said = start("ending.mjs", [database(context)], { command: ["run", "--no-prompt", "--allow-all"] });
  assert.equal(await said.ended, 1);
  assert.match(said.errors, /NotSupportedError: .*--unstable-kv/);
});
