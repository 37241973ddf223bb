/** Faults that are injected: what a queue makes of a store that fails, and what handlers make of a delivery that does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { faulty, faultyDelivery, memoryStorage, storeCases, virtualClock } from "posthaste/testing";
import { bounded, fails, quiet, range } from "./lab.mjs";

/** Meets that fault with the given appends. */
const appends = (fault, ...counts) => ({ operation, count }) => (operation === "append" && counts.includes(count) ? fault : undefined);

async function queueOn(faults, options) {
  const memory = memoryStorage();
  const clock = virtualClock();
  const queue = await openQueue("q", { storage: faulty(memory, faults, clock), clock, ...options });
  return { queue, clock, memory };
}

for (const one of storeCases)
  test(`without faults a faulty store is as the store: ${one.name}`, () => one.run(async () => faulty(memoryStorage(), () => undefined)));

for (const fault of ["fail", "unknown", "unanswered", "lost", "crash"]) {
  test(`"${fault}" at any append: what was sent is there, each message once`, async () => {
    for (const count of range(12).map((at) => at + 1)) {
      const { queue, memory, clock } = await queueOn(appends(fault, count));
      const sent = [];
      for (const body of range(6)) await bounded(queue.send(body), "the send").then(() => sent.push(body));
      const got = await bounded(queue.receive({ max: 10, wait: 60 }), "messages");
      assert.deepEqual(got.map(({ body }) => body), range(6), `append ${count}`);
      await bounded(Promise.all(got.map((message) => message.ack())), "acks");
      await queue.close();
      const again = await openQueue("q", { storage: memory, clock });
      const { sent: counted, acked, backlogCount } = await again.metrics();
      assert.deepEqual([counted, acked, backlogCount, sent.length], [6, 6, 0, 6], `append ${count}`);
      await again.close();
    }
  });
}

test("whoever had a word in a step that was committed, and that nobody could look for, is told that the outcome is not known", async () => {
  let fault;
  const { queue, memory, clock } = await queueOn(({ operation }) => {
    if (fault !== "unanswered" || operation !== "append") return fault === "fail" ? fault : undefined;
    fault = "fail";
    return "unanswered";
  });
  await queue.send("first");
  const [message] = await bounded(queue.receive({ wait: 60 }), "the message");
  fault = "unanswered";
  const asked = [message.ack(), queue.send("second"), queue.sendBatch([{ body: "third" }, { body: "fourth" }])];
  for (const { status, reason } of await bounded(Promise.allSettled(asked), "all to settle")) {
    assert.deepEqual([status, reason?.name, reason?.outcomeUnknown], ["rejected", "StorageLostError", true]);
  }
  const again = await openQueue("q", { storage: memory, clock });
  const { acked, backlogCount } = await again.metrics();
  assert.deepEqual([acked, backlogCount], [1, 3]);
  await again.close();
  await queue.close();
});

test("a full storage refuses sends by name, and goes on when there is room", async () => {
  const { queue } = await queueOn(appends("full", 3, 4));
  const states = [];
  queue.addEventListener("storage", ({ detail }) => states.push(detail.state));
  await queue.send(1);
  await fails(queue.send(2), "QuotaExceededError", "append 3");
  const [message] = await bounded(queue.receive({ wait: 60 }), "the message");
  assert.equal(message.body, 1);
  await message.ack();
  await queue.send(3);
  assert.equal((await queue.metrics()).sent, 2);
  assert.deepEqual(states, ["degraded", "degraded", "ok"]);
  await queue.close();
});

test("a queue for which there was no room when it was made stays once it is, whoever listens, and though nothing is sent", async () => {
  for (const listen of [(queue) => queue.addEventListener("drop", () => {}), (queue) => queue.consume(() => {}), () => {}]) {
    const { queue, clock } = await queueOn(appends("full", 1));
    listen(queue);
    for (let at = 0; at < 4; at += 1) {
      await clock.advance(5000);
      await quiet();
    }
    await queue.send("kept");
    assert.equal((await queue.metrics()).sent, 1);
    await queue.close();
  }
});

test("a send for which there is no room goes once what is done with is deleted, and is refused where nothing is", async () => {
  let full = false;
  const { queue } = await queueOn(({ operation }) => {
    if (operation === "snapshot") full = false;
    return operation === "append" && full ? "full" : undefined;
  });
  await queue.send("done with");
  const [message] = await bounded(queue.receive({ wait: 60 }), "the message");
  await message.ack();
  full = true;
  await bounded(queue.send("fits now"), "the send");
  full = true;
  await fails(queue.send("does not fit"), "QuotaExceededError", "append");
  assert.deepEqual((await queue.receive({ max: 10 })).map(({ body }) => body), ["fits now"]);
  await queue.close();
});

test("a storage that fails many times in a row and works again ends no queue", async () => {
  for (const fault of ["fail", "unknown", "lost"]) {
    const { queue } = await queueOn(appends(fault, 2, 3, 4, 5, 6));
    await bounded(queue.send(1).catch(() => undefined), "the send");
    await bounded(queue.send(2), "a send once it works");
    await queue.close();
    let failing = 0;
    const reads = await queueOn(({ operation }) => (operation === "read" && failing-- > 0 ? fault : undefined));
    failing = 5;
    await bounded(reads.queue.metrics().catch(() => undefined), "the metrics");
    await bounded(reads.queue.send(3), "a send once it works");
    await reads.queue.close();
  }
});

