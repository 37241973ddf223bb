/** What looking at a queue, and taking care of it, promise. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { deleteQueue, entry, listQueues, openQueue } from "./posthaste.mjs";
import { bodies, bounded, fails, freshQueue, heard, quiet, range } from "./lab.mjs";

const filled = async (count, options) => {
  const { queue, clock } = await freshQueue(options);
  await queue.sendBatch(range(count).map((body) => ({ body })));
  return { queue, clock };
};

test("every message is counted in the state it is in", async () => {
  const { queue, clock } = await filled(4);
  await queue.send("later", { delaySeconds: 60 });
  const [acked, retried] = await queue.receive({ max: 3 });
  await acked.ack();
  await retried.retry({ delaySeconds: 60 });
  const metrics = await queue.metrics();
  const { ready, delayed, leased, sent, delivered, backlogCount, retried: again } = metrics;
  assert.deepEqual({ ready, delayed, leased, sent, delivered, backlogCount, again, acked: metrics.acked }, {
    ready: 1,
    delayed: 2,
    leased: 1,
    sent: 5,
    delivered: 3,
    backlogCount: 4,
    again: 1,
    acked: 1,
  });
  assert.ok(metrics.oldestMessageTimestamp instanceof Date);
  assert.equal(metrics.oldestMessageTimestamp.getTime(), clock.now());
  assert.deepEqual(Object.values(metrics.dropped), [0, 0, 0, 0]);
});

test("an empty queue has no oldest message", async () => {
  const { queue } = await freshQueue();
  const { oldestMessageTimestamp, backlogCount, backlogBytes } = await queue.metrics();
  assert.deepEqual([oldestMessageTimestamp, backlogCount, backlogBytes], [undefined, 0, 0]);
});

test("peek looks without taking, oldest first", async () => {
  const { queue, clock } = await filled(3);
  const [leased] = await queue.receive();
  await queue.send({ later: true }, { delaySeconds: 5, headers: { a: "b" } });
  const infos = await queue.peek({ max: 10 });
  assert.deepEqual(infos.map(({ body, state }) => [body, state]), [[0, "leased"], [1, "ready"], [2, "ready"], [{ later: true },
    "delayed"]]);
  assert.equal(infos[0].id, leased.id);
  assert.ok(infos[0].leaseExpiresAt > new Date(clock.now()));
  assert.equal(typeof infos[0].leasedBy, "string");
  assert.equal(infos[3].availableAt.getTime(), clock.now() + 5000);
  assert.deepEqual({ ...infos[3].headers }, { a: "b" });
  assert.equal(infos[1].timestamp.getTime(), clock.now());
  infos[1].body = "changed";
  infos[3].body.later = "changed";
  assert.deepEqual(bodies(await queue.peek({ max: 10, state: "ready" })), [1, 2]);
  await clock.advance(5);
  assert.deepEqual(bodies(await queue.receive({ max: 10 })), [1, 2, { later: true }]);
});

test("what is asked of peek is checked", async () => {
  const { queue } = await freshQueue();
  await fails(queue.peek({ max: 0 }), "RangeError", "0");
  await fails(queue.peek({ state: "lost" }), "TypeError", "lost");
  await fails(queue.peek({ groupId: "a" }), "NotSupportedError", "groupId");
});

test("a message that no one has received can be taken back", async () => {
  const { queue } = await freshQueue();
  const { id } = await queue.send(1);
  const later = await queue.send(2, { delaySeconds: 60 });
  assert.equal(await queue.cancel(id), true);
  assert.equal(await queue.cancel(later.id), true);
  assert.equal(await queue.cancel(id), false);
  const third = await queue.send(3);
  const [message] = await queue.receive();
  assert.equal(message.body, 3);
  assert.equal(await queue.cancel(third.id), false, "it is too late");
  await fails(queue.cancel(5), "TypeError", "5");
  await fails(queue.cancel("nonsense"), "TypeError", "nonsense");
});

/** A queue whose receiver takes one message at a time, and stops: of twenty it has had four, and acked three. */
async function takenOneByOne(options) {
  const { queue } = await freshQueue(options);
  const { ids } = await queue.sendBatch(range(20).map((body) => ({ body })));
  let last;
  for (let at = 0; at < 4; at += 1) {
    await last?.ack();
    [last] = await queue.receive();
  }
  return { queue, ids, last };
}

