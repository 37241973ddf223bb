/**
 * What stands between client and host changes what they say: frames cut, repeated, left out, out of order, random, of another
 * version. Each side says so by a typed error or goes on; nothing hangs, nothing confirmed is lost, and nobody else notices.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { bodies, bounded, fails, freshQueue, quiet } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

/** Ways to change one message of ours, `["posthaste", session, frame, texts, values]`: what is posted instead of it. */
const ways = {
  "cut": ([mark, session, frame, ...along]) => [[mark, session, frame.slice(0, frame.length >> 1), ...along]],
  "cut to nothing": ([mark, session, , ...along]) => [[mark, session, new Float64Array(), ...along]],
  "longer by a number": ([mark, session, frame, ...along]) => [[mark, session, Float64Array.of(...frame, 0), ...along]],
  "repeated": (message) => [message, message],
  "left out": () => [],
  "of an older version": (message) => [versioned(message, 1)],
  "of a newer version": (message) => [versioned(message, 200)],
  "random": ([mark, session, frame, ...along]) => [[mark, session, frame.map((_, at) => (at * 197 + 31) % 256), ...along]],
  "with a row of nonsense": (
    [mark, session, frame, ...along],
  ) => [[mark, session, frame.map((number, at) => (at === 6 || at === 7 ? NaN : number)), ...along]],
  "with more rows than there are": (
    [mark, session, frame, ...along],
  ) => [[mark, session, frame.map((number, at) => (at === 4 ? 1e9 : number)), ...along]],
  "without what goes along": ([mark, session, frame]) => [[mark, session, frame, [], []]],
  "with more than goes along": (
    [mark, session, frame, texts, values],
  ) => [[mark, session, frame, [...texts, "more"], [...values, { constructor: 1 }]]],
  "of no form at all": ([mark, session]) => [[mark, session, { length: -1 }, "texts", 7]],
};

function versioned([mark, session, frame, ...along], version) {
  return [mark, session, frame.with(0, 0x7068 + version * 2 ** 16), ...along];
}

/** Two ports with someone in between, who changes what `pick` says. Shared memory is kept back, or handed on to `shared` too. */
function between(pick, shared) {
  const [left, right] = [new MessageChannel(), new MessageChannel()];
  const counts = { toHost: 0, toClient: 0 };
  const pass = (direction, from, to) =>
    from.on("message", (message) => {
      const isFrame = Array.isArray(message) && message[0] === "posthaste" && message[2] instanceof Float64Array;
      const isMemory = Array.isArray(message) && message[2] === undefined && message[4]?.[0] instanceof WebAssembly.Memory;
      if (isMemory && !shared) return;
      if (isMemory) shared(message[4][0]);
      if (!isFrame) return to.postMessage(message);
      for (const posted of pick(direction, counts[direction]++, message) ?? [message]) to.postMessage(posted);
    });
  pass("toHost", left.port2, right.port1);
  pass("toClient", right.port1, left.port2);
  return { client: left.port1, host: right.port2, end: () => [left.port1, right.port1].forEach((port) => port.close()) };
}

const settled = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));
const TYPED = ["DataError", "StorageLostError", "TimeoutError", "VersionError"];

/** A client does a little of everything while frames `first` to `last` of a direction are changed. */
async function tamper(direction, change, first, last) {
  const { queue: host, clock } = await freshQueue();
  const man = between((to, number, message) => (to === direction && number >= first && number <= last ? change(message) : undefined));
  const good = new MessageChannel();
  const servings = [host.serve(man.host), host.serve(good.port1)];
  const bystander = await openQueue(host.name, { port: good.port2 });
  try {
    const confirmed = [];
    const opened = await settled(
      bounded(openQueue(host.name, { port: man.client, signal: AbortSignal.timeout(600) }), "the client to open or to fail"),
    );
    if (opened.value) await useAndClose(opened.value, confirmed);
    else assert.ok(TYPED.includes(opened.error.name), `${opened.error.name}: ${opened.error.message}`);
    await goesOn(bystander, clock, confirmed);
  } finally {
    await bystander.close();
    await Promise.all(servings.map((serving) => serving.close()));
    man.end();
    good.port1.close();
  }
}

/** What was confirmed is there, once, and another client of the queue works as ever. */
async function goesOn(bystander, clock, confirmed) {
  await bystander.send("undisturbed");
  await clock.advance(60);
  const got = bodies(await bounded(bystander.receive({ max: 100, wait: 1 }), "what is there"));
  assert.ok(got.includes("undisturbed"));
  const numbers = got.filter((body) => body !== "undisturbed").map((body) => body.n);
  assert.equal(new Set(numbers).size, numbers.length, `each once: ${numbers}`);
  for (const n of confirmed) assert.ok(numbers.includes(n), `${n} was confirmed, and is not there`);
}

