/** The IndexedDB of a simulated origin, as contexts see it and as faults reach it: the face of `store.mjs`' disk, with the Rust store on it. */

import { Random, mix } from "../world/random.mjs";
import { Origin } from "./index.mjs";

const DATABASE = "posthaste";
/** Until the browser gets to a task, and until a context hears of it. */
const WORK_MS = 0.2;
const TELL_MS = 0.1;
const NO_END = 2 ** 50;

/** Which operation of the store a transaction is a part of. */
const POINTS = { open: "open", begin: "open", read: "request", values: "request", append: "commit", snapshot: "commit" };
/** What the disk's faults are called here. */
const KINDS = { before: "fail", after: "fail after", full: "quota", silent: "forget", gone: "abort after" };

export class Databases {
  /** So often it was lost, or an old copy put in its place. */
  losses = 0;
  #faults = new Map();
  #late = new Map();
  #copy = undefined;

  constructor(world) {
    this.random = new Random(mix(world.seed, "indexeddb"));
    const schedule = (task, ms = 0) => world.scheduler.at(world.scheduler.now + WORK_MS + ms, null, task);
    const time = (context) => context?.local ?? world.scheduler.now;
    this.origin = new Origin({ schedule, time, fault: (point, { owner }) => this.#fault(point, owner), quota: NO_END });
    this.origin.late = (owner) => this.#lateness(owner);
    this.origin.crowded = () => world.crowded();
    this.world = world;
  }

  /** What a context finds among its globals. */
  of(context) {
    const { scheduler } = this.world;
    const { globals, kill } = this.origin.context({
      owner: context,
      touch: () => context.touch(),
      turn: () => scheduler.ran,
      schedule: (task) => context.task(TELL_MS, task),
    });
    context.onDeath.push(() => kill(() => this.random.chance(0.5)));
    return globals;
  }

  driverFor() {
    return undefined;
  }

  /** The next `count` operations of that kind in the context have this fault: { ms, when: "before" | "after" | "silent" | "full" | "gone" }. */
  plan(context, operation, { ms, when }, count) {
    const [table, key, fault] = when ? [this.#faults, `${context.name} ${POINTS[operation]}`, KINDS[when]] : [this.#late, context, ms];
    if (!table.has(key)) table.set(key, []);
    for (let at = 0; at < count; at += 1) table.get(key).push(fault);
  }

  #fault(point, owner) {
    const fault = this.#faults.size ? this.#faults.get(`${owner.name} ${point}`)?.shift() : undefined;
    if (fault) this.world.troubled(0);
    return fault;
  }

  #lateness(owner) {
    const ms = this.#late.get(owner)?.shift() ?? 0;
    if (ms) this.world.troubled(ms);
    return ms;
  }

  calm() {
    this.#faults.clear();
    this.#late.clear();
    this.room = Infinity;
  }

  get bytes() {
    return this.origin.usage();
  }

  get room() {
    return this.origin.quota;
  }

  /** Bytes that fit. */
  set room(bytes) {
    this.origin.quota = Math.min(bytes, NO_END);
  }

  /** Connections that living contexts have. */
  get open() {
    return [...this.origin.shelf(DATABASE).connections].filter(({ _context, _closing }) => !_context.dead && !_closing).length;
  }

  /** Whether that context has a transaction that ends only when it runs on: others wait for it. */
  heldUpBy(context) {
    return this.origin.shelf(DATABASE).live.some(({ db, _commitAsked }) => db._context.owner === context && !_commitAsked);
  }

  /** The browser closes every connection. */
  disconnect() {
    this.origin.disconnect(DATABASE);
  }

  /** Everything is gone. */
  lose() {
    this.origin.evict(DATABASE);
    this.losses += 1;
  }

  copy() {
    this.#copy = this.origin.copy(DATABASE);
  }

  /** Puts the copy in the database's place. */
  restore() {
    if (!this.#copy) return false;
    this.origin.restore(DATABASE, this.#copy);
    this.losses += 1;
    return true;
  }
}
