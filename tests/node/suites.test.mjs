/** The suites are of use: a store, a serializer or a queue that breaks one promise fails a case, and that of the promise. */

import assert from "node:assert/strict";
import { test } from "node:test";
import v8 from "node:v8";
import { openQueue } from "posthaste";
import { memoryStorage, queueCases, realTime, serializerCases, serializers, storeCases, virtualTime } from "posthaste/testing";
import { range } from "./lab.mjs";

/** What every store opened by the driver does instead. */
const broken = (changed) => async () => {
  const driver = memoryStorage();
  const shared = {};
  return { kind: driver.kind, open: async () => wrapped(await driver.open(), (store) => changed(store, shared)) };
};

/** `object`, with other methods. */
function wrapped(object, changed) {
  const own = changed(object);
  return new Proxy(object, {
    get(target, name) {
      const value = Object.hasOwn(own, name) ? own[name] : target[name];
      return typeof value === "function" ? value.bind(Object.hasOwn(own, name) ? own : target) : value;
    },
  });
}

async function failing(cases, run) {
  const failed = [];
  for (const one of cases) await run(one).catch(() => failed.push(one.name));
  return failed;
}

const later = (tail, change) => ({ ...tail, ...change(tail) });

const STORES = {
  "numbers begin again when all records are gone": ["numbers grow on", (store, shared) => ({
    append: async (
      ...words
    ) => (shared.emptied ? store.append(...words).then((number) => number - shared.emptied) : store.append(...words)),
    snapshot: async (number, floor, bytes, ranges) => {
      if (ranges[0] === 1 && ranges[1] === number) shared.emptied = number;
      return store.snapshot(number, floor, bytes, ranges);
    },
  })],
  "decide is asked twice": ["decides? once|an append from a number",
    (store) => ({ append: (from, decide, strict) => store.append(from, (tail) => (decide(tail), decide(tail)), strict) })],
  "an append from 0 sees a tail": ["from 0 reads nothing",
    (store) => ({ append: (from, decide, strict) => store.append(from || 1, decide, strict) })],
  "an append from a number sees nothing": ["from a number sees", (store) => ({
    append: (from, decide, strict) =>
      store.append(from, (tail) => decide(tail && later(tail, () => ({ numbers: [], records: [] }))), strict),
  })],
  "an append sees one record too few": ["from a number sees",
    (store) => ({ append: (from, decide, strict) => store.append(from && from + 1, decide, strict) })],
  "what decide refuses to write is written": ["undefined writes nothing", (store) => ({
    append: (from, decide, strict) =>
      store.append(from, (tail) => decide(tail) ?? { record: new Uint8Array(1), bodies: [], chunk: -1 }, strict),
  })],
  "an error of decide is swallowed": ["throws fails its append", (store) => ({
    append: (...words) => store.append(...words).catch((error) => (error instanceof RangeError ? 0 : Promise.reject(error))),
  })],
  "records are kept with what is around them": ["part of a larger buffer", (store) => ({
    append: (from, decide, strict) =>
      store.append(from, (tail) => {
        const step = decide(tail);
        return step && { ...step, record: new Uint8Array(step.record.buffer) };
      }, strict),
  })],
  "reads start one record late": ["numbers only grow|pages", (store) => ({ read: (from) => store.read(from + 1) })],
  "reads end after 256 records": ["pages", (store) => ({
    read: async (from) =>
      later(await store.read(from), ({ numbers, records }) => ({ numbers: numbers.slice(0, 256), records: records.slice(0, 256) })),
  })],
  "bodies are shared by those who read them": ["nobody else's", (store, shared) => ({
    values: async (keys) => (shared[keys] ??= await store.values(keys)),
  })],
  "bodies go through JSON": ["bodies come back", (store) => ({
    values: async (keys) =>
      (await store.values(keys)).map((value) =>
        value && JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint"
          ? String(inner)
          : inner === value.bodies
          ? [...inner].map((body) => (typeof body === "object" && body?.self ? 0 : body))
          : inner)))
      ),
  })],
  "values come by number alone": ["by record and part",
    (store) => ({ values: (keys) => store.values(keys.map((key, at) => (at % 2 && key > 0 ? 0 : key))) })],
  "values that are gone are left out": ["by record and part",
    (store) => ({ values: async (keys) => (await store.values(keys)).filter((value) => value) })],
  "headers are those of the first value": ["headers", (store) => ({
    values: async (keys) => {
      const values = await store.values(keys);
      return values.map((value) => value && { ...value, headers: values[0]?.headers });
    },
  })],
  "headers are forgotten": ["headers",
    (store) => ({ values: async (keys) => (await store.values(keys)).map((value) => value && { bodies: value.bodies }) })],
  "a snapshot deletes nothing": ["gone with their bodies",
    (store) => ({ snapshot: (number, floor, bytes) => store.snapshot(number, floor, bytes, []) })],
  "a snapshot deletes up to its floor": ["keep theirs|up to the floor|gone with their bodies",
    (store) => ({ snapshot: (number, floor, bytes, ranges) => store.snapshot(number, floor, bytes, ranges.length ? [1, floor] : []) })],
  "every snapshot is written": ["no newer", (store, shared) => ({
    snapshot: async (number, floor, bytes, ranges) => (await store.snapshot(number, floor, bytes, ranges), (shared.written = true)),
  })],
  "the floor is the snapshot's number": ["above it the records|floor",
    (store) => ({ snapshot: (number, floor, bytes, ranges) => store.snapshot(number, number, bytes, ranges) })],
  "there is no floor": ["up to the floor",
    (store) => ({ snapshot: (number, floor, bytes, ranges) => store.snapshot(number, 0, bytes, ranges) })],
  "snapshots are cut": ["large snapshots",
    (store) => ({ snapshot: (number, floor, bytes, ranges) => store.snapshot(number, floor, bytes.subarray(0, 65_536), ranges) })],
  "the birth is another each time": ["birth",
    (store) => ({ read: async (from) => later(await store.read(from), () => ({ birth: Math.random() })) })],
  "the birth is 0": ["new store is empty", (store) => ({ read: async (from) => later(await store.read(from), () => ({ birth: 0 })) })],
  "the birth is the same everywhere": ["birth is another", (store) => ({
    read: async (from) => later(await store.read(from), () => ({ birth: 7 })),
    append: (from, decide, strict) => store.append(from, (tail) => decide(tail && later(tail, () => ({ birth: 7 }))), strict),
  })],
  "nothing is refused": ["refused tells", () => ({ refused: async (bodies) => bodies.map(() => undefined) })],
  "everything is refused": ["refused tells",
    () => ({ refused: async (bodies) => bodies.map(() => new DOMException("no", "DataCloneError")) })],
  "what can't be cloned is left out": ["can't be kept", (store) => ({
    append: (from, decide, strict) =>
      store.append(from, (tail) => {
        const step = decide(tail);
        return step && {
          ...step,
          bodies: step.bodies.filter((body) => typeof body !== "function" && !body?.deep?.some?.((one) => typeof one === "symbol")),
        };
      }, strict),
  })],
  "an answer is lost": ["stores that append at once|overlap|numbers only grow",
    (store, shared) => ({ append: async (...words) => ((shared.calls = (shared.calls ?? 0) + 1) % 3 ? store.append(...words) : 0) })],
};

