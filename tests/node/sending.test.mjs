/** What `send` and `sendBatch` promise. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodies, bounded, fails, freshQueue, quiet, range, stateOf } from "./lab.mjs";

test("messages come in the order they were sent", async () => {
  const { queue } = await freshQueue();
  for (const body of range(5)) void queue.send(body);
  await queue.sendBatch(range(5).map((at) => ({ body: at + 5 })));
  assert.deepEqual(bodies(await queue.receive({ max: 100 })), range(10));
});

test("a receipt names the message and tells the backlog", async () => {
  const { queue, clock } = await freshQueue();
  const first = await queue.send("a");
  const second = await queue.send("b");
  assert.match(first.id, /^\d+-\d+$/);
  assert.notEqual(first.id, second.id);
  assert.equal(first.duplicate, false);
  assert.equal(second.metadata.metrics.backlogCount, 2);
  assert.ok(second.metadata.metrics.backlogBytes > 0);
  assert.equal(second.metadata.metrics.oldestMessageTimestamp.getTime(), clock.now());
  const [message] = await queue.receive();
  assert.equal(message.id, first.id);
});

test("the receipt of a batch names every message in order", async () => {
  const { queue } = await freshQueue();
  const { ids, metadata } = await queue.sendBatch([{ body: 1 }, { body: 2 }, { body: 3 }]);
  assert.equal(new Set(ids).size, 3);
  assert.equal(metadata.metrics.backlogCount, 3);
  assert.deepEqual((await queue.receive({ max: 3 })).map(({ id }) => id), ids);
});

test("bytes that are transferred are gone from here, as what else is", async () => {
  const { queue } = await freshQueue();
  const [bytes, buffer] = [new Uint8Array(1000).fill(7), new ArrayBuffer(8)];
  await Promise.all([queue.send(bytes, { transfer: [bytes.buffer] }), queue.send(buffer, { transfer: [buffer] })]);
  assert.deepEqual([bytes.length, buffer.byteLength], [0, 0]);
  assert.deepEqual(bodies(await queue.receive({ max: 2 })), [new Uint8Array(1000).fill(7), new ArrayBuffer(8)]);
});

test("an empty batch sends nothing", async () => {
  const { queue } = await freshQueue();
  const { ids, metadata } = await queue.sendBatch([]);
  assert.deepEqual(ids, []);
  assert.equal(metadata.metrics.backlogCount, 0);
});

test("a batch may be any iterable", async () => {
  const { queue } = await freshQueue();
  await queue.sendBatch((function*() {
    yield { body: 1 };
    yield { body: 2 };
  })());
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [1, 2]);
});

test("ten thousand concurrent sends are all received, each once", async () => {
  const { queue } = await freshQueue();
  const receipts = await Promise.all(range(10_000).map((at) => queue.send({ at })));
  assert.equal(new Set(receipts.map(({ id }) => id)).size, 10_000);
  const got = [];
  for (let messages; (messages = await queue.receive({ max: 1000 })).length;) {
    got.push(...bodies(messages));
    await Promise.all(messages.map((message) => message.ack()));
  }
  assert.deepEqual(got.map(({ at }) => at), range(10_000));
  assert.equal((await queue.metrics()).acked, 10_000);
});

test("a body is what it was when it was sent, and nobody else's", async () => {
  const { queue } = await freshQueue();
  const body = { list: [1, { deep: true }], date: new Date(5) };
  const sent = queue.send(body);
  body.list.push("late");
  body.list[1].deep = false;
  await sent;
  const [message] = await queue.receive();
  assert.deepEqual(message.body, { list: [1, { deep: true }], date: new Date(5) });
  message.body.list.length = 0;
  await message.retry({ delaySeconds: 0 });
  const [again] = await queue.receive();
  assert.deepEqual(again.body.list, [1, { deep: true }], "what a handler does to a body is not seen by the next");
});

test("bodies come back as structured clones", async () => {
  const { queue } = await freshQueue();
  const shared = { one: true };
  const cyclic = { name: "loop" };
  cyclic.self = cyclic;
  const given = [
    undefined,
    null,
    true,
    -0,
    NaN,
    "text",
    12n,
    new Date(7),
    /x/gi,
    new Map([[{ a: 1 }, new Set([1])]]),
    new Uint16Array([1, 2]),
    new ArrayBuffer(3),
    new Error("sad"),
    [1, , 3],
    { shared, again: shared },
    cyclic,
    JSON.parse('{"__proto__": {"polluted": true}}'),
    Object.assign(Object.create(null), { bare: 1 }),
    { undefined, nested: { array: [[[]]] } },
    new Blob(["blob"]),
  ];
  await Promise.all(given.map((body) => queue.send(body)));
  const got = bodies(await queue.receive({ max: given.length }));
  for (const [at, body] of given.entries()) {
    if (body instanceof Blob) assert.equal(await got[at].text(), "blob");
    else assert.deepEqual(got[at], structuredClone(body), `body ${at}`);
  }
  assert.equal(got[14].shared, got[14].again, "what was one object is one object");
  assert.equal({}.polluted, undefined);
});

test("what is copied by hand is as structuredClone makes it", async () => {
  const { queue } = await freshQueue();
  class Moment extends Date {}
  const [bytes, again] = [new Uint8Array([1, 2, 3]), { once: 1 }];
  const odd = Object.assign(new Date(3), { extra: 1 });
  const given = [
    { at: new Date(1), bytes, big: -5n },
    odd,
    new Moment(4),
    Object.create(Date.prototype),
    new Map([["a", new Map([[1n, new Date(2)]])]]),
    new Set([new Set([bytes])]),
    new Map([[again, again]]),
    [bytes, bytes],
    new Uint8Array([9, 8, 7]).subarray(1),
    Object.assign(new Map(), { extra: 1 }),
    Object.assign([1, , 3], { more: 1 }),
    Object.assign([1], { more: 1 }),
    Object.create(Map.prototype),
    Object.create(Uint8Array.prototype),
    new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
  ];
  for (const [at, body] of given.entries()) {
    const cloned = (() => {
      try {
        return structuredClone(body);
      } catch (error) {
        return error;
      }
    })();
    const sent = queue.send({ body });
    if (cloned instanceof Error) {
      await fails(sent, cloned.name, "");
      continue;
    }
    await sent;
    const [message] = await queue.receive();
    const got = message.body.body;
    assert.deepEqual(got, cloned, `body ${at}`);
    assert.notEqual(got, body, `body ${at}`);
    // A clone keeps a view's whole buffer; a message keeps what it shows.
    assert.equal(got.buffer?.byteLength, ArrayBuffer.isView(cloned) ? cloned.byteLength : undefined, `buffer of body ${at}`);
    assert.equal(got.buffer?.resizable, cloned.buffer?.resizable, `buffer of body ${at}`);
    if (at === 6) assert.equal([...got][0][0], [...got][0][1], "what was one object is one object");
  }
});

test("very deep and very wide bodies are carried", async () => {
  const { queue } = await freshQueue();
  let deep = {};
  for (let depth = 0; depth < 1000; depth += 1) deep = { deep };
  const wide = range(5000).map((at) => ({ at, text: "x".repeat(at % 7) }));
  await queue.sendBatch([{ body: deep }, { body: wide }]);
  assert.deepEqual(bodies(await queue.receive({ max: 2 })), [deep, wide]);
});

test("a body that can't be cloned fails only its own send", async () => {
  const { queue } = await freshQueue();
  const results = await Promise.allSettled([queue.send(1), queue.send(() => {}), queue.send({ deep: [Symbol("no")] }), queue.send(2)]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "rejected", "fulfilled"]);
  assert.equal(results[1].reason.name, "DataCloneError");
  assert.equal(results[2].reason.name, "DataCloneError");
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [1, 2]);
});

test("a batch with a body that can't be cloned says which, and sends nothing", async () => {
  const { queue } = await freshQueue();
  await fails(queue.sendBatch([{ body: 1 }, { body: 2 }, { body: () => {} }]), "DataCloneError", "2");
  assert.deepEqual(await queue.receive({ max: 5 }), []);
});

test("a batch of something else than requests is refused", async () => {
  const { queue } = await freshQueue();
  await fails(queue.sendBatch([1]), "TypeError", "1");
  await fails(queue.sendBatch(5), "TypeError", "5");
  await fails(queue.sendBatch(undefined), "TypeError", "undefined");
});

test("a message waits for its delay, and a delay of 0 overrides the queue's", async () => {
  const { queue, clock } = await freshQueue({ deliveryDelay: 10 });
  await queue.send("default");
  await queue.send("at once", { delaySeconds: 0 });
  await queue.send("later", { delaySeconds: 20 });
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["at once"]);
  await clock.advance(9.9);
  assert.deepEqual(await queue.receive({ max: 5 }), []);
  await clock.advance(0.1);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["default"]);
  await clock.advance(10);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["later"]);
});

test("in a batch a message's delay beats the batch's, the batch's the queue's", async () => {
  const { queue, clock } = await freshQueue({ deliveryDelay: 30 });
  await queue.sendBatch([{ body: "own", delaySeconds: 0 }, { body: "batch" }], { delaySeconds: 5 });
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["own"]);
  await clock.advance(5);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["batch"]);
});

test("a message not taken in time is dropped and counted", async () => {
  const { queue, clock } = await freshQueue({ messageRetention: 60 });
  const dropped = [];
  queue.addEventListener("drop", ({ detail }) => dropped.push(detail));
  const { id } = await queue.send("short", { expirationSeconds: 5 });
  await queue.send("long");
  await clock.advance(6);
  assert.deepEqual(bodies(await queue.receive({ max: 5, visibilityTimeout: 1 })), ["long"]);
  await clock.advance(60);
  assert.deepEqual(await queue.receive({ max: 5 }), []);
  assert.equal((await queue.metrics()).dropped.expired, 2);
  assert.deepEqual(dropped[0], { id, cause: "expired" });
});

test("a second message with the same key is the first one", async () => {
  const { queue, clock } = await freshQueue({ deduplicationWindow: 10 });
  const first = await queue.send("a", { idempotencyKey: "k" });
  const [second, third] = await Promise.all([
    queue.send("b", { idempotencyKey: "k" }),
    queue.send("c", { idempotencyKey: "other" }),
  ]);
  assert.deepEqual([second.id, second.duplicate], [first.id, true]);
  assert.equal(third.duplicate, false);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), ["a", "c"]);
  assert.equal((await queue.metrics()).duplicates, 1);
  await clock.advance(11);
  assert.equal((await queue.send("d", { idempotencyKey: "k" })).duplicate, false, "the window is over");
});

test("headers travel with their message", async () => {
  const { queue } = await freshQueue();
  await Promise.all([queue.send(1), queue.send(2, { headers: { trace: "abc" } }), queue.send(3)]);
  await queue.sendBatch([{ body: 4 }, { body: 5, headers: { a: "1", b: "2" } }]);
  const got = await queue.receive({ max: 5 });
  assert.deepEqual(got.map(({ headers }) => ({ ...headers })), [{}, { trace: "abc" }, {}, {}, { a: "1", b: "2" }]);
});

test("headers are texts, few and small", async () => {
  const { queue } = await freshQueue();
  await fails(queue.send(1, { headers: { count: 5 } }), "TypeError", "count");
  await fails(queue.send(1, { headers: "no" }), "TypeError", "no");
  await fails(queue.send(1, { headers: Object.fromEntries(range(10_000).map((at) => [`h${at}`, ""])) }), "RangeError");
  await fails(queue.send(1, { headers: { big: "x".repeat(10_000_000) } }), "RangeError");
  assert.equal((await queue.metrics()).sent, 0);
});

test("content types carry what they do at Cloudflare", async () => {
  const { queue } = await freshQueue();
  await queue.send({ when: new Date(0), gone: undefined }, { contentType: "json" });
  await queue.send("text", { contentType: "text" });
  await queue.send(new Uint8Array([1, 2, 3]).subarray(1), { contentType: "bytes" });
  await queue.send(new Map([[1, 2]]), { contentType: "v8" });
  const [json, text, bytes, v8] = bodies(await queue.receive({ max: 4 }));
  assert.deepEqual(json, { when: "1970-01-01T00:00:00.000Z" });
  assert.equal(text, "text");
  assert.deepEqual([...new Uint8Array(bytes.buffer ?? bytes)].slice(-2), [2, 3]);
  assert.deepEqual(v8, new Map([[1, 2]]));
  await fails(queue.send(5, { contentType: "text" }), "TypeError", "5");
  await fails(queue.send("5", { contentType: "bytes" }), "TypeError");
  await fails(queue.send(undefined, { contentType: "json" }), "TypeError");
  await fails(queue.send("a", { contentType: "xml" }), "TypeError", "xml");
});

test("what is no list of things to transfer is refused by value", async () => {
  const { queue } = await freshQueue();
  const bad = [[5, "5"], [NaN, "NaN"], [Symbol("s"), "Symbol(s)"], [() => {}, ""], [{}, ""], [null, "null"], ["7", '"7"']];
  for (const [transfer, shown] of bad) {
    await fails(queue.send(1, { transfer }), "TypeError", `transfer must be an array, not ${shown}`);
    await fails(queue.sendBatch([{ body: 1, transfer }]), "TypeError", `message 0 of the batch: transfer must be an array, not ${shown}`);
  }
  await queue.send(1, { transfer: [] });
});

test("transferred buffers move", async () => {
  const { queue } = await freshQueue();
  const bytes = new Uint8Array([1, 2, 3]);
  await queue.send({ bytes }, { transfer: [bytes.buffer] });
  assert.equal(bytes.byteLength, 0);
  const [message] = await queue.receive();
  assert.deepEqual(message.body.bytes, new Uint8Array([1, 2, 3]));
});

test("a schema decides what may be sent and what is handed out", async () => {
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: async (value) => (typeof value?.item === "string"
        ? { value: { ...value, checked: true } } :
        { issues: [{ message: "item must be a text", path: ["item"] }] }),
    },
  };
  const { queue } = await freshQueue({ schema });
  await fails(queue.send({ item: 5 }), "TypeError", "item must be a text");
  await fails(queue.sendBatch([{ body: { item: "a" } }, { body: {} }]), "TypeError", "item must be a text");
  await queue.send({ item: "tea" });
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [{ item: "tea", checked: true }]);
});

test("a message that its receiver's schema refuses is dead-lettered with the reason", async () => {
  const { queue: plain, clock } = await freshQueue({ name: "mixed" });
  const schema = {
    "~standard": { version: 1, vendor: "test", validate: (value) => (value > 1 ? { value } : { issues: [{ message: "too small" }] }) },
  };
  const { queue: strict } = await freshQueue({ name: "mixed", clock, schema });
  await plain.sendBatch([{ body: 1 }, { body: 2 }]);
  assert.deepEqual(bodies(await strict.receive({ max: 5 })), [2]);
  await quiet();
  const { queue: letters } = await freshQueue({ name: "mixed-dlq", clock });
  const [letter] = await letters.peek();
  assert.equal(letter.body, 1);
  assert.match(letter.reason, /too small/);
});

test("at the bound a send waits for room", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 2 } });
  await queue.send(1);
  await queue.send(2);
  const third = queue.send(3);
  assert.equal(await stateOf(third), "pending");
  const [message] = await queue.receive();
  assert.equal(await stateOf(third), "pending", "a message under a lease still counts");
  await message.ack();
  await bounded(third, "the send goes through");
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [2, 3]);
});

test("at the bound a send is refused where that is the policy", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 2 }, overflow: "reject" });
  const results = await Promise.allSettled([queue.send(1), queue.send(2), queue.send(3)]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
  assert.equal(results[2].reason.name, "QueueFullError");
  assert.equal(results[2].reason.code, "ERR_QUEUE_FULL");
});

test("at the bound a batch is refused whole", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 2 }, overflow: "reject" });
  await queue.send(1);
  await fails(queue.sendBatch([{ body: 2 }, { body: 3 }]), "QueueFullError");
  assert.equal((await queue.metrics()).backlogCount, 1);
});

test("a batch whose messages differ is refused whole too", async () => {
  const { queue, clock } = await freshQueue({ capacity: { messages: 2 }, overflow: "reject" });
  await queue.send(1);
  await fails(queue.sendBatch([{ body: 2 }, { body: 3, delaySeconds: 5 }]), "QueueFullError");
  await clock.advance(6);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [1]);
});

test("the oldest gives way where that is the policy", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 2 }, overflow: "drop-oldest" });
  const dropped = [];
  queue.addEventListener("drop", ({ detail }) => dropped.push(detail));
  const { id } = await queue.send(1);
  await queue.send(2);
  await queue.send(3);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [2, 3]);
  assert.deepEqual(dropped, [{ id, cause: "overflow" }]);
  assert.equal((await queue.metrics()).dropped.overflow, 1);
});

test("the newest gives way where that is the policy", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 2 }, overflow: "drop-newest" });
  for (const body of [1, 2, 3]) await bounded(queue.send(body), "the send is answered");
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [1, 2]);
  assert.equal((await queue.metrics()).dropped.overflow, 1);
});

test("a message that can never fit is refused", async () => {
  const { queue } = await freshQueue({ capacity: { bytes: 1000 } });
  const error = await fails(queue.send("x".repeat(5000)), "MessageTooLargeError");
  assert.equal(error.code, "ERR_MESSAGE_TOO_LARGE");
  await queue.send("small");
  await fails(queue.sendBatch(range(30).map(() => ({ body: "x".repeat(100) }))), "MessageTooLargeError");
});

test("an aborted signal ends a send that waits, and it is not sent", async () => {
  const { queue } = await freshQueue({ capacity: { messages: 1 } });
  await queue.send(1);
  const controller = new AbortController();
  const second = queue.send(2, { signal: controller.signal });
  const batch = queue.sendBatch([{ body: 3 }], { signal: controller.signal });
  assert.equal(await stateOf(second), "pending");
  const why = new Error("changed my mind");
  controller.abort(why);
  assert.equal(await bounded(second.catch((reason) => reason), "the rejection"), why);
  assert.equal(await bounded(batch.catch((reason) => reason), "the rejection"), why);
  assert.equal(await queue.send(4, { signal: controller.signal }).catch((reason) => reason), why);
  await (await queue.receive())[0].ack();
  await queue.send(5);
  assert.deepEqual(bodies(await queue.receive({ max: 5 })), [5]);
});

test("options out of range or of the wrong type are refused by value", async () => {
  const { queue } = await freshQueue();
  await fails(queue.send(1, { delaySeconds: -1 }), "RangeError", "-1");
  await fails(queue.send(1, { delaySeconds: NaN }), "RangeError", "NaN");
  await fails(queue.send(1, { delaySeconds: Infinity }), "RangeError", "Infinity");
  await fails(queue.send(1, { delaySeconds: "5" }), "TypeError", '"5"');
  await fails(queue.send(1, { expirationSeconds: 0 }), "RangeError", "0");
  await fails(queue.send(1, { idempotencyKey: 5 }), "TypeError", "5");
  await fails(queue.send(1, { idempotencyKey: "" }), "RangeError");
  await fails(queue.send(1, { signal: {} }), "TypeError");
  await fails(queue.send(1, 5), "TypeError", "5");
  await fails(queue.send(1, { groupId: "later" }), "NotSupportedError", "groupId");
  await fails(queue.send(1, { priority: 5 }), "NotSupportedError", "priority");
  assert.equal((await queue.send(1, { priority: 0 })).duplicate, false);
  assert.equal((await queue.metrics()).sent, 1);
});

test("headers that have no names of their own are refused, not lost", async () => {
  const { queue } = await freshQueue();
  for (const headers of [new Headers({ a: "b" }), new Map([["a", "b"]]), ["a"]])
    await fails(queue.send(1, { headers }), "TypeError", "Object.fromEntries");
});

test("receipts and messages say what they are in JSON", async () => {
  const { queue } = await freshQueue();
  const receipt = await queue.send({ a: 1 }, { headers: { x: "y" } });
  assert.deepEqual(JSON.parse(JSON.stringify(receipt)).id, receipt.id);
  const batch = await queue.sendBatch([{ body: 2 }, { body: 3 }]);
  assert.deepEqual(JSON.parse(JSON.stringify(batch)).ids, batch.ids);
  const [message] = await queue.receive();
  const { id, attempts, headers, body } = JSON.parse(JSON.stringify(message));
  assert.deepEqual({ id, attempts, headers, body }, { id: receipt.id, attempts: 1, headers: { x: "y" }, body: { a: 1 } });
});