test("what nobody was handed is ready, though its neighbours are taken one by one", async () => {
  const { queue, ids, last } = await takenOneByOne();
  const { ready, leased, delivered } = await queue.metrics();
  assert.deepEqual({ ready, leased, delivered }, { ready: 16, leased: 1, delivered: 4 });
  const infos = await queue.peek({ max: 20 });
  assert.deepEqual(infos.map(({ id, state, attempts }) => [id, state, attempts]),
    ids.slice(3).map((id, at) => [id, at ? "ready" : "leased", at ? 0 : 1]));
  assert.ok(infos[0].leasedBy && !("leasedBy" in infos[1]) && infos[1].availableAt.getTime() === infos[1].timestamp.getTime());
  assert.equal((await queue.peek({ max: 20, state: "ready" })).length, 16);
  assert.deepEqual((await queue.peek({ state: "leased" })).map(({ id }) => id), [last.id]);
});

test("what nobody was handed can be taken back, though its neighbours are taken one by one", async () => {
  const { queue, ids, last } = await takenOneByOne();
  assert.equal(await queue.cancel(last.id), false);
  assert.deepEqual(await Promise.all(ids.slice(4, 18).map((id) => queue.cancel(id))), Array(14).fill(true));
  assert.deepEqual(bodies(await queue.receive({ max: 20 })), [18, 19]);
});

test("a queue is deleted of which nobody was handed what is in it, though its neighbours were taken one by one", async () => {
  const { last } = await takenOneByOne({ name: "deleted in between" });
  await fails(deleteQueue("deleted in between"), "InvalidStateError");
  await last.ack();
  await deleteQueue("deleted in between");
  assert.ok((await listQueues()).every(({ name }) => name !== "deleted in between"));
});

test("cancel does not reach into another queue", async () => {
  const { queue, clock } = await freshQueue();
  const { queue: other } = await freshQueue({ clock });
  const { id } = await other.send(1);
  assert.equal(await queue.cancel(id), false);
  assert.equal((await other.metrics()).backlogCount, 1);
});

test("a purge empties the queue, and counts", async () => {
  const { queue } = await filled(3);
  await queue.receive();
  await queue.send(4, { delaySeconds: 60 });
  assert.equal(await queue.purge(), 4);
  const { backlogCount, dropped } = await queue.metrics();
  assert.deepEqual([backlogCount, dropped.purged], [0, 4]);
  assert.equal(await queue.purge(), 0);
});

test("a paused queue takes and does not give", async () => {
  const { queue, clock } = await freshQueue({ name: "pausing" });
  const { queue: second } = await freshQueue({ name: "pausing", clock });
  await queue.pause();
  await queue.send(1);
  assert.deepEqual(await second.receive(), []);
  const waiting = second.receive({ wait: 60 });
  await quiet();
  await queue.resume();
  assert.deepEqual(bodies(await bounded(waiting, "the message")), [1]);
});

const died = async (count, options) => {
  const { queue, clock } = await filled(count, { maxRetries: 0, ...options });
  for (const message of await queue.receive({ max: count })) void message.deadLetter(`reason ${message.body}`);
  await quiet();
  return { queue, clock };
};

test("dead letters can be moved back to where they came from", async () => {
  const { queue, clock } = await died(3, { name: "sinner" });
  const { queue: letters } = await freshQueue({ name: "sinner-dlq", clock });
  assert.equal((await letters.metrics()).backlogCount, 3);
  assert.equal(await letters.redrive({ max: 1 }), 1);
  assert.equal(await queue.redrive(), 2, "asked of the queue itself, too");
  const again = await queue.receive({ max: 5 });
  assert.deepEqual(again.map(({ body, attempts }) => [body, attempts]), [[0, 1], [1, 1], [2, 1]]);
  assert.equal((await queue.metrics()).deadLettered, 0);
});

test("dead letters can be moved to another queue, and only to one that is there", async () => {
  const { queue, clock } = await died(2);
  const { queue: other } = await freshQueue({ clock });
  assert.equal(await queue.redrive({ to: other.name }), 2);
  assert.deepEqual(bodies(await other.receive({ max: 5 })), [0, 1]);
  await fails(queue.redrive({ to: "nowhere" }), "NotFoundError", "nowhere");
  await fails(queue.redrive({ max: 0 }), "RangeError", "0");
  await fails(queue.redrive({ ratePerSecond: -1 }), "RangeError", "-1");
});

test("a redrive with a rate takes its time", async () => {
  const { queue, clock } = await died(25);
  const moving = queue.redrive({ ratePerSecond: 10 });
  await clock.advance(0.5);
  const early = (await queue.metrics()).ready;
  assert.ok(early > 0 && early <= 10, `${early} in the first half second`);
  await clock.advance(5);
  assert.equal(await bounded(moving, "the redrive"), 25);
  assert.equal((await queue.metrics()).ready, 25);
});

