/**
 * The peer loop: one a store and context. It collects what queues ask for, makes one step at a time of it, and gives
 * back what took effect. While a step is under way everything new waits for the next: that is the group commit.
 */

import { Alarm } from "./alarm";
import { Desk } from "./desk";
import { StorageLostError, closedError, platformError, publicError } from "./errors";
import * as effect from "./effects";
import type { Asker, Handle, Onlooker } from "./effects";
import { Peer } from "./engine";
import { Loader } from "./loader";
import type { Outgoing } from "./send";
import type { Append, Store, Tail } from "./store";
import { canGoOn, clean, isFinal } from "./upkeep";
import { turn } from "./turn";
import type { Clock } from "./types";

/** After so many steps that met no one, the next are blind again. */
const CALM_STEPS = 8;
const POLL_MS = 2_000;
const POLL_IDLE_MS = 10_000;
const RECOVERIES_MAX = 3;
/** A store that is silent for so long is opened again: browsers have been seen to forget a transaction. */
const PATIENCE_MS = 30_000;
const SILENT = `the storage did not answer for ${PATIENCE_MS / 1000} s`;
/** A memory journal lets the event loop turn after so long: timers and input must have their time. */
const SLICE_MS = 8;

const random = (): number => Math.floor(Math.random() * 2 ** 52) + 1;

export class Journal {
  peer: Peer;
  store: Store;
  readonly loader: Loader;
  /** Steps ask the store to flush to the disk. */
  strict = false;
  closed: unknown;
  /** The queues opened here, by name. */
  readonly handles = new Map<string, Handle>();
  private readonly desk = new Desk();
  private running = false;
  /** Something came since the step began. */
  private wanted = false;
  private readonly quiet: (() => void)[] = [];
  /** Steps left that read the tail first. */
  private wary = 0;
  private stale = false;
  private birth = 0;
  private readonly alarm: Alarm;
  private pollMs = POLL_MS;
  private failures = 0;
  /** Steps that did not fit into a full storage. */
  private tries = 0;
  private looking: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Set while the store is opened again and the replica rebuilt: what is asked meanwhile waits for it. */
  private recovering: Promise<void> | undefined;
  /** Recoveries so far. What a step awaits may come back in another life. */
  private life = 0;

  constructor(store: Store, readonly clock: Clock, private readonly reopen: (() => Promise<Store>) | undefined) {
    this.store = store;
    this.alarm = new Alarm(clock);
    this.peer = this.newPeer();
    this.loader = new Loader(() => this.store);
    this.watch();
  }

  private newPeer(): Peer {
    return new Peer(random(), random(), this.store.kind === "memory");
  }

  private watch(): void {
    const { store } = this;
    store.watch(
      () => {
        // Nobody here waits: the next step will notice.
        if (this.peer.waiting() || this.watched) this.look();
      },
      (error) => {
        if (this.store === store) void this.recover(error);
      },
    );
  }

  private get watched(): boolean {
    for (const handle of this.handles.values()) for (const onlooker of handle.onlookers) if (onlooker.listening) return true;
    return false;
  }

  get durable(): boolean {
    return this.store.kind !== "memory";
  }

  /** Registers who asks, runs the command with its token, and sees that a step follows. */
  ask(asker: Asker, command: (peer: Peer, token: number) => void): number {
    if (this.closed) {
      asker.fail(this.closed);
      return -1;
    }
    const token = this.desk.register(asker);
    command(this.peer, token);
    this.kick();
    return token;
  }

  /** As `ask`, for a command that ends with one number. */
  request(command: (peer: Peer, token: number) => void): Promise<number> {
    return new Promise((resolve, reject) => this.ask({ done: resolve, fail: reject }, command));
  }

  /** A send whose messages go with the next step; more may be added to it until then. */
  depart(outgoing: Outgoing): void {
    if (this.closed) return outgoing.fail(this.closed);
    this.desk.collect(outgoing);
    this.kick();
  }

  /** Ends a receive that waits; it is answered with what it has. */
  stopWaiting(token: number): void {
    if (this.closed) return;
    this.peer.unreceive(token);
    this.kick();
  }

