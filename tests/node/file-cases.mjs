/** What a queue in a folder promises, each as a function of a new folder. Runs in Bun as in Node. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { StorageLostError, listQueues, openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";
import { bytesOf, fails, framesOf, isFilling, journalOf, locksOf, put, unmarked, using, waiting } from "./file-folder.mjs";

const same = { a: 1 };
const circle = { name: "circle", same, again: same };
circle.self = circle;
const holes = [1, , , 4];
holes.more = "than elements";
const shared = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]).buffer;
/** Bodies of every kind that comes back. */
const bodies = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  2 ** 30,
  -(2 ** 30) - 1,
  2 ** 31,
  1.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 53,
  0n,
  -(2n ** 80n),
  255n,
  "",
  "text",
  "ÿ and ÿ".repeat(20),
  "Ω≈ç√ 🐈 \ud800",
  "🐈".repeat(40),
  {},
  [],
  [[], [undefined]],
  holes,
  Object.assign([1, 2], { more: true }),
  [, 2],
  new Array(3),
  { nested: { list: [1, "2", null, undefined, { deep: true }] }, "": 0, 7: "seven" },
  circle,
  new Date(0),
  /a[/]+b/giu,
  new Map([["k", new Map([[{}, 1]])]]),
  new Set([1, "1", new Set()]),
  new ArrayBuffer(0),
  new Uint8Array([1, 2, 3]).buffer,
  new Uint8Array([1, 2, 255]),
  new Float64Array([1.5, NaN]),
  new BigInt64Array([-1n]),
  new Int16Array(shared, 2, 2),
  new DataView(shared, 1, 3),
  { one: new Uint8Array(shared, 1, 2), two: new Uint8Array(shared) },
  new Boolean(false),
  new Number(4),
  new String("boxed"),
  Object(9n),
  JSON.parse('{ "__proto__": { "polluted": 1 } }'),
];

/** Every file a driver may be asked to open that is none of its own. */
const foreign = (bytes) => ({
  "an empty file": Buffer.alloc(0),
  "a text": Buffer.from("Dear diary,\n".repeat(10)),
  "zeros": Buffer.alloc(1000),
  "a head alone that is cut off": bytes.subarray(0, 31),
  "a head of another birth": Buffer.concat([bytes.subarray(0, 20), Buffer.from([1]), bytes.subarray(21)]),
});

