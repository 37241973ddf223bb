/** What test bodies use inside a page or a worker: assertions, bounded waits, a clock that only moves when told. */

const show = (value) => {
  try {
    return JSON.stringify(value,
      (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner instanceof Map || inner instanceof Set ? [...inner] : inner)) ??
      String(value);
  } catch {
    return String(value);
  }
};

export function ok(value, what) {
  if (!value) throw new Error(`not so: ${what}`);
}

/** Deep equality over everything a structured clone keeps, cycles included; Blobs are for the test to read. */
export function same(actual, expected, what = "value") {
  const difference = differ(actual, expected, "", new Map());
  if (difference !== undefined) throw new Error(`${what}${difference}: got ${show(actual)}, expected ${show(expected)}`);
}

function differ(a, b, path, seen) {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return path || " differs";
  if (seen.has(a)) return seen.get(a) === b ? undefined : `${path} (cycle)`;
  seen.set(a, b);
  const kind = Object.prototype.toString.call(a);
  if (kind !== Object.prototype.toString.call(b)) return `${path} is ${kind}`;
  if (a instanceof Date || a instanceof Boolean || a instanceof Number || a instanceof String)
    return Object.is(a.valueOf(), b.valueOf())
      ? undefined
      : path || " differs";
  if (a instanceof RegExp) return String(a) === String(b) && a.lastIndex === b.lastIndex ? undefined : path || " differs";
  if (a instanceof Error)
    return a.name === b.name && a.message === b.message
      ? differ(a.cause, b.cause, `${path}.cause`, seen)
      : path || " differs";
  if (a instanceof ArrayBuffer) return differ([...new Uint8Array(a)], [...new Uint8Array(b)], `${path}.bytes`, seen);
  if (a instanceof Set || a instanceof Map) return differ([...a], [...b], `${path}.entries`, seen);
  if (a instanceof DataView)
    return differ([...new Uint8Array(a.buffer, a.byteOffset, a.byteLength)], [...new Uint8Array(b.buffer, b.byteOffset, b.byteLength)],
      path, seen);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return `${path} has other keys`;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return `${path}.${key} is too much`;
    const found = differ(a[key], b[key], `${path}.${key}`, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The error that `promise` (or a function that throws or rejects) fails with; checks its name and a part of its text. */
export async function fails(promise, name, part = "") {
  let value;
  try {
    value = await bounded(typeof promise === "function" ? promise() : promise, `${name} comes`);
  } catch (error) {
    if (error.name !== name) throw new Error(`expected ${name}, got ${error.name}: ${error.message}\n${error.stack}`);
    if (!error.message.includes(part)) throw new Error(`${name} does not show ${show(part)}: ${error.message}`);
    return error;
  }
  throw new Error(`expected ${name}, but it went through with ${show(value)}`);
}

/** `promise`, or a failure that says what was waited for: nothing in a test hangs. */
export async function bounded(promise, what, seconds = 20) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${seconds} s for: ${what}`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds; for state that has no event. */
export async function until(condition, what, seconds = 20) {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited ${seconds} s for: ${what}`);
    await turn();
  }
}

/** One round of the event loop: whatever is ready to run runs first. */
export const turn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });

export const event = (target, type, seconds) =>
  bounded(new Promise((resolve) => target.addEventListener(type, resolve, { once: true })), `event ${type}`, seconds);

/** A `clock` for a queue: stands still until `advance`; timers that are due then run. */
export class VirtualClock {
  #now;
  #timers = new Map();
  #last = 0;
  /** @param start ms since 1970; the same in two contexts lets them agree without a clock on the wall. */
  constructor(start = 1_800_000_000_000) {
    this.#now = start;
  }
  now() {
    return this.#now;
  }
  setTimeout(callback, ms) {
    const id = ++this.#last;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), callback });
    if (ms <= 0) this.#soon();
    return id;
  }
  clearTimeout(id) {
    this.#timers.delete(id);
  }
  /** Moves the time and runs what is due, oldest first, each in a task of its own as real timers do. */
  async advance(seconds) {
    this.#now += seconds * 1000;
    await this.#fire();
  }
  #soon() {
    void turn().then(() => this.#fire());
  }
  async #fire() {
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= this.#now).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) return;
      this.#timers.delete(due[0]);
      due[1].callback();
      await turn();
    }
  }
}

/** Counts what is asked of IndexedDB in this context from now on: transactions by mode, and requests by method. */
export function countIndexedDb() {
  const counts = { readonly: 0, readwrite: 0, requests: {}, read: [] };
  const transaction = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function(...options) {
    counts[options[1] ?? "readonly"] += 1;
    return transaction.apply(this, options);
  };
  for (
    const method of ["put", "add", "get", "getAll", "getAllKeys", "getAllRecords", "getKey", "openCursor", "openKeyCursor", "delete",
      "clear", "count"]
  ) {
    const own = IDBObjectStore.prototype[method];
    if (!own) continue;
    IDBObjectStore.prototype[method] = function(...options) {
      counts.requests[method] = (counts.requests[method] ?? 0) + 1;
      const request = own.apply(this, options);
      if (method.startsWith("get")) request.addEventListener("success", () => counts.read.push(request.result));
      return request;
    };
  }
  return counts;
}
