/** Clocks that are set back or forth by hours, or stand still: what is due comes when so much time has passed, and nothing spins. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { memoryStorage, virtualClock } from "posthaste/testing";
import { VirtualClock, bodies, bounded, quiet, range } from "./lab.mjs";

const HOUR = 3_600_000;

/** Timers that keep time, and a clock that is set as told. */
class SetClock {
  real = new VirtualClock();
  shift = 0;
  stands = undefined;
  timers = 0;
  now = () => this.stands ?? this.real.time + this.shift;
  setTimeout = (callback, ms) => (this.timers += 1, this.real.setTimeout(callback, ms));
  clearTimeout = (handle) => this.real.clearTimeout(handle);
}

const settings = {
  "back an hour": (clock) => (clock.shift -= HOUR),
  "back forty days": (clock) => (clock.shift -= 40 * 24 * HOUR),
  "to where it stands still": (clock) => (clock.stands = clock.now()),
  "back, and stands there": (clock) => (clock.stands = clock.now() - HOUR),
};

let names = 0;
/** A storage that counts its steps, and a queue on it or in memory. */
async function opened(kind, options) {
  const clock = new SetClock();
  const steps = { count: 0 };
  const memory = memoryStorage();
  const open = async () => {
    const store = await memory.open();
    const append = store.append.bind(store);
    store.append = (...all) => (steps.count += 1, append(...all));
    return store;
  };
  const storage = kind === "memory" ? undefined : { kind: "memory-storage", open };
  const queue = await openQueue(`set ${(names += 1)}`, { clock, storage, ...options });
  return { queue, clock, steps };
}

for (const kind of ["memory", "stored"]) {
  for (const [how, set] of Object.entries(settings)) {
    test(`${kind}: the clock is set ${how} while a consumer waits for a delayed message: it comes when its delay has passed`, async () => {
      const { queue, clock, steps } = await opened(kind);
      await queue.send("due in ten minutes", { delaySeconds: 600 });
      let came;
      const consumer = queue.consume(({ messages }) => void (came = bodies(messages)));
      await clock.real.advance(200);
      set(clock);
      const { timers } = clock;
      await clock.real.advance(390);
      assert.equal(came, undefined);
      await clock.real.advance(15);
      assert.deepEqual(came, ["due in ten minutes"]);
      assert.ok(clock.timers - timers < 400 && steps.count < 20, `${clock.timers - timers} timers, ${steps.count} steps`);
      await consumer.stop();
      await queue.close();
    });

    test(`${kind}: the clock is set ${how} while a lease runs: it ends in time`, async () => {
      const { queue, clock } = await opened(kind);
      await queue.send("kept too long");
      await queue.receive({ visibilityTimeout: 60 });
      const waiting = queue.receive({ wait: 600 });
      await clock.real.advance(30);
      set(clock);
      await clock.real.advance(35);
      assert.deepEqual((await bounded(waiting, "the message")).map(({ attempts }) => attempts), [2]);
      await queue.close();
    });

    test(`${kind}: the clock is set ${how} while a handler works for longer than a lease: nobody else is given its message`, async () => {
      const { queue, clock } = await opened(kind);
      let handed = 0;
      const consumer = queue.consume(() => {
        handed += 1;
        return new Promise((resolve) => clock.setTimeout(resolve, 100_000));
      }, { maxConcurrency: 2 });
      await queue.send("long work");
      await clock.real.advance(1);
      set(clock);
      await clock.real.advance(110);
      const { acked } = await queue.metrics();
      assert.deepEqual({ handed, acked }, { handed: 1, acked: 1 });
      await consumer.stop();
      await queue.close();
    });

    test(`${kind}: the clock is set ${how}: messages expire in time`, async () => {
      const { queue, clock } = await opened(kind);
      const dropped = [];
      queue.addEventListener("drop", ({ detail }) => dropped.push(detail.cause));
      await queue.send("too old", { expirationSeconds: 60 });
      await clock.real.advance(30);
      set(clock);
      await clock.real.advance(35);
      assert.deepEqual(dropped, ["expired"]);
      await queue.close();
    });

    test(`${kind}: the clock is set ${how}: a batch fills no longer than it may`, async () => {
      const { queue, clock } = await opened(kind);
      let batch;
      const consumer = queue.consume(({ messages }) => void (batch ??= bodies(messages)), { maxBatchSize: 100, maxBatchTimeout: 60 });
      for (const second of range(70)) {
        await queue.send(second);
        await clock.real.advance(1);
        if (second === 30) set(clock);
      }
      assert.ok(batch?.length >= 60, `${batch?.length} messages`);
      await consumer.stop();
      await queue.close();
    });

    test(`${kind}: the clock is set ${how}: a receive waits no longer than it said`, async () => {
      const { queue, clock } = await opened(kind);
      const waiting = queue.receive({ wait: 60 });
      await clock.real.advance(30);
      set(clock);
      await clock.real.advance(31);
      assert.deepEqual(await bounded(waiting, "the end of the wait"), []);
      await queue.close();
    });
  }

  test(`${kind}: the clock is set back again and again`, async () => {
    const { queue, clock } = await opened(kind);
    await queue.send("due in a minute", { delaySeconds: 60 });
    let came = 0;
    const consumer = queue.consume(() => void (came += 1));
    for (const _ of range(5)) {
      await clock.real.advance(10);
      clock.shift -= HOUR;
    }
    assert.equal(came, 0);
    await clock.real.advance(61);
    assert.equal(came, 1);
    await consumer.stop();
    await queue.close();
  });

  test(`${kind}: the clock is set forth a day, and back: messages are neither lost nor stuck`, async () => {
    const { queue, clock } = await opened(kind);
    await queue.send("due in a minute", { delaySeconds: 60 });
    const came = [];
    const consumer = queue.consume(({ messages }) => void came.push(...bodies(messages)));
    clock.shift += 24 * HOUR;
    await queue.send("now");
    await clock.real.advance(1);
    clock.shift -= 24 * HOUR;
    await queue.send("then");
    await queue.send("in ten seconds", { delaySeconds: 10 });
    await clock.real.advance(61);
    assert.deepEqual(came.sort(), ["due in a minute", "in ten seconds", "now", "then"]);
    await consumer.stop();
    await queue.close();
  });
}

