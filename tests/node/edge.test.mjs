/** What a buffered sender promises: batches, bounds, and nothing dropped in silence. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { bufferedSender, MessageTooLargeError, QueueFullError, UndeliveredError } from "posthaste/edge";
import { cloudflareQueues, virtualClock } from "posthaste/testing";
import { bounded, fails, quiet, range, stateOf } from "./lab.mjs";

/** A queue that keeps what it takes; `fault` answers an error for each try, or undefined. */
function target(fault = () => undefined) {
  const batches = [];
  let tries = 0;
  return {
    batches,
    get tries() {
      return tries;
    },
    async sendBatch(messages) {
      const batch = Array.from(messages, (message) => ({ ...message }));
      const error = await fault(tries += 1, batch);
      if (error) throw error;
      batches.push(batch);
    },
  };
}
const bodies = ({ batches }) => batches.map((batch) => batch.map(({ body }) => body));

function world(to, options = {}) {
  const clock = virtualClock();
  const kept = [];
  const told = [];
  const sender = bufferedSender(to, {
    clock,
    retryDelay: 1,
    waitUntil: (promise) => void kept.push(promise),
    onUndelivered: (error) => void told.push(error),
    ...options,
  });
  return { clock, kept, told, sender };
}
const failing = (message = "down") => () => new Error(message);

test("messages of one moment go in one batch, in order, when its time has come", async () => {
  const to = target();
  const { sender, clock, kept } = world(to);
  for (const body of range(5)) await sender.send({ body });
  await clock.advance(999);
  assert.equal(to.tries, 0);
  assert.equal(await stateOf(kept[0]), "pending", "the isolate is kept alive");
  await clock.advance(1);
  assert.deepEqual(bodies(to), [range(5).map((body) => ({ body }))]);
  assert.equal(kept.length, 1, "once a batch");
  await bounded(kept[0], "the end");
  assert.deepEqual(sender.metrics(), { buffered: 0, delivered: 5, undelivered: 0, batches: 1, retries: 0, bufferedBytes: 0 });
});

test("a full batch does not wait, and the next collects meanwhile", async () => {
  let answer;
  const to = target((count) => (count === 1 ? new Promise((resolve) => (answer = resolve)) : undefined));
  const { sender, clock } = world(to, { maxBatchSize: 3 });
  for (const body of range(3)) void sender.send(body);
  await quiet();
  assert.equal(to.tries, 1);
  for (const body of range(2)) void sender.send(body + 3);
  await clock.advance(2000);
  assert.equal(to.tries, 1, "one batch at a time");
  answer();
  await quiet();
  assert.deepEqual(bodies(to), [[0, 1, 2], [3, 4]]);
});

test("without a wait, what is sent at once goes at once, together", async () => {
  const to = target();
  const { sender } = world(to, { maxBatchTimeout: 0 });
  for (const body of range(4)) void sender.send(body);
  await quiet();
  assert.deepEqual(bodies(to), [range(4)]);
});

test("a batch has so many bytes", async () => {
  const to = target();
  const { sender } = world(to, { maxBatchBytes: 1000 });
  for (const body of range(5)) void sender.send(`${body}`.repeat(300));
  await bounded(sender.flush(), "flush");
  assert.deepEqual(to.batches.map(({ length }) => length), [2, 2, 1]);
});

test("every request keeps its own lifetime; one that is over takes nothing", async () => {
  const to = target();
  const { sender, kept } = world(to);
  const own = [];
  const ctx = {
    waitUntil(promise) {
      assert.equal(this, ctx);
      own.push(promise);
    },
  };
  await sender.send(1);
  await sender.send(2, { ctx });
  await sender.send(3, { ctx });
  assert.deepEqual([kept.length, own.length], [1, 1]);
  const over = {
    waitUntil() {
      throw new TypeError("the response was sent");
    },
  };
  await fails(sender.send(4, { ctx: over }), "TypeError", "the response was sent");
  await fails(sender.sendBatch(range(300).map((body) => ({ body })), { ctx: over }), "TypeError", "the response was sent");
  await bounded(sender.flush(), "flush");
  await bounded(Promise.all([...kept, ...own]), "the ends");
  assert.deepEqual(bodies(to), [[1, 2, 3]]);
  assert.equal(sender.metrics().bufferedBytes, 0);
});

