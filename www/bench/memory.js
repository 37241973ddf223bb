// The memory benchmark, run in a page: 1,000,000 messages of 100 bytes through a memory queue, and 1,000,000 of them
// waiting in one. Times are set beside the least that a queue in a page can do, in the same run: copy each body with
// `structuredClone` when it is sent (the sender may change its object afterwards) and keep it in an array, a promise
// a message. That yardstick has no ids, no leases, no acks, no limits.
//
// "through": one side sends in bursts of 1,000, awaiting each burst as a whole; the other receives batches of 100
//   and acks every message, until all have gone through. The queue stays short.
// "waiting": all are sent before the first is received, then they are received in batches of 100 and acked.
//
// Linear memory only grows: what one message costs is read when all are waiting, in a fresh module for each shape.

import { body } from "./bodies.js";
import { breath } from "./rounds.js";
import { watchWasmMemory } from "./wasm-memory.js";

const burst = 1_000;
const batch = 100;

/** How a million messages come in; the engine keeps messages that came together as one run. */
const shapes = {
  bursts: async (queue, first, count) => {
    const sent = [];
    for (let number = first; number < first + count; number++) sent.push(queue.send(body(number)));
    await Promise.all(sent);
  },
  batches: async (queue, first, count) => {
    const sent = [];
    for (let start = first; start < first + count; start += batch) {
      sent.push(queue.sendBatch(Array.from({ length: batch }, (_, place) => ({ body: body(start + place) }))));
    }
    await Promise.all(sent);
  },
  awaited: async (queue, first, count) => {
    for (let number = first; number < first + count; number++) await queue.send(body(number));
  },
};

/** The yardstick: an array. `receive` takes from the front by an index, as the quickest queues do. */
class PlainArray {
  bodies = [];
  taken = 0;
  send(value) {
    this.bodies.push(structuredClone(value));
    return Promise.resolve();
  }
  sendBatch(list) {
    for (const { body } of list) this.bodies.push(structuredClone(body));
    return Promise.resolve();
  }
  async receive({ max }) {
    const end = Math.min(this.taken + max, this.bodies.length);
    const messages = [];
    for (; this.taken < end; this.taken++) {
      messages.push({ body: this.bodies[this.taken], ack: () => Promise.resolve() });
      this.bodies[this.taken] = undefined;
    }
    return messages;
  }
  async close() {}
}

/**
 * @param {object} [options]
 * @param {number} [options.count] messages, default 1,000,000; at most that
 * @param {string[]} [options.only] shapes to run, default all
 * @param {(progress: {share: number, doing: string, row?: object}) => unknown} [options.report]
 */
export async function memory({ count = 1_000_000, only = Object.keys(shapes), report = () => {} } = {}) {
  const wasmBytes = watchWasmMemory();
  const result = { kind: "memory", agent: navigator.userAgent, count, bodyBytes: JSON.stringify(body(0)).length, rows: [] };
  const steps = only.length * 2;
  for (const [place, shape] of only.entries()) {
    const tell = (half) => (share) =>
      report({ share: (2 * place + half + share) / steps, doing: `${half ? "waiting" : "through"}, ${shape}` });
    const row = { shape, ...(await through(shape, count, tell(0))), ...(await waiting(shape, count, wasmBytes, tell(1))) };
    result.rows.push(row);
    await report({ share: (2 * place + 2) / steps, doing: shape, row });
  }
  return result;
}

async function openMemoryQueue(name) {
  const { openQueue } = await import("posthaste");
  return openQueue(name, { storage: "memory", capacity: { messages: 2_000_000 } });
}

/** Both in turns, a burst in and a burst out, so that a slow moment falls on both. Nanoseconds a message. */
async function through(shape, count, tell) {
  const queue = await openMemoryQueue(`bench-through-${shape}`);
  const plain = new PlainArray();
  const turn = count / 20;
  let own = 0;
  let yardstick = 0;
  for (let done = 0; done < count; done += turn) {
    own += await time(() => pump(queue, shape, done, turn));
    yardstick += await time(() => pump(plain, shape, done, turn));
    await tell((done + turn) / count);
  }
  await queue.close();
  return { throughNs: (own / count) * 1e6, throughArrayNs: (yardstick / count) * 1e6 };
}

async function pump(queue, shape, first, count) {
  for (let done = 0; done < count; done += burst) {
    await shapes[shape](queue, first + done, burst);
    await drain(queue, burst);
  }
}

async function waiting(shape, count, wasmBytes, tell) {
  const queue = await openMemoryQueue(`bench-waiting-${shape}`);
  const before = { wasm: wasmBytes(), heap: await heap() };
  const fillMs = await inTurns(count, (first, part) => shapes[shape](queue, first, part), (share) => tell(share / 2));
  const after = { wasm: wasmBytes(), heap: await heap() };
  const metrics = await queue.metrics();
  if (metrics.backlogCount !== count) throw new Error(`${metrics.backlogCount} of ${count} messages wait`);
  const drainMs = await inTurns(count, (_first, part) => drain(queue, part), (share) => tell(0.5 + share / 2));
  await queue.close();
  return {
    fillNs: (fillMs / count) * 1e6,
    drainNs: (drainMs / count) * 1e6,
    wasmBefore: before.wasm,
    wasmAfter: after.wasm,
    wasmPerMessage: (after.wasm - before.wasm) / count,
    heapPerMessage: before.heap === undefined ? undefined : (after.heap - before.heap) / count,
  };
}

/** Bursts, with the progress told every twentieth. The time of the bursts alone. */
async function inTurns(count, work, tell) {
  let ms = 0;
  for (let done = 0; done < count; done += count / 20) {
    ms += await time(async () => {
      for (let first = done; first < done + count / 20; first += burst) await work(first, burst);
    });
    await tell((done + count / 20) / count);
  }
  return ms;
}

async function drain(queue, count) {
  for (let done = 0; done < count;) {
    const messages = await queue.receive({ max: batch });
    if (messages.length === 0) throw new Error(`the queue was empty ${count - done} messages early`);
    await Promise.all(messages.map((message) => message.ack()));
    done += messages.length;
  }
}

async function time(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Bytes of the JavaScript heap, exact where the browser was started with `gc` exposed; undefined where it is not told. */
async function heap() {
  await breath(50);
  globalThis.gc?.();
  return performance.memory?.usedJSHeapSize;
}