test("a storage that never works again ends its queues, and each call and the last storage event say so", async () => {
  let fails = false;
  const { queue } = await queueOn(({ operation }) => (fails && operation !== "open" ? "fail" : undefined));
  const states = [];
  queue.addEventListener("storage", ({ detail }) => states.push([detail.state, detail.error?.name]));
  await queue.send(1);
  fails = true;
  for (const call of [() => queue.send(2), () => queue.receive(), () => queue.metrics()]) {
    const error = await bounded(call().then(() => undefined, (reason) => reason), "the end", 60_000);
    assert.equal(error?.name, "StorageLostError");
    assert.match(error.message, /failed \d+ times in a row, at last with: injected fault|while this was under way/);
  }
  assert.deepEqual(states.at(-1), ["lost", "StorageLostError"]);
  await queue.close();
});

test("messages whose bodies can't be read just now use up no attempt, and whoever asked is told", async () => {
  let failing = 0;
  const { queue, memory, clock } = await queueOn(({ operation }) => (operation === "values" && failing-- > 0 ? "fail" : undefined), {
    maxRetries: 0,
  });
  const sender = await openQueue("q", { storage: memory, clock, maxRetries: 0 });
  const big = "x".repeat(20_000);
  await sender.sendBatch([{ body: `1${big}` }, { body: `2${big}` }]);
  for (let tries = 0; tries < 5; tries += 1) {
    failing = 2;
    await fails(queue.receive({ max: 2 }), "Error", "values");
    assert.deepEqual(await queue.receive({ max: 2 }), []);
    await clock.advance(1000);
    failing = 0;
    await quiet();
  }
  const messages = await bounded(queue.receive({ max: 2, wait: 5 }), "the messages");
  assert.deepEqual(messages.map(({ body, attempts }) => [body[0], attempts]), [["1", 1], ["2", 1]]);
  const { deadLettered, leased } = await queue.metrics();
  assert.deepEqual([deadLettered, leased], [0, 2]);
  await queue.close();
  await sender.close();
});

test("an answer that is late is late by the clock", async () => {
  const { queue, clock } = await queueOn(appends({ delayMs: 5000 }, 2));
  let sent = false;
  const sending = queue.send(1).then(() => (sent = true));
  await clock.advance(4000);
  assert.equal(sent, false);
  await clock.advance(1000);
  await bounded(sending, "the send");
  await queue.close();
});

test("a fault that can't be read is told", async () => {
  const store = await faulty(memoryStorage(), ({ operation }) => (operation === "open" ? undefined : "explode")).open();
  await fails(store.read(1), "TypeError", '"explode"');
  assert.throws(() => faulty("memory", () => undefined), { name: "TypeError", message: /"memory"/ });
  assert.throws(() => faulty(memoryStorage(), "fail"), { name: "TypeError", message: /"fail"/ });
  const own = new RangeError("own");
  const other = await faulty(memoryStorage(), ({ operation }) => (operation === "append" ? own : undefined)).open();
  await fails(other.append(0, () => ({ record: new Uint8Array([1]), bodies: [], chunk: -1 }), false), "RangeError", "own");
  assert.deepEqual((await other.read(1)).numbers, []);
});

async function delivered(faults, handler = () => {}) {
  const clock = virtualClock();
  const queue = await openQueue(`delivery ${Math.random()}`, { clock, retryDelay: 0 });
  await queue.sendBatch(range(3).map((body) => ({ body })));
  const seen = [];
  const consumer = queue.consume(faultyDelivery((batch) => {
    seen.push(batch.messages.map(({ body, attempts }) => [body, attempts]));
    return handler(batch);
  }, faults));
  await clock.advance(1000);
  await bounded(consumer.stop(), "the consumer stops");
  const metrics = await queue.metrics();
  await queue.close();
  return { seen, metrics };
}

test("a crash between take and ack: the work was done, and comes again", async () => {
  const { seen, metrics } = await delivered({ crash: (_, count) => count === 1 }, (batch) => batch.ackAll());
  assert.deepEqual(seen, [[[0, 1], [1, 1], [2, 1]], [[0, 2], [1, 2], [2, 2]]]);
  assert.deepEqual([metrics.acked, metrics.retried], [3, 3]);
});

test("messages come twice, and are acked once", async () => {
  const { seen, metrics } = await delivered({ duplicate: ({ body }) => body === 1 });
  assert.deepEqual(seen, [[[0, 1], [1, 1], [2, 1]], [[1, 1]]]);
  assert.equal(metrics.acked, 3);
});

test("messages come in another order", async () => {
  assert.deepEqual((await delivered({ reorder: () => true })).seen, [[[2, 1], [1, 1], [0, 1]]]);
  assert.deepEqual((await delivered({ reorder: () => [1, 2, 0] })).seen, [[[1, 1], [2, 1], [0, 1]]]);
});

test("a plan of delivery faults is checked", () => {
  assert.throws(() => faultyDelivery("handler", {}), { name: "TypeError", message: /"handler"/ });
  assert.throws(() => faultyDelivery(() => {}, 5), { name: "TypeError", message: /5/ });
  assert.throws(() => faultyDelivery(() => {}, { crash: true }), { name: "TypeError", message: /crash.*true/ });
});

test("a store that throws instead of rejecting has answered: it is not opened again for its silence", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let [opened, thrown] = [0, 0];
  const driver = memoryStorage();
  const open = async () => {
    opened += 1;
    const store = await driver.open();
    const { values } = store;
    store.values = (keys) => {
      thrown += 1;
      if (thrown === 1) throw new Error("busy");
      return values.call(store, keys);
    };
    return store;
  };
  const queue = await openQueue("q", { storage: { kind: "throwing", open } });
  await queue.send("kept");
  const [{ body }] = await queue.receive();
  t.mock.timers.tick(31_000);
  await quiet();
  assert.deepEqual([body, opened, thrown], ["kept", 1, 2]);
  await queue.close();
});
