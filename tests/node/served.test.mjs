/** A queue that is served through a port from a storage: that is lost, read anew or left meanwhile, and its clients hang on nothing, take nothing of others. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { memoryStorage, virtualClock } from "posthaste/testing";
import { bodies, bounded, fails, heard, quiet, range } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

/** A storage that can be put in place of another, whose reads can be held, and that ends when told. */
function changeable() {
  const own = { memory: memoryStorage(), end: undefined, held: undefined, reads: 0 };
  own.driver = {
    kind: "memory-storage",
    open: async () => {
      const store = await own.memory.open();
      const watch = store.watch.bind(store);
      store.watch = (moved, gone) => watch(moved, own.end = gone);
      const read = store.read.bind(store);
      let reads = 0;
      store.read = async (from) => {
        // Of a store that was opened again, what is read first tells whether it is the same.
        if ((reads += 1) === 2 && own.held) await own.held.shift();
        return read(from);
      };
      return store;
    },
  };
  return own;
}

/** Lets reads of replicas be held: each promise until it is resolved, in their order. */
function gates(storage, count) {
  const all = range(count).map(() => {
    const gate = {};
    gate.come = new Promise((resolve) => (gate.reached = resolve));
    gate.passed = new Promise((resolve, reject) => Object.assign(gate, { go: resolve, fail: reject }));
    return gate;
  });
  storage.held = all.map((gate) => ({ then: (...told) => (gate.reached(), gate.passed.then(...told)) }));
  return all;
}

/** A host over that storage with 20 messages, and a client that is busy: it has acked the first, holds the second, and more lie ahead of it. */
async function served(storage) {
  const clock = virtualClock();
  const host = await openQueue("q", { storage, clock });
  const { port1, port2 } = new MessageChannel();
  host.serve(port1);
  const client = await openQueue("q", { port: port2, clock });
  await host.sendBatch(range(20).map((body) => ({ body })));
  const [first] = await client.receive();
  await first.ack();
  const [second] = await client.receive();
  await client.metrics();
  return { clock, host, client, second, port1, port2 };
}

const WORDS = {
  "a receive with a lease of its own": ({ client }) => client.receive({ visibilityTimeout: 10 }).then(bodies),
  "an ack": ({ second }) => second.ack().then(() => "acked", ({ name }) => name),
  "a retry": ({ second }) => second.retry().then(() => "retried", ({ name }) => name),
  "a cancellation": ({ client, second }) => client.cancel(second.id.replace(/-.*/, "-4")),
  "a purge": ({ client }) => client.purge(),
  "a pause": ({ client }) => client.pause(),
};

const ANSWERS = {
  lost: [[], "LeaseLostError", "LeaseLostError", false, 0, undefined],
  trapped: [[2], "acked", "retried", true, 19, undefined],
};

for (const end of ["lost", "trapped"]) {
  Object.entries(WORDS).forEach(([what, say], at) => {
    test(`${what} of a client is answered though its host reads its journal anew just then: ${end}`, async () => {
      const storage = changeable();
      const all = await served(storage.driver);
      const { host, client, clock } = all;
      if (end === "lost") storage.memory = memoryStorage();
      const [gate] = gates(storage, 1);
      const open = heard(host, "storage");
      storage.end(end === "lost" ? new Error("the database was deleted") : new WebAssembly.RuntimeError("unreachable"));
      await open;
      await bounded(gate.come, "the journal is read");
      const said = say(all);
      await quiet();
      gate.go();
      assert.deepEqual(await bounded(said, what), ANSWERS[end][at]);
      await host.resume();
      await host.send("new");
      const got = client.receive({ max: 50, wait: 5 });
      await clock.advance(6000);
      assert.ok((await bounded(got, "what comes after")).length > 0);
      await Promise.all([client.close(), host.close()]);
    });
  });
}

test("an ack of this context has an answer, however many replicas were begun before one stands", async () => {
  const storage = changeable();
  const clock = virtualClock();
  const queue = await openQueue("q", { storage: storage.driver, clock });
  await queue.send("it");
  const [message] = await queue.receive();
  const [first, second] = gates(storage, 2);
  storage.end(new WebAssembly.RuntimeError("unreachable"));
  await bounded(first.come, "the journal is read");
  const acked = message.ack();
  await quiet();
  first.fail(new Error("the read failed"));
  await bounded(second.come, "the journal is read again");
  await quiet();
  second.go();
  const { outcomeUnknown } = await fails(acked, "StorageLostError");
  assert.deepEqual([outcomeUnknown, (await queue.metrics()).leased], [false, 1]);
  await queue.close();
});

for (const when of ["before", "after"]) {
  test(`a client that dies ${when} a storage is known to be new takes nothing of others there`, async () => {
    const storage = changeable();
    const clock = virtualClock();
    const host = await openQueue("q", { storage: storage.driver, clock });
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    const client = await openQueue("q", { port: port2, clock });
    await host.send("old");
    const [old] = await client.receive();
    storage.memory = memoryStorage();
    const { memory } = storage;
    const other = await openQueue("q", { storage: { kind: memory.kind, open: () => memory.open() }, clock });
    await other.send("new");
    const [mine] = await other.receive();
    assert.equal(mine.id, old.id);
    const [gate] = gates(storage, 1);
    storage.end(new Error("the database was deleted"));
    await bounded(gate.come, "the journal is read");
    const end = async () => {
      const closed = once(port1, "close");
      port2.close();
      await closed;
      await quiet();
    };
    if (when === "before") await end();
    gate.go();
    await host.metrics();
    if (when === "after") await end();
    await host.metrics();
    const { leased, retried } = await other.metrics();
    assert.deepEqual([leased, retried], [1, 0]);
    await mine.ack();
    await Promise.all([other.close(), host.close()]);
  });
}

/** A storage as pages have it: others see who lives, and this one is told when it is left, and when it is shown again. */
function page(memory, live, told) {
  const presence = {
    fleeting: false,
    show: async (peer) => {
      live.add(peer);
      return () => live.delete(peer);
    },
    lives: async (peer) => live.has(peer),
    watch: () => () => undefined,
    onLeave: (leave, back) => {
      Object.assign(told, { leave, back });
      return () => undefined;
    },
  };
  return { kind: memory.kind, open: async () => Object.assign(await memory.open(), { presence }) };
}

test("what lay ahead at a client of a page that was left is others', when the page is shown again, too", async () => {
  const [memory, live, told] = [memoryStorage(), new Set(), {}];
  const { host, client, second, clock } = await served(page(memory, live, told));
  const other = await openQueue("q", { storage: page(memory, live, {}), clock });
  told.leave();
  await quiet();
  const taken = bodies(await other.receive({ max: 50 }));
  assert.deepEqual(taken, range(19).map((at) => at + 1));
  told.back();
  await host.send("new");
  const got = client.receive({ max: 50, wait: 5 });
  await clock.advance(6000);
  assert.deepEqual(bodies(await bounded(got, "what the client is handed")), ["new"]);
  await fails(second.ack(), "LeaseLostError");
  await Promise.all([client.close(), other.close(), host.close()]);
});
