/** What is too much is refused at the door, by a limit that the error names, and has changed nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "./posthaste.mjs";
import { bounded, fails, freshQueue, stateOf, VirtualClock } from "./lab.mjs";

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
  const keys = ["\ud800", "\ud801", "\udc00", "\ud800\udc00", "\ufffd", "\0", "\0d800", "d800", "\0\0", "\ud800\ud800", "a\ud800",
    "\ud800".repeat(256), "\uffff".repeat(256)];
  for (const key of keys) assert.equal((await queue.send(key, { idempotencyKey: key })).duplicate, false, JSON.stringify(key));
  for (const key of keys) assert.equal((await queue.send(key, { idempotencyKey: key })).duplicate, true, JSON.stringify(key));
  await fails(queue.send(0, { idempotencyKey: "k".repeat(257) }), "RangeError", "257");
  assert.equal((await queue.metrics()).backlogCount, keys.length);
});

test("a batch has as many messages as a record can name, and not one more", async () => {
  const { queue } = await freshQueue({ capacity: { messages: Infinity } });
  const many = (count) => Array.from({ length: count }, () => ({ body: 0 }));
  await fails(queue.sendBatch(many(BATCH + 1)), "RangeError", `${BATCH}`);
  const endless = {
    *[Symbol.iterator]() {
      for (;;) yield { body: 1 };
    },
  };
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

test("a batch whose messages differ goes whole, up to the items of a step, or not at all", async () => {
  const { queue } = await freshQueue();
  await fails(queue.sendBatch(keyed(RUNS + 1)), "RangeError", `${RUNS + 1}`);
  assert.equal((await queue.metrics()).sent, 0);
  for (const count of [RUNS - 1, RUNS]) {
    const { ids } = await bounded(
      queue.sendBatch(keyed(count).map((one) => ({ ...one, idempotencyKey: `${count} ${one.idempotencyKey}` }))),
      "the batch",
    );
    assert.equal(new Set(ids).size, count);
  }
  assert.equal((await queue.metrics()).backlogCount, 2 * RUNS - 1);
});

test("a batch that does not fit into a step any more goes whole with the next", async () => {
  const { queue } = await freshQueue({ deadLetterQueue: false });
  await queue.sendBatch(Array.from({ length: RUNS }, (_, at) => ({ body: at })));
  const messages = [];
  while (messages.length < RUNS) messages.push(...(await queue.receive({ max: 65_536 })));
  // Acks of every other message are items of their own.
  const acked = messages.filter((_, at) => at % 2 === 0).concat(messages.filter((_, at) => at % 2 === 1)).map((message) => message.ack());
  const { ids } = await bounded(queue.sendBatch(keyed(100)), "a batch behind many acks");
  await Promise.all(acked);
  assert.equal(ids.length, 100);
  assert.equal(new Set(ids.map((id) => id.split("-")[0])).size, 1, "all in one record");
  assert.equal((await queue.metrics()).backlogCount, 100);
});

test("a key that is known is answered at once, however full the queue is", async () => {
  for (const overflow of ["wait", "reject", "drop-oldest", "drop-newest"]) {
    const { queue } = await freshQueue({ capacity: { messages: 2, bytes: 100 }, overflow });
    const first = await queue.send("a", { idempotencyKey: "k" });
    await queue.send("b");
    const waits = overflow === "wait" ? queue.send("c") : undefined;
    const again = await bounded(queue.send("x".repeat(1000), { idempotencyKey: "k" }), `a duplicate with ${overflow}`);
    assert.deepEqual([again.id, again.duplicate], [first.id, true], overflow);
    const batch = await bounded(queue.sendBatch([{ body: 1, idempotencyKey: "k" }, { body: 2, idempotencyKey: "k" }]),
      `a batch of duplicates with ${overflow}`);
    assert.deepEqual(batch.ids, [first.id, first.id]);
    const { backlogCount, duplicates, dropped } = await queue.metrics();
    assert.deepEqual([backlogCount, duplicates, dropped.overflow], [2, 3, 0], overflow);
    assert.equal(waits && (await stateOf(waits)), waits && "pending");
  }
});

test("a batch needs room for its new keys only, each once", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 3 }, overflow: "reject" });
  await queue.sendBatch([{ body: 1, idempotencyKey: "a" }, { body: 2 }]);
  const { ids } = await queue.sendBatch([{ body: 1, idempotencyKey: "a" }, { body: 3, idempotencyKey: "b" }, {
    body: 3,
    idempotencyKey: "b",
  }]);
  assert.equal(new Set(ids).size, 2);
  await fails(queue.sendBatch([{ body: 1, idempotencyKey: "a" }, { body: 4, idempotencyKey: "c" }]), "QueueFullError");
  assert.equal((await queue.metrics()).backlogCount, 3);
});

const outcomes = async (sends) => (await bounded(Promise.allSettled(sends), "every send")).map(({ reason }) => reason?.name ?? "sent");

test("messages of one moment are judged one by one, each by its own bytes", async () => {
  const sizes = [10, 5000, 300, 600, 10, 700, 20];
  const send = (queue) => sizes.map((size) => queue.send("x".repeat(size)));
  const bytes = (...kept) => kept.reduce((sum, size) => sum + size + 2, 0);
  const expected = {
    "reject": [["sent", "MessageTooLargeError", "sent", "sent", "sent", "QueueFullError", "sent"], bytes(10, 300, 600, 10, 20)],
    "drop-newest": [["sent", "MessageTooLargeError", "sent", "sent", "sent", "sent", "sent"], bytes(10, 300, 600, 10, 20)],
    "drop-oldest": [["sent", "MessageTooLargeError", "sent", "sent", "sent", "sent", "sent"], bytes(10, 700, 20)],
  };
  for (const [overflow, [said, backlogBytes]] of Object.entries(expected)) {
    const together = (await freshQueue({ capacity: { bytes: 1000 }, overflow })).queue;
    assert.deepEqual(await outcomes(send(together)), said, overflow);
    const apart = (await freshQueue({ capacity: { bytes: 1000 }, overflow })).queue;
    for (const size of sizes) await apart.send("x".repeat(size)).catch(() => undefined);
    for (const queue of [together, apart]) assert.equal((await queue.metrics()).backlogBytes, backlogBytes, overflow);
    const bodies = async (queue) => (await queue.receive({ max: 10 })).map(({ body }) => body.length);
    assert.deepEqual(await bodies(together), await bodies(apart), overflow);
  }
});

test("small messages do not wait for a large one beside them, which is refused", async () => {
  const { queue } = await freshQueue({ capacity: { bytes: 1000 } });
  const sends = Array.from({ length: 20 }, () => queue.send("s"));
  sends.push(queue.send("x".repeat(1500)), queue.send("after"));
  assert.deepEqual(await outcomes(sends), [...Array(20).fill("sent"), "MessageTooLargeError", "sent"]);
  assert.equal((await queue.metrics()).backlogBytes, 20 * 3 + 7);
});

test("a message gives back the bytes it took, and headers count", async () => {
  const { queue } = await freshQueue({ capacity: { bytes: 1000 } });
  const sizes = [1, 100, 7, 400, 30];
  await Promise.all(sizes.map((size) => queue.send("x".repeat(size))));
  let left = sizes.reduce((sum, size) => sum + size + 2, 0);
  for (const message of await queue.receive({ max: 5 })) {
    await message.ack();
    left -= message.body.length + 2;
    assert.equal((await queue.metrics()).backlogBytes, left);
  }
  await queue.send("b", { headers: { name: "x".repeat(500) } });
  assert.equal((await queue.metrics()).backlogBytes, 3 + 4 + 500);
  await fails(queue.send("b", { headers: { name: "x".repeat(1000) } }), "MessageTooLargeError");
});

test("no idempotency key is forgotten before its window ends, and one too many is refused", async () => {
  const { queue, clock } = await freshQueue({ capacity: { messages: Infinity }, deduplicationWindow: 10 });
  const KEYS = 1_000_000;
  let sent = 0;
  const upTo = async (end) => {
    while (sent < end)
      await queue.sendBatch(Array.from({ length: Math.min(20_000, end - sent) }, () => ({ body: 0, idempotencyKey: `k${sent++}` })));
  };
  await upTo(KEYS - 1);
  await fails(queue.sendBatch([{ body: 0, idempotencyKey: "x" }, { body: 0, idempotencyKey: "y" }]), "QueueFullError", "1000000");
  assert.equal((await queue.send(0, { idempotencyKey: "last" })).duplicate, false);
  await fails(queue.send(0, { idempotencyKey: "one too many" }), "QueueFullError", "1000000");
  assert.equal((await queue.send(0, { idempotencyKey: "k0" })).duplicate, true);
  await queue.send("without a key");
  clock.time += 10_000;
  assert.equal((await queue.send(0, { idempotencyKey: "one too many" })).duplicate, false);
  assert.equal((await queue.metrics()).sent, KEYS + 2);
});

test("metrics add up at every moment, though no step has said yet what expired, ended or ran out", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 5, maxRetries: 0, capacity: { bytes: 10_000 } });
  const count = 600;
  for (let at = 0; at < count; at += 1) await queue.send(at, { expirationSeconds: 1 + (at % 7), delaySeconds: at % 3 });
  await queue.send("stays");
  await queue.receive({ max: 50 });
  for (let second = 0; second < 20; second += 1) {
    const { backlogCount, backlogBytes, ready, delayed, leased, sent, acked, deadLettered, dropped } = await queue.metrics();
    const ended = Object.values(dropped).reduce((sum, number) => sum + number, 0);
    assert.equal(backlogCount, ready + delayed + leased, `after ${second} s`);
    assert.equal(sent, acked + deadLettered + ended + backlogCount, `after ${second} s`);
    assert.equal(backlogBytes, 8 * (backlogCount - 1) + 7, `after ${second} s`);
    // No timer fires: the clock was set, and nobody asked for anything.
    clock.time += 1000;
  }
  const { dropped, backlogCount } = await queue.metrics();
  assert.deepEqual([dropped.expired, backlogCount], [count, 1]);
});
