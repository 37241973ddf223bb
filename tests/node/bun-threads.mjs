/** Run by Bun: a queue that a page serves to a worker of `node:worker_threads`, and the worker's death. */
import assert from "node:assert/strict";
import { MessageChannel, Worker } from "node:worker_threads";

const entry = process.argv[2];
const { openQueue } = await import(entry);

/** The address of a module with this text. */
const thread = (code) =>
  new Worker(new URL(`data:text/javascript,${
    encodeURIComponent(`
  import { parentPort } from "node:worker_threads";
  import { openQueue } from ${JSON.stringify(entry)};
  ${code}`)
  }`), { type: "module" });

const host = await openQueue("jobs", { visibilityTimeout: 2, retryDelay: 0 });
const worker = thread(`
  const queue = await openQueue("jobs", { port: parentPort });
  const [held] = await queue.receive({ wait: 10 });
  for (let n = 0; n < 2000; n += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => queue.send(k % 2 ? { n: n + k } : new Uint8Array(8).fill(n + k))));
  await queue.send({ held: held.id, transport: queue.mode.transport });
  setInterval(() => {}, 1000);`);
await host.send("first");
const serving = host.serve(worker);
let held;
let transport;
const seen = [];
// The worker holds the first of all before it sends anything.
while ((await host.metrics()).sent === 1) await new Promise((resolve) => setImmediate(resolve));
while (held === undefined) {
  for (const message of await host.receive({ max: 100, wait: 10 })) {
    const { body } = message;
    if (body.held) [held, transport] = [body.held, body.transport];
    else seen.push(message.id);
    await message.ack();
  }
}
await worker.terminate();
while (seen.length < 2001) {
  const messages = await host.receive({ max: 100, wait: 10 });
  assert.ok(messages.length > 0, `${seen.length} of 2001 came`);
  for (const message of messages) {
    seen.push(message.id);
    await message.ack();
  }
}
assert.ok(seen.includes(held), "what the worker held came back");
assert.equal(new Set(seen).size, 2001);
assert.equal((await host.metrics()).backlogCount, 0);
await serving.close();

const { port1, port2 } = new MessageChannel();
const own = host.serve(port1);
const client = await openQueue("jobs", { port: port2 });
await client.sendBatch([1, 2, 3].map((body) => ({ body })));
assert.deepEqual((await client.receive({ max: 3 })).map(({ body }) => body), [1, 2, 3]);
await client.close();
await own.close();
console.log(JSON.stringify({ transport }));
process.exit();