test("what fails is tried again, with growing waits, as often as it may", async () => {
  const times = [];
  const to = target(() => {
    times.push(clock.now());
    return new Error("down");
  });
  const { sender, clock, told, kept } = world(to, { retryDelay: { base: 1, factor: 2, max: 3, jitter: 0 }, maxRetries: 4 });
  const start = clock.now();
  await sender.sendBatch([{ body: 1 }, { body: 2, headers: { a: "b" } }]);
  await clock.advance(60_000);
  assert.deepEqual(times.map((at) => at - start), [1000, 2000, 4000, 7000, 10_000]);
  assert.equal(told.length, 1);
  const [error] = told;
  assert.ok(error instanceof UndeliveredError);
  assert.deepEqual([error.name, error.code, error.attempts, error.outcomeUnknown, error.cause.message], ["UndeliveredError",
    "ERR_UNDELIVERED", 5, false, "down"]);
  assert.deepEqual(error.messages, [{ body: 1 }, { body: 2, headers: { a: "b" } }]);
  assert.match(error.message, /2 messages.*5 tries.*down/);
  await bounded(kept[0], "it was told: nobody else is");
  assert.deepEqual(sender.metrics(), { buffered: 0, delivered: 0, undelivered: 2, batches: 0, retries: 4, bufferedBytes: 0 });
});

test("a target that comes back gets everything, in order", async () => {
  const to = target((count) => (count < 4 ? new Error("down") : undefined));
  const { sender, clock, told } = world(to, { maxBatchSize: 2 });
  for (const body of range(6)) void sender.send(body);
  await clock.advance(10_000);
  assert.deepEqual([bodies(to), told], [[[0, 1], [2, 3], [4, 5]], []]);
});

test("a batch that is refused for good is not tried again, and the next goes on", async () => {
  const to = target((count) => (count === 1 ? new DOMException("no such queue", "NotFoundError") : undefined));
  const { sender, told } = world(to, { maxBatchSize: 2 });
  await sender.sendBatch(range(3).map((body) => ({ body })));
  const error = await fails(sender.flush(), "UndeliveredError", "no such queue");
  assert.deepEqual([error.messages.map(({ body }) => body), error.attempts], [[0, 1], 1]);
  assert.deepEqual([told.length, bodies(to)], [1, [[2]]]);
});

test("a batch too large for the target goes in halves", async () => {
  const tooLarge = Object.assign(new Error("too large"), { name: "MessageTooLargeError" });
  const to = target((_, batch) => (batch.length > 2 || batch.some(({ body }) => body === 9) ? tooLarge : undefined));
  const { sender, told } = world(to);
  for (const body of [0, 1, 2, 3, 4, 9]) await sender.send(body);
  await fails(sender.flush(), "UndeliveredError");
  assert.deepEqual(bodies(to), [[0], [1, 2], [3], [4]]);
  assert.deepEqual(told.map(({ messages }) => messages.map(({ body }) => body)), [[9]]);
});

test("a try that gets no answer is given up, and what may have happened is said", async () => {
  const to = target(() => new Promise(() => {}));
  const { sender, clock, told } = world(to, { maxRetries: 1, timeout: 5 });
  await sender.send(1);
  await clock.advance(11_999);
  assert.equal(told.length, 0);
  await clock.advance(1);
  assert.deepEqual([told[0].outcomeUnknown, told[0].cause.name, to.tries], [true, "TimeoutError", 2]);
});

test("without anyone to tell, the promise that keeps the isolate alive rejects", async () => {
  const { sender, clock, kept } = world(target(failing()), { onUndelivered: undefined, maxRetries: 0 });
  await sender.send(1);
  await clock.advance(1000);
  await fails(kept[0], "UndeliveredError", "down");
  const broken = world(target(failing()), {
    onUndelivered: () => {
      throw new Error("reporter");
    },
    maxRetries: 0,
  });
  await broken.sender.send(1);
  await broken.clock.advance(1000);
  await fails(broken.kept[0], "Error", "reporter");
});

