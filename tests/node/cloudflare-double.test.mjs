/** The double of Cloudflare Queues: its rules, its defaults and its limits, by a clock that moves when told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { cloudflareQueues, virtualClock } from "posthaste/testing";
import { fails, range } from "./lab.mjs";

const requests = (count) => range(count).map((body) => ({ body }));

/** A queue with a consumer that is told what came. */
function consumed(handler, options = {}, consumer = {}) {
  const queues = cloudflareQueues(options);
  const producer = queues.producer("photos");
  const seen = [];
  queues.consume("photos", {
    queue(batch, env, ctx) {
      seen.push(batch.messages.map(({ body, attempts }) => [body, attempts]));
      return handler?.(batch, env, ctx, seen.length);
    },
  }, consumer);
  return { queues, producer, seen, clock: queues.clock };
}
const outcomes = ({ queues }) => queues.outcomes.map(({ body, outcome }) => [body, outcome]);

test("a Worker's exported handler gets its batch, its env and its context", async () => {
  let given;
  const world = consumed((batch, env, ctx) => {
    given = { queue: batch.queue, count: batch.metadata.metrics.backlogCount, env, waits: typeof ctx.waitUntil };
  }, {}, { env: { KEY: "value" } });
  const { metadata } = await world.producer.send({ item: "tea" });
  assert.equal(metadata.metrics.backlogCount, 1);
  await world.queues.settle();
  assert.deepEqual(given, { queue: "photos", count: 1, env: { KEY: "value" }, waits: "function" });
  assert.deepEqual(outcomes(world), [[{ item: "tea" }, "acked"]]);
  assert.match(world.queues.outcomes[0].id, /^[0-9a-f]{32}$/);
  assert.deepEqual(await world.producer.metrics(), { backlogCount: 0, backlogBytes: 0 });
});

test("with production defaults a batch is ten messages, or what came in five seconds", async () => {
  const { producer, seen, clock } = consumed(undefined, { production: true });
  await producer.sendBatch(requests(12));
  await clock.advance(0);
  assert.deepEqual(seen.map(({ length }) => length), [10], "a full batch does not wait");
  await clock.advance(4999);
  assert.equal(seen.length, 1);
  await clock.advance(1);
  assert.deepEqual(seen.map(({ length }) => length), [10, 2]);
  await clock.advance(3_600_000);
  assert.equal(seen.length, 2, "an empty queue never calls the handler");
});

test("without them what is there is delivered at once", async () => {
  const { producer, seen, clock } = consumed();
  await producer.send(1);
  await clock.advance(0);
  assert.deepEqual(seen, [[[1, 1]]]);
});

test("a handler that throws: four deliveries, and the message is deleted, or goes to the dead letters with its id", async () => {
  const thrown = new Error("no");
  const world = consumed(() => Promise.reject(thrown), { production: true });
  await world.producer.send(1);
  await world.queues.settle();
  assert.deepEqual(world.seen, [[[1, 1]], [[1, 2]], [[1, 3]], [[1, 4]]]);
  assert.deepEqual(outcomes(world).map(([, outcome]) => outcome), ["retried", "retried", "retried", "deleted"]);
  assert.deepEqual(world.queues.errors, [thrown, thrown, thrown, thrown]);

  const other = consumed(() => Promise.reject(thrown), {}, { deadLetterQueue: "photos-dlq", maxRetries: 1 });
  await other.producer.send(1);
  await other.queues.settle();
  const [letter] = other.queues.waiting("photos-dlq");
  assert.deepEqual([letter.body, letter.attempts, letter.id], [1, 0, other.queues.outcomes[0].id]);
  assert.equal(letter.timestamp.getTime(), other.clock.now());
});

test("what waitUntil is given decides too", async () => {
  const world = consumed((batch, env, ctx, call) => ctx.waitUntil(call === 1 ? Promise.reject(new Error("later")) : Promise.resolve()));
  await world.producer.send(1);
  await world.queues.settle();
  assert.deepEqual(outcomes(world), [[1, "retried"], [1, "acked"]]);
});