  /** Takes back a send that no step has taken up; false: too late. */
  recall(outgoing: Outgoing): boolean {
    return this.desk.recall(outgoing, this.peer);
  }

  /** Fails the sends of that owner (or to that queue) which no step has taken up. */
  fail(owner: unknown, error: unknown): void {
    this.desk.failSends(owner, error, this.peer);
  }

  /** Resolves when everything asked so far is committed; what waits for room or for messages is not waited for. */
  flushed(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.closed) throw this.closed;
      signal?.addEventListener("abort", () => reject(signal.reason));
      this.quiet.push(resolve);
      this.kick();
    });
  }

  /** Resolves when the replica is as new as the store was at the call. */
  fresh(): Promise<void> {
    if (!this.durable) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(this.closed);
      this.looking.push({ resolve, reject });
      this.look();
    });
  }

  private look(): void {
    this.stale = true;
    this.kick();
  }

  kick(): void {
    this.wanted = true;
    if (this.running || this.recovering || this.closed) return;
    this.running = true;
    queueMicrotask(() => void this.run());
  }

  private async run(): Promise<void> {
    const { life } = this;
    try {
      let since = performance.now();
      do {
        this.wanted = false;
        if (!this.durable && performance.now() - since > SLICE_MS) {
          await turn();
          since = performance.now();
        }
      } while (((await this.step()) || this.wanted) && life === this.life);
    } catch (error) {
      if (life === this.life) await this.stumble(error);
    }
    if (life !== this.life) return;
    this.running = false;
    this.rest();
  }

  /** Nothing is left to do for now. */
  private rest(): void {
    for (const resolve of this.quiet.splice(0)) resolve();
    if (this.closed) return;
    if (this.wanted) this.kick();
    else this.setTimer();
  }

  /** One step; false when there is nothing to do. */
  private async step(): Promise<boolean> {
    if (this.closed) return false;
    const { life } = this;
    if (this.stale) await this.catchUp();
    if (life !== this.life) return true;
    const { peer } = this;
    this.desk.load(peer);
    let step: Append | undefined;
    let from = 0;
    if (this.wary > 0) {
      from = peer.base + 1;
    } else {
      if (!this.decide()) return this.stale;
      step = this.desk.step(peer);
    }
    const number = await this.append(from, (tail) => {
      if (from === 0 || life !== this.life) return step;
      this.meet(tail);
      this.desk.load(peer);
      step = this.decide() ? this.desk.step(peer) : undefined;
      return step;
    });
    // The recovery has found out what became of this step.
    if (life !== this.life) return true;
    if (number === 0) return this.stale;
    await this.land(number);
    if (life !== this.life) return true;
    this.failures = 0;
    if (this.durable) this.store.hint();
    this.tell();
    if (peer.wantsSnapshot()) await clean(peer, this.store, () => this.peer);
    return true;
  }

  private async append(from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    let step: Append | undefined;
    const { life } = this;
    const watchdog = this.durable ? setTimeout(() => void this.recover(platformError("TimeoutError", SILENT)), PATIENCE_MS) : undefined;
    try {
      return await this.store.append(from, (tail) => (step = decide(tail)), this.strict);
    } catch (error) {
      const name = (error as Error)?.name;
      if (life !== this.life) return 0;
      if (step && name === "DataCloneError") await this.withdraw(step);
      else if (step && name === "QuotaExceededError") await this.overQuota(step, error);
      else throw error;
      // What is left of the step is decided again.
      this.wanted = true;
      return 0;
    } finally {
      clearTimeout(watchdog);
    }
  }

  private decide(): boolean {
    const decided = this.peer.decide(this.clock.now());
    this.tell();
    return decided;
  }

  /** The step was committed under `number`: applies what came before it, it, and what came after. */
  private async land(number: number): Promise<void> {
    if (number === this.peer.base + 1) {
      this.wary = Math.max(0, this.wary - 1);
      this.peer.committed(number);
      return;
    }
    this.wary = CALM_STEPS;
    const { life } = this;
    const tail = await this.store.read(this.peer.base + 1);
    if (life === this.life) this.meet(tail, number);
  }

  /** Applies what others wrote, and the own record in its place. */
  private meet(tail: Tail | undefined, own = 0): void {
    if (!tail) return;
    this.checkBirth(tail);
    if (tail.numbers.length && !own) this.wary = CALM_STEPS;
    if (tail.snapshot) {
      this.peer.load(tail.snapshot.number, tail.snapshot.bytes);
      this.loader.clear();
      if (own && own <= tail.snapshot.number) this.peer.committed(own);
    }
    tail.numbers.forEach((number, at) => {
      if (number === own) this.peer.committed(number);
      else this.peer.apply(number, tail.records[at]);
    });
  }

  private checkBirth(tail: Tail): void {
    if (this.birth && tail.birth !== this.birth) throw new StorageLostError("the storage was deleted and made anew");
    this.birth = tail.birth;
  }

  private async catchUp(): Promise<void> {
    const { looking, life } = this;
    this.stale = false;
    this.looking = [];
    let done = false;
    try {
      const tail = await this.store.read(this.peer.base + 1);
      if (life !== this.life) return;
      this.meet(tail);
      done = true;
    } finally {
      // Who looks waits on, for the recovery or the end.
      if (!done) this.looking.push(...looking);
    }
    this.tell();
    for (const { resolve } of looking) resolve();
  }

  /** Tells askers and onlookers what took effect. */
  tell(): void {
    const rows = this.peer.effects();
    if (!rows.length) return;
    const texts = this.peer.texts();
    for (let at = 0; at < rows.length; at += effect.WIDTH) this.tellRow(rows, at, texts);
  }

  private tellRow(rows: Float64Array, at: number, texts: string[]): void {
    if (rows[at] >= effect.DEAD) this.tellOnlookers(rows, at, texts);
    else this.desk.tell(rows, at);
  }

  private tellOnlookers(rows: Float64Array, at: number, texts: string[]): void {
    const [kind, a, b, c, d, e] = rows.subarray(at, at + 6);
    if (kind === effect.GONE) return this.store.forget?.(a, b, c);
    if (kind === effect.LEASE_LOST) return this.loader.leaseLost(a, b, c, d);
    for (const onlooker of this.onlookersOf(a)) {
      if (kind === effect.DEAD) onlooker.dead(b, c, d, texts[e]);
      else if (kind === effect.DROPPED) onlooker.dropped(b, c, d, e);
      else if (kind === effect.DEPTH) onlooker.depth(b);
      else onlooker.gone();
    }
  }

  private onlookersOf(queue: number): Onlooker[] {
    for (const handle of this.handles.values()) if (handle.id === queue) return [...handle.onlookers];
    return [];
  }

  private everyOnlooker(tell: (onlooker: Onlooker) => void): void {
    for (const handle of this.handles.values()) for (const onlooker of [...handle.onlookers]) tell(onlooker);
  }

  private setTimer(): void {
    const now = this.clock.now();
    const waiting = this.peer.waiting();
    const polls = this.durable && (waiting || this.watched);
    const at = Math.min(this.peer.deadline(now), polls ? now + this.pollMs : Infinity);
    // Only someone who waits keeps a program from ending.
    this.alarm.set(at, waiting, () => {
      if (polls) {
        this.stale = true;
        this.pollMs = this.peer.waiting() ? POLL_MS : POLL_IDLE_MS;
      }
      this.kick();
    });
  }

  /** Bodies that can be cloned but not stored fail by themselves; the other messages go on. */
  private async withdraw(step: Append): Promise<void> {
    const { life } = this;
    const refused = await this.store.refused(step.bodies);
    if (life !== this.life) return;
    this.desk.reconsider(this.peer, (outgoing, from, count) => {
      const places = refused.filter((place) => place >= from && place < from + count).map((place) => place - from);
      // The store refused the step, and none of its bodies by itself: it can't be known which it was.
      if (places.length || !refused.length) outgoing.without(places.length ? places : [...Array(outgoing.left).keys()]);
    });
  }

  /** The storage is full: sends fail, what makes room goes on, at last with the room kept for it. */
  private async overQuota(step: Append, error: unknown): Promise<void> {
    const { peer } = this;
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    this.desk.reconsider(peer, (outgoing) => outgoing.fail(error));
    if (step.bodies.length || (await this.store.release())) return;
    this.tries += 1;
    if (this.tries % RECOVERIES_MAX === 0) throw error;
    await clean(peer, this.store, () => this.peer);
  }

  /** A step failed. The connection may be gone, or the engine; both can be made anew from the journal. */
  private async stumble(error: unknown): Promise<void> {
    if (this.closed) return;
    // A full storage is no reason to end: who reads and acks makes room.
    if ((error as Error)?.name !== "QuotaExceededError") this.failures += 1;
    if (!this.durable || this.failures > RECOVERIES_MAX || isFinal(error)) return this.end(publicError(error));
    await this.recover(error);
  }

  /** Opens the store again. What is asked meanwhile waits. */
  private recover(error: unknown): Promise<void> {
    if (this.closed) return Promise.resolve();
    if (this.recovering) return this.recovering;
    // Whatever is awaited in the old life may never come back.
    this.life += 1;
    this.running = false;
    this.recovering = this.restore(error).then(
      () => {
        this.recovering = undefined;
        this.look();
      },
      (second) => {
        this.recovering = undefined;
        this.end(publicError(second));
      },
    );
    return this.recovering;
  }

  private async restore(error: unknown): Promise<void> {
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    if (!this.reopen) throw error;
    const store = await this.reopen();
    this.store.close();
    this.store = store;
    this.watch();
    this.wary = CALM_STEPS;
    const tail = await store.read(this.peer.base + 1);
    const gone = this.birth !== 0 && tail.birth !== this.birth;
    if (gone || !canGoOn(error)) await this.rebuild(error, gone ? tail.birth : this.birth);
    else this.resume(tail);
    this.everyOnlooker((onlooker) => onlooker.storage(gone ? "lost" : "ok", gone ? error : undefined));
  }

  /** Goes on with the same replica. Whether the step under way was committed is in the journal. */
  private resume(tail: Tail): void {
    const at = tail.records.findIndex((record) => this.peer.isOwn(record));
    if (at < 0 && !tail.snapshot) this.peer.abandoned();
    this.meet(tail, at < 0 ? 0 : tail.numbers[at]);
    // A snapshot may contain it, and does not say.
    if (at < 0 && tail.snapshot) this.peer.committed(0);
    this.tell();
  }

  /** A new replica. What was asked of the old one is not asked again: who asked is told, and whether it may have happened. */
  private async rebuild(error: unknown, birth: number): Promise<void> {
    const old = this.peer;
    const lost = (outcomeUnknown: boolean): Error =>
      (error as Error)?.name === "QuotaExceededError" ? (error as Error)
        : new StorageLostError("the storage was lost while this was under way", outcomeUnknown, { cause: error });
    this.loader.clear();
    this.peer = this.newPeer();
    this.birth = birth;
    let read!: () => void;
    const whenRead = new Promise<void>((resolve) => (read = resolve));
    for (const handle of this.handles.values()) {
      handle.id = -1;
      handle.ready = whenRead.then(() => this.renew(handle));
    }
    this.desk.failAsked(old, lost(false), lost(true));
    try {
      this.meet(await this.store.read(1));
      this.peer.effects();
    } finally {
      read();
    }
  }

  /** Finds a queue in a new replica, and makes it again where it was lost with its storage. */
  private async renew(handle: Handle): Promise<void> {
    try {
      let id = this.closed ? -1 : this.peer.queue(handle.name);
      if (id < 0) id = await this.request((peer, token) => peer.create(token, handle.name, handle.policy, handle.deadLetterQueue));
      handle.id = id;
      handle.ready = undefined;
      this.kick();
    } catch {
      // The journal has ended, or is made anew once more; everyone was told.
    }
  }

  private end(error: unknown): void {
    this.closed = error ?? closedError("");
    this.alarm.clear();
    this.everyOnlooker((onlooker) => onlooker.error(this.closed));
    this.desk.failAll(this.closed);
    for (const { reject } of this.looking) reject(this.closed);
    this.looking = [];
    for (const resolve of this.quiet.splice(0)) resolve();
    this.store.close();
  }

  /** Gives back what is leased ahead, writes what is pending, closes. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.peer.releaseIdle();
    await this.flushed().catch(() => undefined);
    this.end(closedError(""));
  }
}