test("a dead-letter queue made by default keeps what it has", async () => {
  const { queue, clock } = await died(1, { name: "kept", messageRetention: 1000 });
  const { queue: letters } = await freshQueue({ name: "kept-dlq", clock });
  for (let attempt = 1; attempt < 20; attempt += 1) {
    const [letter] = await letters.receive();
    assert.equal(letter.attempts, attempt);
    await letter.retry({ delaySeconds: 0 });
  }
  await clock.advance(1e6);
  assert.equal((await letters.metrics()).backlogCount, 1);
  assert.deepEqual((await listQueues()).filter(({ name }) => name === "kept-dlq-dlq"), []);
  assert.equal(await queue.redrive(), 1);
});

test("a dead-letter queue opened before its first letter keeps too", async () => {
  const { queue: letters, clock } = await freshQueue({ name: "early-dlq" });
  await letters.send(1);
  for (let attempt = 1; attempt < 10; attempt += 1) await (await letters.receive())[0].retry({ delaySeconds: 0 });
  await clock.advance(10);
  assert.equal((await letters.metrics()).backlogCount, 1);
});

test("peek shows dead letters, why they died and what failed last", async () => {
  const { queue, clock } = await freshQueue({ name: "shown", maxRetries: 1, retryDelay: 0 });
  await queue.send(1);
  const consumer = queue.consume(() => Promise.reject(new Error("boom")));
  await quiet();
  await consumer.stop();
  const { queue: letters } = await freshQueue({ name: "shown-dlq", clock });
  const [letter] = await letters.peek({ state: "dead" });
  assert.equal(letter.state, "dead");
  assert.match(letter.lastError, /boom/);
  assert.equal(typeof letter.reason, "string");
});

test("drain tells that the queue went empty, depth that it changed", async () => {
  const { queue } = await freshQueue();
  const depths = [];
  queue.addEventListener("depth", () => depths.push(1));
  let drains = 0;
  queue.addEventListener("drain", () => (drains += 1));
  await queue.sendBatch(range(100).map((body) => ({ body })));
  await quiet();
  assert.ok(depths.length >= 1 && depths.length < 10, `coalesced: ${depths.length}`);
  assert.equal(drains, 0);
  const drained = heard(queue, "drain");
  for (const message of await queue.receive({ max: 100 })) void message.ack();
  await drained;
  assert.equal(drains, 1);
});

test("a listener that throws harms nobody", async () => {
  const code = `const { openQueue } = await import(${JSON.stringify(entry)});
    process.on("uncaughtException", ({ message }) => console.log(message));
    const queue = await openQueue("q");
    queue.addEventListener("depth", () => { throw new Error("listener"); });
    await queue.send(1);
    console.log((await queue.receive())[0].body);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], { timeout: 20_000 });
  assert.deepEqual(stdout.trim().split("\n").sort(), ["1", "listener"]);
});

test("listQueues tells what is kept", async () => {
  const { queue } = await filled(2, { name: "listed" });
  const found = (await listQueues({ storage: "memory" })).find(({ name }) => name === "listed");
  assert.deepEqual(found, { name: "listed", kind: "queue", storage: "memory", backlogCount: 2 });
  await queue.close();
  assert.ok((await listQueues()).some(({ name }) => name === "listed"), "a closed queue is kept");
});

test("a deleted queue is gone with everything in it", async () => {
  const queue = await openQueue("doomed");
  await queue.sendBatch(range(3).map((body) => ({ body })));
  const waiting = openQueue("doomed").then((other) => other.pause().then(() => other.receive({ wait: 60 })));
  await quiet();
  await deleteQueue("doomed", { force: true });
  await fails(queue.send(1), "NotFoundError", "doomed");
  await fails(waiting, "NotFoundError", "doomed");
  assert.ok(!(await listQueues()).some(({ name }) => name === "doomed"));
  const again = await openQueue("doomed", { maxRetries: 7 });
  assert.equal((await again.metrics()).backlogCount, 0);
  await again.close();
});

test("a queue that is being consumed is not deleted without force", async () => {
  const queue = await openQueue("busy");
  const consumer = queue.consume(() => {});
  await fails(deleteQueue("busy"), "InvalidStateError", "busy");
  await consumer.stop();
  await queue.send(1);
  const [message] = await queue.receive();
  await fails(deleteQueue("busy"), "InvalidStateError", "busy");
  await message.ack();
  await deleteQueue("busy");
});

test("deleting what is not there", async () => {
  await fails(deleteQueue("never was"), "NotFoundError", "never was");
  await deleteQueue("never was", { force: true });
  await fails(deleteQueue(""), "RangeError");
});
