/** Cases that run in Deno, each on a database file of its own: what is kept, and what comes back. */

import assert from "node:assert/strict";
import { MessageTooLargeError, listQueues, openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";
import { drain, keys, using } from "./journal.mjs";

export const storing = {
  async "a queue is there after it was closed, with its messages in their order"(file) {
    await using(file, async (queue) => {
      assert.deepEqual({ ...queue.mode }, { storage: "deno-kv", durability: "relaxed", transport: "local" });
      await queue.send("first");
      await queue.sendBatch([{ body: "second", headers: { h: "x" } }, { body: "third" }]);
    });
    await using(file, async (queue) => {
      const messages = await queue.receive({ max: 10 });
      assert.deepEqual(messages.map(({ body, headers }) => [body, { ...headers }]), [["first", {}], ["second", { h: "x" }], ["third", {}]]);
      for (const message of messages) await message.ack();
    });
    await using(file, async (queue) => assert.deepEqual(await queue.receive({ max: 10 }), []));
  },

  async "bodies come back as what they were, each in memory of its own"(file) {
    const cyclic = { name: "cyclic" };
    cyclic.self = cyclic;
    const shared = new ArrayBuffer(64);
    const bodies = [
      undefined,
      null,
      -0,
      NaN,
      1n << 70n,
      "text \ud800",
      new Date(0),
      /a+/giu,
      new Map([[{ k: 1 }, new Set([1n])]]),
      [1, , 3],
      new Uint8Array([1, 2, 3]),
      new Float64Array([0.5]),
      new BigInt64Array([-1n]),
      new DataView(new ArrayBuffer(4), 1, 2),
      new ArrayBuffer(3),
      new RangeError("why", { cause: new TypeError("because") }),
      cyclic,
      [new Uint8Array(shared, 8, 4), new Uint8Array(shared, 12, 4)],
    ];
    await using(file, (queue) => queue.sendBatch(bodies.map((body) => ({ body }))));
    await using(file, async (queue) => {
      const found = await drain(queue, bodies.length);
      const places = bodies.map((_, at) => at).filter((at) => !(bodies[at] instanceof Error));
      assert.deepStrictEqual(places.map((at) => found[at]), places.map((at) => structuredClone(bodies[at])));
      const error = found.find((body) => body instanceof RangeError);
      assert.deepEqual([error.message, error.cause.name, error.cause.message], ["why", "TypeError", "because"]);
      // A view brings what it shows, and not what lies beside it.
      assert.deepEqual(found.at(-1).map(({ buffer }) => buffer.byteLength), [4, 4]);
      assert.equal(found[10].buffer.byteLength, 3);
    });
  },

  async "what lives in the process alone fails its own send, and no other"(file) {
    await using(file, async (queue) => {
      const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
      const sent = await Promise.allSettled([queue.send("a"), queue.send({ deep: [new Map([[1, new Blob(["b"])]])] }), queue.send("c"),
        queue.send(key), queue.send("d")]);
      assert.deepEqual(sent.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
      for (const { reason } of [sent[1], sent[3]]) assert.equal(reason.name, "DataCloneError");
      assert.match(sent[1].reason.message, /Blob/);
      assert.deepEqual(await drain(queue, 3), ["a", "c", "d"]);
    });
  },

  async "bodies larger than a value and than a commit are split, and come back whole"(file) {
    const sizes = [65_530, 65_536, 70_000, 131_072, 900_000, 5_000_000];
    const body = (size, at) => ({ at, bytes: Uint8Array.from({ length: size }, (_, place) => (place * 31 + at) % 251) });
    await using(file, async (queue, kv) => {
      await Promise.all(sizes.map((size, at) => queue.send(body(size, at), { headers: { at: String(at) } })));
      assert.equal((await keys(kv, "draft")).length, 0);
    });
    await using(file, async (queue) => {
      for (const [at, size] of sizes.entries()) {
        const [message] = await queue.receive();
        assert.equal(message.headers.at, String(at));
        assert.deepStrictEqual(message.body, body(size, at));
        await message.ack();
      }
    });
  },

  async "many small messages of one step are more than a commit, and keep their headers"(file) {
    const batch = Array.from({ length: 5000 },
      (_, n) => ({ body: { n, text: "x".repeat(300) }, ...(n % 7 === 0 && { headers: { n: String(n) } }) }));
    await using(file, async (queue) => {
      await queue.sendBatch(batch);
    });
    await using(file, async (queue) => {
      for (let n = 0; n < batch.length;) {
        const messages = await queue.receive({ max: 1000 });
        for (const { body, headers } of messages) {
          assert.deepStrictEqual(body, batch[n].body);
          assert.deepStrictEqual({ ...headers }, batch[n].headers ?? {});
          n += 1;
        }
        await Promise.all(messages.map((message) => message.ack()));
      }
    });
  },

  async "a body that can't fit is refused with both numbers, and nothing else is harmed"(file) {
    await using(file, async (queue, kv) => {
      await queue.send("before");
      const huge = new Uint8Array(65 << 20);
      const [beside, refused, other] = await Promise.allSettled([queue.send("beside"), queue.send(huge), queue.send("other")]);
      assert.deepEqual([beside.status, refused.status, other.status], ["fulfilled", "rejected", "fulfilled"]);
      assert.ok(refused.reason instanceof MessageTooLargeError);
      const [bytes, most] = refused.reason.message.match(/\d{5,}/g).map(Number);
      assert.ok(bytes >= huge.length && bytes < huge.length + 100 && most === 64 << 20, refused.reason.message);
      await assert.rejects(queue.sendBatch([{ body: "in vain" }, { body: huge }]), MessageTooLargeError);
      await queue.send("after");
      assert.deepEqual(await drain(queue, 4), ["before", "beside", "other", "after"]);
      assert.deepEqual(await keys(kv, "draft"), []);
      assert.ok((await keys(kv, "part")).length < 10, "parts of what was refused were written");
    });
  },

  async "what is acked is cleaned away, parts and all, under a peer that reads on"(file) {
    const other = await openQueue("q", { storage: kvStorage(file) });
    await using(file, async (queue, kv) => {
      for (let n = 0; n < 400; n += 1) {
        await queue.send(n % 50 ? n : new Uint8Array(300_000).fill(n % 251));
        const [message] = await (n % 2 ? queue : other).receive({ wait: 10 });
        if (n % 50) assert.equal(message.body, n);
        else assert.deepEqual([message.body.length, message.body[299_999]], [300_000, n % 251]);
        await message.ack();
      }
      const left = await keys(kv);
      assert.ok(left.length < 700, `${left.length} keys are left of 1200 records`);
      assert.ok((await keys(kv, "part")).length < 25, "the parts of acked messages are left");
      assert.deepEqual(await keys(kv, "doomed"), []);
      await queue.send("last");
    });
    await other.close();
    await using(file, async (queue) => assert.deepEqual(await drain(queue, 1), ["last"]));
  },

  async "records and bodies of every size around what a row, a piece and a commit take come back whole"(file) {
    const store = await kvStorage(file).open();
    const near = (size, offsets) => offsets.map((offset) => size + offset);
    const rows = Array.from({ length: 40 }, (_, at) => 8 * (at - 36));
    const sizes = [...near(65_000, rows), ...near(65_536, rows),
      ...[131_072, 720_000, 819_200].flatMap((size) => near(size, [-300, -1, 0, 1]))];
    const bytes = (size) => new Uint8Array(size).fill(size % 251);
    const same = (found, size, what) =>
      assert.ok(found?.length === size && found.every((byte) => byte === size % 251), `${what} of ${size} bytes`);
    for (const size of sizes) {
      const record = await store.append(0, () => ({ record: bytes(size), bodies: [], chunk: -1 }), false);
      same((await store.read(record)).records[0], size, "a record");
      for (const chunk of [-1, 0]) {
        const headers = { 0: { a: "b" } };
        const number = await store.append(0, () => ({ record: new Uint8Array([1]), bodies: [bytes(size), "beside"], headers, chunk }),
          false);
        const found = await store.values(chunk < 0 ? [number, -1] : [number, 0, number, 1]);
        same(found[0].bodies[0], size, "a body");
        assert.deepEqual([found[0].headers[0], found.at(-1).bodies.at(-1)], [headers[0], "beside"]);
      }
    }
    store.close();
  },

  async "as many parts as a row can name are stored, and more are refused before anything is written"(file) {
    await using(file, async (_, kv) => {
      const store = await kvStorage(kv, { prefix: ["own"] }).open();
      const under = async () => {
        let count = 0;
        for await (const entry of kv.list({ prefix: ["own"] })) count += entry.key[1] === "head" ? 0 : 1;
        return count;
      };
      // The row has 65000 bytes: four for each part, and two parts that are the record's own.
      const most = 65_000 / 4 - 2;
      const bodies = (count) => Array(count).fill(null);
      const before = await under();
      await assert.rejects(store.append(0, () => ({ record: new Uint8Array([1]), bodies: bodies(most + 1), chunk: 0 }), false), {
        name: "MessageTooLargeError",
      });
      assert.equal(await under(), before, "of what was refused something was written");
      for (const count of [most - 1, most]) {
        const number = await store.append(0, () => ({ record: new Uint8Array([2, 3]), bodies: bodies(count), chunk: 0 }), false);
        assert.deepEqual((await store.read(number)).records, [new Uint8Array([2, 3])]);
        assert.deepEqual((await store.values([number, count - 1, number, count])).map((value) => value?.bodies), [[null], undefined]);
      }
      store.close();
    });
  },

  async "a dead letter keeps its part of a step's bodies and no other"(file) {
    const storage = kvStorage(file);
    const letters = await openQueue("letters", { storage });
    const work = await openQueue("work", { storage, deadLetterQueue: "letters" });
    await using(file, async (queue, kv) => {
      for (let round = 0; round < 4; round += 1) {
        await work.sendBatch(Array.from({ length: 200 }, (_, n) => ({ body: new Uint8Array(10_000).fill(n) })));
        const messages = await work.receive({ max: 200, wait: 10 });
        await Promise.all(messages.map((message, n) => (n === 100 ? message.deadLetter() : message.ack())));
      }
      // The snapshot's own part, and two pieces of each letter's, for as many as one may be behind.
      for (let n = 0; n < 300; n += 1) await queue.send(n);
      const left = (await keys(kv, "part")).length;
      assert.ok(left <= 12, `${left} pieces are left for 4 letters`);
      assert.deepEqual(await keys(kv, "doomed"), []);
    });
    await work.close();
    const bodies = (await letters.receive({ max: 10 })).map(({ body }) => [body.length, body[0], body[9999]]);
    assert.deepEqual(bodies, Array(4).fill([10_000, 100, 100]));
    await letters.close();
  },

  async "what the dead left half done is swept, and what the living do is not"(file) {
    await using(file, async (queue, kv) => {
      const piece = new Uint8Array(10);
      for (const name of ["dead", "living", "old"]) await kv.set(["posthaste", "part", name, 0, 0], piece);
      await kv.set(["posthaste", "draft", "dead"], [Date.now() - 4_000_000, Uint32Array.of(10)]);
      await kv.set(["posthaste", "draft", "living"], [Date.now(), Uint32Array.of(10)]);
      await kv.set(["posthaste", "doomed", 0], ["old", 10, new Float64Array()]);
      for (let n = 0; n < 600; n += 1) await queue.send(n);
      assert.deepEqual((await keys(kv, "draft")).map((key) => key[2]), ["living"]);
      assert.deepEqual(await keys(kv, "doomed"), []);
      for (const [name, count] of [["dead", 0], ["living", 1], ["old", 0]])
        assert.equal((await keys(kv, "part", name)).length, count, name);
    });
  },

  async "a snapshot larger than a commit is read back, and its predecessor goes"(file) {
    const count = 30_000;
    await using(file, async (queue, kv) => {
      // Keys are remembered one by one: they make a snapshot large.
      for (let from = 0; from < count; from += 1000) {
        await Promise.all(Array.from({ length: 1000 }, (_, n) => queue.send(from + n, { idempotencyKey: `${"k".repeat(40)}${from + n}` })));
      }
      for (let n = 0; n < 1100; n += 1) await queue.send(n);
      const [[, , , number, , name, bytes]] = [(await kv.get(["posthaste", "head"])).value];
      assert.ok(number > 0 && bytes > 800_000, `a snapshot of ${bytes} bytes`);
      assert.ok((await keys(kv, "part", name)).length > 12);
      assert.deepEqual(await keys(kv, "draft"), []);
    });
    await using(file, async (queue) => assert.equal((await queue.metrics()).backlogCount, count + 1100));
  },

  async "prefixes are storages of their own, and the same one is the same"(file) {
    const kv = await Deno.openKv(file);
    assert.equal(kvStorage(kv), kvStorage(kv, { prefix: ["posthaste"] }));
    assert.notEqual(kvStorage(kv), kvStorage(kv, { prefix: ["posthaste", 1] }));
    assert.notEqual(kvStorage(kv, { prefix: [1] }), kvStorage(kv, { prefix: [1n] }));
    assert.equal(kvStorage(kv, { prefix: [new Uint8Array([1])] }), kvStorage(kv, { prefix: [new Uint8Array([1])] }));
    const [a, b] = [kvStorage(kv, { prefix: ["a"] }), kvStorage(kv, { prefix: ["app", new Uint8Array([7]), 3, 4n, true] })];
    for (const storage of [a, b]) {
      const queue = await openQueue("q", { storage });
      await queue.send(storage === a ? "to a" : "to b");
      await queue.close();
    }
    for (const [storage, body] of [[a, "to a"], [b, "to b"]]) {
      const queue = await openQueue("q", { storage });
      assert.deepEqual(await drain(queue, 1), [body]);
      assert.deepEqual((await listQueues({ storage })).map(({ name, storage }) => [name, storage])[0], ["q", "deno-kv"]);
      await queue.close();
    }
    kv.close();
  },

  async "what is no database and no prefix is refused with the value"() {
    assert.throws(() => kvStorage({}), { name: "TypeError", message: /Deno\.Kv/ });
    assert.throws(() => kvStorage(3), { name: "TypeError", message: /3/ });
    assert.throws(() => kvStorage("x", "y"), { name: "TypeError", message: /y/ });
    for (const prefix of [[], "app", [Symbol.iterator], [{}], ["x".repeat(600)]]) {
      assert.throws(() => kvStorage("x", { prefix }), TypeError);
    }
    assert.throws(() => kvStorage("x", { prefix: ["x".repeat(600)] }), /602.*512/);
  },
};
