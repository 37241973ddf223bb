/** Runs a script: opens contexts, does what it says, and gives the model every event. */

import { Actor } from "./actor.mjs";
import { Databases } from "./indexeddb/databases.mjs";
import { Disk } from "./store.mjs";
import { Model } from "./model.mjs";
import { OPERATIONS } from "./operations/index.mjs";
import { drainMicrotasks } from "./world/scheduler.mjs";
import { World } from "./world/world.mjs";
import { HOST, KINDS, isClient } from "./worlds.mjs";

/** What any call may be refused with, once its queue or context is at an end. */
const CLOSED = new Set(["InvalidStateError"]);
/** Of a storage that fails. */
const STORAGE = new Set([
  "StorageLostError",
  "QuotaExceededError",
  "TimeoutError",
  "Error",
  "UnknownError",
  "AbortError",
  "InvalidStateError",
  "DataError",
]);

/** Calls for which a memory stays, beside queues that are open. */
const MEMORY_USED = new Set(["close", "list", "remove"]);

/** A fault of the storage is made good in so long: it is opened again, and read. */
const TROUBLE_MS = 100;
/** Whoever was stopped has others wait for the storage no longer than this. */
const STOPPED_MS = 90_000;

/** A port is heard after so long at most, where it is not slow. */
const HEARD_MS = 2;

/** Ports that are slower may bring a lease when it is over. */
export const LATE_MS = 3;

export class Lab {
  /** Calls that have not been answered. */
  pending = new Set();
  actors = new Map();
  coverage = new Map();
  operations = 0;
  hash = 0;
  /** Called with each event, as text, when someone wants to see them. */
  trace = undefined;
  /** Faults are over: what comes now must succeed. */
  calm = false;

  constructor(script, loaded) {
    this.script = script;
    this.kind = KINDS[script.world];
    const indexedDb = this.kind.disk === "indexeddb" ? (world) => new Databases(world) : undefined;
    this.world = new World({ seed: script.seed, package: loaded, indexedDb });
    this.model = new Model(this.world);
    this.world.scheduler.spinning = (text) => this.model.fail("spins", text);
    this.disk = this.kind.disk === "store" ? new Disk(this.world) : this.world.indexedDb;
    this.world.troubled = (ms) => {
      const scope = this.model.scope("disk");
      scope.disturbedAt = Math.max(scope.disturbedAt, this.scheduler.now + ms + TROUBLE_MS);
      this.world.crowded();
    };
    // Who can't write for want of room waits a second: what it has leased may run out before it is handed out.
    this.world.crowded = () => this.model.scope("disk").queues.forEach((queue) => (queue.unseen += 1));
    this.over = () => this.model.failure !== undefined;
  }

  get scheduler() {
    return this.world.scheduler;
  }

  isClient(name) {
    return isClient(this.script.world, name);
  }

