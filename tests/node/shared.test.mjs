/** Rings in shared memory between threads: who leans on whom, and who is woken how. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bounded, freshQueue } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";
import { thread } from "./threads.mjs";

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
const COUNT = 3000;

for (const borrow of [false, true]) {
  test(`handlers that ack each message leave the bodies of their neighbours alone (${borrow ? "borrowed" : "copies"})`, async () => {
    const worker = thread(`const queue = await openQueue("neighbours");
      queue.serve(parentPort);
      parentPort.once("message", async () => {
        for (let first = 0; first < ${COUNT}; first += 100) {
          await Promise.all(Array.from({ length: 100 }, (_, at) => queue.send(new Uint8Array(new Uint32Array(512).fill(first + at).buffer))));
        }
      });`);
    const client = await openQueue("neighbours", { port: worker });
    const errors = [];
    client.addEventListener("error", ({ message }) => errors.push(message));
    const seen = new Set();
    let batches = 0;
    await bounded(new Promise((resolve) => {
      client.consume(async ({ messages }) => {
        // Every other one takes its time: its neighbours of the same lease are settled meanwhile.
        if (batches++ % 2) { for (let step = 0; step < 20; step += 1) await turn(); }
        for (const message of messages) {
          const words = new Uint32Array(message.body.buffer, message.body.byteOffset, message.body.byteLength / 4);
          assert.ok(words.length === 512 && words.every((word) => word === words[0]), "a body that is not one message's");
          seen.add(words[0]);
          message.ack();
        }
        if (seen.size === COUNT) resolve();
      }, { maxBatchSize: 3, maxConcurrency: 4, borrow });
      worker.postMessage("go");
    }), "all messages", 60);
    assert.deepEqual(errors, []);
    await client.close();
    await worker.terminate();
  });
}

test("a host that can't sleep on memory is called through the port", async () => {
  const worker = thread(`delete Atomics.waitAsync;
    const queue = await openQueue("deaf");
    queue.serve(parentPort);`);
  const client = await openQueue("deaf", { port: worker });
  for (let n = 0; n < 20; n += 1) {
    await bounded(client.send(new Uint8Array(8)), `answer ${n}`);
    await turn();
  }
  await byRings(client);
  await client.close();
  await worker.terminate();
});

test("a client that can't sleep on memory is called through the port, also when another port of its context has closed", async () => {
  const [{ queue: one }, { queue: two }] = [await freshQueue(), await freshQueue()];
  const { port1, port2 } = new MessageChannel();
  const worker = thread(`delete Atomics.waitAsync;
    const [a, b] = await Promise.all([openQueue(one, { port }), openQueue(two, { port: parentPort })]);
    const over = new Promise((resolve) => { a.addEventListener("error", resolve); });
    await b.send(new Uint8Array(8));
    parentPort.postMessage("sent");
    await over;
    for (let n = 0; n < 20; n += 1) {
      await b.send(new Uint8Array(8));
      await new Promise((resolve) => { setTimeout(resolve); });
    }
    parentPort.postMessage(b.mode.transport);`, { one: one.name, two: two.name, port: port2 }, [port2]);
  const heard = (what) =>
    bounded(new Promise((resolve) =>
      worker.on("message", (message) => {
        if (message === what) resolve();
      })
    ), what);
  const [sent, done] = [heard("sent"), heard("shared-memory")];
  const servings = [one.serve(port1), two.serve(worker)];
  await sent;
  port1.close();
  await done;
  await Promise.all(servings.map((serving) => serving.close()));
  await worker.terminate();
});

/** A served queue and a client of it, both in this thread, once they share memory: the rings are loaded when that was offered. */
async function servedByRings() {
  const { queue: host } = await freshQueue();
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  const client = await openQueue(host.name, { port: port2 });
  await byRings(client);
  const end = async () => {
    await client.close();
    await serving.close();
    port1.close();
  };
  return { host, client, port1, end };
}

async function byRings(client) {
  while (client.mode.transport !== "shared-memory") await client.metrics();
}

test("a borrowed body can be read until its message is settled, and says so after", async () => {
  const { host, client, end } = await servedByRings();
  await client.send(new Uint8Array([1, 2, 3]));
  const [lent] = await host.receive({ borrow: true });
  assert.ok(lent.body.buffer instanceof SharedArrayBuffer);
  await lent.retry({ delaySeconds: 0 });
  const [again] = await host.receive({ borrow: true });
  await again.ack();
  assert.throws(() => again.body, { name: "InvalidStateError" });
  await client.send(new Uint8Array([4]));
  const [own] = await host.receive();
  await own.ack();
  assert.deepEqual(own.body, new Uint8Array([4]));
  await end();
});

test("short objects that JSON can say go by shared memory too, and come as they were", async () => {
  const { host, client, port1, end } = await servedByRings();
  await client.metrics();
  // A call to look into the ring has no frame.
  let posted = 0;
  port1.on("message", (message) => (posted += message[2] === undefined ? 0 : 1));
  const odd = [{ text: "\ud800 \u{1f600} \0 é", list: [1, null, -0.5] }, [], { deep: { er: "x".repeat(3000) } }, true, "", 7];
  const all = Array.from({ length: 600 }, (_, n) => odd[n % odd.length]);
  // A few at a time: of many at once the text is long, and goes by the port.
  for (let n = 0; n < all.length; n += 1) {
    const sent = client.send(n % 50 === 49 ? new Uint8Array([n]) : all[n]);
    if (n % 3 === 0) await sent;
  }
  await client.flush();
  assert.equal(posted, 0, "none of it came through the port");
  const got = await host.receive({ max: 600 });
  got.forEach(({ body }, n) => assert.deepEqual(body, n % 50 === 49 ? new Uint8Array([n]) : all[n], `body ${n}`));
  await Promise.all(got.map((message) => message.ack()));
  // And the other way, beside what does not go by a ring.
  await host.sendBatch([{ body: { a: 1 } }, { body: new Date(5) }, { body: new Uint8Array([9]) }, {
    body: { b: "ü" },
    headers: { c: "d" },
  }]);
  const back = await bounded(client.receive({ max: 4, wait: 5 }), "what the host sent");
  assert.deepEqual(back.map(({ body, headers }) => [body, { ...headers }]), [[{ a: 1 }, {}], [new Date(5), {}], [new Uint8Array([9]), {}], [
    { b: "ü" },
    { c: "d" },
  ]]);
  await end();
});