for (const [what, [where, changed]] of Object.entries(STORES)) {
  test(`a broken store fails: ${what}`, async () => {
    const failed = await failing(storeCases, ({ run }) => run(broken(changed)));
    assert.ok(failed.some((name) => new RegExp(where).test(name)),
      `of the cases of ${where} none failed; these did: ${failed.join("; ") || "none"}`);
  });
}

const [whole] = serializers;
/** Reads what `changed` makes of each body. */
const readAs = (changed) => ({
  ...whole,
  read: (bytes) => {
    const { bodies, ...rest } = whole.read(bytes);
    return { bodies: bodies.map((body) => changed(body, bytes)), ...rest };
  },
});
const inList = (changed) => readAs((body) => (Array.isArray(body) ? body.map(changed) : body));
const plain = (_, value) => (typeof value === "bigint" ? Number(value) : value);
const met = {};

const SERIALIZERS = {
  "the platform's own is taken": ["the bytes are those", { write: (given) => v8.serialize(given), read: (bytes) => v8.deserialize(bytes) }],
  "what is wrong is thrown as it comes": ["no bodies are a CorruptionError", {
    ...whole,
    read: (bytes) => {
      try {
        return whole.read(bytes);
      } catch (error) {
        throw error.cause ?? error;
      }
    },
  }],
  "what is wrong is nothing": ["end too early|that were changed", {
    ...whole,
    read: (bytes) => {
      try {
        return whole.read(bytes);
      } catch {
        return { bodies: [] };
      }
    },
  }],
  "what can't be written is left out": ["refused by name", {
    ...whole,
    write: ({ bodies, headers }) => {
      try {
        return whole.write({ bodies, headers });
      } catch {
        return whole.write({ bodies: [undefined], headers });
      }
    },
  }],
  "what a getter throws is a DataCloneError": ["an error of a getter", {
    ...whole,
    write: (given) => {
      try {
        return whole.write(given);
      } catch {
        throw new DOMException("no", "DataCloneError");
      }
    },
  }],
  "bodies go through JSON": ["maps and sets",
    inList((inner) => (inner instanceof Map || inner instanceof Set ? JSON.parse(JSON.stringify(inner, plain)) : inner))],
  "-0 is 0": ["what has no parts", inList((inner) => (inner === 0 ? 0 : inner))],
  "a large number is rounded": ["whole numbers", inList((inner) => (inner > 2 ** 52 ? 2 ** 53 : inner))],
  "holes are filled": ["with holes", inList((inner) => (Array.isArray(inner) ? Array.from(inner) : inner))],
  "properties of lists are forgotten": ["with properties", inList((inner) => (Array.isArray(inner) ? inner.slice() : inner))],
  "half a pair is replaced": ["halves of pairs", inList((inner) => (typeof inner === "string" ? inner.toWellFormed() : inner))],
  "a mark at the beginning is left out": ["begin with a mark",
    inList((inner) => (typeof inner === "string" ? inner.replace(/^\ufeff/, "") : inner))],
  "the prototype's name is no key": ["prototype's name", readAs((body) => (body && Object.hasOwn(body, "__proto__") ? { a: 1 } : body))],
  "keys come in another order": ["objects: ",
    inList((inner) => (inner?.constructor === 3 ? Object.fromEntries(Object.entries(inner).reverse()) : inner))],
  "each view has a buffer of its own": ["share a buffer", readAs((body) => (body?.again ? { ...body, again: body.again.slice() } : body))],
  "views are of one kind": ["of every kind", inList((inner) => (ArrayBuffer.isView(inner) ? new Uint8Array(inner.buffer) : inner))],
  "no buffer can grow": ["that can grow", inList((inner) => (inner instanceof ArrayBuffer ? inner.slice() : inner))],
  "views of what grows stay": ["length-tracking",
    inList((inner) => (ArrayBuffer.isView(inner) ? new DataView(inner.buffer, inner.byteOffset, inner.byteLength) : inner))],
  "what is read lies where it was read": ["nobody else's memory",
    readAs((body, bytes) => (body instanceof Uint8Array ? bytes.subarray(-body.length) : body))],
  "one object becomes two": ["in many places",
    readAs((body) => (Array.isArray(body) && body[0]?.a === 1 ? [{ ...body[0] }, ...body.slice(1)] : body))],
  "bodies that are alike are one": ["share nothing", readAs((body) => (body?.list ? (met[JSON.stringify(body)] ??= body) : body))],
  "causes are forgotten": ["keeps its cause", readAs((body) => (body instanceof Error ? new Error(body.message) : body))],
  "an exception is an error": ["a DOMException",
    readAs((body) => (body?.error instanceof DOMException ? { error: new Error(body.error.message) } : body))],
  "headers are forgotten": ["headers", { ...whole, read: (bytes) => ({ bodies: whole.read(bytes).bodies }) }],
};