test("with neither, a rejection that nobody handles tells", async () => {
  const heard = once(process, "unhandledRejection");
  const others = process.listeners("unhandledRejection").slice(0, -1);
  for (const other of others) process.removeListener("unhandledRejection", other);
  const { sender, clock } = world(target(failing()), { onUndelivered: undefined, waitUntil: undefined, maxRetries: 0 });
  await sender.send(1);
  await clock.advance(1000);
  const [error] = await bounded(heard, "the rejection");
  for (const other of others) process.on("unhandledRejection", other);
  assert.equal(error.name, "UndeliveredError");
  await sender.send(2);
  await fails(sender.flush(), "UndeliveredError", "down");
  await quiet();
});

test("at the bound a send waits for room, in its turn, and can be called off", async () => {
  const answers = [];
  const to = target(() => new Promise((resolve) => answers.push(resolve)));
  const { sender } = world(to, { maxBytes: 1000 });
  const body = (at) => `${at}`.repeat(300);
  await sender.send(body(1));
  await sender.send(body(2));
  const controller = new AbortController();
  const called = sender.send(body(3), { signal: controller.signal });
  const waiting = sender.send(body(4));
  const small = sender.send("5");
  assert.deepEqual([await stateOf(called), await stateOf(waiting), await stateOf(small)], ["pending", "pending", "pending"]);
  assert.equal(answers.length, 1, "who waits is not kept waiting for a fuller batch");
  controller.abort(new Error("enough"));
  await fails(called, "Error", "enough");
  answers[0]();
  await bounded(Promise.all([waiting, small]), "room");
  const closing = sender.close();
  await quiet();
  answers[1]();
  await bounded(closing, "close");
  assert.deepEqual(bodies(to), [[body(1), body(2)], [body(4), "5"]]);
});

test("at the bound a send is refused where that is asked for; what can never fit always is", async () => {
  const { sender } = world(target(), { maxBytes: 1000, overflow: "reject" });
  await sender.send("x".repeat(800));
  const full = await fails(sender.send("y".repeat(300)), "QueueFullError", "1000");
  assert.ok(full instanceof QueueFullError);
  assert.equal(full.code, "ERR_QUEUE_FULL");
  const large = await fails(sender.send("z".repeat(2000)), "MessageTooLargeError", "1000");
  assert.ok(large instanceof MessageTooLargeError);
  await fails(world(target(), { maxBatchBytes: 500 }).sender.send("z".repeat(600)), "MessageTooLargeError", "500");
  await sender.flush();
  await sender.send("y".repeat(300));
  assert.equal(sender.metrics().delivered, 1);
});

test("close takes no more, and lets in who waited", async () => {
  const to = target();
  const { sender } = world(to, { maxBytes: 500 });
  void sender.send("a".repeat(300));
  const waiting = sender.send("b".repeat(300));
  await bounded(sender.close(), "close");
  await waiting;
  assert.equal(bodies(to).flat().length, 2);
  await fails(sender.send(1), "InvalidStateError", "closed");
  await sender.close();
});

test("close tells all that could not be handed over", async () => {
  const { sender } = world(target(failing()), { maxRetries: 0, maxBytes: 500 });
  void sender.send("a".repeat(300));
  void sender.send("b".repeat(300));
  const error = await fails(sender.close(), "UndeliveredError", "2 messages in 2 batches");
  assert.deepEqual(error.messages.map(({ body }) => body[0]), ["a", "b"]);
});

test("a message is what it was when it was sent", async () => {
  const to = target();
  const { sender } = world(to);
  const body = { list: [1], when: new Date(5), map: new Map([[1, 2n]]) };
  await sender.send(body, { contentType: "v8", delaySeconds: 5, idempotencyKey: "k", headers: { a: "b" } });
  body.list.push(2);
  await sender.flush();
  assert.deepEqual(to.batches, [[{
    body: { list: [1], when: new Date(5), map: new Map([[1, 2n]]) },
    contentType: "v8",
    delaySeconds: 5,
    idempotencyKey: "k",
    headers: { a: "b" },
  }]]);
});