  /** Where an actor's queues are kept: each life of a memory is another. */
  #scopeOf(name, life) {
    if (this.kind.disk) return this.model.scope("disk");
    return this.isClient(name) ? (this.host?.scope ?? this.model.scope("nowhere")) : this.model.scope(life);
  }

  /** `clock`: its queues are given a clock of their own. */
  start(name, kind, clock) {
    const known = this.actors.get(name);
    if (known && !known.gone) return known;
    this.lives = (this.lives ?? 0) + 1;
    const context = this.world.open(known ? `${name}-${this.lives}` : name, kind);
    const actor = new Actor(this, name, context, this.#scopeOf(name, context.name));
    actor.storage = this.disk?.driverFor(context) ?? (this.kind.disk === "indexeddb" ? "indexeddb" : "memory");
    if (this.kind.ports) this.#join(actor);
    if (clock) actor.clock = clockOf(context);
    context.onDeath.push(() => this.died(actor));
    this.actors.set(name, actor);
    return actor;
  }

  /** The first context of a world of ports has the queues; the others have a port to it. */
  #join(actor) {
    if (actor.name === HOST) {
      this.host = actor;
      const late = this.world.portDelay > LATE_MS;
      Object.assign(actor.scope, { host: actor.context, late, skewed: late });
    } else if (this.isClient(actor.name) && this.host && !this.host.gone)
      [actor.hostPort, actor.port] = this.world.channels.pair(this.host.context, actor.context);
  }

  /** A queue that is served ends: those who use it through ports are cut off. */
  served(opened) {
    for (const actor of this.actors.values()) {
      if (actor.gone || actor.servings?.get(opened.name)?.opened !== opened) continue;
      actor.troubled = true;
      // It is handed out what lies there until it hears of that.
      actor.context.cutAt = Math.max(this.host.context.local, actor.context.local) + HEARD_MS + this.world.portDelay;
      this.disturb(actor, true);
    }
  }

  died(actor) {
    this.note("died", actor.name);
    if (actor === this.host) this.#hostDied(actor);
    for (const entry of this.pending) {
      if (entry.actor !== actor) continue;
      this.pending.delete(entry);
      entry.died?.();
    }
    for (const { model, closed, lanes = 0 } of actor.queues.values()) if (!closed) model.receivers -= lanes;
    this.disturb(actor, false);
    actor.held.length = 0;
  }

  /** What is on a disk stays there; its clients are cut off. */
  #hostDied({ context, scope }) {
    if (!this.kind.disk) return void Object.assign(scope, { troubled: true, lossAt: this.scheduler.now });
    for (const other of this.actors.values()) {
      if (other.gone || other.hostPort?.context !== context) continue;
      Object.assign(other, { troubled: true });
      other.context.cutAt = Infinity;
    }
  }

  /** Something was done to the actor, or to what all share: it may be late, and leases may run out unseen. It is stopped for `ms`. */
  disturb(actor, all, ms = 0) {
    const scope = actor.scope;
    const { now } = this.scheduler;
    actor.context.disturbedAt = Math.max(now, actor.context.busyUntil);
    actor.context.disturbances.push(now);
    this.world.disturbedAt = Math.max(this.world.disturbedAt, actor.context.disturbedAt);
    if (this.host) scope.stoppedUntil = Math.max(scope.stoppedUntil, actor.context.disturbedAt, now + ms);
    // Nobody's word is heard while who serves is kept from running, or who has begun to write.
    if (all || actor === this.host || this.disk?.heldUpBy?.(actor.context)) {
      scope.disturbedAt = Math.max(scope.disturbedAt, actor.context.disturbedAt);
    }
    for (const queue of scope.queues.values()) queue.unseen += 1;
  }

  /** A call that used the actor's memory is over. With a clock of its own, it goes with the last of them where it is empty. */
  left(actor) {
    const { clock, gone, queues, opening, scope } = actor;
    if (!clock || gone || queues.size || opening?.size) return;
    for (const { actor: other, what } of this.pending) if (other === actor && MEMORY_USED.has(what)) return;
    for (const message of this.model.messages.values()) if (message.home.scope === scope && this.model.isThere(message)) return;
    scope.mayBeginAnew(this.scheduler.now);
  }

  /** An event, for the hash and who looks on. */
  note(what, one = 0, other = 0) {
    const salt = `${what} ${one} ${other}`;
    let { hash } = this;
    for (let at = 0; at < salt.length; at += 1) hash = Math.imul(hash ^ salt.charCodeAt(at), 16777619);
    this.hash = hash >>> 0;
    this.trace?.(`${this.scheduler.now.toFixed(3)} ${salt}`);
  }

  count(what) {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }

  /** Follows a call. `done` and `failed` are called while the actor lives; `died` when it does not any more. */
  follow(actor, what, opened, promise, { done, failed, died, signal, over, allowed } = {}) {
    this.operations += 1;
    const entry = { actor, what, opened, at: this.scheduler.now, died };
    // It may have died of this very call.
    if (actor.gone) died?.();
    else this.pending.add(entry);
    const settled = () => {
      this.pending.delete(entry);
      over?.();
      return actor.gone;
    };
    promise.then((value) => {
      if (settled()) return;
      this.count(`${what} ok`);
      this.note(what, actor.name);
      done?.(value);
    }, (error) => {
      if (settled()) return;
      const name = error?.name ?? String(error);
      this.count(`${what} ${name}`);
      this.note(what, actor.name, name);
      if (!this.#expected(error, actor, opened, signal, allowed) && !this.#unserved(name, entry) && !this.#behind(error, entry)) {
        const stack = error?.stack?.split("\n").slice(1, 5).join(" ");
        this.model.fail("rejection", `${actor.name} ${what} of ${opened?.name ?? "-"}: ${name}: ${error?.message} ${stack}`);
      }
      // A journal that has ended holds nothing any more.
      if ((actor.scope.troubled || actor.troubled) && STORAGE.has(name) && !CLOSED.has(name)) actor.context.cutAt = this.scheduler.now;
      failed?.(error, name);
    });
    return entry;
  }

  /** Who serves can't answer in time while it is frozen or blocked. */
  #unserved(name, { actor, at }) {
    const { host } = this;
    if (!host || actor === host || name !== "TimeoutError" && name !== "StorageLostError") return false;
    return host.context.frozen || host.context.disturbedAt >= at || actor.context.disturbedAt >= at;
  }

  /** Who was kept from running while it sent may find that what became of it is in no record any more. */
  #behind({ name, outcomeUnknown }, { actor: { context }, at }) {
    return name === "StorageLostError" && outcomeUnknown === true && context.disturbedAt >= at;
  }

  #anyoneStopped() {
    return [...this.actors.values()].some(({ context }) => context.frozen || context.disturbedAt > this.scheduler.now - STOPPED_MS);
  }

  #expected(error, actor, opened, signal, allowed) {
    const name = error?.name;
    if (opened?.closed && CLOSED.has(name)) return true;
    if (signal && name === "AbortError") return true;
    if (allowed?.(name, error)) return true;
    const { scope } = actor;
    // A bit of the mark may make it another version's.
    if (actor.flipped && name === "VersionError") return true;
    // A context that is frozen may hold the storage up for all.
    if (name === "TimeoutError" && this.#anyoneStopped()) return true;
    if (scope.deletedAt > -Infinity && (name === "NotFoundError" || name === "InvalidStateError")) return true;
    return (scope.troubled || actor.troubled) && STORAGE.has(name) || scope.lossAt > -Infinity && STORAGE.has(name);
  }

  /** Does one operation of the script. */
  perform(op) {
    const known = OPERATIONS[op.op];
    if (!known) throw new Error(`no operation ${op.op}`);
    const actor = op.op === "start" ? undefined : this.actors.get(op.actor);
    if (!known.world && (!actor || actor.gone || actor.context.frozen && !known.fault)) return;
    if (this.trace) this.trace(`${this.scheduler.now.toFixed(3)} > ${op.actor} ${op.op} ${JSON.stringify(op)}`);
    if (known.fault) this.count(`fault ${op.op}`);
    try {
      known.run(this, actor, op);
    } catch (error) {
      const opened = actor?.queues.get(op.q);
      this.count(`${op.op} ${error?.name}`);
      if (!actor || !this.#expected(error, actor, opened)) throw error;
    }
  }

  /** Runs the whole script; answers whether nothing was wrong so far. */
  play() {
    const { scheduler, script: { ops } } = this;
    for (let at = 0; at < ops.length && !this.over(); at += 1) {
      const op = ops[at];
      if (op.gap >= 0) {
        scheduler.runUntil(scheduler.now + op.gap, this.over);
        if (this.over()) break;
      }
      this.perform(op);
      if (!(ops[at + 1]?.gap < 0)) drainMicrotasks();
    }
    return !this.over();
  }
}

/** What an application gives as a clock: the context's time, by functions of its own. */
function clockOf({ globals }) {
  const { Date: own, setTimeout: later, clearTimeout: never } = globals;
  return { now: () => own.now(), setTimeout: (work, ms) => later(work, ms), clearTimeout: (handle) => never(handle) };
}
