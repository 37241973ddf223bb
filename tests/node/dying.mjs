/** A process that terminates workers in the middle of their frames: as many as its argument says. It says "done N" now and then, and at the end. */

import assert from "node:assert/strict";
import { MessageChannel } from "node:worker_threads";
import { bounded, fails, freshQueue } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";
import { thread } from "./threads.mjs";

const rounds = Number(process.argv[2]);

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

/** Receives until there are `enough`, terminates the worker, then receives all that is left; each is checked. Answers how many came. */
async function receiveAll(queue, round, enough, worker, serving) {
  let next = 0;
  const some = async (wait) => {
    const messages = await queue.receive({ max: 40, wait, borrow: true });
    for (const { body } of messages) check(body, round, next++);
    await Promise.all(messages.map((message) => message.ack()));
    return messages.length;
  };
  while (next < enough) await bounded(some(10), `message ${next} of round ${round}`);
  const [last] = await queue.receive({ wait: 10, borrow: true });
  await worker.terminate();
  // It was lent before the worker died, and can still be read.
  check(last.body, round, next++);
  await last.ack();
  const rest = async () => {
    while ((await bounded(some(0), `the rest of round ${round}`)) > 0);
  };
  await rest();
  await serving.close();
  await rest();
  return next;
}

/** The client is terminated in the middle of sending. */
async function clientDies(host, round) {
  const confirmed = new SharedArrayBuffer(4);
  const worker = thread(`const queue = await openQueue(name, { port: parentPort });${sending}`, { name: host.name, round, confirmed });
  const serving = host.serve(worker);
  const came = await receiveAll(host, round, 20 + (round % 90), worker, serving);
  const noted = Atomics.load(new Int32Array(confirmed), 0);
  assert.ok(came >= noted, `round ${round}: ${noted} were confirmed, ${came} came`);
}

/** The host is terminated in the middle of sending what a client here receives. */
async function hostDies(round) {
  const confirmed = new SharedArrayBuffer(4);
  const worker = thread(`const queue = await openQueue("mortal", { capacity: { messages: 1000 } }); queue.serve(parentPort);${sending}`, {
    round,
    confirmed,
  });
  const client = await bounded(openQueue("mortal", { port: worker }), "the welcome");
  let next = 0;
  const pending = [];
  while (next < 20 + (round % 90)) {
    const messages = await bounded(client.receive({ max: 40, wait: 10, borrow: true }), `message ${next} of round ${round}`);
    for (const { body } of messages) check(body, round, next++);
    pending.push(...messages.map((message) => message.ack()));
  }
  pending.push(client.send("never"),
    client.receive({ max: 1000, wait: 60 }).then((messages) => messages.map(({ body }) => check(body, round, next++))), client.metrics());
  await worker.terminate();
  const outcomes = await bounded(Promise.allSettled(pending), `every promise of round ${round}`);
  for (const { reason } of outcomes) if (reason) assert.equal(reason.name, "StorageLostError", String(reason));
  await fails(client.send("after"), "StorageLostError");
  await client.close();
}

const { queue: steady, clock } = await freshQueue({ name: "steady" });
const { port1, port2 } = new MessageChannel();
const serving = steady.serve(port1);
const bystander = await openQueue("steady", { port: port2 });
let round = 0;
let over = 0;
const lane = async (name) => {
  const { queue: host } = await freshQueue({ name, clock, capacity: { messages: 1000 } });
  while (round < rounds) {
    const mine = (round += 1);
    if (mine % 10 === 0) await hostDies(mine);
    else await clientDies(host, mine);
    // Whoever is not concerned notices nothing.
    await bounded(bystander.send(mine), "a send of another client");
    const [message] = await bounded(steady.receive({ wait: 10 }), "what another client sent");
    await message.ack();
    over += 1;
    if (over % 10 === 0) process.stdout.write(`done ${over}\n`);
  }
};
await Promise.all(["a", "b", "c"].map(lane));
const { sent, acked, backlogCount } = await steady.metrics();
assert.deepEqual({ sent, acked, backlogCount }, { sent: rounds, acked: rounds, backlogCount: 0 });
await bystander.close();
await serving.close();
port1.close();
process.stdout.write(`done ${over}\n`, () => process.exit(0));