test("the system's clock is set forth, as it is after a machine has slept: what is due by then comes soon", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
  const queue = await openQueue(`slept ${(names += 1)}`);
  await queue.send("due in two hours", { delaySeconds: 7200 });
  let came = 0;
  const consumer = queue.consume(() => void (came += 1));
  await quiet();
  context.mock.timers.setTime(1_800_000_000_000 + 3 * HOUR);
  context.mock.timers.tick(10_001);
  await quiet();
  assert.equal(came, 1);
  const stopped = consumer.stop();
  await quiet();
  await stopped;
  await queue.close();
});

test("a wait longer than any timer lasts as long as it says", async () => {
  const { queue, clock } = await opened("memory");
  let over = false;
  const waiting = queue.receive({ wait: 40 * 86_400 }).then(() => (over = true));
  await clock.real.advance(39 * 86_400);
  assert.equal(over, false);
  await clock.real.advance(86_401);
  await bounded(waiting, "the end of the wait");
  await queue.close();
});

test("a message that expired while it was leased is given back at a time that stands: a few steps, and it is dropped", async () => {
  for (
    const settle of [(message) => message.retry({ delaySeconds: 0 }), (message) => message.retry({ delaySeconds: 5 }),
      (message) => message.extend(0.001), (message) => message.deadLetter("enough")]
  ) {
    const clock = virtualClock();
    const memory = memoryStorage();
    let appends = 0;
    const storage = {
      kind: "memory-storage",
      open: async () => {
        const store = await memory.open();
        const append = store.append.bind(store);
        store.append = (...all) => {
          assert.ok((appends += 1) < 100, "steps without end at one time");
          return append(...all);
        };
        return store;
      },
    };
    const queue = await openQueue("q", { clock, storage });
    await queue.send("too old", { expirationSeconds: 1 });
    const [message] = await queue.receive({ visibilityTimeout: 10 });
    await clock.advance(2000);
    await settle(message);
    const waiting = queue.receive({ wait: 1 });
    await quiet();
    assert.ok(appends < 20, `${appends} steps`);
    await clock.advance(20_000);
    await waiting;
    assert.equal((await queue.metrics()).backlogCount, 0);
    await queue.close();
  }
});

test("what is due at this very moment is done in a few steps, and once", async () => {
  const clock = virtualClock();
  const queue = await openQueue("exactly", { clock, storage: memoryStorage() });
  for (const delaySeconds of [1, 1, 2, 2, 3]) await queue.send(delaySeconds, { delaySeconds });
  const came = [];
  const consumer = queue.consume(({ messages }) => void came.push(...bodies(messages)));
  for (const expected of [[1, 1], [1, 1, 2, 2], [1, 1, 2, 2, 3]]) {
    await clock.advance(1000);
    assert.deepEqual(came, expected);
  }
  await consumer.stop();
  await queue.close();
});