export const cases = {
  async "what was sent is there after closing and opening, in order, with its headers"(folder) {
    await using(folder, async (queue) => {
      assert.deepEqual({ ...queue.mode }, { storage: "file", durability: "relaxed", transport: "local" });
      await queue.send({ n: 0 });
      await queue.sendBatch([{ body: { n: 1 }, headers: { kind: "batch" } }, { body: { n: 2 } }]);
      const [first] = await queue.receive();
      await first.ack();
    });
    assert.deepEqual(locksOf(folder), []);
    await using(folder, async (queue) => {
      assert.equal(queue.mode.durability, "strict");
      const messages = await queue.receive({ max: 10 });
      assert.deepEqual(messages.map(({ body, headers, attempts }) => [body.n, { ...headers }, attempts]), [[1, { kind: "batch" }, 1], [2,
        {}, 1]]);
      await Promise.all(messages.map((message) => message.ack()));
      assert.equal((await queue.metrics()).acked, 3);
      assert.ok((await queue.metrics()).storageBytes > 0);
    }, { durability: "strict" });
    assert.deepEqual(await waiting(folder), []);
  },

  async "every kind of body comes back as structuredClone makes it"(folder) {
    await using(folder, async (queue) => {
      for (const body of bodies) await queue.send(body);
      await queue.sendBatch(bodies.map((body) => ({ body })));
    });
    await using(folder, async (queue) => {
      const got = (await queue.receive({ max: 2 * bodies.length })).map(({ body }) => body);
      assert.equal(got.length, 2 * bodies.length);
      for (const [at, body] of [...bodies, ...bodies].entries())
        assert.deepStrictEqual(got[at], structuredClone(body), `body ${at % bodies.length}`);
      const circle = got.find((body) => body?.name === "circle");
      assert.equal(circle.self, circle);
      assert.equal(circle.same, circle.again);
      const { one, two } = got.find((body) => body?.one);
      assert.equal(one.buffer, two.buffer);
      assert.equal({}.polluted, undefined);
      await queue.send(new Date(NaN));
      assert.ok(Number.isNaN((await queue.receive())[0].body.getTime()));
      // Each body's memory is its own.
      const buffers = got.filter((body) => body instanceof Uint8Array).map(({ buffer }) => buffer.byteLength);
      assert.deepEqual(buffers, [3, 3]);
    });
  },

  async "an error comes back as an error"(folder) {
    const sent = new RangeError("too far", { cause: { by: 3 } });
    await using(folder, (queue) => queue.send({ sent, list: [new Error("plain")] }));
    const [{ sent: got, list }] = await waiting(folder);
    assert.ok(got instanceof RangeError && list[0] instanceof Error);
    assert.deepEqual([got.name, got.message, got.stack, got.cause, list[0].message], ["RangeError", "too far", sent.stack,
      structuredClone(sent).cause, "plain"]);
    assert.deepEqual([Object.keys(got), "cause" in list[0]], [[], false]);
  },

  async "a body that can't be kept fails its own send, and no other"(folder) {
    await using(folder, async (queue) => {
      const sent = await Promise.allSettled([queue.send("a"), queue.send({ blob: new Blob(["x"]) }), queue.send("b"), queue.send(() => 1)]);
      assert.deepEqual(sent.map(({ status, reason }) => reason?.name ?? status), ["fulfilled", "DataCloneError", "fulfilled",
        "DataCloneError"]);
      assert.match(sent[1].reason.message, /Blob/);
    });
    assert.deepEqual(await waiting(folder), ["a", "b"]);
  },

  async "many messages of one step are read by few bodies at a time"(folder) {
    const count = 3_000;
    const body = (n) => ({ n, text: "x".repeat(500) });
    await using(folder, async (queue) => {
      await Promise.all(Array.from({ length: count }, (_, n) => queue.send(body(n), n % 1000 === 7 ? { headers: { n: String(n) } } : {})));
      assert.ok(framesOf(bytesOf(folder)).length < 20, "they are one step");
    });
    await using(folder, async (queue) => {
      for (let next = 0; next < count;) {
        const messages = await queue.receive({ max: 100 });
        for (const message of messages) {
          assert.deepEqual(message.body, body(next));
          assert.deepEqual({ ...message.headers }, next % 1000 === 7 ? { n: String(next) } : {});
          next += 1;
        }
        await Promise.all(messages.map((message) => message.ack()));
      }
    });
  },

  async "a folder has one storage, however it is named; its queues share it"(folder) {
    const storage = fileStorage(folder);
    assert.equal(fileStorage(path.join(folder, "..", path.basename(folder))), storage);
    assert.equal(fileStorage(path.relative(".", folder)), storage);
    assert.equal(fileStorage(pathToFileURL(folder)), storage);
    assert.notEqual(fileStorage(`${folder}-2`), storage);
    for (const odd of [undefined, "", 3, null, {}, "a\0b", new URL("https://example.com/a")])
      assert.throws(() => fileStorage(odd), (error) => error instanceof TypeError && error.message.includes("path"));
    // A clock of its own is a peer of its own on the same file.
    const clock = { now: () => Date.now(), setTimeout: (...of) => setTimeout(...of), clearTimeout: (timer) => clearTimeout(timer) };
    const [a, b, other] = [await openQueue("a", { storage }), await openQueue("b", { storage }), await openQueue("a", { storage, clock })];
    const waiter = other.receive({ wait: 30 });
    await b.send("for b");
    await a.send("for a");
    assert.deepEqual((await waiter).map(({ body }) => body), ["for a"]);
    assert.equal(locksOf(folder).length, 1);
    await Promise.all([a.close(), b.close()]);
    await other.send("more");
    await other.close();
    assert.deepEqual(locksOf(folder), []);
    assert.deepEqual(
      (await listQueues({ storage })).map(({ name, storage, backlogCount }) => [name, storage, backlogCount]).filter(([name]) =>
        !name.endsWith("-dlq")
      ),
      [["a", "file", 2], ["b", "file", 1]],
    );
  },

  async "a last step that is cut off at any byte is cut off the file, and all before it is there"(folder) {
    await using(folder, (queue) => queue.send("kept"));
    await using(folder, (queue) => queue.send({ last: "one", bytes: new Uint8Array(40) }));
    const whole = unmarked(bytesOf(folder));
    const last = framesOf(whole).at(-2);
    for (let end = last; end <= whole.length; end += 1) {
      put(folder, whole.subarray(0, end));
      assert.deepEqual(await waiting(folder).then((all) => all.length), end === whole.length ? 2 : 1, `cut at ${end}`);
      if (end < whole.length) assert.equal(framesOf(bytesOf(folder))[framesOf(whole).length - 2], last);
      // It goes on from there.
      if (end % 16 === 0) {
        await using(folder, (queue) => queue.send("next"));
        assert.equal((await waiting(folder)).at(-1), "next");
      }
    }
  },

  async "a last step with any byte flipped is cut off, too; the file's other bytes are told to be damaged"(folder) {
    await using(folder, (queue) => queue.send("first"));
    await using(folder, (queue) => queue.send("second"));
    const whole = unmarked(bytesOf(folder));
    const last = framesOf(whole).at(-2);
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = Buffer.from(whole);
      bytes[at] ^= 1 << at % 8;
      put(folder, bytes);
      const what = await waiting(folder).catch((error) => error.name);
      // What fills a frame up says nothing; a head of another version is one of another version.
      if (isFilling(whole, at)) assert.equal(what.length, 2, `${what} at ${at}`);
      else if (at >= last) assert.deepEqual(what, ["first"], `${what} at ${at}`);
      else assert.ok(what === "CorruptionError" || (at >= 16 && at < 20 && what === "VersionError"), `${what} at ${at}`);
      // Closing may put its mark behind it.
      if (what === "CorruptionError") assert.deepEqual(bytesOf(folder).subarray(0, bytes.length), bytes, "it is not touched");
    }
  },

  async "what is no journal, or one of another version, is told and not touched"(folder) {
    await using(folder, (queue) => queue.send("mine"));
    const mine = bytesOf(folder);
    for (const [what, bytes] of Object.entries(foreign(mine))) {
      put(folder, bytes);
      const error = await fails(waiting(folder), "CorruptionError", folder);
      assert.equal(error.code, "ERR_CORRUPTION", what);
      assert.deepEqual(bytesOf(folder), bytes, what);
    }
    for (const version of [1, 3]) {
      const other = Buffer.from(mine);
      other.writeUInt32LE(version, 16);
      put(folder, other);
      await fails(waiting(folder), "VersionError", `version ${version}`);
      assert.deepEqual(bytesOf(folder), other);
    }
    put(folder, mine);
    assert.deepEqual(await waiting(folder), ["mine"]);
    assert.deepEqual(locksOf(folder), []);
  },

  async "a path that is a file's, or lies in a file, is told"(folder) {
    mkdirSync(folder);
    const file = path.join(folder, "file");
    writeFileSync(file, "");
    await fails(waiting(file), "NotSupportedError", file);
    await fails(waiting(path.join(file, "below")), "NotSupportedError", file);
  },

  async "a folder that is deleted or moved away while it is open is told, and made anew"(folder) {
    for (
      const away of [() => rmSync(folder, { recursive: true }), () => rmSync(journalOf(folder)), () => renameSync(folder, `${folder}-away`)]
    ) {
      await using(folder, async (queue) => {
        const states = [];
        queue.addEventListener("storage", ({ detail }) => states.push(detail.state));
        await queue.send("before");
        away();
        // That the file alone is gone is noticed within a second, by a send or in between.
        while (states.at(-1) !== "lost") {
          const error = await queue.send("meanwhile").then(() => undefined, (error) => error);
          assert.ok(!error || error instanceof StorageLostError, String(error));
        }
        await queue.send("after");
        const bodies = (await queue.peek({ max: 1000 })).map(({ body }) => body);
        assert.deepEqual([bodies.includes("before"), bodies.at(-1)], [false, "after"]);
        await queue.purge();
      });
    }
    assert.ok(existsSync(`${folder}-away`));
    rmSync(`${folder}-away`, { recursive: true });
  },

  async "whoever sends in a loop keeps nobody waiting"(folder) {
    await using(folder, async (queue) => {
      let ticks = 0;
      const timer = setInterval(() => (ticks += 1), 5);
      // Kept waiting, it would never come.
      const end = performance.now() + 20_000;
      while (ticks < 3 && performance.now() < end) await queue.send("and another");
      clearInterval(timer);
      assert.ok(ticks >= 3);
    });
  },

  async "the file stays small while messages come and go, and what waits meanwhile is kept"(folder) {
    const text = "x".repeat(20_000);
    await using(folder, async (queue) => {
      for (let n = 0; n < 5; n += 1) await queue.send({ stays: n, text }, { delaySeconds: 3_600 });
      let most = 0;
      for (let round = 0; round < 800; round += 1) {
        const sent = queue.send({ round, text });
        const [{ body }, ...more] = await queue.receive({ wait: 10 }).then((got) => (got[0].ack(), got));
        assert.deepEqual([body.round, body.text.length, more.length], [round, text.length, 0]);
        await sent;
        most = Math.max(most, statSync(journalOf(folder)).size);
      }
      assert.ok(most < 8_000_000, `${most} bytes, while ${800 * text.length} were written`);
    });
    assert.deepEqual((await waiting(folder)).map(({ stays }) => stays), [0, 1, 2, 3, 4]);
  },
};
