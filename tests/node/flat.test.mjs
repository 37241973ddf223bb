/** Work a message stays as it is, however many wait beside it: counted, not timed. */

import assert from "node:assert/strict";
import test from "node:test";
import { quiet, VirtualClock } from "./lab.mjs";
import { posthaste, workOf } from "./work.mjs";

const { openQueue } = posthaste;

/** What of each may be done a message where there are many, for each that is done where there are few: what is looked up takes longer in long lists. */
const MORE = 1.5;
const SPARE = { turns: 200, blocks: 100, looked: 100, moved: 4000 };

/** `few` and `many`: how many there are of what waits; `scene(count)` makes them, and answers how many messages `work` is about, and it. */
async function flat(few, many, scene) {
  const each = async (count) => {
    const { messages, work, over } = await scene(count);
    const done = await workOf(work);
    await over();
    return Object.fromEntries(Object.entries(done).map(([name, amount]) => [name, amount / messages]));
  };
  await each(few);
  const [least, most] = [await each(few), await each(many)];
  const told = Object.keys(least).map((name) => `${name} ${least[name].toFixed(1)} -> ${most[name].toFixed(1)}`).join(", ");
  for (const name of Object.keys(least)) assert.ok(most[name] <= MORE * least[name] + SPARE[name], told);
}

let opened = 0;
const named = () => `flat ${++opened}`;
const times = (count, make = (at) => at) => Array.from({ length: count }, (_, at) => make(at));
/** Where it goes on in the middle, and jumps about. */
const scattered = (count, of) => times(count, (at) => Math.floor((at * 0.618_033_988_7 * of) % of));

/** The most that is tried; `FLAT_MANY=100000` takes some minutes. */
const MANY = Number(process.env.FLAT_MANY ?? 10_000);
const SOME = 1000;

test("receives that wait, fed one by one", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    const all = times(count, () => queue.receive({ wait: Infinity }));
    await quiet();
    return {
      messages: SOME,
      async work() {
        for (const body of times(SOME)) await queue.send(body);
        await Promise.all(all.slice(0, SOME));
      },
      over: () => (all.forEach((one) => one.catch(() => undefined)), queue.close()),
    };
  }));

test("receives that wait, called off one by one", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    const aborts = times(count, () => new AbortController());
    const all = aborts.map(({ signal }) => queue.receive({ wait: Infinity, signal }).catch(() => undefined));
    await quiet();
    return {
      messages: SOME / 2,
      async work() {
        for (const at of scattered(SOME / 2, count)) {
          aborts[at].abort();
          await all[at];
        }
      },
      over: () => queue.close(),
    };
  }));

test("receives that wait, and others that do not", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    const all = times(count, () => queue.receive({ wait: Infinity }).catch(() => undefined));
    await quiet();
    return {
      messages: SOME,
      async work() {
        for (const _ of times(SOME)) await queue.receive();
      },
      over: async () => (await queue.close(), Promise.all(all)),
    };
  }));

test("sends that wait for room, of which each has a key", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock(), capacity: { messages: 1 } });
    await queue.send("first");
    const all = times(count, (at) => queue.send(at, { idempotencyKey: `${at}` }).catch(() => undefined));
    await quiet();
    return {
      messages: SOME,
      async work() {
        for (const _ of times(SOME)) for (const message of await queue.receive({ wait: Infinity })) await message.ack();
      },
      over: async () => (await queue.close(), Promise.all(all)),
    };
  }));

test("sends that wait for room, called off one by one", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock(), capacity: { messages: 1 } });
    await queue.send("first");
    const aborts = times(count, () => new AbortController());
    const all = aborts.map(({ signal }, at) => queue.send(at, { signal }).catch(() => undefined));
    await quiet();
    return {
      messages: SOME / 2,
      async work() {
        for (const at of scattered(SOME / 2, count)) {
          aborts[at].abort();
          await all[at];
        }
      },
      over: async () => (await queue.close(), Promise.all(all)),
    };
  }));

test("sends that are called off before a step takes them up", () =>
  flat(SOME, MANY, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    return {
      messages: count,
      async work() {
        const aborts = times(count, () => new AbortController());
        const all = aborts.map(({ signal }, at) => queue.send(at, { signal }).catch(() => undefined));
        for (const abort of aborts.toReversed()) abort.abort();
        await Promise.all(all);
      },
      over: () => queue.close(),
    };
  }));

test("leases that run out at one moment", () =>
  flat(SOME, MANY / 2, async (count) => {
    const clock = new VirtualClock();
    const queue = await openQueue(named(), { clock, visibilityTimeout: 10 });
    for (const at of times(count)) {
      void queue.send(at, { idempotencyKey: `${at}` });
      if (at % 1000 === 0) await queue.flush();
    }
    await queue.flush();
    const held = await queue.receive({ max: count });
    assert.equal(held.length, count);
    return {
      messages: count,
      async work() {
        await clock.advance(11);
        assert.equal((await queue.receive({ max: count })).length, count);
      },
      over: () => queue.close(),
    };
  }));

