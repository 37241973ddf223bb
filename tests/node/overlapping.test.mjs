/** Looking, waiting, and acting on what was seen: others load, settle, delete, clean up and close in between, and no message pays for it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { deleteQueue, openQueue } from "posthaste";
import { faulty, memoryStorage, virtualClock } from "posthaste/testing";
import { bodies, bounded, fails, heard, quiet, range } from "./lab.mjs";

/** A storage whose calls of that kind wait, each until it is let go or made to fail. */
function held(memory = memoryStorage()) {
  const waiting = [];
  const holds = new Set();
  const driver = {
    kind: memory.kind,
    open: async () => {
      const store = await memory.open();
      for (const name of ["append", "read", "values", "snapshot"]) {
        const call = store[name].bind(store);
        store[name] = async (...all) => {
          if (holds.has(name)) await new Promise((resolve, reject) => waiting.push({ name, resolve, reject }));
          return call(...all);
        };
      }
      return store;
    },
  };
  return {
    driver,
    memory,
    waiting,
    hold: (name) => holds.add(name),
    go: (name) => {
      holds.delete(name);
      for (const { resolve } of waiting.splice(0)) resolve();
    },
  };
}

/** A storage that says to whoever has it open, when `lose` is called, that it is lost; `driver` answers which is opened then. */
function losable(driver) {
  let gone;
  const storage = {
    kind: "memory-storage",
    open: async () => {
      const store = await driver().open();
      const watch = store.watch.bind(store);
      store.watch = (moved, lost) => watch(moved, gone = lost);
      return store;
    },
  };
  return { storage, lose: (error) => gone(error) };
}

async function letters(storage, name = "q-dlq") {
  const queue = await openQueue(name, { storage });
  const found = (await queue.peek({ max: 100 })).map(({ body, reason }) => ({ body, reason }));
  await queue.close();
  return found;
}

test("two receives whose bodies are read at one time get theirs", async () => {
  const { driver, hold, go, waiting } = held();
  const queue = await openQueue("q", { storage: driver });
  const other = await openQueue("other", { storage: driver });
  await queue.sendBatch(["one", "two"].map((body) => ({ body })));
  await queue.send("three");
  for (const body of range(20)) await other.send(body);
  assert.deepEqual(bodies(await queue.receive()), ["one"]);
  hold("values");
  const second = queue.receive({ max: 2 });
  await quiet();
  const [first] = waiting.splice(0);
  go("values");
  assert.equal((await other.receive({ max: 20 })).length, 20);
  first.resolve();
  assert.deepEqual(bodies(await bounded(second, "the second receive")), ["two", "three"]);
  assert.deepEqual(await letters(driver), []);
  await Promise.all([queue.close(), other.close()]);
});

test("a message whose lease would lapse while its body is read goes to one of those who ask for it, with its body", async () => {
  const clock = virtualClock();
  const { driver, hold, go } = held();
  const queue = await openQueue("q", { storage: driver, clock });
  await queue.send({ at: "first" });
  hold("values");
  const first = queue.receive({ visibilityTimeout: 1 });
  await quiet();
  await clock.advance(2000);
  const second = queue.receive({ visibilityTimeout: 60 });
  await quiet();
  go("values");
  const [message, ...others] = (await bounded(Promise.all([first, second]), "both receives")).flat();
  assert.deepEqual([message.body, others], [{ at: "first" }, []]);
  await message.ack();
  assert.equal((await queue.metrics()).acked, 1);
  assert.deepEqual(await letters(driver), []);
  await queue.close();
});