async function useAndClose(client, confirmed) {
  const over = AbortSignal.timeout(150);
  const work = [];
  for (let n = 0; n < 8; n += 1) {
    work.push(settled(client.send({ n }, { signal: over }).then(() => confirmed.push(n))));
    await quiet();
  }
  work.push(settled(client.receive({ wait: 0.1, signal: over })), settled(client.metrics()));
  const closing = new Promise((resolve) => over.addEventListener("abort", resolve, { once: true })).then(() => client.close());
  const outcomes = await bounded(Promise.all([...work, settled(closing)]), "everything to settle");
  for (const { error } of outcomes)
    if (error) assert.ok([...TYPED, "InvalidStateError"].includes(error.name) || error === over.reason, `${error.name}: ${error.message}`);
}

const said = { toHost: "of a client", toClient: "of the host" };
for (const direction of ["toHost", "toClient"]) {
  for (const [way, change] of Object.entries(ways)) {
    test(`the first frame ${said[direction]} is ${way}: the client opens, or is told why not`, async () => {
      await tamper(direction, change, 0, 0);
    });
    test(`a frame ${said[direction]} is ${way}, and then all are: typed errors or nothing at all, and everyone else goes on`, async () => {
      await tamper(direction, change, 2, 2);
      // A port that loses everything is a host that is gone without a word.
      if (way !== "left out") await tamper(direction, change, 3, Infinity);
    });
  }
}

test("a host that is gone without a word, where there are neither locks nor a close event: every promise settles", async () => {
  const { queue: host, clock } = await freshQueue();
  let gone = false;
  const man = between(() => (gone ? [] : undefined));
  const serving = host.serve(man.host);
  const client = await openQueue(host.name, { port: man.client, clock });
  await client.send("heard");
  gone = true;
  const work = [client.send("not heard"), client.receive({ wait: 5 }), client.metrics()];
  const outcomes = Promise.allSettled(work);
  try {
    await clock.advance(600);
    const [sent, received, looked] = await bounded(outcomes, "every promise");
    assert.deepEqual([sent.reason.name, sent.reason.outcomeUnknown], ["StorageLostError", true]);
    assert.deepEqual([received.status, looked.reason.name], ["rejected", "StorageLostError"]);
    await fails(client.send("after"), "StorageLostError");
  } finally {
    await serving.close();
    man.end();
  }
});

/** Places of the ring's own words, of its heads, and of anything. */
const places = {
  "the words that say where frames are": (random) => (random() < 0.5 ? 0 : 128 + (8 << 20)) + 4 * Math.floor(random() * 32),
  "the first frames": (random) => 128 + 4 * Math.floor(random() * 200) + (random() < 0.5 ? 0 : 128 + (8 << 20)),
  "any place": (random, size) => 4 * Math.floor((random() * size) / 4),
};
for (const [where, place] of Object.entries(places)) {
  test(`shared memory is scribbled over at ${where}: typed errors or nothing at all, and everyone else goes on`, async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      let state = seed * 7919;
      const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
      const { queue: host, clock } = await freshQueue();
      let memory;
      const man = between(() => undefined, (shared) => {
        memory ??= shared;
      });
      const good = new MessageChannel();
      const servings = [host.serve(man.host), host.serve(good.port1)];
      const bystander = await openQueue(host.name, { port: good.port2 });
      const client = await openQueue(host.name, { port: man.client });
      for (let n = 0; client.mode.transport !== "shared-memory" && n < 100; n += 1) await quiet();
      assert.equal(client.mode.transport, "shared-memory");
      const words = new Uint32Array(memory.buffer);
      const work = [];
      const over = AbortSignal.timeout(60);
      for (let n = 0; n < 20; n += 1) {
        work.push(settled(client.send(new Uint8Array(100 * n))),
          settled(client.receive({ wait: 0.01, borrow: n % 2 === 0, signal: over })));
        for (let k = 0; k < 50; k += 1)
          words[place(random, memory.buffer.byteLength) >> 2] = random() < 0.5
            ? random() * 2 ** 32
            : Math.floor(random() * 64) * 8;
        await quiet();
      }
      const closing = new Promise((resolve) => (over.aborted ? resolve() : over.addEventListener("abort", resolve, { once: true })));
      await closing;
      // A frame that was lost in the ring is never answered: then the host's end is.
      const ending = servings[0].close();
      const outcomes = await bounded(Promise.all(work), `everything of seed ${seed} to settle`);
      for (const { error } of outcomes)
        if (error)
          assert.ok([...TYPED, "InvalidStateError", "LeaseLostError"].includes(error.name) || error === over.reason,
            `${error.name}: ${error.message}`);
      await ending;
      await bystander.send("undisturbed");
      await clock.advance(60);
      let seen = false;
      for (let messages; !seen && (messages = await bounded(bystander.receive({ max: 100 }), "what is there")).length;)
        seen = bodies(messages).includes("undisturbed");
      assert.ok(seen);
      await settled(bounded(client.close(), "the client's end"));
      await bystander.close();
      await servings[1].close();
      man.end();
      good.port1.close();
    }
  });
}