for (const [what, [where, serializer]] of Object.entries(SERIALIZERS)) {
  test(`a broken serializer fails: ${what}`, async () => {
    const failed = await failing(serializerCases.filter(({ name }) => new RegExp(where).test(name)), ({ run }) => run(serializer));
    assert.ok(failed.length > 0, `of the cases of ${where} none failed`);
  });
}

/** What every message that is received does instead. */
const received = (changed) => (queue) => ({
  receive: async (options) => (await queue.receive(options)).map((message) => wrapped(message, changed)),
});

const QUEUES = {
  "acks are forgotten": ["an acked message is gone", received(() => ({ ack: async () => undefined }))],
  "retries wait for nothing": ["a retried message", received((message) => ({ retry: () => message.retry({ delaySeconds: 0 }) }))],
  "dead letters have no reason": ["keeps its reason", received((message) => ({ deadLetter: () => message.deadLetter() }))],
  "extending does nothing": ["extended lease", received(() => ({ extend: async () => undefined }))],
  "attempts are not counted": ["leased is nobody else's", received(() => ({ attempts: 1 }))],
  "messages come backwards": ["in the order", (queue) => ({ receive: async (options) => (await queue.receive(options)).reverse() })],
  "messages come twice": ["each once",
    (queue) => ({ receive: async (options) => (await queue.receive(options)).flatMap((message) => [message, message]) })],
  "delays are forgotten": ["waits for its delay",
    (queue) => ({ send: (body, options) => queue.send(body, { ...options, delaySeconds: 0 }) })],
  "keys are forgotten": ["same key", (queue) => ({ send: (body, options) => queue.send(body, { ...options, idempotencyKey: undefined }) })],
  "headers are forgotten": ["headers travel", (queue) => ({
    sendBatch: (messages, options) => queue.sendBatch([...messages].map(({ headers: _headers, ...rest }) => rest), options),
  })],
  "a batch is sent message by message": ["can't be cloned", (queue) => ({
    sendBatch: async (messages) => ({
      ids: (await Promise.all([...messages].map(({ body, ...rest }) => queue.send(body, rest)))).map(({ id }) => id),
      metadata: { metrics: { backlogCount: 4 } },
    }),
  })],
  "a pause is forgotten": ["paused", () => ({ pause: async () => undefined })],
  "a purge counts nothing": ["purge empties", (queue) => ({ purge: async () => (await queue.purge(), 0) })],
  "cancel says yes": ["taken back", (queue) => ({ cancel: async (id) => (await queue.cancel(id), true) })],
  "redrive moves one too few": ["moved back", (queue) => ({ redrive: async (options) => Math.max(0, (await queue.redrive(options)) - 1) })],
  "a handler that throws has acked": ["throws is given", (queue) => ({
    consume: (handler, options) =>
      queue.consume(async (batch) => {
        try {
          await handler(batch);
        } catch {
          batch.ackAll();
        }
      }, options),
  })],
  "batches are larger than asked for": ["as large as asked",
    (queue) => ({ consume: (handler, options) => queue.consume(handler, { ...options, maxBatchSize: 25 }) })],
  "more handlers than asked for": ["as many handlers",
    (queue) => ({ consume: (handler, options) => queue.consume(handler, { ...options, maxConcurrency: 4 }) })],
};