for (const seed of range(8)) {
  test(`however reads overlap, each message comes once and with its body: ${seed}`, async () => {
    let state = seed + 1;
    const random = (end) => (state = (state * 48_271) % 2_147_483_647) % end;
    const { driver, hold, waiting } = held();
    const queues = await Promise.all(range(3).map((at) => openQueue(`q${at}`, { storage: driver })));
    for (const turn of range(40))
      await queues[turn % 3].sendBatch(range(1 + random(200)).map((at) => ({ body: `${turn % 3} ${turn} ${at}` })));
    const expected = (await Promise.all(queues.map((queue) => queue.metrics()))).reduce((sum, { sent }) => sum + sent, 0);
    hold("values");
    const seen = new Set();
    let left = 0;
    const receives = range(3).flatMap((at) =>
      range(4).map(async () => {
        left += 1;
        for (;;) {
          const messages = await queues[at].receive({ max: 1 + random(90) });
          if (!messages.length) break;
          for (const message of messages) {
            assert.equal(message.body.split(" ")[0], String(at));
            assert.ok(!seen.has(message.body), message.body);
            seen.add(message.body);
          }
          await Promise.all(messages.filter(() => random(4)).map((message) => message.ack()));
        }
        left -= 1;
      })
    );
    while (left) {
      await quiet();
      if (waiting.length) waiting.splice(random(waiting.length), 1)[0].resolve();
    }
    await Promise.all(receives);
    assert.equal(seen.size, expected);
    for (const { deadLettered } of await Promise.all(queues.map((queue) => queue.metrics()))) assert.equal(deadLettered, 0);
    await Promise.all(queues.map((queue) => queue.close()));
  });
}

test("what was purged and cleaned away by another peer while its body was read is no damage", async () => {
  const { driver, memory, hold, go } = held();
  const queue = await openQueue("q", { storage: driver });
  const errors = [];
  queue.addEventListener("error", ({ error }) => errors.push(error));
  await queue.send("gone");
  hold("values");
  const receiving = queue.receive();
  await quiet();
  const other = await openQueue("q", { storage: elsewhere(memory) });
  await other.purge();
  for (const body of range(600)) {
    await other.send(body);
    await (await other.receive())[0].ack();
  }
  go("values");
  assert.deepEqual(await bounded(receiving, "the receive"), []);
  assert.deepEqual([(await queue.metrics()).deadLettered, errors], [0, []]);
  await Promise.all([queue.close(), other.close()]);
});

test("a queue that closes while bodies are read gives their messages back at once, and no attempt is counted", async () => {
  const { driver, memory, hold, go } = held();
  const queue = await openQueue("q", { storage: driver });
  await queue.sendBatch(range(3).map((body) => ({ body })));
  hold("values");
  const receiving = fails(queue.receive({ max: 2 }), "InvalidStateError", "closed");
  await quiet();
  await bounded(queue.close(), "the close");
  const next = await openQueue("q", { storage: memory });
  const messages = await next.receive({ max: 3 });
  assert.deepEqual(messages.map(({ body, attempts }) => [body, attempts]), [[0, 1], [1, 1], [2, 1]]);
  go("values");
  await receiving;
  await next.close();
});

for (const fault of ["fail", "lost"]) {
  test(`"${fault}" while bodies are read: they are read again, and no message waits for its lease to end`, async () => {
    const memory = memoryStorage();
    const storage = faulty(memory, ({ operation, count }) => (operation === "values" && count === 1 ? fault : undefined));
    const queue = await openQueue("q", { storage });
    await queue.sendBatch(range(3).map((body) => ({ body })));
    assert.deepEqual(bodies(await bounded(queue.receive({ max: 3 }), "the receive")), [0, 1, 2]);
    assert.deepEqual(await letters(storage), []);
    await queue.close();
  });
}

test("a value that can't be read keeps nobody else's from being delivered, and is not taken for lost", async () => {
  const memory = memoryStorage();
  const clock = virtualClock();
  let broken = true;
  const storage = {
    kind: "memory-storage",
    open: async () => {
      const store = await memory.open();
      const values = store.values.bind(store);
      store.values = async (keys) => {
        if (broken && keys.some((key, at) => at % 2 === 0 && key === second))
          throw new DOMException("the value can't be read now", "UnknownError");
        return values(keys);
      };
      return store;
    },
  };
  let second = 0;
  const queue = await openQueue("q", { storage, clock });
  const errors = [];
  queue.addEventListener("error", ({ error }) => errors.push(error.name));
  await queue.send("first");
  await queue.send("second");
  second = (await (await memory.open()).read(1)).numbers.at(-1);
  await queue.send("third");
  const got = await bounded(queue.receive({ max: 3 }), "the receive");
  assert.deepEqual(bodies(got), ["first", "third"]);
  await Promise.all(got.map((message) => message.ack()));
  assert.deepEqual(errors, ["UnknownError"]);
  broken = false;
  await clock.advance(31_000);
  assert.deepEqual((await queue.receive({ max: 3 })).map(({ body, attempts }) => [body, attempts]), [["second", 1]],
    "nobody was given it before");
  await queue.close();
});

