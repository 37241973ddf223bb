/** What these tests share: queues on a clock that moves only when told, bounded waits, and looking at failures. */

import assert from "node:assert/strict";
import { after } from "node:test";
import { openQueue } from "./posthaste.mjs";

/** Lets everything that is ready happen: promises, and tasks a long burst of work has put off. */
export async function quiet() {
  for (let turn = 0; turn < 8; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Time that moves only by `advance`. */
export class VirtualClock {
  time = 1_000_000;
  #timers = new Map();
  #last = 0;
  now = () => this.time;
  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#last, { at: this.time + Math.max(0, ms), callback });
    return this.#last;
  };
  clearTimeout = (handle) => void this.#timers.delete(handle);

  get timers() {
    return this.#timers.size;
  }

  /** Moves on by so many seconds; everything due on the way happens at its time. */
  async advance(seconds) {
    const end = this.time + seconds * 1000;
    await quiet();
    for (;;) {
      const [next] = [...this.#timers].sort(([a, x], [b, y]) => x.at - y.at || a - b);
      if (!next || next[1].at > end) break;
      this.#timers.delete(next[0]);
      this.time = Math.max(this.time, next[1].at);
      next[1].callback();
      await quiet();
    }
    this.time = end;
    await quiet();
  }
}

let opened = 0;
const open = new Set();
after(async () => {
  for (const queue of open) await queue.close();
});

/** A memory queue of its own, in a world of its own: nobody else has its clock. */
export async function freshQueue(options = {}) {
  const clock = options.clock ?? new VirtualClock();
  const queue = await openQueue(options.name ?? `queue ${++opened}`, { ...options, name: undefined, clock });
  open.add(queue);
  return { queue, clock };
}

/** `promise`, or a failure that says what did not come: nothing here may hang. */
export function bounded(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not come: ${what}`)), 10_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The error that comes; its name and a part of its text are checked. */
export async function fails(promise, name, part = "") {
  const error = await bounded(Promise.resolve(promise).then(() => undefined, (reason) => reason), `a ${name}`);
  assert.ok(error, `${name} was expected, nothing failed`);
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  assert.ok(error.message.includes(part), `the message does not show ${part}: ${error.message}`);
  return error;
}

/** "fulfilled", "rejected" or "pending", after all that is ready has happened. */
export async function stateOf(promise) {
  let state = "pending";
  promise.then(() => (state = "fulfilled"), () => (state = "rejected"));
  await quiet();
  return state;
}

/** The next event of that type. */
export function heard(target, type) {
  return bounded(new Promise((resolve) => target.addEventListener(type, resolve, { once: true })), `the event ${type}`);
}

export const bodies = (messages) => messages.map((message) => message.body);
export const range = (count) => Array.from({ length: count }, (_, at) => at);