test("messages that were leased together, acked one by one from the last", () =>
  flat(SOME, MANY / 2, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    times(count, (at) => void queue.send(at, { idempotencyKey: `${at}` }));
    await queue.flush();
    const held = await queue.receive({ max: count });
    return {
      messages: count,
      async work() {
        for (const message of held.reverse()) await message.ack();
      },
      over: () => queue.close(),
    };
  }));

test("messages that were leased together, purged", () =>
  flat(SOME, MANY / 2, async (count) => {
    const queue = await openQueue(named(), { clock: new VirtualClock() });
    times(count, (at) => void queue.send(at, { idempotencyKey: `${at}` }));
    await queue.flush();
    await queue.receive({ max: count });
    return { messages: count, work: () => queue.purge(), over: () => queue.close() };
  }));

/** A journal holds 10,000 queues. */
const QUEUES = Math.min(9_000, MANY / 5);
const FEW_QUEUES = 100;

test("queues with a consumer each", () =>
  flat(FEW_QUEUES, QUEUES, async (count) => {
    const clock = new VirtualClock();
    const queues = [];
    for (const _ of times(count)) queues.push(await openQueue(named(), { clock, deadLetterQueue: false }));
    let handled = 0;
    for (const queue of queues) queue.consume(() => void (handled += 1));
    const all = async (some) => {
      for (const queue of some) await queue.send(1);
      await quiet();
    };
    // Each has had something to do of late.
    await all(queues);
    await all(queues);
    return {
      messages: FEW_QUEUES,
      work: () => all(scattered(FEW_QUEUES, count).map((at) => queues[at])),
      async over() {
        assert.equal(handled, 2 * count + FEW_QUEUES);
        for (const queue of queues) await queue.close();
      },
    };
  }));

test("queues that are opened, get a dead letter each, and are closed", () =>
  flat(FEW_QUEUES, QUEUES, async (count) => {
    const clock = new VirtualClock();
    return {
      messages: count,
      async work() {
        const queues = [];
        for (const _ of times(count)) queues.push(await openQueue(named(), { clock, deadLetterQueue: "letters", maxRetries: 0 }));
        for (const queue of queues) {
          await queue.send(1);
          for (const message of await queue.receive()) await message.retry();
        }
        for (const queue of queues) await queue.close();
      },
      over: () => undefined,
    };
  }));

/** A queue, and its client at a port. */
async function served(options) {
  const clock = new VirtualClock();
  const host = await openQueue(named(), { ...options, clock });
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  const client = await openQueue(host.name, { port: port2, clock });
  const close = async () => {
    await client.close();
    await serving.close();
    await host.close();
    port1.close();
  };
  return { host, client, close };
}

test("through a port: receives that wait, fed and called off one by one", () =>
  flat(SOME, MANY / 10, async (count) => {
    const { host, client, close } = await served();
    const aborts = times(count, () => new AbortController());
    const all = aborts.map(({ signal }) => client.receive({ wait: Infinity, signal }).catch(() => undefined));
    await quiet();
    const messages = SOME / 4;
    return {
      messages,
      async work() {
        for (const body of times(messages)) {
          await host.send(body);
          await all[body];
        }
        for (const at of times(messages).reverse()) {
          aborts[messages + at].abort();
          await all[messages + at];
        }
      },
      over: close,
    };
  }));

test("through a port: sends that wait for credit, called off one by one", () =>
  flat(SOME, MANY, async (count) => {
    const { client, close } = await served({ capacity: { messages: 1 } });
    const aborts = times(count, () => new AbortController());
    // Four of these are all that the host takes at once.
    const body = "x".repeat(1_200_000);
    const calledOff = new AbortController();
    const large = times(8, () => client.send(body, { signal: calledOff.signal }).catch(() => undefined));
    const all = aborts.map(({ signal }, at) => client.send(at, { signal }).catch(() => undefined));
    await quiet();
    return {
      messages: SOME / 2,
      async work() {
        for (const at of scattered(SOME / 2, count)) {
          aborts[at].abort();
          await all[at];
        }
      },
      async over() {
        for (const abort of [calledOff, ...aborts]) abort.abort();
        await Promise.all([...large, ...all]);
        await close();
      },
    };
  }));

test("through a port: messages that were leased together, acked one by one from the last", () =>
  flat(SOME, MANY / 2, async (count) => {
    const { client, close } = await served();
    times(count, (at) => void client.send(at, { idempotencyKey: `${at}` }));
    await client.flush();
    const held = await client.receive({ max: count });
    assert.equal(held.length, count);
    return {
      messages: count,
      async work() {
        for (const message of held.reverse()) await message.ack();
      },
      over: close,
    };
  }));