/** A storage in memory out of which bodies can be taken. */
function damageable() {
  const memory = memoryStorage();
  let gone = () => false;
  return {
    storage: {
      kind: "memory-storage",
      open: async () => {
        const store = await memory.open();
        const values = store.values.bind(store);
        store.values = async (keys) =>
          (await values(keys)).map((value) =>
            value && { ...value, bodies: value.bodies.map((body) => (gone(body) ? lacking : body)).filter((body) => body !== lacking) }
          );
        return store;
      },
    },
    lose: (which) => (gone = which),
  };
}
const lacking = Symbol();

test("a body that is really gone is told as damage, and its message is a dead letter that nobody is made to take again and again", async () => {
  const { storage, lose } = damageable();
  const queue = await openQueue("q", { storage });
  const dead = await openQueue("q-dlq", { storage });
  const errors = [];
  for (const one of [queue, dead]) one.addEventListener("error", ({ error }) => errors.push([one.name, error.name]));
  await queue.send("whole");
  await queue.send("lost");
  lose((body) => body === "lost");
  assert.deepEqual(bodies(await queue.receive({ max: 2 })), ["whole"]);
  await quiet();
  assert.equal((await queue.metrics()).deadLettered, 1);
  assert.deepEqual(errors, [["q", "CorruptionError"]]);
  const consumer = dead.consume(() => {});
  await heard(dead, "error");
  await quiet();
  const { backlogCount, leased } = await dead.metrics();
  assert.deepEqual([backlogCount, leased, errors.length], [1, 1, 2]);
  await consumer.stop();
  await Promise.all([queue.close(), dead.close()]);
});

test("who looks while the journal ends is told", async () => {
  const { driver, hold, waiting, go } = held();
  let opened = 0;
  const storage = {
    kind: driver.kind,
    open: () => (opened++ ? Promise.reject(new DOMException("it is gone", "VersionError")) : driver.open()),
  };
  const queue = await openQueue("q", { storage });
  hold("read");
  const looks = [queue.metrics(), queue.peek()].map((look) => fails(look, "VersionError"));
  await quiet();
  for (const { reject } of waiting.splice(0)) reject(new Error("the connection is gone"));
  await Promise.all(looks);
  go("read");
  await queue.close();
});

test("a journal that ended while it was read does not keep whoever looked waiting", async () => {
  const memory = memoryStorage();
  const { driver, hold, waiting } = held(memory);
  let lost;
  let opened = 0;
  const storage = {
    kind: driver.kind,
    open: async () => {
      if (opened++) throw new DOMException("a newer one wrote it", "VersionError");
      const store = await driver.open();
      const watch = store.watch.bind(store);
      store.watch = (moved, gone) => watch(moved, lost = gone);
      return store;
    },
  };
  const queue = await openQueue("q", { storage });
  hold("read");
  const look = fails(queue.metrics(), "VersionError");
  await quiet();
  lost(new Error("it is gone"));
  await quiet();
  for (const { reject } of waiting.splice(0)) reject(new Error("too late"));
  await look;
  await queue.close();
});

/** The same storage as another context has it; told nothing, it learns of others when it looks. */
const elsewhere = (memory, deaf = false) => ({
  kind: memory.kind,
  open: async () => {
    const store = await memory.open();
    if (deaf) store.watch = () => {};
    return store;
  },
});

test("whoever opens a queue that was deleted meanwhile has a new one, of which who had the old one hears nothing", async () => {
  const memory = memoryStorage();
  const storage = elsewhere(memory);
  const old = await openQueue("q", { storage, visibilityTimeout: 5 });
  const events = [];
  for (const type of ["depth", "deadletter", "error"]) old.addEventListener(type, () => events.push(type));
  await deleteQueue("q", { storage: memory, force: true });
  const next = await openQueue("q", { storage, visibilityTimeout: 7 });
  assert.deepEqual(events.splice(0), ["error"]);
  await next.send("for the new one");
  await (await next.receive())[0].deadLetter("tried");
  assert.deepEqual(events, []);
  await fails(old.send("for the old one"), "NotFoundError", "deleted");
  await Promise.all([old.close(), next.close()]);
});