test("the first word on a message counts, and beats a later one on the batch; after one on the batch it says nothing", async () => {
  const world = consumed((batch, env, ctx, call) => {
    if (call > 1) return;
    const [first, second, third, fourth] = batch.messages;
    first.ack();
    first.retry();
    second.retry({ delaySeconds: 10 });
    second.ack();
    batch.retryAll({ delaySeconds: 60 });
    batch.ackAll();
    third.ack();
    fourth.retry({ delaySeconds: 20 });
    throw new Error("acked is acked");
  });
  await world.producer.sendBatch(requests(5));
  await world.clock.advance(0);
  assert.deepEqual(outcomes(world), [[0, "acked"], [1, "retried"], [2, "retried"], [3, "retried"], [4, "retried"]]);
  await world.clock.advance(10_000);
  assert.deepEqual(world.seen.at(-1), [[1, 2]]);
  await world.clock.advance(10_000);
  assert.deepEqual(world.seen.at(-1), [[3, 2]], "the delay of a retry after retryAll is its own");
  await world.clock.advance(40_000);
  assert.deepEqual(world.seen.at(-1), [[2, 2], [4, 2]]);

  const other = consumed((batch) => {
    batch.ackAll();
    batch.messages[0].retry();
    throw new Error("acked is acked");
  });
  await other.producer.sendBatch(requests(2));
  await other.queues.settle();
  assert.deepEqual(outcomes(other), [[0, "acked"], [1, "acked"]]);
});

test("delays: the message's beats the batch's beats the queue's; 0 overrides", async () => {
  const { queues, seen, clock } = consumed();
  const producer = queues.producer("photos", { deliveryDelay: 30 });
  await producer.sendBatch([{ body: "own", delaySeconds: 0 }, { body: "batch" }], { delaySeconds: 10 });
  await producer.send("queue");
  await clock.advance(0);
  assert.deepEqual(seen, [[["own", 1]]]);
  await clock.advance(10_000);
  assert.deepEqual(seen.at(-1), [["batch", 1]]);
  await clock.advance(20_000);
  assert.deepEqual(seen.at(-1), [["queue", 1]]);
});

test("messages are kept for four days, or as long as was set", async () => {
  const queues = cloudflareQueues({ production: true });
  const producer = queues.producer("photos");
  await producer.send(1);
  await queues.clock.advance(345_599_000);
  assert.equal(queues.waiting("photos").length, 1);
  await queues.clock.advance(1000);
  assert.equal(queues.waiting("photos").length, 0);
  assert.deepEqual(outcomes({ queues }), [[1, "expired"]]);
  const short = queues.producer("short", { messageRetention: 60 });
  await short.send(1);
  await queues.clock.advance(60_000);
  assert.equal((await short.metrics()).backlogCount, 0);
});

test("production limits: 128 KB a message, 100 messages and 256 KB a batch, a day of delay", async () => {
  const producer = cloudflareQueues({ production: true }).producer("photos");
  await producer.send("x".repeat(128_000 - 100), { contentType: "text" });
  await fails(producer.send("x".repeat(128_000 - 99), { contentType: "text" }), "RangeError", "128001");
  await fails(producer.send("ü".repeat(64_000), { contentType: "text" }), "RangeError", "128100");
  await producer.sendBatch(requests(100));
  await fails(producer.sendBatch(requests(101)), "RangeError", "101");
  await fails(producer.sendBatch(range(3).map(() => ({ body: "x".repeat(100_000) }))), "RangeError", "300306");
  await producer.send(1, { delaySeconds: 86_400 });
  await fails(producer.send(1, { delaySeconds: 86_401 }), "RangeError", "86401");
  const free = cloudflareQueues().producer("photos");
  await free.sendBatch(range(200).map(() => ({ body: "x".repeat(10_000) })));
});

test("content types: json by default, as bodies come out of each", async () => {
  const got = [];
  const { producer, queues } = consumed(({ messages }) => void got.push(...messages.map(({ body }) => body)));
  await producer.send({ when: new Date(0), gone: undefined });
  await producer.send("text", { contentType: "text" });
  await producer.send(new Uint8Array([1, 2, 3]).subarray(1), { contentType: "bytes" });
  await producer.send(new Map([[1, new Date(2)]]), { contentType: "v8" });
  await queues.settle();
  assert.deepEqual(got, [{ when: "1970-01-01T00:00:00.000Z" }, "text", new Uint8Array([2, 3]).buffer, new Map([[1, new Date(2)]])]);
  await fails(producer.send(5, { contentType: "text" }), "TypeError", "5");
  await fails(producer.send("5", { contentType: "bytes" }), "TypeError", '"5"');
  await fails(producer.send(undefined), "TypeError", "undefined");
  await fails(producer.send(() => 1, { contentType: "v8" }), "DataCloneError");
  await fails(producer.send(1, { contentType: "xml" }), "TypeError", '"xml"');
});

