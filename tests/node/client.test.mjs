/** `posthaste/client` and `posthaste/ports`: the end of a port without an engine, and ports that are loaded when they are needed. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { bodies, bounded, fails, freshQueue } from "./lab.mjs";
import { clientEntry, entry } from "./posthaste.mjs";

const client = await import(clientEntry);

async function served(options) {
  const { queue: host } = await freshQueue(options);
  const { port1, port2 } = new MessageChannel();
  const serving = host.serve(port1);
  after(() => port1.close());
  return { host, serving, port1, port2 };
}

/** What a program prints in a process of its own. */
const printed = (text) =>
  execFileSync(process.execPath, ["--no-warnings", "--input-type=module", "--eval", text], { encoding: "utf8", timeout: 30_000 }).trim();

test("the client's whole queue works at a port", async () => {
  const { host, port2 } = await served({ maxRetries: 0 });
  const queue = await client.openQueue(host.name, { port: port2 });
  const { id } = await queue.send({ a: 1 }, { headers: { kind: "one" } });
  await queue.sendBatch([{ body: 2 }, { body: new Uint8Array([3]) }, { body: new Map([[4, 4]]), delaySeconds: 60 }]);
  const [first, ...others] = await queue.receive({ max: 10 });
  assert.deepEqual([first.id, first.body, first.headers.kind, ...bodies(others)], [id, { a: 1 }, "one", 2, new Uint8Array([3])]);
  await first.ack();
  await others[0].retry();
  await others[1].ack();
  const { acked, deadLettered, delayed } = await queue.metrics();
  assert.deepEqual({ acked, deadLettered, delayed }, { acked: 2, deadLettered: 1, delayed: 1 });
  assert.equal(await queue.purge(), 1);
  await queue.send("last");
  let consumer;
  const handled = new Promise((resolve) => (consumer = queue.consume(({ messages }) => resolve(messages[0].body))));
  assert.equal(await bounded(handled, "the last message"), "last");
  await consumer.stop();
  await queue.close();
  assert.equal((await host.metrics()).acked, 3);
});

test("the client's errors are the ones that its entry exports", async () => {
  const { host, port2 } = await served({ capacity: { messages: 1 }, overflow: "reject" });
  const queue = await client.openQueue(host.name, { port: port2 });
  await queue.send(1);
  await assert.rejects(queue.send(2), (error) => error instanceof client.QueueFullError && error instanceof client.PosthasteError);
  await queue.close();
});

test("a worker with nothing but the client takes bytes from memory that both share", async () => {
  const { queue: host } = await freshQueue();
  const text = `
    const { parentPort } = require("node:worker_threads");
    import(${JSON.stringify(clientEntry)}).then(async ({ openQueue }) => {
      const queue = await openQueue(${JSON.stringify(host.name)}, { port: parentPort });
      // The rings are loaded once the host has offered memory.
      while (queue.mode.transport === "port") await queue.metrics();
      await queue.sendBatch(Array.from({ length: 100 }, (_, n) => ({ body: new Uint8Array(1000).fill(n) })));
      await queue.send(queue.mode.transport);
      await queue.close();
    });`;
  const worker = new Worker(text, { eval: true });
  after(() => worker.terminate());
  host.serve(worker);
  const got = [];
  for await (const message of host) {
    got.push(message.body);
    await message.ack();
    if (typeof message.body === "string") break;
  }
  assert.equal(got.pop(), "shared-memory");
  assert.deepEqual(got.map((body) => [body.length, body[999]]), Array.from({ length: 100 }, (_, n) => [1000, n]));
});

test("the client has no queues of its own: it says so, and what would do", async () => {
  await fails(client.openQueue("a"), "NotSupportedError", 'import "posthaste"');
  await fails(client.openQueue("a", { storage: "memory" }), "NotSupportedError", "name the port");
  await fails(client.openQueue("a", { port: {} }), "TypeError", "port must be");
});