for (const seed of range(6)) {
  test(`openings and deletions at one time: whoever has a queue has one that is there, or is told: ${seed}`, async () => {
    const { driver, hold, waiting } = held();
    const keeper = await openQueue("keeper", { storage: driver });
    hold("read");
    hold("append");
    let state = seed + 7;
    const random = (end) => (state = (state * 48_271) % 2_147_483_647) % end;
    let left = 0;
    const all = range(20).map(async () => {
      left += 1;
      try {
        if (random(3) === 0) return await deleteQueue("q", { storage: driver, force: true });
        const queue = await openQueue("q", { storage: driver });
        await queue.send("it is there").catch((error) => assert.match(error.message, /deleted/));
        await queue.close();
      } finally {
        left -= 1;
      }
    });
    while (left) {
      await quiet();
      if (waiting.length) waiting.splice(random(waiting.length), 1)[0].resolve();
    }
    await Promise.all(all);
    await keeper.close();
  });
}

test("a queue that was deleted while this peer slept is gone for whoever had it", async () => {
  const memory = memoryStorage();
  const clock = virtualClock();
  const mine = await openQueue("q", { storage: elsewhere(memory, true), clock });
  const waiting = fails(mine.receive({ wait: Infinity }), "NotFoundError", "deleted");
  await deleteQueue("q", { storage: memory, force: true });
  const other = await openQueue("busy", { storage: memory });
  for (const body of range(700)) {
    await other.send(body);
    await (await other.receive())[0].ack();
  }
  await fails(mine.metrics(), "NotFoundError", "deleted");
  await waiting;
  await fails(mine.send(1), "NotFoundError", "deleted");
  await Promise.all([mine.close(), other.close()]);
});

test("who holds a lease in a storage that was lost settles nothing in the one that was made in its place", async () => {
  let memory = memoryStorage();
  const { storage, lose } = losable(() => memory);
  const queue = await openQueue("q", { storage });
  await queue.send("old");
  const [old] = await queue.receive();
  memory = memoryStorage();
  lose(new Error("the database was deleted"));
  await heard(queue, "storage");
  await queue.send("new");
  const [next] = await bounded(queue.receive({ wait: 5 }), "the new message");
  assert.deepEqual([next.body, next.id === old.id], ["new", true], "or the test shows nothing");
  await fails(old.ack(), "LeaseLostError");
  await next.ack();
  await queue.close();
});

for (const says of ["acks it", "is gone"]) {
  test(`a client that holds a lease in a storage that was lost, and ${says}, settles nothing in the one that was made in its place`, async (context) => {
    let memory = memoryStorage();
    const { storage, lose } = losable(() => memory);
    const host = await openQueue("q", { storage });
    const { port1, port2 } = new MessageChannel();
    context.after(() => port1.close());
    const serving = host.serve(port1);
    const client = await openQueue("q", { port: port2 });
    await host.send("old");
    const [old] = await client.receive();
    memory = memoryStorage();
    lose(new Error("the database was deleted"));
    await heard(host, "storage");
    await host.send("new");
    const [next] = await bounded(host.receive({ wait: 5 }), "the new message");
    assert.deepEqual([next.body, next.id === old.id], ["new", true], "or the test shows nothing");
    if (says === "acks it") await fails(old.ack(), "LeaseLostError");
    else await client.close();
    await host.flush();
    await next.ack();
    assert.equal((await host.metrics()).acked, 1);
    await serving.close();
    await host.close();
  });
}

test("a snapshot of which nothing is heard keeps no later one from being written", async () => {
  const { driver, hold, waiting, go, memory } = held();
  const { storage, lose } = losable(() => driver);
  const queue = await openQueue("q", { storage });
  const work = async (count) => {
    for (const body of range(count)) {
      await queue.send(body);
      await (await queue.receive())[0].ack();
    }
  };
  hold("snapshot");
  const working = work(200);
  while (!waiting.length) await quiet();
  const old = waiting.splice(0);
  go("snapshot");
  lose(new Error("the connection is gone"));
  await bounded(working, "the work goes on");
  await work(600);
  for (const { reject } of old) reject(new Error("too late"));
  await quiet();
  const { numbers } = await (await memory.open()).read(1);
  assert.ok(numbers.length < 1000, `${numbers.length} records are kept`);
  await queue.close();
});
