/**
 * A page or a worker: what it has for globals, its clocks, and its death. Whatever it does to the outside goes through here, so
 * that it can be cut off at any point: once it is dead, nothing that it still runs has an effect.
 */

import { Random, mix } from "./random.mjs";

/** What each context has of its own: these names the package's text finds in place of the platform's. */
export const GLOBALS = [
  "globalThis",
  "self",
  "window",
  "document",
  "navigator",
  "console",
  "performance",
  "Date",
  "Math",
  "crypto",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "clearImmediate",
  "scheduler",
  "fetch",
  "atob",
  "Blob",
  "DecompressionStream",
  "Response",
  "WebAssembly",
  "FinalizationRegistry",
  "SharedArrayBuffer",
  "BroadcastChannel",
  "MessageChannel",
  "MessagePort",
  "Worker",
  "indexedDB",
  "IDBDatabase",
  "IDBFactory",
  "IDBKeyRange",
  "IDBObjectStore",
  "IDBOpenDBRequest",
  "IDBRequest",
  "IDBTransaction",
  "IDBVersionChangeEvent",
  "addEventListener",
  "removeEventListener",
  "dispatchEvent",
];

/** Time passes while code runs: so much with each look at the platform. */
const LOOK_MS = 0.001;
/** More looks in one task are a loop that never ends. */
const LOOKS_A_TASK_MAX = 2_000_000;
const TIMEOUT_MAX = 2 ** 31 - 1;
/** A hidden page's timers run once in so long. */
const HIDDEN_TIMER_MS = 60_000;
/** When the world begins, by the wall clock. */
const EPOCH = Date.UTC(2026, 0, 1);

export class Context {
  dead = false;
  frozen = false;
  hidden = false;
  /** Its timers were held back at some time. */
  slow = false;
  /** When its port was last cut. */
  cutAt = -Infinity;
  /** Tasks that wait for it to thaw. */
  parked = [];
  /** Its own time is ahead of the world's by the code that it has run. */
  busyUntil = 0;
  /** Tasks wait until then, because it was busy. */
  queuedUntil = 0;
  /** When something was last done to it that may make it late. */
  disturbedAt = -Infinity;
  /** When it was blocked or frozen. */
  stops = [];
  /** When something was done to it that may make it late. */
  disturbances = [];
  /** So often it has looked at the platform, or done something to it. */
  looks = 0;
  /** What its own time had not come to by then, it has never done. */
  diedAt = Infinity;
  /** It dies at this look. */
  diesAt = Infinity;
  /** Called once, when it dies. */
  onDeath = [];
  #spun = 0;
  #spinTask = -1;
  #wall;

  constructor(world, name, kind = "worker") {
    this.world = world;
    this.name = name;
    this.kind = kind;
    this.#wall = { at: world.scheduler.now, time: EPOCH + world.scheduler.now + world.clockOff, rate: 1 };
    this.random = new Random(mix(world.seed, name));
    this.globals = this.#makeGlobals();
  }

  /** The world's time, as far as this context has come. */
  get local() {
    const { now } = this.world.scheduler;
    return this.busyUntil > now ? this.busyUntil : now;
  }

  /** Whether it is dead. Each effect and each look asks here, and may be the last. */
  touch() {
    if (this.dead) return true;
    this.looks += 1;
    if (this.looks >= this.diesAt) {
      this.die(this.local);
      return true;
    }
    const { scheduler } = this.world;
    this.busyUntil = (this.busyUntil > scheduler.now ? this.busyUntil : scheduler.now) + LOOK_MS;
    if (scheduler.ran !== this.#spinTask) {
      this.#spinTask = scheduler.ran;
      this.#spun = 0;
    }
    this.#spun += 1;
    if (this.#spun > LOOKS_A_TASK_MAX) {
      scheduler.spinning(`${this.name} looks at the platform ${LOOKS_A_TASK_MAX} times in one task`);
      this.die(this.local);
      return true;
    }
    return false;
  }