test("handlers run one at a time, or as many as are allowed", async () => {
  for (const maxConcurrency of [1, 3]) {
    const running = [];
    const { producer, clock } = consumed(() => new Promise((resolve) => running.push(resolve)), {}, { maxBatchSize: 1, maxConcurrency });
    await producer.sendBatch(requests(5));
    await clock.advance(0);
    assert.equal(running.length, maxConcurrency);
    for (let done = 0; done < 5; done += 1) {
      running[done]();
      await clock.advance(0);
    }
    assert.equal((await producer.metrics()).backlogCount, 0);
  }
});

test("a handler has fifteen minutes", async () => {
  const world = consumed((batch, env, ctx, call) => (call === 1 ? new Promise(() => {}) : undefined), { production: true });
  await world.producer.send(1);
  await world.clock.advance(5000 + 15 * 60_000);
  await world.queues.settle();
  assert.deepEqual(outcomes(world), [[1, "retried"], [1, "acked"]]);
  assert.match(world.queues.errors[0].message, /15 minutes/);
});

test("faults: duplicates, another order, a crash between take and ack", async () => {
  const crashed = consumed((batch) => batch.ackAll(), { faults: { crash: (_, count) => count === 1 } });
  await crashed.producer.send(1);
  await crashed.queues.settle();
  assert.deepEqual([crashed.seen, outcomes(crashed)], [[[[1, 1]], [[1, 2]]], [[1, "retried"], [1, "acked"]]]);

  const doubled = consumed(undefined, { faults: { duplicate: () => true, reorder: () => true } });
  await doubled.producer.sendBatch(requests(2));
  await doubled.queues.settle();
  assert.deepEqual([doubled.seen, outcomes(doubled)], [[[[1, 1], [0, 1]], [[0, 1], [1, 1]]], [[0, "acked"], [1, "acked"]]]);
});

test("one clock serves the double and posthaste's queues", async () => {
  const clock = virtualClock();
  const queues = cloudflareQueues({ clock });
  const queue = await openQueue("forwarded", { clock });
  queues.consume("photos", (batch) => queue.sendBatch(batch.messages.map(({ body }) => ({ body }))));
  await queues.producer("photos").send("far", { delaySeconds: 5 });
  await clock.advance(5000);
  assert.equal((await queue.receive())[0].body, "far");
  await queue.close();
});

test("bad input is refused by value", async () => {
  const queues = cloudflareQueues();
  const wrong = (make, name, message) => assert.throws(make, { name, message });
  wrong(() => cloudflareQueues(5), "TypeError", /5/);
  wrong(() => cloudflareQueues({ production: "yes" }), "TypeError", /"yes"/);
  wrong(() => cloudflareQueues({ faults: { duplicate: 0.5 } }), "TypeError", /duplicate.*0.5/);
  wrong(() => queues.producer(""), "TypeError", /""/);
  wrong(() => queues.producer("a", { messageRetention: 59 }), "RangeError", /59/);
  wrong(() => queues.consume("a", 5), "TypeError", /5/);
  wrong(() => queues.consume("a", () => {}, { maxBatchSize: 101 }), "RangeError", /101/);
  wrong(() => queues.consume("a", () => {}, { maxBatchTimeout: 61 }), "RangeError", /61/);
  wrong(() => queues.consume("a", () => {}, { maxRetries: 1.5 }), "RangeError", /1\.5/);
  wrong(() => queues.consume("a", () => {}, { retryDelay: "1" }), "TypeError", /"1"/);
  wrong(() => queues.consume("a", () => {}, { deadLetterQueue: "a" }), "RangeError", /"a"/);
  queues.consume("a", () => {});
  wrong(() => queues.consume("a", () => {}), "InvalidStateError", /"a"/);
  await fails(queues.producer("a").sendBatch(5), "TypeError", "5");
  await fails(queues.producer("a").sendBatch([5]), "TypeError", "5");
  await fails(queues.producer("a").send(1, { delaySeconds: -1 }), "RangeError", "-1");
  await fails(queues.clock.advance(-1), "RangeError", "-1");
});