test("a serving that is closed before ports are loaded serves nobody, and another can begin at that port", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    const host = await openQueue("jobs");
    const { port1, port2 } = new MessageChannel();
    const serving = host.serve(port1);
    try { host.serve(port1); } catch (error) { console.log(error.name); }
    await serving.close();
    await serving.close();
    const again = host.serve(port1);
    const client = await openQueue("jobs", { port: port2 });
    await client.send(1);
    await client.close();
    await again.close();
    console.log((await host.metrics()).sent);
    port1.close();`);
  assert.deepEqual(said.split("\n"), ["InvalidStateError", "1"]);
});

test("a queue's name is served at a port once, whichever object serves it, also while ports are loaded", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    const [one, other] = [await openQueue("jobs"), await openQueue("jobs")];
    const { port1, port2 } = new MessageChannel();
    const names = [];
    const refused = (queue) => { try { queue.serve(port1); } catch ({ name }) { names.push(name); } };
    const serving = one.serve(port1);
    refused(other);
    const client = await openQueue("jobs", { port: port2 });
    refused(other);
    await client.send(1);
    await client.close();
    await serving.close();
    const again = other.serve(port1);
    await again.close();
    console.log(names.join(), (await one.metrics()).sent);
    port1.close();`);
  assert.equal(said, "InvalidStateError,InvalidStateError 1");
});

test("ports are made once, however many ask for them while they are loaded", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    const queues = [await openQueue("a"), await openQueue("b")];
    const { port1, port2 } = new MessageChannel();
    let listeners = 0;
    const port = {
      postMessage: (...given) => port1.postMessage(...given), start: () => port1.start(),
      addEventListener: (type, listener) => { listeners += type === "message"; port1.addEventListener(type, listener); },
      removeEventListener: (type, listener) => port1.removeEventListener(type, listener),
    };
    for (const queue of queues) queue.serve(port);
    const clients = await Promise.all(["a", "b"].map((name) => openQueue(name, { port: port2 })));
    await Promise.all(clients.map((client) => client.send(1)));
    console.log(listeners);
    port1.close();`);
  assert.equal(said, "1");
});

test("a port that fails when it is first used is told by an error event, though ports had to be loaded", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    const queue = await openQueue("a");
    const told = new Promise((resolve) => queue.addEventListener("error", ({ error }) => resolve(error.message)));
    const port = { postMessage() {}, addEventListener() {}, removeEventListener() {}, start() { throw new Error("no start"); } };
    queue.serve(port);
    console.log(await told);
    await queue.close();`);
  assert.equal(said, "no start");
});

test("a queue that is closed while ports are loaded ends what it was to serve, and the process ends", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    const host = await openQueue("jobs");
    const { port1 } = new MessageChannel();
    host.serve(port1);
    await host.close();
    port1.close();
    console.log("closed");`);
  assert.equal(said, "closed");
});

test("a context that uses a queue at a port never loads the wasm, whichever entry it has", async () => {
  const text = `
    const { workerData, parentPort } = require("node:worker_threads");
    WebAssembly.compile = (...given) => { throw new Error("the engine was loaded"); };
    import(workerData.entry).then(async ({ openQueue }) => {
      const queue = await openQueue(workerData.name, { port: parentPort });
      await queue.send("there");
      await queue.close();
    }).catch((error) => { parentPort.postMessage({ failed: String(error) }); });`;
  for (const from of [entry, clientEntry]) {
    const { queue: host } = await freshQueue();
    const worker = new Worker(text, { eval: true, workerData: { entry: from, name: host.name } });
    after(() => worker.terminate());
    const failed = new Promise((_, reject) => worker.on("message", ({ failed } = {}) => failed && reject(new Error(failed))));
    host.serve(worker);
    const [message] = await bounded(Promise.race([host.receive({ wait: 10 }), failed]), "a message");
    assert.equal(message.body, "there");
    await message.ack();
  }
});

test("with posthaste/ports imported, a serving listens from the moment that serve returns", () => {
  const said = printed(`
    const { openQueue } = await import(${JSON.stringify(entry)});
    await import(${JSON.stringify(new URL("./ports.js", entry).href)});
    const host = await openQueue("jobs");
    const heard = [];
    const port = { postMessage() {}, addEventListener: (type) => heard.push(type), removeEventListener() {} };
    host.serve(port);
    console.log(heard.includes("message"));
    await host.close();`);
  assert.equal(said, "true");
});
