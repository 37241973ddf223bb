/** Cases that run in Deno: what goes wrong with a database, by damage, by others and by the way there. */

import assert from "node:assert/strict";
import { CorruptionError, openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";
import { drain, faulty, keys, using } from "./journal.mjs";

const PREFIX = "posthaste";

/** A database with a queue that has messages: a small one, and a large one whose body lies in parts. */
async function filled(file) {
  await using(file, async (queue) => {
    await queue.send("small");
    await queue.send(new Uint8Array(200_000));
  });
  return Deno.openKv(file);
}

/** What opening that database, or else receiving from it, rejects with. */
async function failure(kv) {
  const queue = await openQueue("q", { storage: kvStorage(kv) });
  try {
    await drain(queue, 2);
  } finally {
    await queue.close();
  }
}

async function damaged(file, key, value, expected) {
  const kv = await filled(file);
  const wanted = typeof key === "function" ? (await keys(kv)).find(key) : key;
  if (value === undefined) await kv.delete(wanted);
  else await kv.set(wanted, value);
  const before = JSON.stringify(await keys(kv));
  await assert.rejects(failure(kv), expected);
  assert.equal(JSON.stringify(await keys(kv)), before, "something was written to what can't be read");
  kv.close();
}

const corruption = (error) => error instanceof CorruptionError;
const isRecord = (key) => key[1] === "record" && key[2] === 2;
const isPiece = (key) => key[1] === "part" && key[4] === 1;

export const trouble = {
  "a head that is no head": (file) => damaged(file, [PREFIX, "head"], { some: "thing" }, corruption),
  "a head with numbers that can't be": (file) => damaged(file, [PREFIX, "head"], [2, 5, -1, 0, 0, "", 0], corruption),
  "a head with a snapshot of more bytes than there can be": (file) =>
    damaged(file, [PREFIX, "head"], [2, 5, 9, 8, 7, "name", 2 ** 40], corruption),
  "a record of parts of more bytes than there can be": (file) =>
    damaged(file, isRecord, [undefined, undefined, "name", new Uint32Array(9).fill(2 ** 31)], corruption),
  "a head that is gone, with records there": (file) => damaged(file, [PREFIX, "head"], undefined, corruption),
  "a head of a newer version": (file) => damaged(file, [PREFIX, "head"], [3, "whatever"], { name: "VersionError", message: /newer/ }),
  "a head of an older version": (file) =>
    damaged(file, [PREFIX, "head"], [1, 5, 2, 0, 0, "", 0], { name: "VersionError", message: /before its first release/ }),
  "a record that is no record": (file) => damaged(file, isRecord, "nonsense", corruption),
  "a record of other bytes": (file) => damaged(file, isRecord, [new Uint8Array(40)], corruption),
  "a record that is gone": (file) => damaged(file, isRecord, undefined, corruption),
  "a record under a key that is no number": (file) => damaged(file, [PREFIX, "record", 2.5], [new Uint8Array(4)], corruption),

  async "keys that hold other things than a journal are left alone"(file) {
    const kv = await Deno.openKv(file);
    await kv.set([PREFIX, "users", 1], { name: "Ada" });
    await assert.rejects(openQueue("q", { storage: kvStorage(kv) }), (error) => corruption(error) && /prefix/.test(error.message));
    assert.deepEqual(await keys(kv), [[PREFIX, "users", 1]]);
    kv.close();
  },

  async "a body with a piece missing, or of other bytes, is told and not handed out, and harms no other message"(file) {
    for (const value of [undefined, "text", new Uint8Array(10), new Uint8Array(65_536).fill(255)]) {
      const path = `${file}-${String(value)?.length}`;
      const kv = await filled(path);
      const key = (await keys(kv)).find((one) => (value?.length === 65_536 ? one[1] === "part" && one[4] === 0 : isPiece(one)));
      if (value === undefined) await kv.delete(key);
      else await kv.set(key, value);
      const queue = await openQueue("q", { storage: kvStorage(kv) });
      const told = [];
      queue.addEventListener("error", ({ error }) => told.push(error));
      const dead = new Promise((resolve) => queue.addEventListener("deadletter", resolve));
      assert.deepEqual((await queue.receive({ max: 2 })).map(({ body }) => body), ["small"]);
      assert.ok(told.length === 1 && corruption(told[0]), String(told));
      await dead;
      assert.equal((await queue.metrics()).deadLettered, 1);
      await queue.close();
      kv.close();
    }
  },

  async "a commit whose answer is lost has sent its message once, whether it happened or not"(file) {
    const kv = await Deno.openKv(file);
    let fault;
    let steps = 0;
    const commit = async (real) => (fault ? fault(real) : real());
    const set = (real, key, value) => {
      if (key[1] === "record") steps += 1;
      return real(key, value);
    };
    const queue = await openQueue("q", { storage: kvStorage(faulty(kv, { commit, set })) });
    const lost = () => {
      throw new TypeError("connection reset");
    };
    let late;
    const faults = [
      // It happened.
      async (real) => ((fault = undefined), await real(), lost()),
      // It did not.
      async () => ((fault = undefined), lost()),
      // It comes late, when the journal has been read again and just before the step is made again: it must not happen any more.
      async (real) => {
        const before = steps;
        fault = async (next) => {
          if (steps === before) return next();
          fault = undefined;
          late = await real();
          return next();
        };
        lost();
      },
    ];
    for (const [n, one] of faults.entries()) {
      fault = one;
      await queue.send(n);
      assert.equal(fault, undefined);
    }
    assert.deepEqual(late, { ok: false });
    await queue.send("last");
    assert.deepEqual(await drain(queue, 4), [0, 1, 2, "last"]);
    assert.deepEqual(await queue.receive(), []);
    await queue.close();
    kv.close();
  },

  async "conflicts and locks that pass are waited for"(file) {
    const kv = await Deno.openKv(file);
    let left = 0;
    const commit = async (real) => {
      if (left > 0) {
        left -= 1;
        if (left % 2) return { ok: false };
        throw new TypeError("database is locked");
      }
      return real();
    };
    let reads = 0;
    const get = async (real, ...words) => {
      reads += 1;
      if (reads % 5 === 0) throw new TypeError("database is locked");
      return real(...words);
    };
    const queue = await openQueue("q", { storage: kvStorage(faulty(kv, { commit, get })) });
    for (let n = 0; n < 10; n += 1) {
      left = n;
      await queue.send(n);
    }
    await queue.send(new Uint8Array(2_000_000));
    assert.deepEqual((await drain(queue, 11)).slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await queue.close();
    kv.close();
  },

  async "a storm of conflicts that does not pass ends with an error, and nothing is lost"(file) {
    const kv = await Deno.openKv(file);
    let storm = false;
    let tries = 0;
    const commit = async (real) => (storm ? ((tries += 1), { ok: false }) : real());
    const storage = kvStorage(faulty(kv, { commit }));
    const queue = await openQueue("q", { storage });
    await queue.send("before");
    // Each look at the clock takes a second, so that patience ends soon.
    const { now } = performance;
    let passed = 0;
    storm = true;
    performance.now = () => now.call(performance) + (passed += 1000);
    try {
      // Whoever was in a step when the journal ended is told so on the safe side, and why it ended.
      const error = await queue.send("in vain").then(() => undefined, (reason) => reason);
      assert.equal(error?.name, "StorageLostError");
      assert.equal(error.outcomeUnknown, true);
      // Failed, opened again, and failed, and so on.
      assert.equal(error.cause?.cause?.name, "TimeoutError");
      assert.match(error.cause.cause.message, /failed \d+ times in 10 s/);
    } finally {
      performance.now = now;
      storm = false;
    }
    assert.ok(tries > 10 && tries < 200, `${tries} tries`);
    await queue.close();
    const again = await openQueue("q", { storage: kvStorage(kv) });
    await again.send("after");
    assert.deepEqual(await drain(again, 2), ["before", "after"]);
    await again.close();
    kv.close();
  },

  async "a journal that someone deletes is told as lost, and made anew"(file) {
    const kv = await Deno.openKv(file);
    const queue = await openQueue("q", { storage: kvStorage(kv) });
    await queue.send("gone with it");
    const states = [];
    queue.addEventListener("storage", ({ detail }) => states.push(detail.state));
    for (const key of await keys(kv)) await kv.delete(key);
    await assert.rejects(queue.send("meanwhile"), { name: "StorageLostError", outcomeUnknown: true });
    await queue.send("new");
    assert.deepEqual(await drain(queue, 1), ["new"]);
    assert.ok(states.includes("lost"), states.join(" "));
    await queue.close();
    kv.close();
  },
};
