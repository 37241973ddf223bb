/** Workers that are terminated at any instruction, a thousand times: nobody is held up, nothing is half, nothing confirmed is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel, Worker } from "node:worker_threads";
import { bounded, fails, freshQueue } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";
import { thread } from "./threads.mjs";

/** The body that message `n` of a round has: its length and every word of it follow from both. */
const check = (body, round, n) => {
  const words = new Uint32Array(body.buffer, body.byteOffset, body.byteLength / 4);
  assert.equal(words.length, 2 + ((n * 7) % 300), `the length of ${n} in round ${round}`);
  assert.ok(words[0] === round && words[1] === n, `${words[0]}, ${words[1]} instead of ${round}, ${n}`);
  const filler = (n ^ (round << 20)) >>> 0;
  for (let at = 2; at < words.length; at += 1) if (words[at] !== filler) assert.fail(`half a body: word ${at} of ${n} in round ${round}`);
};

/** What a dying worker does: sends as fast as it can, and notes in memory what was confirmed. */
const sending = `
  const noted = new Int32Array(confirmed);
  for (let n = 0; ; n += 50) {
    const sends = [];
    for (let k = n; k < n + 50; k += 1) {
      const words = new Uint32Array(2 + ((k * 7) % 300)).fill((k ^ (round << 20)) >>> 0);
      words[0] = round;
      words[1] = k;
      sends.push(queue.send(new Uint8Array(words.buffer)));
    }
    await sends[0];
    Atomics.store(noted, 0, n + 1);
  }`;

/** Receives until there are `enough`, then, after `end`, all that is left; each is checked. Answers how many came. */
async function receiveAll(queue, round, enough, end) {
  let next = 0;
  const some = async (wait) => {
    const messages = await queue.receive({ max: 40, wait, borrow: true });
    for (const { body } of messages) check(body, round, next++);
    await Promise.all(messages.map((message) => message.ack()));
    return messages.length;
  };
  while (next < enough) await bounded(some(10), `message ${next} of round ${round}`);
  const [last] = await queue.receive({ wait: 10, borrow: true });
  await end();
  // It was lent before the worker died, and can still be read.
  check(last.body, round, next++);
  await last.ack();
  while ((await bounded(some(0), `the rest of round ${round}`)) > 0);
  return next;
}

/** The client is terminated in the middle of sending. */
async function clientDies(host, round) {
  const confirmed = new SharedArrayBuffer(4);
  const worker = thread(`const queue = await openQueue(name, { port: parentPort });${sending}`, { name: host.name, round, confirmed });
  const serving = host.serve(worker);
  const came = await receiveAll(host, round, 20 + (round % 90), () => worker.terminate());
  const noted = Atomics.load(new Int32Array(confirmed), 0);
  assert.ok(came >= noted, `round ${round}: ${noted} were confirmed, ${came} came`);
  await serving.close();
}

/** The host is terminated in the middle of sending what a client here receives. */
async function hostDies(round) {
  const confirmed = new SharedArrayBuffer(4);
  const worker = thread(`const queue = await openQueue("mortal", { capacity: { messages: 1000 } }); queue.serve(parentPort);${sending}`, { round, confirmed });
  const client = await bounded(openQueue("mortal", { port: worker }), "the welcome");
  let next = 0;
  const pending = [];
  while (next < 20 + (round % 90)) {
    const messages = await bounded(client.receive({ max: 40, wait: 10, borrow: true }), `message ${next} of round ${round}`);
    for (const { body } of messages) check(body, round, next++);
    pending.push(...messages.map((message) => message.ack()));
  }
  pending.push(client.send("never"), client.receive({ max: 1000, wait: 60 }).then((messages) => messages.map(({ body }) => check(body, round, next++))), client.metrics());
  await worker.terminate();
  const outcomes = await bounded(Promise.allSettled(pending), `every promise of round ${round}`);
  for (const { reason } of outcomes) if (reason) assert.equal(reason.name, "StorageLostError", String(reason));
  await fails(client.send("after"), "StorageLostError");
  await client.close();
}

test("a thousand workers are terminated in the middle of their frames: all that was confirmed is there, whole and in order", async () => {
  const { queue: steady, clock } = await freshQueue({ name: "steady" });
  const { port1, port2 } = new MessageChannel();
  const serving = steady.serve(port1);
  const bystander = await openQueue("steady", { port: port2 });
  let round = 0;
  const lane = async (name) => {
    const { queue: host } = await freshQueue({ name, clock, capacity: { messages: 1000 } });
    while (round < 1000) {
      const mine = (round += 1);
      if (mine % 10 === 0) await hostDies(mine);
      else await clientDies(host, mine);
      // Whoever is not concerned notices nothing.
      await bounded(bystander.send(mine), "a send of another client");
      const [message] = await bounded(steady.receive({ wait: 10 }), "what another client sent");
      await message.ack();
    }
  };
  await Promise.all(["a", "b", "c"].map(lane));
  const { sent, acked, backlogCount } = await steady.metrics();
  assert.deepEqual({ sent, acked, backlogCount }, { sent: 1000, acked: 1000, backlogCount: 0 });
  await bystander.close();
  await serving.close();
  port1.close();
});

test("a worker that dies before it says anything is told at once to who waits for it", async () => {
  const client = new Worker("process.exit()", { eval: true });
  const start = performance.now();
  await fails(openQueue("nobody", { port: client }), "StorageLostError", "nobody");
  assert.ok(performance.now() - start < 5000, "not only when the time for a welcome is over");
  const { queue: host } = await freshQueue();
  const silent = new Worker("process.exit()", { eval: true });
  const serving = host.serve(silent);
  await bounded(new Promise((resolve) => silent.once("exit", resolve)), "the end of the worker");
  await host.send(1);
  await serving.close();
  assert.throws(() => host.serve(null), { name: "TypeError" });
});

test("a worker that dies between its hello and its welcome leaves nothing behind", async () => {
  const { queue: host } = await freshQueue({ name: "hello" });
  for (let round = 0; round < 10; round += 1) {
    const worker = thread(`openQueue("hello", { port: parentPort }).then((queue) => queue.receive({ wait: 1000 })); parentPort.postMessage("said");`);
    const said = new Promise((resolve) => worker.once("message", resolve));
    const serving = host.serve(worker);
    await bounded(said, "the hello");
    await worker.terminate();
    await host.send(round);
    const [message] = await bounded(host.receive({ wait: 10 }), "a message nobody took away");
    assert.equal(message.body, round);
    await message.ack();
    await serving.close();
  }
  assert.equal((await host.metrics()).leased, 0);
});
