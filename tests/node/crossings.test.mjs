/** How often calls cross the border to the wasm module: what a message costs there does not grow unseen. */

import assert from "node:assert/strict";
import { test } from "node:test";

const calls = { in: 0, out: 0 };

/** The functions among these, each of which counts its calls. */
function counted(direction, functions) {
  const counting = (call) => (...values) => {
    calls[direction] += 1;
    return call(...values);
  };
  return Object.fromEntries(Object.entries(functions).map(([name, it]) => [name, typeof it === "function" ? counting(it) : it]));
}

// The package makes its instance by this: it is replaced before the package is loaded. The engine's is the first; those after it are rings'.
const { Instance } = WebAssembly;
let made = 0;
WebAssembly.Instance = function(module, imports) {
  made += 1;
  if (made > 1) return new Instance(module, imports);
  const counting = Object.entries(imports).map(([from, functions]) => [from, counted("out", functions)]);
  return { exports: counted("in", new Instance(module, Object.fromEntries(counting)).exports) };
};

const { openQueue } = await import("./posthaste.mjs");
const { memoryStorage } = await import("posthaste/testing");

const BATCH = 100;
const ROUNDS = 50;
const WARM = 5;

/** What one round costs, once all is warm: calls into the module, and out of it. */
async function cost(round) {
  for (let at = 0; at < WARM; at += 1) await round();
  Object.assign(calls, { in: 0, out: 0 });
  for (let at = 0; at < ROUNDS; at += 1) await round();
  return { in: calls.in / ROUNDS, out: calls.out / ROUNDS };
}

/** A round costs no more than that on the average. */
async function atMost(limit, round) {
  const found = await cost(round);
  assert.ok(found.in <= limit.in && found.out <= limit.out, `in ${found.in}, out ${found.out}; at most in ${limit.in}, out ${limit.out}`);
}

let queues = 0;

/** With an empty queue. */
async function using(options, work) {
  queues += 1;
  const queue = await openQueue(`counted ${queues}`, options);
  try {
    await work(queue);
  } finally {
    await queue.close();
  }
}

const MEMORY = { storage: "memory" };
const filled = (queue) => queue.sendBatch(Array.from({ length: BATCH }, (_, body) => ({ body })));

test("a send in memory", () => using(MEMORY, (queue) => atMost({ in: 3, out: 0 }, () => queue.send(1))));

test("a receive in memory, and the ack", () =>
  using(MEMORY, async (queue) => {
    await filled(queue);
    await atMost({ in: 6, out: 0 }, async () => {
      const [message] = await queue.receive();
      await message.ack();
    });
  }));

test("a batch in memory, its delivery, and the acks", () =>
  using(MEMORY, (queue) =>
    atMost({ in: 10, out: 0 }, async () => {
      await filled(queue);
      const messages = await queue.receive({ max: BATCH });
      await Promise.all(messages.map((message) => message.ack()));
    })));

test("a consumer's share of a batch in memory", () =>
  using(MEMORY, async (queue) => {
    let done;
    let left;
    const consumer = queue.consume(({ messages }) => {
      left -= messages.length;
      if (left === 0) done();
    });
    await atMost({ in: 60, out: 0 }, async () => {
      left = BATCH;
      const all = new Promise((resolve) => (done = resolve));
      await filled(queue);
      await all;
    });
    await consumer.stop();
  }));

test("a lone send to a store", () => using({ storage: memoryStorage() }, (queue) => atMost({ in: 5, out: 0 }, () => queue.send(1))));

test("a receive from a store, and the ack", () =>
  using({ storage: memoryStorage() }, async (queue) => {
    await filled(queue);
    await atMost({ in: 10, out: 0 }, async () => {
      const [message] = await queue.receive();
      await message.ack();
    });
  }));

test("a round trip through a port, at its host", () =>
  using(MEMORY, async (host) => {
    const { port1, port2 } = new MessageChannel();
    const serving = host.serve(port1);
    const client = await openQueue(host.name, { port: port2 });
    await atMost({ in: 80, out: 0 }, async () => {
      await client.send(1);
      const [message] = await client.receive();
      await message.ack();
    });
    await client.close();
    await serving.close();
    port1.close();
  }));
