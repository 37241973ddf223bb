// What a queue in a Durable Object does, run in a Worker: its whole API.
import assert from "node:assert/strict";
import { LeaseLostError, MessageTooLargeError, PolicyMismatchError, QueueFullError, StorageLostError } from "posthaste";
import { openQueue } from "posthaste/cloudflare";

/** deepEqual takes seconds for megabytes. */
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const replace = (env, name) => env.QUEUES.get(env.QUEUES.idFromName(name)).replace().catch(() => undefined);

export const cases = {
  async "what is sent is received, acked and gone"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "simple");
    assert.deepEqual({ ...queue.mode }, { storage: "durable-object", durability: "strict", transport: "port" });
    const receipt = await queue.send({ n: 1 }, { headers: { kind: "first" } });
    assert.equal(receipt.duplicate, false);
    assert.equal(receipt.metadata.metrics.backlogCount, 1);
    const before = Date.now();
    const [message] = await queue.receive();
    assert.equal(message.id, receipt.id);
    assert.deepEqual(message.body, { n: 1 });
    assert.deepEqual({ ...message.headers }, { kind: "first" });
    assert.equal(message.attempts, 1);
    assert.ok(message.timestamp instanceof Date && Math.abs(message.timestamp - before) < 60_000);
    assert.deepEqual(await queue.receive(), []);
    await message.ack();
    const { backlogCount, sent, acked } = await queue.metrics();
    assert.deepEqual([backlogCount, sent, acked], [0, 1, 1]);
  },

  async "bodies come out as they went in"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "bodies");
    const loop = { name: "loop" };
    loop.self = loop;
    const sparse = [1, , 3];
    const bodies = [
      undefined,
      null,
      true,
      false,
      0,
      -0,
      1.5,
      NaN,
      -Infinity,
      2 ** 53 - 1,
      -(2 ** 40),
      12345678901234567890n,
      -1n,
      "",
      "text",
      "ünïcödé 🙂".repeat(20),
      "half \ud800",
      "x".repeat(100_000),
      new Date(5),
      /a(b)c/giu,
      new Map([[{ k: 1 }, new Set([1, "2", null])]]),
      new Uint8Array([1, 2, 3]),
      new Float64Array([1.5, -0]),
      new Uint8Array([1, 2, 3]).buffer,
      new DataView(new Uint8Array([9, 8]).buffer),
      new BigInt64Array([-5n]),
      [1, [2, [3]]],
      sparse,
      { ["__proto__"]: 1, a: { b: undefined } },
      Object(1),
      Object("boxed"),
      loop,
      new RangeError("too far"),
    ];
    for (const body of bodies) {
      await queue.send(body);
      const [message] = await queue.receive();
      await message.ack();
      if (body === loop) assert.ok(message.body.self === message.body && message.body.name === "loop");
      else if (body instanceof Error) assert.deepEqual([message.body.constructor, message.body.message], [RangeError, "too far"]);
      else assert.deepEqual(message.body, body);
    }
    const sent = await Promise.allSettled([queue.send("a"), queue.send(() => 1), queue.send(Symbol()), queue.send("b"),
      queue.sendBatch([{ body: "c" }, { body: new Response("x") }])]);
    assert.deepEqual(sent.map(({ status, reason }) => reason?.name ?? status), ["fulfilled", "DataCloneError", "DataCloneError",
      "fulfilled", "DataCloneError"]);
    assert.deepEqual((await queue.receive({ max: 10 })).map(({ body }) => body), ["a", "b"]);
  },

  async "bodies of every size around a row's limit come back whole, and of those around a body's only what fits is stored"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "edges");
    const bytes = (size) => new Uint8Array(size).fill(size % 251);
    const sizes = Array.from({ length: 12 }, (_, at) => 1_900_000 - 88 + 8 * at);
    const whole = async (size) => {
      await queue.send(bytes(size));
      const [message] = await queue.receive();
      await message.ack();
      assert.ok(same(message.body, bytes(size)), `${size} bytes`);
    };
    for (const size of [...sizes, 2_000_000, 3_800_000 - 8, 3_800_000]) await whole(size);
    // As it is stored, a body of bytes has some more.
    const most = 16 * 2 ** 20;
    const refused = [];
    for (let size = most - 12; size <= most; size += 1) {
      await whole(size).catch(({ name, message }) => {
        const [value, limit] = message.match(/\d+/g).map(Number);
        assert.deepEqual([name, limit, value > most, value - size < 12], ["MessageTooLargeError", most, true, true], message);
        refused.push(size);
      });
    }
    assert.deepEqual(refused, Array.from({ length: refused.length }, (_, at) => most + 1 - refused.length + at));
    assert.ok(refused.length > 2 && refused.length < 12, `${refused.length} sizes are refused`);
    const { backlogCount, sent } = await queue.metrics();
    assert.deepEqual([backlogCount, sent], [0, sizes.length + 3 + 13 - refused.length]);
  },

  async "large bodies are split, and those over the limit are refused with both numbers"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "large");
    const large = new Uint8Array(5_000_000).map((_, at) => at * 7);
    await queue.send({ large, text: "é".repeat(1_500_000) });
    const many = Array.from({ length: 30 }, (_, at) => ({ body: new Uint8Array(600_000).fill(at) }));
    await queue.sendBatch(many);
    const [first, ...rest] = await queue.receive({ max: 40 });
    assert.ok(same(first.body.large, large) && first.body.text === "é".repeat(1_500_000));
    await first.ack();
    // What is too much for one answer comes with the next.
    for (const message of rest) await message.ack();
    for (let got = rest.length; got < 30;) {
      const more = await queue.receive({ max: 40 });
      assert.ok(more.length > 0);
      for (const [at, message] of more.entries()) {
        assert.ok(same(message.body, many[got + at].body));
        await message.ack();
      }
      got += more.length;
    }
    const tooLarge = (size, most) => (error) =>
      error instanceof MessageTooLargeError && error.message.includes(String(size)) && error.message.includes(String(most));
    await assert.rejects(queue.send(new Uint8Array(17_000_000)), tooLarge(17_000_008, 16 * 2 ** 20));
    await assert.rejects(queue.sendBatch(Array.from({ length: 3 }, () => ({ body: new ArrayBuffer(10_000_000) }))),
      tooLarge(30_000_321, 24 * 2 ** 20));
    assert.equal((await queue.metrics()).backlogCount, 0);
  },

  async "a message is acked, retried, extended, dead-lettered and redriven"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "settling", { maxRetries: 1, retryDelay: 0 });
    await queue.send("a");
    let [message] = await queue.receive();
    await message.extend(60);
    await message.retry();
    [message] = await queue.receive();
    assert.equal(message.attempts, 2);
    await message.retry();
    assert.deepEqual(await queue.receive(), []);
    const letters = await openQueue(QUEUES, "settling-dlq");
    const [letter] = await letters.peek();
    assert.deepEqual([letter.body, letter.state], ["a", "dead"]);
    assert.equal(await letters.redrive(), 1);
    [message] = await queue.receive({ wait: 5 });
    assert.equal(message.body, "a");
    await message.deadLetter("on purpose");
    assert.equal((await letters.peek())[0].reason, "on purpose");
    assert.equal(await letters.purge(), 1);
  },

  async "whoever holds a lease may settle it in another request, and one that ran out is lost"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "leases", { visibilityTimeout: 0.3 });
    await queue.send("a");
    const [held] = await queue.receive();
    const other = await openQueue(QUEUES, "leases");
    const [again] = await other.receive({ wait: 5 });
    assert.deepEqual([again.id, again.attempts], [held.id, 2]);
    await assert.rejects(held.ack(), LeaseLostError);
    await again.ack();
  },

  async "receive waits, and is called off"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "waiting");
    const waits = queue.receive({ wait: 30 });
    await queue.send("now");
    const [message] = await waits;
    assert.equal(message.body, "now");
    await message.ack();
    const signal = AbortSignal.timeout(50);
    await assert.rejects(queue.receive({ wait: 30, signal }), { name: "TimeoutError" });
    assert.deepEqual(await queue.receive({ wait: 0.05 }), []);
    // Nobody there takes what comes later.
    await queue.send("later");
    assert.equal((await queue.receive())[0].body, "later");
  },

  async "messages are consumed, iterated over and streamed by pull"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "pulling", { retryDelay: 0 });
    await queue.sendBatch(Array.from({ length: 25 }, (_, body) => ({ body })));
    const seen = [];
    let over;
    const all = new Promise((resolve) => (over = resolve));
    const consumer = queue.consume(async (batch) => {
      assert.equal(batch.queue, "pulling");
      for (const { body, attempts } of batch.messages) {
        if (body === 7 && attempts === 1) throw new Error("not yet");
        if (!seen.includes(body)) seen.push(body);
      }
      if (seen.length === 25) over();
    }, { maxBatchSize: 5 });
    await all;
    await consumer.stop();
    assert.equal((await queue.metrics()).backlogCount, 0);
    await queue.send("one");
    for await (const message of queue) {
      assert.equal(message.body, "one");
      await message.ack();
      break;
    }
    const writer = queue.writable.getWriter();
    await writer.write("two");
    const reader = queue.readable.getReader();
    const { value } = await reader.read();
    assert.equal(value.body, "two");
    await value.ack();
    await reader.cancel();
    await queue.close();
    await assert.rejects(queue.send("x"), { name: "InvalidStateError" });
  },

  async "a queue is paused, cancelled from, peeked into and purged"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "admin");
    const { id } = await queue.send("a");
    await queue.send("b", { delaySeconds: 100 });
    await queue.pause();
    assert.deepEqual(await queue.receive(), []);
    await queue.resume();
    assert.deepEqual((await queue.peek({ state: "delayed" })).map(({ body }) => body), ["b"]);
    assert.equal(await queue.cancel(id), true);
    assert.equal(await queue.cancel(id), false);
    await queue.flush();
    assert.equal(await queue.purge(), 1);
    assert.deepEqual((await queue.metrics()).dropped, { expired: 0, overflow: 0, purged: 2, noDeadLetterQueue: 0 });
  },

  async "delays, keys, expiry and capacity are as for any queue"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "terms", { capacity: { messages: 2 }, overflow: "reject" });
    const first = await queue.send("a", { idempotencyKey: "k" });
    const second = await queue.send("other", { idempotencyKey: "k" });
    assert.deepEqual([second.id, second.duplicate], [first.id, true]);
    await queue.send("b", { delaySeconds: 0.2 });
    await assert.rejects(queue.send("c"), QueueFullError);
    const full = await Promise.allSettled([queue.send("d"), queue.sendBatch([{ body: "e" }])]);
    assert.ok(full.every(({ reason }) => reason instanceof QueueFullError));
    const [a] = await queue.receive();
    await a.ack();
    assert.equal((await queue.receive({ wait: 5 }))[0].body, "b");
    await assert.rejects(openQueue(QUEUES, "terms", { maxRetries: 9 }), PolicyMismatchError);
    await assert.rejects(openQueue(QUEUES, "", {}), RangeError);
    await assert.rejects(openQueue({}, "terms"), { name: "NotFoundError" });
    await assert.rejects(queue.send("x", { delaySeconds: -1 }), RangeError);
  },

  async "many at once, each with its own word"({ QUEUES }) {
    const queue = await openQueue(QUEUES, "many");
    const receipts = await Promise.all(Array.from({ length: 3000 }, (_, at) => queue.send({ at })));
    assert.equal(new Set(receipts.map(({ id }) => id)).size, 3000);
    const messages = await queue.receive({ max: 3000 });
    assert.deepEqual(messages.map(({ body }) => body.at), Array.from({ length: 3000 }, (_, at) => at));
    await Promise.all(messages.map((message) => message.ack()));
    assert.equal((await queue.metrics()).acked, 3000);
  },

  async "an object that is replaced in the middle: told where it may have happened, asked again where that is the same"(env) {
    const queue = await openQueue(env.QUEUES, "replaced", { capacity: { messages: 1 } });
    await queue.send("first");
    // Waits for room.
    const waits = queue.send("second").then(() => assert.fail("it has no room"), (error) => error);
    await queue.metrics();
    await replace(env, "replaced");
    const error = await waits;
    assert.ok(error instanceof StorageLostError && error.outcomeUnknown && error.cause, String(error));
    assert.equal((await queue.metrics()).backlogCount, 1);
    const [first] = await queue.receive();
    await replace(env, "replaced");
    await first.ack();
    // A receive that waits goes on waiting at the next object.
    const later = queue.receive({ wait: 30 });
    await queue.metrics();
    await replace(env, "replaced");
    await queue.send("third");
    const [third] = await later;
    assert.equal(third.body, "third");
  },

  async "what was cleaned away is not missed"(env) {
    const queue = await openQueue(env.QUEUES, "cleaned");
    for (let round = 0; round < 40; round += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, at) => queue.send({ at })));
      const messages = await queue.receive({ max: 100 });
      if (round % 5 === 4) messages.pop();
      await Promise.all(messages.map((message) => message.ack()));
    }
    await replace(env, "cleaned");
    assert.equal((await queue.metrics()).backlogCount, 8);
  },
};
