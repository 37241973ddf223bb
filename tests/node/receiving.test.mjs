/** What a lease promises: receiving, settling, losing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "./posthaste.mjs";
import { bodies, bounded, fails, freshQueue, quiet, range, stateOf } from "./lab.mjs";

const filled = async (count, options) => {
  const { queue, clock } = await freshQueue(options);
  await queue.sendBatch(range(count).map((body) => ({ body })));
  return { queue, clock };
};

test("receive takes one message, or as many as it may", async () => {
  const { queue } = await filled(5);
  assert.equal((await queue.receive()).length, 1);
  assert.equal((await queue.receive({ max: 3 })).length, 3);
  assert.equal((await queue.receive({ max: 3 })).length, 1);
  assert.deepEqual(await queue.receive({ max: 3 }), []);
});

test("a message tells what it is", async () => {
  const { queue, clock } = await freshQueue();
  const { id } = await queue.send("body");
  const sent = clock.now();
  await clock.advance(3);
  const [message] = await queue.receive();
  assert.equal(message.id, id);
  assert.ok(message.timestamp instanceof Date);
  assert.equal(message.timestamp.getTime(), sent);
  assert.equal(message.attempts, 1);
  assert.deepEqual({ ...message.headers }, {});
  assert.equal(message.priority, 0);
  assert.equal(message.groupId, undefined);
  assert.equal(message.signal.aborted, false);
});

test("what is leased is nobody else's until the lease is over", async () => {
  const { queue, clock } = await filled(1, { visibilityTimeout: 10 });
  await queue.receive();
  assert.deepEqual(await queue.receive(), []);
  await clock.advance(9.9);
  assert.deepEqual(await queue.receive(), []);
  await clock.advance(0.1);
  const [again] = await queue.receive();
  assert.equal(again.attempts, 2);
});

test("a receiver may ask for a lease of its own length", async () => {
  const { queue, clock } = await filled(1);
  await queue.receive({ visibilityTimeout: 2 });
  await clock.advance(2);
  assert.equal((await queue.receive()).length, 1);
});

test("a receiver waits as long as it says", async () => {
  const { queue, clock } = await freshQueue();
  const nothing = queue.receive({ wait: 5 });
  await clock.advance(4.9);
  assert.equal(await stateOf(nothing), "pending");
  await clock.advance(0.1);
  assert.deepEqual(await bounded(nothing, "the empty answer"), []);
  const something = queue.receive({ wait: 5, max: 10 });
  await quiet();
  await queue.send("here");
  assert.deepEqual(bodies(await bounded(something, "the message")), ["here"]);
});

test("receivers that wait are served in their order, each message once", async () => {
  const { queue } = await freshQueue();
  const waiting = range(3).map(() => queue.receive({ wait: 60 }));
  await quiet();
  await queue.sendBatch([{ body: 1 }, { body: 2 }, { body: 3 }]);
  assert.deepEqual((await Promise.all(waiting)).map(bodies), [[1], [2], [3]]);
});

test("a delayed message wakes who waits for it", async () => {
  const { queue, clock } = await freshQueue();
  await queue.send("later", { delaySeconds: 5 });
  const waiting = queue.receive({ wait: 60 });
  await clock.advance(5);
  assert.deepEqual(bodies(await bounded(waiting, "the message")), ["later"]);
});

test("an aborted signal ends a wait with its reason, and no message is lost", async () => {
  const { queue } = await freshQueue();
  const controller = new AbortController();
  const waiting = queue.receive({ wait: 60, signal: controller.signal });
  await quiet();
  controller.abort(new Error("enough"));
  await fails(waiting, "Error", "enough");
  await fails(queue.receive({ signal: controller.signal }), "Error", "enough");
  await fails(queue.receive({ wait: 60, signal: AbortSignal.abort() }), "AbortError");
  await queue.send(1);
  assert.deepEqual(bodies(await queue.receive({ wait: 1 })), [1]);
});

test("abort at the moment of delivery gives the message back", async () => {
  const { queue } = await freshQueue();
  const controller = new AbortController();
  const waiting = queue.receive({ wait: 60, signal: controller.signal }).catch(() => []);
  await quiet();
  const sent = queue.send(1);
  controller.abort();
  await sent;
  const got = [...await waiting, ...await queue.receive({ wait: 1 })];
  assert.deepEqual(bodies(got), [1]);
});

test("an acked message is gone", async () => {
  const { queue, clock } = await filled(2, { visibilityTimeout: 10 });
  const messages = await queue.receive({ max: 2 });
  await Promise.all(messages.map((message) => message.ack()));
  await clock.advance(100);
  assert.deepEqual(await queue.receive({ max: 2 }), []);
  const { acked, backlogCount } = await queue.metrics();
  assert.deepEqual([acked, backlogCount], [2, 0]);
});

test("a retried message comes back after the delay named, or the queue's", async () => {
  const { queue, clock } = await filled(2, { retryDelay: 7 });
  const [first, second] = await queue.receive({ max: 2 });
  await Promise.all([first.retry(), second.retry({ delaySeconds: 2 })]);
  await clock.advance(1.9);
  assert.deepEqual(await queue.receive({ max: 2 }), []);
  await clock.advance(0.1);
  assert.deepEqual(bodies(await queue.receive({ max: 2 })), [1]);
  await clock.advance(5);
  const [again] = await queue.receive({ max: 2 });
  assert.deepEqual([again.body, again.attempts], [0, 2]);
});

test("the wait before a retry grows", async () => {
  const { queue, clock } = await filled(1, { retryDelay: { base: 1, factor: 3, max: 5, jitter: 0 }, maxRetries: 10 });
  for (const seconds of [1, 3, 5, 5]) {
    await (await queue.receive())[0].retry();
    await clock.advance(seconds - 0.1);
    assert.deepEqual(await queue.receive(), []);
    await clock.advance(0.1);
    assert.equal((await queue.peek({ state: "ready" })).length, 1);
  }
});

test("after the last retry a message is a dead letter", async () => {
  const { queue, clock } = await filled(1, { name: "mortal", maxRetries: 2 });
  const letters = [];
  queue.addEventListener("deadletter", ({ detail }) => letters.push(detail));
  let last;
  for (const attempt of [1, 2, 3]) {
    [last] = await queue.receive();
    assert.equal(last.attempts, attempt);
    await last.retry({ delaySeconds: 0 });
  }
  assert.deepEqual(await queue.receive(), []);
  assert.equal((await queue.metrics()).deadLettered, 1);
  assert.deepEqual(letters.map(({ id }) => id), [last.id]);
  const { queue: dead } = await freshQueue({ name: "mortal-dlq", clock });
  const [letter] = await dead.receive();
  assert.deepEqual([letter.id, letter.body, letter.attempts], [last.id, 0, 1]);
});

test("a queue without a dead-letter queue drops, counts and tells", async () => {
  const { queue } = await filled(1, { maxRetries: 0, deadLetterQueue: false });
  const dropped = [];
  queue.addEventListener("drop", ({ detail }) => dropped.push(detail));
  const [message] = await queue.receive();
  await message.retry();
  assert.deepEqual(dropped, [{ id: message.id, cause: "noDeadLetterQueue" }]);
  assert.equal((await queue.metrics()).dropped.noDeadLetterQueue, 1);
});

test("a dead letter keeps the reason it was given", async () => {
  const { queue, clock } = await filled(1, { name: "reasons", deadLetterQueue: "morgue" });
  await (await queue.receive())[0].deadLetter("no such customer");
  const { queue: morgue } = await freshQueue({ name: "morgue", clock });
  const [letter] = await morgue.peek();
  assert.equal(letter.reason, "no such customer");
});

test("an extended lease ends later", async () => {
  const { queue, clock } = await filled(1, { visibilityTimeout: 10 });
  const [message] = await queue.receive();
  await clock.advance(8);
  await message.extend(10);
  await clock.advance(9);
  assert.deepEqual(await queue.receive(), []);
  await message.ack();
  await clock.advance(60);
  assert.deepEqual(await queue.receive(), []);
});

test("settling after the lease is gone says so, and harms nobody", async () => {
  const { queue, clock } = await filled(1, { visibilityTimeout: 10 });
  const [late] = await queue.receive();
  await clock.advance(11);
  const [current] = await queue.receive();
  const error = await fails(late.ack(), "LeaseLostError");
  assert.equal(error.code, "ERR_LEASE_LOST");
  await fails(late.extend(5), "LeaseLostError");
  await current.ack();
  assert.equal((await queue.metrics()).acked, 1);
});

test("a message's signal aborts when its lease is lost", async () => {
  const { queue, clock } = await filled(2, { visibilityTimeout: 10 });
  const [early, late] = await queue.receive({ max: 2 });
  const { signal } = early;
  await clock.advance(9);
  assert.equal(signal.aborted, false);
  await clock.advance(2);
  assert.equal(signal.aborted, false, "its lease ran out, and nobody else has it");
  const [again] = await queue.receive();
  assert.equal(again.id, early.id);
  assert.equal(signal.aborted, true);
  assert.equal(signal.reason.name, "LeaseLostError");
  await queue.receive();
  assert.equal(late.signal.aborted, true, "also when it is asked for later");
});

test("what is said of a message stands though its lease has run out, until someone takes it", async () => {
  const { queue, clock } = await filled(4, { visibilityTimeout: 10, maxRetries: 0, retryDelay: 0 });
  const messages = await queue.receive({ max: 4 });
  await clock.advance(60);
  const [{ state, attempts, leasedBy }] = await queue.peek();
  assert.deepEqual({ state, attempts, leasedBy }, { state: "ready", attempts: 1, leasedBy: undefined });
  const { ready, leased, backlogCount, deadLettered } = await queue.metrics();
  assert.deepEqual([ready, leased, backlogCount, deadLettered], [4, 0, 4, 0], "no timer makes a dead letter");
  await messages[0].ack();
  await messages[1].extend(20);
  await messages[2].retry();
  assert.deepEqual(await queue.receive({ max: 4 }), [], "one is acked, one held, one was retried once too often, and one had its last try");
  await fails(messages[3].ack(), "LeaseLostError");
  await messages[1].ack();
  const after = await queue.metrics();
  assert.deepEqual([after.acked, after.deadLettered, after.backlogCount], [2, 2, 0]);
});

test("who lost a lease that ran out learns it when someone else receives the message", async () => {
  const { queue, clock } = await filled(1, { visibilityTimeout: 10 });
  const other = await openQueue(queue.name, { clock });
  const [message] = await queue.receive();
  const { signal } = message;
  await clock.advance(11);
  const [taken] = await other.receive();
  assert.equal(taken.attempts, 2);
  assert.equal(signal.aborted, true);
  await fails(message.ack(), "LeaseLostError");
  await taken.ack();
});

test("a purge takes leases away", async () => {
  const { queue } = await filled(1);
  const [message] = await queue.receive();
  const { signal } = message;
  assert.equal(await queue.purge(), 1);
  assert.equal(signal.aborted, true);
  await fails(message.ack(), "LeaseLostError");
});

test("settling twice in the same way is settling once", async () => {
  const { queue } = await filled(1);
  const [message] = await queue.receive();
  assert.equal(message.ack(), message.ack());
  await message.ack();
  await message.ack();
  assert.equal((await queue.metrics()).acked, 1);
});

test("settling twice in different ways is refused, and the first stands", async () => {
  const { queue } = await filled(1);
  const [message] = await queue.receive();
  const acked = message.ack();
  await fails(message.retry(), "InvalidStateError", "ack");
  await fails(message.deadLetter("no"), "InvalidStateError");
  await fails(message.extend(5), "InvalidStateError");
  await acked;
  assert.equal((await queue.metrics()).acked, 1);
});

test("a settlement nobody awaits may fail quietly", async () => {
  const { queue, clock } = await filled(3, { visibilityTimeout: 10 });
  const unhandled = [];
  const hear = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", hear);
  const messages = await queue.receive({ max: 3 });
  await clock.advance(11);
  messages[0].ack();
  messages[1].retry();
  messages[2].ack();
  messages[2].retry();
  await quiet();
  process.off("unhandledRejection", hear);
  assert.deepEqual(unhandled, []);
});

test("of many settled at once only those that were lost fail", async () => {
  const { queue, clock } = await filled(4, { visibilityTimeout: 10 });
  const messages = await queue.receive({ max: 4 });
  await Promise.all([messages[0].extend(60), messages[2].extend(60)]);
  await clock.advance(11);
  await queue.receive({ max: 4 });
  const results = await Promise.allSettled(messages.map((message) => message.ack()));
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "rejected"]);
});

test("what is asked of a message is checked", async () => {
  const { queue } = await filled(1);
  const [message] = await queue.receive();
  await fails(message.retry({ delaySeconds: -1 }), "RangeError", "-1");
  await fails(message.extend("5"), "TypeError", '"5"');
  await fails(message.extend(0), "RangeError", "0");
  await fails(message.deadLetter(5), "TypeError", "5");
  await fails(message.reply("later"), "NotSupportedError");
  assert.throws(() => message.ackIn({}), { name: "NotSupportedError" });
  await message.ack();
});

test("what is asked of receive is checked", async () => {
  const { queue } = await freshQueue();
  for (const max of [0, -1, 1.5, NaN, Infinity]) await fails(queue.receive({ max }), "RangeError", String(max));
  await fails(queue.receive({ max: "5" }), "TypeError", '"5"');
  await fails(queue.receive({ wait: -1 }), "RangeError", "-1");
  await fails(queue.receive({ visibilityTimeout: 0 }), "RangeError", "0");
  await fails(queue.receive(5), "TypeError", "5");
  await fails(queue.receive({ signal: "no" }), "TypeError");
});

test("one by one or a hundred at a time, everything is received once", async () => {
  const { queue } = await filled(500);
  const got = [];
  const sizes = [1, 1, 1, 7, 100, 1, 1, 250];
  for (let turn = 0; got.length < 500; turn += 1) {
    const messages = await queue.receive({ max: sizes[turn % sizes.length] });
    assert.ok(messages.length > 0, "while there are some, some come");
    for (const message of messages) {
      got.push(message.body);
      await message.ack();
    }
  }
  assert.deepEqual(got, range(500));
});
