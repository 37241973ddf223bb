/** Queues that another context serves through a port: real MessagePorts and real worker threads. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { bodies, bounded, fails, freshQueue, quiet, VirtualClock } from "./lab.mjs";
import { entry, openQueue } from "./posthaste.mjs";

/** A served queue and a client of it, both in this thread. */
async function served(options = {}, allow = undefined) {
  const { queue: host, clock } = await freshQueue(options);
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1, allow && { allow });
  const client = await openQueue(host.name, { port: port2, clock });
  const end = async () => {
    await client.close();
    await serving.close();
    port1.close();
  };
  return { host, client, serving, port1, port2, clock, end };
}

/** As `served`, without shared memory: all there is goes by the port. */
async function servedByPort() {
  globalThis.crossOriginIsolated = false;
  return served().finally(() => delete globalThis.crossOriginIsolated);
}

test("a client sends, receives, settles and looks as if the queue were its own", async () => {
  const { host, client, end } = await served();
  const { id, duplicate } = await client.send({ a: 1 });
  assert.deepEqual([await host.peek().then(([info]) => info.id), duplicate], [id, false]);
  const { ids } = await client.sendBatch([{ body: 2, headers: { kind: "two" } }, { body: new Uint8Array([3]) }, {
    body: new Map([[4, 4]]),
    delaySeconds: 60,
  }]);
  assert.equal(ids.length, 3);
  const messages = await client.receive({ max: 10 });
  assert.deepEqual(bodies(messages), [{ a: 1 }, 2, new Uint8Array([3])]);
  assert.deepEqual([messages[1].headers, messages[0].attempts, messages.map((message) => message.id)], [{ kind: "two" }, 1, [id, ids[0],
    ids[1]]]);
  await messages[0].ack();
  await messages[1].retry({ delaySeconds: 0 });
  await messages[2].deadLetter("not wanted");
  const [again] = await client.receive();
  assert.deepEqual([again.body, again.attempts], [2, 2]);
  await again.ack();
  assert.equal(await client.cancel(ids[2]), true);
  const { sent, acked, retried, deadLettered, backlogCount } = await client.metrics();
  assert.deepEqual({ sent, acked, retried, deadLettered, backlogCount }, {
    sent: 4,
    acked: 2,
    retried: 1,
    deadLettered: 1,
    backlogCount: 0,
  });
  assert.equal(await client.redrive(), 1);
  assert.equal(await client.purge(), 1);
  await end();
});

test("a client consumes, in order, what the host sends, and the other way round", async () => {
  for (const [from, to] of [["host", "client"], ["client", "host"]]) {
    const { end, ...sides } = await served();
    const seen = [];
    let full;
    const all = new Promise((resolve) => {
      full = resolve;
    });
    sides[to].consume(({ messages }) => {
      if (seen.push(...bodies(messages)) >= 5000) full();
    }, { maxBatchSize: 100 });
    for (let first = 0; first < 5000; first += 500)
      await Promise.all(Array.from({ length: 500 }, (_, n) => sides[from].send({ n: first + n })));
    await bounded(all, "all messages");
    assert.deepEqual(seen.map(({ n }) => n), Array.from({ length: 5000 }, (_, n) => n));
    await end();
  }
});

test("bodies come through a port as they went in", async () => {
  const { host, client, end } = await served();
  const odd = [undefined, null, NaN, -0, 10n, "\ud800", new Date(5), /x/g, new Set([1]), { deep: [{ u: undefined }] },
    new Float64Array([1, 2]), new Uint8Array(0), new ArrayBuffer(3), new Error("mine"), [1, , 3], { toJSON: 5 }, "x".repeat(100_000),
    new Uint8Array(200_000).fill(7)];
  for (const [from, to] of [[client, host], [host, client], [client, client]]) {
    await Promise.all(odd.map((body) => from.send(body)));
    const got = [];
    while (got.length < odd.length) got.push(...(await to.receive({ max: 100, wait: 1 })));
    assert.deepEqual(bodies(got), odd);
    got.forEach((message, at) => assert.equal(Object.getPrototypeOf(message.body ?? 0), Object.getPrototypeOf(odd[at] ?? 0)));
    await Promise.all(got.map((message) => message.ack()));
  }
  await end();
});