for (const [what, [where, changed]] of Object.entries(QUEUES)) {
  test(`a broken queue fails: ${what}`, async () => {
    // These are not waited for: only what promises to break is looked at.
    const cases = queueCases.filter(({ name }) => new RegExp(where).test(name));
    assert.ok(cases.length > 0, `no cases like ${where}`);
    const failed = await failing(cases, ({ run }) => run(async (name, options) => wrapped(await openQueue(name, options), changed)));
    assert.ok(failed.length > 0, `of ${cases.map(({ name }) => name).join("; ")} none failed`);
  });
}

test("the cases of queues pass by the clock on the wall too", async () => {
  const failures = [];
  const [time, left] = [realTime(), [...queueCases]];
  const lane = async () => {
    for (let one; (one = left.shift());) await one.run(openQueue, time).catch((error) => failures.push(`${one.name}: ${error.stack}`));
  };
  await Promise.all(range(8).map(lane));
  assert.deepEqual(failures, []);
});

test("time is checked", async () => {
  const { clock } = virtualTime();
  await assert.rejects(clock.advance(NaN), { name: "RangeError", message: /NaN/ });
  assert.throws(() => realTime(0), { name: "RangeError", message: /0/ });
  const rung = [];
  clock.setTimeout(() => rung.push("late"), 2000);
  clock.setTimeout(() => clock.setTimeout(() => rung.push("after"), 500), 1000);
  clock.clearTimeout(clock.setTimeout(() => rung.push("never"), 1));
  const start = clock.now();
  assert.equal(clock.pending, 2);
  await clock.advance(1999);
  assert.deepEqual([rung, clock.now() - start], [["after"], 1999]);
  assert.equal(await clock.tick(), true);
  assert.deepEqual([rung, clock.now() - start, await clock.tick()], [["after", "late"], 2000, false]);
});
