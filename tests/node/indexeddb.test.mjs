/** The simulator's own IndexedDB does what browsers' do: the same cases as in `browser/indexeddb.test.mjs`. */
import { test } from "node:test";
import * as check from "../browser/pages/check.mjs";
import { cases } from "../sim/indexeddb/cases.mjs";
import { Origin } from "../sim/indexeddb/index.mjs";

for (const [name, body] of Object.entries(cases)) {
  test(name, async () => {
    const { globals } = new Origin({ schedule: setImmediate }).context({ schedule: setImmediate });
    await check.bounded(body({ ...check, ...globals }), name, 5);
  });
}

for (const commits of [true, false]) {
  test(`a context dies with a commit under way: it happens ${commits ? "all the same" : "not at all"}, and others go on`, async () => {
    const origin = new Origin({ schedule: setImmediate });
    const [victim, other] = [0, 1].map(() => origin.context({ schedule: setImmediate }));
    const open = ({ globals }) =>
      new Promise((resolve) => {
        const request = globals.indexedDB.open("shared");
        request.onupgradeneeded = () => request.result.createObjectStore("store", { autoIncrement: true });
        request.onsuccess = () => resolve(request.result);
      });
    const [dying, living] = [await open(victim), await open(other)];
    const [asked, unfinished] = [0, 1].map(() => dying.transaction("store", "readwrite"));
    asked.objectStore("store").put("asked");
    asked.commit();
    unfinished.objectStore("store").put("unfinished").onsuccess = () => check.ok(false, "the dead hear nothing");
    victim.kill(() => commits);
    const request = living.transaction("store").objectStore("store").getAll();
    await check.event(request, "success", 5);
    check.same(request.result, commits ? ["asked"] : []);
    const deletion = other.globals.indexedDB.deleteDatabase("shared");
    living.close();
    await check.event(deletion, "success", 5);
  });
}

test("a context dies while it hears an event: it might have asked for more, and nothing of that transaction is there", async () => {
  const origin = new Origin({ schedule: setImmediate });
  const [victim, other] = [0, 1].map(() => origin.context({ schedule: setImmediate }));
  const open = victim.globals.indexedDB.open("shared");
  open.onupgradeneeded = () => open.result.createObjectStore("store", { autoIncrement: true });
  await check.event(open, "success", 5);
  const put = open.result.transaction("store", "readwrite").objectStore("store").put("the first of two");
  await new Promise((heard) => (put.onsuccess = () => {
    victim.kill(() => true);
    heard();
  }));
  const opened = other.globals.indexedDB.open("shared");
  await check.event(opened, "success", 5);
  const request = opened.result.transaction("store").objectStore("store").getAll();
  await check.event(request, "success", 5);
  check.same(request.result, []);
});

/** The package, in contexts of one origin: each a module of its own that finds its IndexedDB among the globals. */
class World {
  constructor(options) {
    this.origin = new Origin({ schedule: setImmediate, ...options });
  }

  async open(name, options) {
    const context = this.origin.context({ schedule: setImmediate });
    Object.assign(globalThis, context.globals);
    const { openQueue, deleteQueue } = await import(`../node_modules/posthaste/dist/index.js?context=${(made += 1)}`);
    return { queue: await openQueue(name, { storage: "indexeddb", ...options }), deleteQueue, kill: context.kill };
  }
}
let made = 0;

const bodies = (batch) => batch.messages.map((message) => message.body);

test("the package on it: sent, consumed, opened again", async () => {
  const world = new World();
  const { queue } = await world.open("jobs");
  await queue.sendBatch([{ body: 1 }, { body: [2] }, { body: new Uint8Array(200_000) }]);
  await queue.close();
  const again = await world.open("jobs");
  const seen = [];
  const consumer = again.queue.consume((batch) => {
    seen.push(...bodies(batch));
  });
  await check.until(async () => (await again.queue.metrics()).acked === 3, "three acks");
  check.same(seen, [1, [2], new Uint8Array(200_000)]);
  await consumer.stop();
  await again.queue.close();
});