test("what is transferred moves, and what can only be moved arrives", async () => {
  const { host, client, end } = await served();
  const buffer = new ArrayBuffer(8);
  const { port1, port2 } = new MessageChannel();
  await client.send({ buffer, port: port2 }, { transfer: [buffer, port2] });
  assert.equal(buffer.byteLength, 0);
  const [message] = await host.receive();
  assert.equal(message.body.buffer.byteLength, 8);
  const heard = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
  });
  message.body.port.postMessage("hello");
  assert.equal(await bounded(heard, "a word through the port that was sent"), "hello");
  port1.close();
  await message.ack();
  await end();
});

test("bytes that were transferred come whole again when a client gives them back", async () => {
  const { host, client, end } = await served();
  const bytes = new Uint8Array(20_000).fill(7);
  await host.send(bytes, { transfer: [bytes.buffer] });
  await host.send({ buffer: new ArrayBuffer(8) }, {});
  assert.equal(bytes.length, 0);
  const [first] = await client.receive({ wait: 1 });
  assert.equal(first.body.length, 20_000);
  await client.close();
  const [again] = await host.receive({ wait: 1 });
  assert.deepEqual(again.body, new Uint8Array(20_000).fill(7));
  await again.ack();
  await end();
});

test("a consumer that is not allowed to receive ends, and says so", async () => {
  const { client, end } = await served({}, ["send"]);
  const consumer = client.consume(() => undefined);
  await fails(bounded(consumer.done, "its end"), "NotAllowedError");
  await end();
});

test("a client with nothing allowed but sending can do nothing else", async () => {
  const { host, client, end } = await served({}, ["send"]);
  await client.send("fine");
  await fails(client.receive(), "NotAllowedError");
  await fails(client.purge(), "NotAllowedError");
  await fails(client.peek(), "NotAllowedError");
  assert.equal((await host.metrics()).backlogCount, 1);
  await end();
  const reader = await served({}, ["receive"]);
  await fails(reader.client.send(1), "NotAllowedError");
  await fails(reader.client.sendBatch([{ body: 1 }]), "NotAllowedError");
  await reader.end();
});

test("a send waits at the client while the queue is full, in order, and can be called off", async () => {
  const { host, client, end } = await served({ capacity: { messages: 10 } });
  const late = new AbortController();
  const sends = Array.from({ length: 30 }, (_, n) => client.send(n));
  const called = client.send("called off", { signal: late.signal });
  await bounded(Promise.all(sends.slice(0, 10)), "the first ten");
  late.abort(new Error("no more"));
  await assert.rejects(called, { message: "no more" });
  const got = [];
  while (got.length < 30) {
    const messages = await host.receive({ max: 7, wait: 1 });
    got.push(...bodies(messages));
    await Promise.all(messages.map((message) => message.ack()));
  }
  await bounded(Promise.all(sends), "all sends");
  assert.deepEqual(got, Array.from({ length: 30 }, (_, n) => n));
  assert.equal((await host.metrics()).backlogCount, 0);
  await end();
});

test("however slow the consumer, a client has only so much under way", async () => {
  const { host, client, end } = await served({ capacity: { messages: 100 } });
  let settled = 0;
  const sends = Array.from({ length: 40_000 }, (_, n) =>
    client.send(n).then(() => {
      settled += 1;
    }));
  await bounded(Promise.all(sends.slice(0, 100)), "the first hundred");
  const { backlogCount } = await host.metrics();
  assert.deepEqual([backlogCount, settled], [100, 100]);
  host.consume(() => {}, { maxBatchSize: 1000 });
  await bounded(Promise.all(sends), "all sends");
  await end();
});

test("frames that go before the one before them is answered bring each body once, with its headers", async () => {
  const { host, client, end } = await served();
  const count = 12_000;
  const kinds = [(n) => n, (n) => ({ n, rest: "x".repeat(200) }), (n) => new Uint8Array(2000).fill(n % 251)];
  for (const make of kinds) {
    const seen = [];
    let full;
    const all = new Promise((resolve) => {
      full = resolve;
    });
    const consumer = host.consume(({ messages }) => {
      for (const { body, headers } of messages) seen.push([body, headers.n]);
      if (seen.length >= count) full();
    }, { maxBatchSize: 1000 });
    // In one moment: far more than one frame, or the client's credit, takes.
    await Promise.all(Array.from({ length: count }, (_, n) => client.send(make(n), n % 1000 ? {} : { headers: { n: String(n) } })));
    await bounded(all, "all messages");
    await consumer.stop();
    seen.forEach(([body, tag], n) => {
      if (tag !== undefined || n % 1000 === 0) assert.equal(tag, String(n));
      assert.deepEqual(body, make(n), `body ${n}`);
    });
  }
  await end();
});

