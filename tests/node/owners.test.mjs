/** What names messages by their numbers names their owner too: neighbours in one record may be of several queues, leases and clients. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileStorage } from "posthaste/node";
import { memoryStorage } from "posthaste/testing";
import { newFolder } from "./file-lab.mjs";
import { bodies, bounded, freshQueue, quiet, VirtualClock } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

/** Two queues of one journal with a message each, sent in one moment: neighbours in one record. */
async function neighbours(storage) {
  const clock = new VirtualClock();
  const options = { clock, ...(storage && { storage }) };
  const [a, b] = [await freshQueue({ name: "a", ...options }), await freshQueue({ name: "b", ...options })].map(({ queue }) => queue);
  await Promise.all([a.send("x"), b.send("y")]);
  return { a, b, clock };
}

const STORAGES = [["memory", () => undefined], ["a file", () => fileStorage(newFolder())]];
const VERBS = [
  ["ack", (message) => message.ack(), { acked: 1, retried: 0, deadLettered: 0, leased: 0 }],
  ["retry", (message) => message.retry({ delaySeconds: 0 }), { acked: 0, retried: 1, deadLettered: 0, leased: 0 }],
  ["deadLetter", (message) => message.deadLetter("no"), { acked: 0, retried: 0, deadLettered: 1, leased: 0 }],
  ["extend", (message) => message.extend(100), { acked: 0, retried: 0, deadLettered: 0, leased: 1 }],
];

async function sums(queue) {
  const { acked, retried, deadLettered, leased } = await queue.metrics();
  return { acked, retried, deadLettered, leased };
}

for (const [where, storage] of STORAGES) {
  for (const [verb, say, expected] of VERBS) {
    test(`${verb} of two queues in one moment stands for both, in ${where}`, async () => {
      const { a, b } = await neighbours(storage());
      const [[x], [y]] = await Promise.all([a.receive(), b.receive()]);
      assert.deepEqual([x.body, y.body], ["x", "y"]);
      await bounded(Promise.all([say(x), say(y)]), "both words");
      assert.deepEqual([await sums(a), await sums(b)], [expected, expected]);
    });
  }
}

test("consumers of two queues handle neighbours once each", async () => {
  const { a, b, clock } = await neighbours();
  const seen = [];
  for (const queue of [a, b]) queue.consume(({ messages }) => void seen.push(...bodies(messages)));
  await quiet();
  await clock.advance(100);
  assert.deepEqual(seen.sort(), ["x", "y"]);
  assert.deepEqual([(await sums(a)).acked, (await sums(b)).acked], [1, 1]);
});

/** A queue with messages sent in one moment, and a client of it. */
async function served(count, options) {
  const { queue: host, clock } = await freshQueue(options);
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  const client = await openQueue(host.name, { port: port2, clock });
  await Promise.all(Array.from({ length: count }, (_, at) => host.send(at)));
  const end = async () => {
    await client.close();
    await serving.close();
    port1.close();
  };
  return { host, client, clock, end };
}

/** A storage in memory whose steps wait while `hold` is called and not let go. */
function heldStorage() {
  const driver = memoryStorage();
  let held = Promise.resolve();
  return {
    name: "held",
    async open() {
      const store = await driver.open();
      const append = store.append.bind(store);
      return Object.assign(store, { append: (...step) => held.then(() => append(...step)) });
    },
    hold() {
      let letGo;
      held = new Promise((resolve) => {
        letGo = resolve;
      });
      return letGo;
    },
  };
}

test("every part of a settlement is told to the client before it is over", async () => {
  const storage = heldStorage();
  const { host, client, end } = await served(2, { storage });
  // Two receives of one moment: one lease, of two parts at the host. Their acks are one word.
  const [[first], [second]] = await bounded(Promise.all([1, 2].map(() => client.receive({ visibilityTimeout: 60 }))), "both messages");
  // While a step is under way, a purge and then the acks collect for the next.
  const letGo = storage.hold();
  const sent = host.send("later");
  await quiet();
  const purged = client.purge();
  await quiet();
  const acks = Promise.allSettled([first.ack(), second.ack()]);
  await quiet();
  letGo();
  await bounded(Promise.all([sent, purged]), "the steps");
  assert.deepEqual((await bounded(acks, "both acks")).map(({ reason }) => reason?.name), ["LeaseLostError", "LeaseLostError"]);
  assert.equal((await host.metrics()).acked, 0);
  await end();
});

test("a client keeps what came ahead under a lease of which one message is lost", async () => {
  const count = 10;
  const { host, client, clock, end } = await served(count, { visibilityTimeout: 0.05 });
  const [first] = await bounded(client.receive(), "the first");
  await first.ack();
  // Who comes back at once is sent more ahead, under the lease of what it asked for; that lasts longer.
  const held = await bounded(client.receive(), "the second");
  await quiet();
  await clock.advance(0.06);
  // The next step says that the lease of the second has run out.
  await host.send(10);
  await quiet();
  const rest = await bounded(client.receive({ max: count }), "the rest");
  assert.deepEqual(bodies(held), [1]);
  assert.deepEqual(bodies(rest).filter((body) => body !== 1 && body !== 10), [2, 3, 4, 5, 6, 7, 8, 9]);
  await end();
});
