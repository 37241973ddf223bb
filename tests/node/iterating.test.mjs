/** What iteration and streams promise. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodies, bounded, freshQueue, quiet, range, stateOf } from "./lab.mjs";

test("for await takes one message at a time and acks nothing by itself", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 10 });
  await queue.sendBatch(range(3).map((body) => ({ body })));
  const seen = [];
  for await (const message of queue) {
    seen.push(message.body);
    if (message.body < 2) await message.ack();
    else break;
  }
  assert.deepEqual(seen, [0, 1, 2]);
  await clock.advance(11);
  assert.equal((await queue.receive()).length, 1);
});

test("break gives back what was taken and not settled", async () => {
  const { queue } = await freshQueue();
  await queue.sendBatch(range(3).map((body) => ({ body })));
  let taken = 0;
  for await (const message of queue) {
    if (++taken === 1) await message.ack();
    if (taken === 3) break;
  }
  await quiet();
  const again = await queue.receive({ max: 5 });
  assert.deepEqual(again.map(({ body, attempts }) => [body, attempts]), [[1, 1], [2, 1]], "a delivery given back is none");
});

test("a throw out of the loop gives back too", async () => {
  const { queue } = await freshQueue();
  await queue.send(1);
  await assert.rejects(async () => {
    for await (const message of queue) throw new Error(`at ${message.body}`);
  }, { message: "at 1" });
  await quiet();
  assert.deepEqual(bodies(await queue.receive()), [1]);
});

test("the loop waits for messages to come", async () => {
  const { queue } = await freshQueue();
  const iterator = queue[Symbol.asyncIterator]();
  const next = iterator.next();
  assert.equal(await stateOf(next), "pending");
  await queue.send("here");
  const { value, done } = await bounded(next, "the message");
  assert.deepEqual([value.body, done], ["here", false]);
  assert.equal((await iterator.return()).done, true);
  assert.equal((await bounded(iterator.next(), "the end")).done, true);
});

test("return ends a next that waits", async () => {
  const { queue } = await freshQueue();
  const iterator = queue[Symbol.asyncIterator]();
  const next = iterator.next();
  await quiet();
  await bounded(iterator.return(), "return");
  assert.equal((await bounded(next, "the end")).done, true);
  await queue.send(1);
  assert.equal((await queue.receive()).length, 1);
});

test("closing the queue ends the loop", async () => {
  const { queue } = await freshQueue();
  const loop = (async () => {
    for await (const message of queue) await message.ack();
  })();
  await queue.send(1);
  await quiet();
  await queue.close();
  await bounded(loop, "the loop ends");
});

test("what is written to the writable is sent in order", async () => {
  const { queue } = await freshQueue();
  const writer = queue.writable.getWriter();
  for (const body of range(1000)) void writer.write(body);
  await bounded(writer.close(), "close");
  assert.deepEqual(bodies(await queue.receive({ max: 2000 })), range(1000));
});

test("the writable is held up where the queue is full", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 5 } });
  const writer = queue.writable.getWriter();
  for (const body of range(20)) void writer.write(body);
  const closed = writer.close();
  assert.equal(await stateOf(closed), "pending");
  for (let left = 20; left > 0;) {
    const messages = await queue.receive({ max: 5, wait: 1 });
    await Promise.all(messages.map((message) => message.ack()));
    left -= messages.length;
    await quiet();
  }
  await bounded(closed, "close");
});

test("a send that fails errors the writable", async () => {
  const { queue } = await freshQueue();
  const writer = queue.writable.getWriter();
  const closed = writer.closed.catch((error) => error);
  void writer.write(() => {}).catch(() => {});
  assert.equal((await bounded(closed, "the error")).name, "DataCloneError");
});

test("the readable hands out messages, and cancelling gives back", async () => {
  const { queue } = await freshQueue();
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  const reader = queue.readable.getReader();
  const { value } = await bounded(reader.read(), "the message");
  assert.equal(value.body, 1);
  await reader.cancel();
  await quiet();
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [1, 2]);
});

test("a readable that nobody reads takes nothing", async () => {
  const { queue } = await freshQueue();
  await queue.send(1);
  assert.ok(queue.readable instanceof ReadableStream);
  await quiet();
  assert.deepEqual(bodies(await queue.receive()), [1]);
});

test("one queue can be piped into another", async () => {
  const { queue: from } = await freshQueue();
  const { queue: to } = await freshQueue();
  await from.sendBatch(range(50).map((body) => ({ body })));
  let left = 50;
  const pass = new TransformStream({
    transform(message, controller) {
      controller.enqueue(message.body * 2);
      void message.ack();
      if (--left === 0) controller.terminate();
    },
  });
  await bounded(from.readable.pipeThrough(pass).pipeTo(to.writable).catch(() => {}), "the pipe");
  assert.deepEqual(bodies(await to.receive({ max: 100 })), range(50).map((body) => body * 2));
});