test("a batch of several parts is called off as a whole, and the host goes on", async () => {
  const { host, client, end } = await served({ capacity: { messages: 2 } });
  await host.sendBatch([{ body: 1 }, { body: 2 }]);
  const controller = new AbortController();
  const batch = client.sendBatch([{ body: 3 }, { body: 4, delaySeconds: 5 }], { signal: controller.signal });
  batch.catch(() => undefined);
  // It waits at the host now: what comes after it was answered.
  await bounded(client.metrics(), "metrics");
  const reason = new Error("called off");
  controller.abort(reason);
  assert.equal(await bounded(batch.then(() => undefined, (error) => error), "the batch"), reason);
  for (const message of await host.receive({ max: 10 })) await message.ack();
  await bounded(client.send(5), "a send");
  assert.deepEqual((await host.peek({ max: 10 })).map(({ body }) => body), [5]);
  await end();
});

test("a batch is all or nothing through a port, however many parcels it lies in", async () => {
  const { host, client, end } = await served({ capacity: { messages: 2500 }, overflow: "reject" });
  const batch = (count) => Array.from({ length: count }, (_, body) => ({ body }));
  await fails(client.sendBatch(batch(2600)), "MessageTooLargeError");
  assert.equal((await client.sendBatch(batch(2400))).ids.length, 2400);
  await fails(client.sendBatch(batch(200)), "QueueFullError");
  assert.equal((await host.metrics()).backlogCount, 2400);
  await end();
});

test("a policy that is not the host's is refused, as where the queue lives", async () => {
  const { host, port1, port2, serving, client } = await served({ maxRetries: 7 });
  await client.close();
  await fails(openQueue(host.name, { port: port2, maxRetries: 3 }), "PolicyMismatchError", "maxRetries");
  const agreeing = await openQueue(host.name, { port: port2, maxRetries: 7 });
  await agreeing.send(1);
  await agreeing.close();
  await serving.close();
  port1.close();
});

test("a consumer works on while what it said of a few batches is on its way, and waits when it is said of more", async () => {
  const clock = new VirtualClock();
  const { queue: host } = await freshQueue({ clock });
  await host.sendBatch(Array.from({ length: 2_000 }, (_, body) => ({ body })));
  // What the host says may be kept back on its way.
  const [left, right] = [new MessageChannel(), new MessageChannel()];
  let kept;
  left.port2.on("message", (message) => right.port1.postMessage(message));
  right.port1.on("message", (message) => {
    if (kept) kept.push(message);
    // Without shared memory, by which it would go too.
    else if (message[2] !== undefined) left.port2.postMessage(message);
  });
  const serving = host.serve(right.port2);
  const client = await openQueue(host.name, { port: left.port1, clock });
  const seen = [];
  let [keep, all] = [];
  const keeps = new Promise((resolve) => {
    keep = resolve;
  });
  const done = new Promise((resolve) => {
    all = resolve;
  });
  const consumer = client.consume(({ messages }) => {
    seen.push(...bodies(messages));
    if (seen.length === 1_000) keep(kept = []);
    if (seen.length === 2_000) all();
  }, { maxBatchSize: 1 });
  await bounded(keeps, "a thousand messages");
  await quiet();
  const more = seen.length - 1_000;
  assert.ok(more >= 2 && more <= 16, `${more} batches without a word of those before`);
  for (const message of kept.splice(0)) left.port2.postMessage(message);
  kept = undefined;
  await bounded(done, "all messages");
  assert.deepEqual(seen, Array.from({ length: 2_000 }, (_, body) => body));
  await bounded(consumer.stop(), "the consumer stops");
  assert.deepEqual([(await host.metrics()).acked, (await host.metrics()).backlogCount], [2_000, 0]);
  await client.close();
  await serving.close();
  [left.port1, right.port2].forEach((port) => port.close());
});

test("one port carries several queues, several clients, and the application's own messages", async () => {
  const { port1, port2 } = new MessageChannel();
  const clock = new VirtualClock();
  const own = [];
  port1.on("message", (message) => {
    if (!Array.isArray(message) || message[0] !== "posthaste") own.push(message);
  });
  const [a, b] = await Promise.all(["one", "two"].map((name) => freshQueue({ name, clock }).then(({ queue }) => queue)));
  const servings = [a.serve(port1), b.serve(port1)];
  const clients = await Promise.all(["one", "two", "one"].map((name) => openQueue(name, { port: port2 })));
  for (const odd of [1, null, "posthaste", ["other", 5], { posthaste: 1 }, []]) port2.postMessage(odd);
  await Promise.all(clients.map((client, at) => client.send(at)));
  assert.deepEqual([bodies(await a.receive({ max: 5 })).sort(), bodies(await b.receive({ max: 5 }))], [[0, 2], [1]]);
  assert.equal(own.length, 6);
  assert.throws(() => a.serve(port1), { name: "InvalidStateError" });
  await Promise.all([...clients.map((client) => client.close()), ...servings.map((serving) => serving.close())]);
  port1.close();
});

