/** What is held here: leases that are extended from the grant on, waits for oneself that end, and words that make no sense. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { bounded, fails, freshQueue, heard, quiet } from "./lab.mjs";

const outcome = async (queue) => {
  const { acked, deadLettered, retried, backlogCount } = await queue.metrics();
  return { acked, deadLettered, retried, backlogCount };
};
const ONCE = { acked: 1, deadLettered: 0, retried: 0, backlogCount: 0 };

for (const [maxBatchTimeout, work] of [[25, 10], [60, 0], [300, 45]]) {
  test(`a batch that fills for ${maxBatchTimeout} s and is worked on for ${work} is handled once`, async () => {
    const { queue, clock } = await freshQueue({ maxRetries: 0 });
    const attempts = [];
    queue.consume(async ({ messages }) => {
      attempts.push(...messages.map((message) => message.attempts));
      await new Promise((resolve) => clock.setTimeout(resolve, work * 1000));
    }, { maxBatchTimeout });
    await queue.send("one");
    await clock.advance(900);
    assert.deepEqual(attempts, [1]);
    assert.deepEqual(await outcome(queue), ONCE);
  });
}

test("a batch that fills for longer than a lease is whole, and its handler has a lease from then on that nothing extends", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 5 });
  const handed = [];
  const consumer = queue.consume(({ messages }) => {
    handed.push(messages.map(({ body, attempts }) => `${body} ${attempts}`));
    return new Promise((resolve) => clock.setTimeout(resolve, 20_000));
  }, { maxBatchTimeout: 20, autoExtend: false });
  await queue.send("one");
  await clock.advance(12);
  await queue.send("two");
  await clock.advance(12);
  assert.deepEqual(handed, [["one 1", "two 1"]]);
  const left = (await queue.peek()).map(({ leaseExpiresAt }) => leaseExpiresAt - clock.now());
  assert.deepEqual(left, [1_000, 1_000]);
  await clock.advance(2);
  assert.deepEqual((await queue.receive({ max: 2 })).map(({ body, attempts }) => `${body} ${attempts}`), ["one 2", "two 2"]);
  await clock.advance(20);
  await bounded(consumer.stop(), "the consumer's end");
});

test("a batch that waits to be filled keeps its leases", async () => {
  const { queue, clock } = await freshQueue({ maxRetries: 0 });
  const attempts = [];
  queue.consume(({ messages }) => void attempts.push(...messages.map((message) => message.attempts)), { maxBatchTimeout: 300 });
  await queue.send("one");
  await clock.advance(100);
  assert.deepEqual((await queue.peek()).map(({ state, attempts }) => [state, attempts]), [["leased", 1]]);
  await clock.advance(300);
  assert.deepEqual(attempts, [1]);
  assert.deepEqual(await outcome(queue), ONCE);
});

test("what a schema takes long to look at keeps its lease", async () => {
  const waiting = [];
  let slow = false;
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => (slow
        ? new Promise((resolve) => waiting.push(() => resolve({ value })))
        : { value }),
    },
  };
  const { queue, clock } = await freshQueue({ schema });
  await queue.send("one");
  slow = true;
  const receiving = queue.receive();
  await clock.advance(100);
  assert.equal((await queue.metrics()).leased, 1);
  waiting[0]();
  const [message] = await receiving;
  assert.equal(message.attempts, 1);
  await message.ack();
});

test("a loop over messages keeps the lease of the one it works on, and no longer than until it asks for another", async () => {
  const { queue, clock } = await freshQueue();
  await queue.send("one");
  const iterator = queue[Symbol.asyncIterator]();
  const { value: message } = await iterator.next();
  await clock.advance(200);
  assert.equal((await queue.metrics()).leased, 1);
  const next = iterator.next();
  await clock.advance(31);
  const { value: again } = await bounded(next, "it comes again: the loop forgot it");
  assert.deepEqual([again.id, again.attempts], [message.id, 2]);
  await again.ack();
});

test("what was read from a stream keeps its lease until it is settled, or the stream is cancelled", async () => {
  const { queue, clock } = await freshQueue();
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  const reader = queue.readable.getReader();
  const [{ value: first }] = [await reader.read(), await reader.read()];
  await clock.advance(200);
  assert.equal((await queue.metrics()).leased, 2);
  await first.ack();
  await reader.cancel();
  const { ready, acked } = await queue.metrics();
  assert.deepEqual({ ready, acked }, { ready: 1, acked: 1 });
});

test("leases outlive timers that come once a minute", async () => {
  const { queue, clock } = await freshQueue();
  const set = clock.setTimeout.bind(clock);
  const until = [];
  queue.consume(() => new Promise((resolve) => set(resolve, 250_000)));
  clock.setTimeout = (callback, ms) => set(callback, Math.ceil((clock.now() + ms) / 60_000) * 60_000 - clock.now());
  await queue.send("one");
  for (let minute = 0; minute < 4; minute += 1) {
    await clock.advance(61);
    const [{ leaseExpiresAt }] = await queue.peek();
    until.push(leaseExpiresAt - clock.now() > 60_000);
  }
  assert.deepEqual(until, [true, true, true, true]);
  await clock.advance(120);
  assert.deepEqual(await outcome(queue), ONCE);
});

test("a queue that closes keeps the leases of its handlers, and hears them, for as long as it waits for them", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 5, retryDelay: 60 });
  await queue.sendBatch([{ body: "to ack" }, { body: "to retry" }]);
  const states = [];
  queue.consume(async ({ messages: [first, second] }) => {
    await new Promise((resolve) => clock.setTimeout(resolve, 20_000));
    await Promise.all([first.ack(), second.retry()]);
  });
  await quiet();
  const other = await openQueue(queue.name, { clock });
  const closing = queue.close();
  for (let second = 0; second < 19; second += 6) {
    await clock.advance(6);
    states.push((await other.metrics()).leased);
  }
  await bounded(closing, "the queue to close");
  assert.deepEqual(states, [2, 2, 2, 0]);
  assert.deepEqual(await outcome(other), { acked: 1, deadLettered: 0, retried: 1, backlogCount: 1 });
  await other.close();
});

test("a handler that outlasts the wait of close() is told that its word comes too late", async () => {
  const { queue, clock } = await freshQueue();
  await queue.send("one");
  const words = [];
  queue.consume(async ({ messages: [message] }) => {
    await new Promise((resolve) => clock.setTimeout(resolve, 40_000));
    words.push(await message.ack().then(() => "acked", ({ name }) => name));
  });
  await quiet();
  const closing = queue.close();
  await clock.advance(31);
  await bounded(closing, "the queue to close");
  await clock.advance(10);
  assert.deepEqual(words, ["InvalidStateError"]);
});

test("a batch that fills for longer than a lease has its message once, at its first attempt", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 5 });
  const handled = [];
  queue.consume(({ messages }) => void handled.push(messages.map(({ attempts }) => attempts)), { maxBatchTimeout: 7, autoExtend: false });
  await queue.send("one");
  await clock.advance(8);
  assert.deepEqual(handled, [[1]]);
  assert.deepEqual(await outcome(queue), ONCE);
});

for (const what of ["stop", "close", "each other"]) {
  test(`a handler may wait for the end of its own consumer: ${what}`, async () => {
    const { queue } = await freshQueue();
    await queue.send("one");
    let other;
    const consumer = queue.consume(() => (what === "stop" ? consumer.stop() : what === "close" ? queue.close() : other.stop()));
    if (what === "each other") {
      other = queue.consume(() => consumer.stop());
      await queue.send("two");
    }
    await bounded(what === "each other" ? other.done : consumer.done, "the end of the consumer");
  });
}

test("a handler that stops its consumer after it has awaited something is waited for no longer than a lease", async () => {
  const { queue, clock } = await freshQueue();
  await queue.send("one");
  const consumer = queue.consume(async () => {
    await quiet();
    await consumer.stop();
  });
  await quiet();
  await clock.advance(31);
  await bounded(consumer.done, "the end of the consumer");
  assert.deepEqual(await outcome(queue), ONCE);
});

const SENSELESS = {
  "retry({ delaySeconds: NaN })": (message) => message.retry({ delaySeconds: NaN }),
  'retry({ delaySeconds: "5" })': (message) => message.retry({ delaySeconds: "5" }),
  "deadLetter(5)": (message) => message.deadLetter(5),
};
for (const [words, say] of Object.entries(SENSELESS)) {
  test(`in a handler, ${words} that nobody awaits is a retry and an error event`, async () => {
    const { queue } = await freshQueue({ retryDelay: 60 });
    const error = heard(queue, "error");
    await queue.send("one");
    queue.consume(({ messages: [message] }) => void say(message));
    assert.match((await bounded(error, "the error event")).error.name, /^(Range|Type)Error$/);
    await quiet();
    assert.deepEqual(await outcome(queue), { acked: 0, deadLettered: 0, retried: 1, backlogCount: 1 });
    await queue.close();
  });
}

test("a batch that is to be retried after a senseless delay is retried, though the handler catches the error", async () => {
  const { queue } = await freshQueue({ retryDelay: 60 });
  await queue.send("one");
  queue.consume((batch) => {
    assert.throws(() => batch.retryAll({ delaySeconds: -1 }), RangeError);
  });
  await quiet();
  assert.deepEqual(await outcome(queue), { acked: 0, deadLettered: 0, retried: 1, backlogCount: 1 });
  await queue.close();
});

test("outside of a handler a senseless word says nothing, and its promise need not be awaited", async () => {
  const { queue } = await freshQueue();
  await queue.send("one");
  const [message] = await queue.receive();
  const unheard = [];
  const hear = (error) => unheard.push(error);
  process.on("unhandledRejection", hear);
  void message.retry({ delaySeconds: NaN });
  void message.extend(NaN);
  void message.deadLetter(5);
  await new Promise(setImmediate);
  process.off("unhandledRejection", hear);
  assert.deepEqual(unheard, []);
  await fails(message.extend(NaN), "RangeError", "NaN");
  await message.ack();
});

test("a hidden page whose consumer does not extend gets leases as long as the queue says", async (t) => {
  globalThis.document = { hidden: true, addEventListener() {}, removeEventListener() {} };
  t.after(() => delete globalThis.document);
  const { queue, clock } = await freshQueue({ visibilityTimeout: 30 });
  queue.consume(() => new Promise(() => undefined), { autoExtend: false });
  await queue.send("long");
  await quiet();
  assert.deepEqual((await queue.peek()).map(({ leaseExpiresAt }) => leaseExpiresAt - clock.now()), [30_000]);
});

test("a word that comes after its handler threw is refused, for nothing is recorded of it", async () => {
  const { queue, clock } = await freshQueue({ retryDelay: 5 });
  queue.addEventListener("error", () => {});
  let late;
  const consumer = queue.consume(({ messages: [message] }) => {
    late = message;
    throw new Error("a race that was lost");
  });
  await queue.send("one");
  await clock.advance(1);
  await consumer.stop();
  await fails(late.ack(), "InvalidStateError", "it can't be acked");
  assert.equal(late.retry() instanceof Promise, true);
  assert.deepEqual(await outcome(queue), { acked: 0, deadLettered: 0, retried: 1, backlogCount: 1 });
});

test("a word that comes after its handler returned is the same, or refused", async () => {
  const { queue } = await freshQueue();
  let late;
  const consumer = queue.consume(({ messages: [message] }) => void (late = message));
  const drained = heard(queue, "drain");
  await queue.send("one");
  await drained;
  await consumer.stop();
  await late.ack();
  await fails(late.retry(), "InvalidStateError", "it can't be retried");
});

test("a message that is purged on the way to its receiver is not handed out, or tells so by its signal", async () => {
  let met = 0;
  for (let turns = 0; turns < 12; turns += 1) {
    const { queue, clock } = await freshQueue();
    const waiting = queue.receive({ wait: 10 });
    await quiet();
    void queue.send("one");
    for (let turn = 0; turn < turns; turn += 1) await undefined;
    const purged = await queue.purge();
    const advanced = clock.advance(20);
    const messages = await waiting;
    await advanced;
    if (!purged) continue;
    met += 1;
    for (const message of messages) {
      assert.equal(message.signal.aborted, true, `after ${turns} turns`);
      await fails(message.ack(), "LeaseLostError");
    }
  }
  assert.ok(met > 0, "no message met a purge");
});
