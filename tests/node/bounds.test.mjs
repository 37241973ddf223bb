/** What is too much is refused at the door, by a limit that the error names, and has changed nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "./posthaste.mjs";
import { bounded, fails, freshQueue, VirtualClock } from "./lab.mjs";

const QUEUES = 10_000;
const BATCH = 2 ** 20;
const RUNS = 61_440;

const keyed = (count) => Array.from({ length: count }, (_, at) => ({ body: at, idempotencyKey: `k${at}` }));

test("a queue past the last is refused, and never another queue", async () => {
  const clock = new VirtualClock();
  const open = (name, options) => openQueue(name, { clock, deadLetterQueue: false, ...options });
  const first = await open("payments");
  for (let at = 1; at < QUEUES - 1; at += 1) await open(`q${at}`);
  const two = await fails(open("with dead letters", { deadLetterQueue: undefined }), "QuotaExceededError", `${QUEUES}`);
  assert.match(two.message, /9999/);
  const last = await open("last");
  await fails(open("newsletter"), "QuotaExceededError", "newsletter");
  await (await open("payments")).close();
  await last.send("for the last");
  assert.deepEqual(await first.receive(), []);
  assert.equal((await last.receive())[0].body, "for the last");
});

test("the dead letters of a queue with the longest name have a queue of their own", async () => {
  const name = "x".repeat(512);
  const { queue, clock } = await freshQueue({ name, maxRetries: 0 });
  await queue.send("poison");
  for (const message of await queue.receive()) await message.retry();
  const letters = await openQueue(`${name}-dlq`, { clock });
  assert.equal((await letters.metrics()).backlogCount, 1);
  assert.deepEqual(await queue.receive(), []);
  await fails(openQueue(`${name}y-dlq`, { clock }), "RangeError", "517");
  await fails(openQueue(`${name}y`, { clock }), "RangeError", "513");
});

test("different idempotency keys are different, whatever is in them", async () => {
  const { queue } = await freshQueue();
  const keys = ["\ud800", "\ud801", "\udc00", "\ud800\udc00", "\ufffd", "\0", "\0d800", "d800", "\0\0", "\ud800\ud800", "a\ud800", "\ud800".repeat(256), "\uffff".repeat(256)];
  for (const key of keys) assert.equal((await queue.send(key, { idempotencyKey: key })).duplicate, false, JSON.stringify(key));
  for (const key of keys) assert.equal((await queue.send(key, { idempotencyKey: key })).duplicate, true, JSON.stringify(key));
  await fails(queue.send(0, { idempotencyKey: "k".repeat(257) }), "RangeError", "257");
  assert.equal((await queue.metrics()).backlogCount, keys.length);
});

test("a batch has as many messages as a record can name, and not one more", async () => {
  const { queue } = await freshQueue({ capacity: { messages: Infinity } });
  const many = (count) => Array.from({ length: count }, () => ({ body: 0 }));
  await fails(queue.sendBatch(many(BATCH + 1)), "RangeError", `${BATCH}`);
  const endless = { *[Symbol.iterator]() { for (;;) yield { body: 1 }; } };
  await fails(queue.sendBatch(endless), "RangeError", `${BATCH}`);
  assert.equal((await queue.metrics()).sent, 0);
  for (const count of [BATCH - 1, BATCH]) {
    const { ids } = await bounded(queue.sendBatch(many(count)), "a batch as large as may be");
    assert.equal(new Set(ids).size, count);
  }
  const { id } = await queue.send("after");
  assert.equal(id.split("-")[1], "0");
  assert.equal((await queue.metrics()).backlogCount, 2 * BATCH);
});