test("a client that opens first is welcomed when someone serves; when nobody does, it is told", async () => {
  const { port1, port2 } = new MessageChannel();
  const opening = openQueue("later", { port: port2 });
  const { queue } = await freshQueue({ name: "later" });
  const serving = queue.serve(port1);
  const client = await bounded(opening, "the welcome");
  await client.close();
  await serving.close();
  await fails(openQueue("nobody", { port: port2, signal: AbortSignal.timeout(100) }), "TimeoutError");
  port1.close();
});

test("when the host closes, what is under way is told, and nothing hangs", async () => {
  const { client, serving, port1 } = await served({ capacity: { messages: 1 } });
  await client.send("fits");
  const waiting = [client.send("waits"), client.receive({ wait: 100, max: 1 }).then(([message]) => message.ack()),
    client.receive({ wait: 100 }), client.metrics()];
  const [sent, , received] = [waiting[0], waiting[1], waiting[2]];
  const outcomes = Promise.allSettled(waiting);
  await serving.close();
  await bounded(outcomes, "every promise");
  await fails(sent, "InvalidStateError");
  await fails(received, "InvalidStateError");
  await fails(client.send("after"), "InvalidStateError");
  port1.close();
});

test("leases of a client that closes go back at once", async () => {
  const { host, client, serving, port1 } = await served();
  await client.sendBatch([{ body: 1 }, { body: 2 }]);
  const taken = await client.receive({ max: 2 });
  assert.equal(taken.length, 2);
  await client.close();
  const back = await bounded(host.receive({ max: 2, wait: 5 }), "the messages");
  assert.deepEqual(bodies(back), [1, 2]);
  await fails(taken[0].ack(), "InvalidStateError");
  await serving.close();
  port1.close();
});

const threads = new Set();
after(() => Promise.all([...threads].map((worker) => worker.terminate())));

/** A worker thread that runs `code` (the body of an async function) with the package, its own port and `name`. */
function thread(code, name) {
  const source = `const { parentPort, workerData } = require("node:worker_threads");
    (async () => { const { openQueue } = await import(workerData.entry); const { name } = workerData; ${code} })().catch((error) => { throw error; });`;
  const worker = new Worker(source, { eval: true, workerData: { entry, name } });
  threads.add(worker);
  return worker;
}

test("a worker thread is a client of the page that made it; its death gives its leases back", async () => {
  const { queue: host } = await freshQueue({ name: "threads", visibilityTimeout: 3600 });
  await host.sendBatch([{ body: 1 }, { body: 2 }, { body: 3 }]);
  const worker = thread(`const queue = await openQueue(name, { port: parentPort });
    const [first, second] = await queue.receive({ max: 2, wait: 10 });
    await first.ack();
    await queue.send({ from: "the worker" });
    parentPort.postMessage("two are held");
    setInterval(() => {}, 1000);`, "threads");
  const serving = host.serve(worker);
  await bounded(new Promise((resolve) => worker.on("message", (message) => message === "two are held" && resolve())),
    "the worker to hold two");
  const [third, word] = await bounded((async () => {
    const got = [];
    while (got.length < 2) got.push(...(await host.receive({ max: 1, wait: 10 })));
    return got;
  })(), "the third, and the worker's word");
  assert.deepEqual([third.body, word.body.from], [3, "the worker"]);
  await worker.terminate();
  const [back] = await bounded(host.receive({ wait: 10 }), "what the worker held");
  assert.deepEqual([back.body, back.attempts], [2, 2]);
  await Promise.all([third, word, back].map((message) => message.ack()));
  assert.equal((await host.metrics()).backlogCount, 0);
  await serving.close();
});

test("a word of a message that the host may have heard before it died says that its outcome is unknown", async () => {
  const { host, client, serving, port1, port2 } = await servedByPort();
  await client.sendBatch([{ body: 1 }, { body: 2 }]);
  const [first, second] = await client.receive({ max: 2 });
  // Nothing comes from the host any more.
  const answered = port1.postMessage;
  port1.postMessage = () => undefined;
  const words = Promise.allSettled([first.ack(), second.retry()]);
  while ((await host.metrics()).acked === 0) await new Promise((resolve) => setImmediate(resolve));
  port2.close();
  for (const { reason } of await bounded(words, "both words"))
    assert.deepEqual([reason.name, reason.outcomeUnknown], ["StorageLostError", true]);
  port1.postMessage = answered;
  assert.equal((await host.metrics()).acked, 1);
  await serving.close();
});