  get #exactly() {
    const { at, time, rate } = this.#wall;
    return time + (this.local - at) * rate;
  }

  /** What the wall clock says: whole milliseconds. */
  wall() {
    const wall = Math.floor(this.#exactly);
    if (!this.dead) this.world.showed(wall, this.local);
    return wall;
  }

  /** Sets the wall clock on by `jump` (or back), and makes it run at `rate` from now on. */
  setClock(jump, rate) {
    this.#wall = { at: this.local, time: this.#exactly + jump, rate };
  }

  /** Blocks the thread for so long. */
  block(ms) {
    this.stops.push(this.local);
    this.busyUntil = this.local + ms;
  }

  freeze() {
    this.stops.push(this.local);
    this.frozen = true;
  }

  thaw() {
    this.frozen = false;
    const { parked } = this;
    this.parked = [];
    this.world.scheduler.resume(parked);
  }

  /** `at`: at a look of its own, which may be ahead of the world's time. */
  die(at = this.world.scheduler.now) {
    if (this.dead) return;
    this.dead = true;
    this.diedAt = at;
    this.parked = [];
    for (const told of this.onDeath) told();
    this.onDeath = [];
  }

  /** A macrotask of this context, `ms` from its own now. */
  task(ms, work, a, b) {
    return this.world.scheduler.at(this.local + ms, this, work, a, b);
  }

  #timer(callback, ms, rest) {
    if (this.touch()) return new Handle(undefined);
    let wait = Math.trunc(ms);
    if (!(wait >= 1)) wait = 1;
    if (wait > TIMEOUT_MAX) wait = 1;
    if (this.hidden) wait = Math.ceil((this.local + wait) / HIDDEN_TIMER_MS) * HIDDEN_TIMER_MS - this.local;
    return new Handle(this.task(wait, rest.length ? () => callback(...rest) : callback));
  }

  #interval(callback, ms) {
    const handle = new Handle(undefined);
    const next = () => {
      handle.task = this.#timer(() => (next(), callback()), ms, []).task;
    };
    next();
    return handle;
  }

  #clear(handle) {
    if (handle?.task && !this.touch()) this.world.scheduler.cancel(handle.task);
  }

  #makeGlobals() {
    const context = this;
    const { world } = this;
    const own = Object.create(globalThis);
    const target = (this.events = new EventTarget());
    const mathematics = Object.create(Math);
    mathematics.random = () => (context.touch(), context.random.fraction());
    const clear = (handle) => context.#clear(handle);
    const immediate = (work, ...rest) => {
      const run = rest.length ? () => work(...rest) : work;
      return new Handle(context.touch() ? undefined : context.task(0, run));
    };
    const values = {
      globalThis: own,
      self: own,
      window: context.kind === "page" ? own : undefined,
      document: context.kind === "page" ? pageOf(context, target) : undefined,
      navigator: {
        hardwareConcurrency: 1,
        onLine: true,
        locks: world.locks.of(context),
        storage: { persist: async () => true, estimate: async () => ({}) },
      },
      console: { error: (...all) => world.said(context, all), warn: (...all) => world.said(context, all), log() {}, info() {}, debug() {} },
      performance: { now: () => (context.touch(), context.local), timeOrigin: EPOCH },
      Date: dateOf(context),
      Math: mathematics,
      crypto: cryptoOf(context),
      setTimeout: (work, ms, ...rest) => context.#timer(work, ms, rest),
      clearTimeout: clear,
      setInterval: (work, ms) => context.#interval(work, ms),
      clearInterval: clear,
      setImmediate: immediate,
      clearImmediate: clear,
      scheduler: undefined,
      fetch: () => Promise.reject(new TypeError("there is no network here")),
      FinalizationRegistry: NeverCollected,
      SharedArrayBuffer: undefined,
      Worker: undefined,
      crossOriginIsolated: false,
      ...world.package.inflation.globals(),
      addEventListener: target.addEventListener.bind(target),
      removeEventListener: target.removeEventListener.bind(target),
      dispatchEvent: target.dispatchEvent.bind(target),
      ...world.channels.of(context),
      ...world.databases(context),
    };
    for (const name of [...Object.keys(values), ...GLOBALS]) {
      Object.defineProperty(own, name, { value: values[name], writable: true, configurable: true, enumerable: true });
    }
    return own;
  }
}

/** A timer, as Node has it. */
class Handle {
  constructor(task) {
    this.task = task;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  hasRef() {
    return true;
  }
}

/** When something is collected is no part of what is promised. */
class NeverCollected {
  register() {}
  unregister() {}
}

function dateOf(context) {
  function ContextDate(...given) {
    if (!new.target) return new Date(context.wall()).toString();
    return given.length ? new Date(...given) : new Date((context.touch(), context.wall()));
  }
  ContextDate.prototype = Date.prototype;
  return Object.assign(ContextDate, { now: () => (context.touch(), context.wall()), parse: Date.parse, UTC: Date.UTC });
}

function cryptoOf(context) {
  const getRandomValues = (array) => {
    context.touch();
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = context.random.bits();
    return array;
  };
  const randomUUID = () => {
    const digits = Array.from(getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20)}`;
  };
  return { getRandomValues, randomUUID, subtle: globalThis.crypto.subtle };
}

function pageOf(context, target) {
  return {
    get hidden() {
      return context.hidden;
    },
    get visibilityState() {
      return context.hidden ? "hidden" : "visible";
    },
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  };
}