test("posthaste's queues and Cloudflare's take what is sent", async () => {
  const queue = await openQueue(`edge ${Math.random()}`);
  const { sender } = world(queue);
  await sender.sendBatch([{ body: { item: "tea" }, headers: { a: "b" } }, { body: new Uint8Array([1]) }]);
  await sender.close();
  const messages = await queue.receive({ max: 5 });
  assert.deepEqual(messages.map(({ body, headers }) => [body, { ...headers }]), [[{ item: "tea" }, { a: "b" }], [new Uint8Array([1]), {}]]);
  await queue.close();

  const cloudflare = cloudflareQueues({ production: true });
  const other = world(cloudflare.producer("photos"), { maxBatchSize: 100 });
  await other.sender.sendBatch(range(250).map((body) => ({ body })));
  await other.sender.close();
  assert.equal(cloudflare.waiting("photos").length, 250);
});

/** A server that answers as `answer` says, and keeps what it was asked. */
async function posted(answer, use) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    const { status, headers, text } = answer(asked.length, body);
    response.writeHead(status, headers).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(`http://127.0.0.1:${server.address().port}/events`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test("an address is posted JSON, with one key however often the batch is tried", () =>
  posted((count) => ({ status: count === 1 ? 503 : 202 }), async (url, asked) => {
    const { sender, clock, told } = world({ url, headers: { Authorization: "Bearer t" } });
    await sender.send({ item: "tea", gone: undefined });
    await sender.send("text", { contentType: "text", delaySeconds: 5, idempotencyKey: "k", headers: { a: "b" } });
    const flushed = sender.flush();
    while (asked.length < 2) {
      await quiet();
      await clock.advance(10);
    }
    await bounded(flushed, "flush");
    const [first, second] = asked;
    assert.deepEqual([first.method, first.url, first.headers["content-type"], first.headers.authorization], ["POST", "/events",
      "application/json", "Bearer t"]);
    const { id, messages } = JSON.parse(first.body);
    assert.match(id, UUID);
    assert.deepEqual(messages, [{ body: { item: "tea" } }, {
      body: "text",
      contentType: "text",
      delaySeconds: 5,
      idempotencyKey: "k",
      headers: { a: "b" },
    }]);
    assert.deepEqual([first.headers["idempotency-key"], second.headers["idempotency-key"], second.body], [id, id, first.body]);
    await sender.send(3);
    await sender.flush();
    assert.notEqual(asked[2].headers["idempotency-key"], id, "another batch has another key");
    assert.deepEqual(told, []);
  }));

test("or a line of JSON for each message", () =>
  posted(() => ({ status: 200 }), async (url, asked) => {
    const { sender } = world({ url: new URL(url), format: "ndjson" });
    await sender.sendBatch([{ body: "a\nb" }, { body: null, headers: { a: "b" } }]);
    await sender.close();
    assert.equal(asked[0].headers["content-type"], "application/x-ndjson");
    assert.match(asked[0].headers["idempotency-key"], UUID);
    assert.ok(asked[0].body.endsWith("\n"));
    assert.deepEqual(asked[0].body.trim().split("\n").map((line) => JSON.parse(line)), [{ body: "a\nb" }, {
      body: null,
      headers: { a: "b" },
    }]);
  }));

test("what an answer says decides: later, too large, or never", async () => {
  const tried = async (answer, count, options = {}) => {
    let result;
    await posted(answer, async (url, asked) => {
      const { sender, told } = world(url, { retryDelay: 0, maxRetries: 2, ...options, clock: undefined });
      for (const body of range(count)) await sender.send(body);
      await sender.flush().catch(() => undefined);
      result = { tries: asked.length, told, ...sender.metrics() };
    });
    return result;
  };
  for (const status of [408, 425, 429, 500, 503]) {
    const { tries, told: [error] } = await tried(() => ({ status, text: "not now" }), 1);
    assert.deepEqual([tries, error.outcomeUnknown], [3, status >= 500], `${status}`);
    assert.match(error.cause.message, new RegExp(`answered ${status}: not now`));
  }
  for (const status of [400, 401, 404, 422]) assert.equal((await tried(() => ({ status }), 1)).tries, 1, `${status}`);
  const halved = await tried((_, body) => ({ status: JSON.parse(body).messages.length > 2 ? 413 : 204 }), 8);
  assert.deepEqual([halved.delivered, halved.undelivered, halved.batches], [8, 0, 4]);
  const alone = await tried(() => ({ status: 413 }), 1);
  assert.deepEqual([alone.tries, alone.undelivered], [1, 1]);
  const nobody = world("http://127.0.0.1:1/", { retryDelay: 0, clock: undefined });
  await nobody.sender.send(1);
  const error = await fails(nobody.sender.flush(), "UndeliveredError");
  assert.deepEqual([error.attempts, error.outcomeUnknown], [4, true]);
});

test("a body that JSON can't say is refused when it is sent", async () => {
  const { sender } = world("https://queue.example.com/");
  const cyclic = {};
  cyclic.self = cyclic;
  for (const body of [undefined, () => 1, 5n, cyclic, new Uint8Array(1), new ArrayBuffer(1), new Map(), new Set()])
    await fails(sender.send(body), "TypeError", "JSON");
  await fails(sender.send("a", { contentType: "v8" }), "TypeError", '"v8"');
  await fails(sender.send(5, { contentType: "text" }), "TypeError", "5");
  const other = world(target()).sender;
  await fails(other.send(() => 1), "DataCloneError");
  assert.equal(sender.metrics().buffered + other.metrics().buffered, 0);
});

test("bad input is refused by value", async () => {
  const wrong = (to, options, name, message) => assert.throws(() => bufferedSender(to, options), { name, message });
  wrong(undefined, {}, "TypeError", /undefined/);
  wrong({}, {}, "TypeError", /\{\}/);
  wrong("queue", {}, "TypeError", /"queue"/);
  wrong("ftp://example.com/", {}, "TypeError", /ftp:/);
  wrong({ url: "https://example.com/", format: "xml" }, {}, "TypeError", /"xml"/);
  wrong({ url: "https://example.com/", headers: { a: 1 } }, {}, "TypeError", /1/);
  wrong({ url: "https://example.com/", fetch: 5 }, {}, "TypeError", /5/);
  const to = target();
  wrong(to, 5, "TypeError", /5/);
  wrong(to, { maxBatchSize: 0 }, "RangeError", /0/);
  wrong(to, { maxBatchTimeout: -1 }, "RangeError", /-1/);
  wrong(to, { maxBytes: "1 MB" }, "TypeError", /"1 MB"/);
  wrong(to, { maxBatchBytes: 1.5 }, "RangeError", /1\.5/);
  wrong(to, { overflow: "drop-oldest" }, "TypeError", /"drop-oldest"/);
  wrong(to, { maxRetries: -1 }, "RangeError", /-1/);
  wrong(to, { retryDelay: { base: 1, factor: 0 } }, "RangeError", /0/);
  wrong(to, { timeout: 0 }, "RangeError", /0/);
  wrong(to, { maxRetryAfter: -1 }, "RangeError", /-1/);
  wrong(to, { maxRetryAfter: "1 h" }, "TypeError", /"1 h"/);
  wrong(to, { ctx: {} }, "TypeError", /waitUntil.*\{\}/);
  wrong(to, { waitUntil: 5 }, "TypeError", /5/);
  wrong(to, { onUndelivered: "log" }, "TypeError", /"log"/);
  wrong(to, { clock: {} }, "TypeError", /clock/);
  const { sender } = world(to);
  await fails(sender.send(1, 5), "TypeError", "5");
  await fails(sender.send(1, { ctx: 5 }), "TypeError", "5");
  await fails(sender.send(1, { delaySeconds: -1 }), "RangeError", "-1");
  await fails(sender.send(1, { headers: { a: 1 } }), "TypeError", "1");
  await fails(sender.send(1, { contentType: "xml" }), "TypeError", '"xml"');
  await fails(sender.send(1, { groupId: "g" }), "NotSupportedError", "groupId");
  await fails(sender.send(1, { signal: 5 }), "TypeError", "5");
  await fails(sender.send(1, { signal: AbortSignal.abort() }), "AbortError");
  await fails(sender.sendBatch(5), "TypeError", "5");
  await fails(sender.sendBatch([{ body: 1 }, 5]), "TypeError", "message 1 of the batch");
  assert.equal(sender.metrics().buffered, 0, "nothing of a bad batch is buffered");
});