test("when the host's thread dies every promise of a client settles, and what may have happened says so", async () => {
  const worker = thread(`const queue = await openQueue(name, { capacity: { messages: 2 } });
    queue.serve(parentPort);
    parentPort.on("message", (message) => { if (message === "die") process.exit(); });`, "mortal");
  const client = await openQueue("mortal", { port: worker });
  await client.sendBatch([{ body: 1 }, { body: 2 }]);
  const [held] = await client.receive();
  const lost = new Promise((resolve) => held.signal.addEventListener("abort", resolve));
  const outcomes = Promise.allSettled([client.send("waits for room"),
    client.receive({ max: 5, wait: 60 }).then(() => client.receive({ wait: 60 })), client.flush()]);
  worker.postMessage("die");
  const [sent, received] = await bounded(outcomes, "every promise");
  assert.deepEqual([sent.reason.name, sent.reason.outcomeUnknown], ["StorageLostError", true]);
  assert.deepEqual([received.reason.name, received.reason.outcomeUnknown], ["StorageLostError", false]);
  await bounded(lost, "the lease's signal");
  await fails(held.ack(), "StorageLostError");
  await fails(client.send("after"), "StorageLostError");
});

test("ten thousand byte bodies of every length come through threads in order, borrowed or owned", async () => {
  for (const borrow of [true, false]) {
    const name = `bytes ${borrow}`;
    const { queue: host } = await freshQueue({ name, capacity: { messages: 500 } });
    const worker = thread(`const queue = await openQueue(name, { port: parentPort });
      for (let n = 0; n < 10_000; n += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, k) => {
          const bytes = new Uint8Array(((n + k) * 37) % 3000);
          bytes.fill(n + k);
          return queue.send(bytes);
        }));
      }`, name);
    const serving = host.serve(worker);
    let next = 0;
    let all;
    const done = new Promise((resolve) => {
      all = resolve;
    });
    host.consume(({ messages }) => {
      for (const { body } of messages) {
        assert.equal(body.length, (next * 37) % 3000);
        assert.ok(body.every((byte) => byte === next % 256), `body ${next}`);
        next += 1;
      }
      if (next === 10_000) all();
    }, { borrow, maxBatchSize: 64 });
    await bounded(done, "all bodies");
    await worker.terminate();
    await serving.close();
  }
});

test("bodies that wait for room come whole, in whatever memory they waited", async () => {
  const { queue: host } = await freshQueue({ name: "waiting bodies", capacity: { messages: 10_000 } });
  // Small ones share a parcel of which a frame may take a part; large ones have memory of their own, which others get after them.
  const sizes = [5_000, 65_536, 100_000, 700, 65_529, 30_000];
  const worker = thread(`const queue = await openQueue(name, { port: parentPort });
    const sizes = [${sizes}];
    for (let n = 0; n < 3_000; n += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, (_, k) => {
        const bytes = new Uint8Array(sizes[Math.floor((n + k) / 20) % sizes.length]).fill((n + k) % 251);
        return queue.send(k % 7 === 0 ? bytes.buffer : bytes);
      }));
    }
    parentPort.postMessage(queue.mode.transport);`, "waiting bodies");
  const transport = new Promise((resolve) =>
    worker.on("message", (said) => {
      if (typeof said === "string") resolve(said);
    })
  );
  const serving = host.serve(worker);
  let next = 0;
  const odd = [];
  let all;
  const done = new Promise((resolve) => {
    all = resolve;
  });
  const consuming = host.consume(({ messages }) => {
    for (const { body } of messages) {
      const bytes = new Uint8Array(body);
      const right = bytes.length === sizes[Math.floor(next / 20) % sizes.length] && bytes.every((byte) => byte === next % 251) &&
        body instanceof ArrayBuffer === ((next % 1_000) % 7 === 0);
      if (!right) odd.push(next);
      next += 1;
    }
    if (next === 3_000) all();
  }, { borrow: true, maxBatchSize: 64 });
  assert.equal(await bounded(transport, "all sends"), "shared-memory");
  await bounded(done, "all bodies");
  assert.deepEqual(odd, []);
  await consuming.stop();
  await serving.close();
  await worker.terminate();
});