test("the package on it: two contexts share a journal", async () => {
  const world = new World();
  const one = await world.open("jobs");
  const two = await world.open("jobs");
  await one.queue.send("from one");
  const [message] = await two.queue.receive({ wait: 5 });
  check.same(message.body, "from one");
  await message.ack();
  await one.queue.send("again");
  const { sent, acked, backlogCount } = await two.queue.metrics();
  check.same({ sent, acked, backlogCount }, { sent: 2, acked: 1, backlogCount: 1 });
  await one.queue.close();
  await two.queue.close();
});

test("the package on it: a queue is deleted under a lock that nobody who consumes it has, nor gets meanwhile", async () => {
  const world = new World();
  const { queue, deleteQueue } = await world.open("jobs");
  let [free, held] = [false, 0];
  const asked = [];
  const locks = {
    // Whoever looks first and acts then is told that nobody consumes it.
    query: async () => ({ held: [], pending: [] }),
    async request(name, options, work) {
      if (typeof options !== "function" && options.ifAvailable !== true) return new Promise(() => undefined);
      asked.push([name.startsWith("posthaste:consume:"), options.mode ?? "exclusive"]);
      held += 1;
      return Promise.resolve(work(free ? { name } : null)).finally(() => {
        held -= 1;
      });
    },
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true, writable: true });
  try {
    const refused = await deleteQueue("jobs", { storage: "indexeddb" }).catch(({ name }) => name);
    check.same([refused, asked, held], ["InvalidStateError", [[true, "exclusive"]], 0]);
    await queue.send("still there");
    free = true;
    await deleteQueue("jobs", { storage: "indexeddb" });
    check.same([asked.length, held], [2, 0]);
    check.same(await queue.send("in vain").catch(({ name }) => name), "NotFoundError");
    await queue.close();
  } finally {
    delete globalThis.navigator;
  }
});

test("the package on it: a dead letter keeps its part of a step's bodies and no other", async () => {
  const world = new World();
  const { queue } = await world.open("jobs", { deadLetterQueue: "letters" });
  for (let round = 0; round < 4; round += 1) {
    await queue.sendBatch(Array.from({ length: 200 }, (_, n) => ({ body: new Uint8Array(10_000).fill(n) })));
    const messages = await queue.receive({ max: 200 });
    await Promise.all(messages.map((message, n) => (n === 100 ? message.deadLetter() : message.ack())));
  }
  const letters = await world.open("letters");
  // A part has four bodies: fifty of the last round may be left, and the letters' own of those before.
  const { globals } = world.origin.context({ schedule: setImmediate });
  const keys = await new Promise((resolve, reject) => {
    const request = globals.indexedDB.open("posthaste");
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const { result } = request;
      const asked = result.transaction([...result.objectStoreNames]).objectStore(result.objectStoreNames[0]).getAllKeys();
      asked.onsuccess = () => resolve((result.close(), asked.result));
    };
  });
  const parts = keys.filter(Array.isArray).length;
  check.ok(parts >= 4 && parts <= 54, `${parts} parts are left`);
  const bodies = (await letters.queue.receive({ max: 10 })).map(({ body }) => [body.length, body[0], body[9999]]);
  check.same(bodies, Array(4).fill([10_000, 100, 100]));
  await letters.queue.close();
  await queue.close();
});

test("the package on it: what is evicted is lost, and told", async () => {
  const world = new World();
  const { queue } = await world.open("jobs");
  await queue.send("gone with it");
  const states = [];
  queue.addEventListener("storage", (event) => states.push(event.detail.state));
  world.origin.evict("posthaste");
  await check.until(() => states.includes("lost"), "a storage event that says lost");
  await queue.send("after");
  check.same((await queue.metrics()).backlogCount, 1);
  await queue.close();
});

test("the package on it: a connection that drops costs nothing", async () => {
  const world = new World();
  const { queue } = await world.open("jobs");
  await queue.send(1);
  world.origin.disconnect("posthaste");
  await queue.send(2);
  check.same((await queue.metrics()).backlogCount, 2);
  await queue.close();
});

test("the package on it: where there is no room, a send says so", async () => {
  const world = new World({ quota: 600_000 });
  const { queue } = await world.open("jobs");
  await queue.send(1);
  await check.fails(queue.send(new Uint8Array(700_000)), "QuotaExceededError");
  await queue.send(2);
  check.same((await queue.metrics()).backlogCount, 2);
  await queue.close();
});
