/** What is too much: ten million messages, consumers that never read, floods. Everything is bounded, and all of it arrives. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { bounded, fails, freshQueue, quiet } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";
import { thread } from "./threads.mjs";

/** A handler that holds what it gets until `end`, which fails it. */
function holding() {
  let end;
  const ended = new Promise((_, reject) => {
    end = () => reject(new Error("let go"));
  });
  ended.catch(() => {});
  return { handler: () => ended, end };
}

test("ten million messages go through a ring, each with its checksum, in order and once", async () => {
  const count = 10_000_000;
  const { queue: host } = await freshQueue({ name: "many", capacity: { messages: 50_000 } });
  const worker = thread(`
    const queue = await openQueue("many", { port: parentPort });
    let before;
    for (let n = 0; n < count; n += 1000) {
      const batch = new Array(1000);
      for (let k = 0; k < 1000; k += 1) {
        const words = new Uint32Array(2);
        words[0] = n + k;
        words[1] = Math.imul(n + k, 2654435761);
        batch[k] = { body: new Uint8Array(words.buffer) };
      }
      const sent = queue.sendBatch(batch);
      if (n % 8000 === 0) {
        await before;
        before = sent;
      }
    }
    await queue.flush();
    parentPort.postMessage(queue.mode.transport);`, { count });
  const transport = new Promise((resolve) => worker.on("message", (message) => typeof message === "string" && resolve(message)));
  const serving = host.serve(worker);
  let next = 0;
  const rss = process.memoryUsage().rss;
  let most = 0;
  const consumer = await new Promise((resolve, reject) => {
    const consuming = host.consume(({ messages }) => {
      for (const { body } of messages) {
        const words = new Int32Array(body.buffer, body.byteOffset, 2);
        if (words[0] !== next || words[1] !== Math.imul(next, 2654435761))
          reject(new Error(`${words[0]}, ${words[1]} instead of message ${next}`));
        next += 1;
      }
      if (next % 500_000 < messages.length) most = Math.max(most, process.memoryUsage().rss);
      if (next >= count) resolve(consuming);
    }, { maxBatchSize: 1000, borrow: true });
    worker.once("error", reject);
  });
  assert.equal(await transport, "shared-memory");
  await consumer.stop();
  const { sent, acked, backlogCount } = await host.metrics();
  assert.deepEqual({ sent, acked, backlogCount }, { sent: count, acked: count, backlogCount: 0 });
  assert.ok(most - rss < 300 << 20, `memory grew by ${(most - rss) >> 20} MiB`);
  await worker.terminate();
  await serving.close();
});

test("a million messages for a consumer that never reads: the writer is held up, and memory stays flat", async () => {
  const { queue: host } = await freshQueue({ name: "unread", capacity: { messages: 1000 } });
  const stuck = holding();
  host.consume(stuck.handler, { maxBatchSize: 10 });
  const written = new SharedArrayBuffer(4);
  const worker = thread(`
    const queue = await openQueue("unread", { port: parentPort });
    const writer = queue.writable.getWriter();
    require("node:v8").setFlagsFromString("--expose-gc");
    const gc = require("node:vm").runInNewContext("gc");
    const count = new Int32Array(written);
    parentPort.on("message", (message) => message === "memory" && parentPort.postMessage({ heap: (gc(), process.memoryUsage().heapUsed) }));
    const body = { text: "x".repeat(1000) };
    for (let n = 0; n < 1_000_000; n += 1) {
      await writer.ready;
      writer.write(body).catch(() => {});
      Atomics.store(count, 0, n + 1);
      Atomics.notify(count, 0);
    }`, { written });
  const heap = () =>
    new Promise((resolve) => {
      worker.on("message", function heard(message) {
        if (message?.heap === undefined) return;
        worker.off("message", heard);
        resolve(message.heap);
      });
      worker.postMessage("memory");
    });
  const serving = host.serve(worker);
  const count = new Int32Array(written);
  await bounded(Atomics.waitAsync(count, 0, 0).value, "the first write");
  const atFirst = await bounded(heap(), "the worker's answer");
  // Until it writes no more, however often it is looked at.
  let before = -1;
  let same = 0;
  while (same < 100) {
    const now = Atomics.load(count, 0);
    same = now > 1000 && now === before ? same + 1 : 0;
    before = now;
    await quiet();
    await host.metrics();
  }
  assert.equal(Atomics.load(count, 0), 1000 + 1, "one more than there is room for");
  const grown = (await bounded(heap(), "the worker's answer")) - atFirst;
  assert.ok(grown < 8 << 20, `memory grew by ${grown} bytes`);
  assert.equal((await host.metrics()).backlogCount, 1000);
  stuck.end();
  await worker.terminate();
  await serving.close();
});

test("a client that takes and never acks is handed no more than it asked for, and a little ahead", async () => {
  const { queue: host } = await freshQueue({ name: "hoard", capacity: { messages: 100_000 }, retryDelay: 0 });
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  const client = await openQueue("hoard", { port: port2 });
  let posted = 0;
  port2.on("message", () => {
    posted += 1;
  });
  const stuck = holding();
  client.consume(stuck.handler, { maxBatchSize: 10 });
  for (let n = 0; n < 50_000; n += 1000) await host.sendBatch(Array.from({ length: 1000 }, (_, k) => ({ body: { n: n + k } })));
  await quiet();
  const { leased, ready } = await host.metrics();
  assert.ok(leased <= 10 + 10 + 100, `${leased} are leased`);
  assert.equal(ready + leased, 50_000);
  assert.ok(posted < 2000, `${posted} frames for one that does nothing`);
  stuck.end();
  await bounded(client.close(), "the end of the client");
  const back = await bounded(host.receive({ max: 200, wait: 5 }), "what it had");
  // Whoever closes gives back what it had without an attempt counted.
  assert.deepEqual(back.slice(0, 2).map(({ body, attempts }) => [body.n, attempts]), [[0, 1], [1, 1]]);
  await serving.close();
  port1.close();
});

test("ten thousand frames of nonsense at one port: the port is closed, and the others notice nothing", async () => {
  const { queue: host } = await freshQueue({ name: "flood" });
  const [bad, good] = [new MessageChannel(), new MessageChannel()];
  const servings = [host.serve(bad.port1), host.serve(good.port1)];
  const client = await openQueue("flood", { port: good.port2 });
  const victim = await openQueue("flood", { port: bad.port2 });
  let session;
  bad.port2.on("message", (message) => {
    session ??= message[1] || undefined;
  });
  await victim.metrics();
  let seed = 7;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let n = 0; n < 10_000; n += 1) {
    const frame = new Uint8Array(Math.floor(random() * 200)).map(() => random() * 256);
    bad.port2.postMessage(["posthaste", n % 2 ? session : Math.floor(random() * 2 ** 52), frame, ["flood", "x"], [1, 2, 3]]);
    if (n % 250 === 0) await client.send(n);
  }
  await fails(victim.send("late"), "DataError", "make no sense");
  assert.equal((await host.metrics()).sent, 40);
  await Promise.all(servings.map((serving) => serving.close()));
  bad.port1.close();
  good.port1.close();
});

/** Chunks that are made when asked for, and counted. */
function counted(chunks, size) {
  const source = { pulled: 0 };
  source.stream = new ReadableStream({
    pull(controller) {
      if (source.pulled === chunks) return controller.close();
      controller.enqueue(new Uint8Array(size).fill(source.pulled));
      source.pulled += 1;
    },
  }, { highWaterMark: 0 });
  return source;
}

test("a source is read no further than queues have room: through a port, from queue to queue", async () => {
  const { queue: first, clock } = await freshQueue({ name: "first", capacity: { messages: 5 } });
  const { queue: second } = await freshQueue({ name: "second", clock, capacity: { messages: 5 } });
  const { port1, port2 } = new MessageChannel();
  const servings = [first.serve(port1), second.serve(port1)];
  const [into, out, onward] = await Promise.all(["first", "first", "second"].map((name) => openQueue(name, { port: port2 })));
  const source = counted(200, 1000);
  const filled = source.stream.pipeTo(into.writable);
  const stands = async () => {
    let before = -1;
    for (let same = 0; same < 100; before = source.pulled) {
      same = source.pulled === before ? same + 1 : 0;
      await quiet();
      await into.metrics();
    }
    return source.pulled;
  };
  const held = await bounded(stands(), "the source to rest");
  assert.ok(held >= 5 && held <= 12, `${held} chunks were read for room of 5`);
  // On to the next queue: again only as far as there is room.
  const bodies = new TransformStream({
    async transform(message, controller) {
      controller.enqueue(message.body);
      await message.ack();
    },
  });
  const moved = out.readable.pipeThrough(bodies).pipeTo(onward.writable);
  moved.catch(() => {});
  const both = await bounded(stands(), "the source to rest");
  assert.ok(both > held && both <= 40, `${both} chunks were read for room of 10`);
  for (let next = 0; next < 200;) {
    const [message] = await bounded(second.receive({ wait: 10 }), `chunk ${next}`);
    assert.deepEqual([message.body.length, message.body[0]], [1000, next % 256]);
    await message.ack();
    next += 1;
    assert.ok(source.pulled <= next + 40, `${source.pulled} were read when ${next} had come out`);
  }
  await bounded(filled, "the end of the source");
  assert.equal(source.pulled, 200);
  for (const client of [into, out, onward]) await client.close();
  for (const serving of servings) await serving.close();
  port1.close();
});

test("a body that is fetched is read no faster than the queue is emptied", async () => {
  const size = 64 << 10;
  const chunks = 640; // 40 MiB
  let served = 0;
  const server = createServer(async (request, response) => {
    for (served = 0; served < chunks; served += 1) {
      if (!response.write(new Uint8Array(size).fill(served))) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { queue: host } = await freshQueue({ name: "fetched", capacity: { bytes: 1 << 20 } });
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  const client = await openQueue("fetched", { port: port2 });
  const { body } = await fetch(`http://127.0.0.1:${server.address().port}/`);
  const piped = body.pipeTo(client.writable);
  let before = -1;
  for (let same = 0; same < 20; before = served) {
    await quiet();
    await client.metrics();
    same = served > 8 && served === before ? same + 1 : 0;
  }
  // What the sockets of the system hold comes on top.
  assert.ok(served * size < 20 << 20, `${(served * size) >> 20} MiB of 40 were served to a queue of 1 MiB`);
  let bytes = 0;
  const consumer = host.consume(({ messages }) => {
    for (const message of messages) bytes += message.body.length;
  });
  await bounded(piped, "the whole body went in");
  await client.flush();
  await consumer.stop();
  for (const message of await host.receive({ max: 1000 })) {
    bytes += message.body.length;
    await message.ack();
  }
  assert.equal(bytes, chunks * size);
  await client.close();
  await serving.close();
  port1.close();
  server.closeAllConnections();
  server.close();
});
