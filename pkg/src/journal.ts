/**
 * The peer loop: one a store and context. It collects what queues ask for, makes one step at a time of it, and gives
 * back what took effect. While a step is under way everything new waits for the next: that is the group commit.
 */

import { Alarm } from "./alarm";
import { StorageLostError, closedError, publicError } from "./errors";
import * as effect from "./effects";
import type { Asker, Handle, Onlooker } from "./effects";
import { Peer } from "./engine";
import { Loader } from "./loader";
import type { Outgoing } from "./send";
import type { Append, HeadersByIndex, Store, Tail } from "./store";
import { clean, isFinal } from "./upkeep";
import { turn } from "./turn";
import type { Clock } from "./types";

/** After so many steps that met no one, the next are blind again. */
const CALM_STEPS = 8;
const POLL_MS = 2_000;
const POLL_IDLE_MS = 10_000;
const RECOVERIES_MAX = 3;
/** A memory journal lets the event loop turn after so long: timers and input must have their time. */
const SLICE_MS = 8;

const random = (): number => Math.floor(Math.random() * 2 ** 52) + 1;

export class Journal {
  peer: Peer;
  readonly loader: Loader;
  /** Steps ask the store to flush to the disk. */
  strict = false;
  closed: unknown;
  private readonly askers = new Map<number, Asker>();
  /** The queues opened here, by name. */
  readonly handles = new Map<string, Handle>();
  private outgoing: Outgoing[] = [];
  private token = 0;
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
  private looking: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(readonly store: Store, readonly clock: Clock, private readonly reopen: (() => Promise<Store>) | undefined) {
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
        if (this.store === store) void this.recover(error, false);
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
    const token = this.register(asker);
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
    this.outgoing.push(outgoing);
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
    const at = this.outgoing.indexOf(outgoing);
    if (at >= 0) {
      this.outgoing.splice(at, 1);
      return true;
    }
    for (const [token, asker] of this.askers) {
      if (asker === outgoing) return this.peer.unsend(token) && this.askers.delete(token);
    }
    return false;
  }

  /** Fails the sends of that owner (or to that queue) which no step has taken up. */
  fail(owner: unknown, error: unknown): void {
    const pending = [...this.outgoing, ...this.askers.values()] as Outgoing[];
    for (const outgoing of pending) {
      if ((outgoing.owner === owner || outgoing.handle === owner) && outgoing.left && this.recall(outgoing)) outgoing.fail(error);
    }
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

  private register(asker: Asker): number {
    do this.token = (this.token + 1) >>> 0;
    while (this.askers.has(this.token));
    this.askers.set(this.token, asker);
    return this.token;
  }

  forget(token: number): void {
    this.askers.delete(token);
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
    if (this.running || this.closed) return;
    this.running = true;
    queueMicrotask(() => void this.run());
  }

  private async run(): Promise<void> {
    try {
      let since = performance.now();
      do {
        this.wanted = false;
        if (!this.durable && performance.now() - since > SLICE_MS) {
          await turn();
          since = performance.now();
        }
      } while ((await this.step()) || this.wanted);
    } catch (error) {
      await this.stumble(error);
    } finally {
      this.running = false;
      for (const resolve of this.quiet.splice(0)) resolve();
      if (!this.closed) this.setTimer();
    }
  }

  /** One step; false when there is nothing to do. */
  private async step(): Promise<boolean> {
    if (this.closed) return false;
    if (this.stale) await this.catchUp();
    this.load();
    let step: Append | undefined;
    let from = 0;
    if (this.wary > 0) {
      from = this.peer.base + 1;
    } else {
      if (!this.decide()) return this.stale;
      step = this.take();
    }
    const number = await this.append(from, (tail) => {
      if (from === 0) return step;
      this.meet(tail);
      this.load();
      step = this.decide() ? this.take() : undefined;
      return step;
    });
    if (number === 0) return this.stale;
    await this.land(number);
    this.failures = 0;
    if (this.durable) this.store.hint();
    this.tell();
    if (this.peer.wantsSnapshot()) await clean(this.peer, this.store, () => this.peer);
    return true;
  }

  private async append(from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    let step: Append | undefined;
    try {
      return await this.store.append(from, (tail) => (step = decide(tail)), this.strict);
    } catch (error) {
      const name = (error as Error)?.name;
      if (step && name === "DataCloneError") await this.withdraw(step);
      else if (step && name === "QuotaExceededError") await this.overQuota(error);
      else throw error;
      return 0;
    }
  }

  private decide(): boolean {
    const decided = this.peer.decide(this.clock.now());
    this.tell();
    return decided;
  }

  /** Gives the sends that collected to the engine. */
  private load(): void {
    const { outgoing } = this;
    if (!outgoing.length) return;
    this.outgoing = [];
    for (const send of outgoing) {
      if (send.handle.id < 0) {
        this.outgoing.push(send);
        continue;
      }
      send.departed = true;
      const { delayMs, expiresMs, key } = send.terms;
      if (send.left) this.peer.send(this.register(send), send.handle.id, send.left, send.bytes, delayMs, expiresMs, ...send.whole(), key);
    }
  }

  /** The decided record, with its bodies. */
  private take(): Append {
    const bodies: unknown[] = [];
    const headers: HeadersByIndex = {};
    let some = false;
    const sends = this.peer.sends();
    for (let at = 0; at < sends.length; at += 2) {
      const outgoing = this.askers.get(sends[at]) as Outgoing | undefined;
      some = outgoing!.load(sends[at + 1], bodies, headers) || some;
    }
    return { record: this.peer.record(), bodies, headers: some ? headers : undefined, chunk: this.peer.chunk() };
  }

  /** The step was committed under `number`: applies what came before it, it, and what came after. */
  private async land(number: number): Promise<void> {
    if (number === this.peer.base + 1) {
      this.wary = Math.max(0, this.wary - 1);
      this.peer.committed(number);
      return;
    }
    this.wary = CALM_STEPS;
    const tail = await this.store.read(this.peer.base + 1);
    this.meet(tail, number);
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
    this.stale = false;
    const { looking } = this;
    this.looking = [];
    try {
      this.meet(await this.store.read(this.peer.base + 1));
    } catch (error) {
      this.looking.push(...looking);
      throw error;
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
    if (rows[at] >= effect.DEAD) return this.tellOnlookers(rows, at, texts);
    const token = rows[at + 1];
    const asker = this.askers.get(token);
    if (effect.isLast(rows[at])) this.askers.delete(token);
    if (asker) effect.tellAsker(asker, rows, at);
    if (rows[at] <= effect.DUPLICATE && (asker as Outgoing | undefined)?.left === 0) this.askers.delete(token);
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
    const refused = await this.store.refused(step.bodies);
    const sends = Array.from(this.peer.sends());
    this.peer.abandoned();
    let from = 0;
    for (let at = 0; at < sends.length; at += 2) {
      const [token, count] = [sends[at], sends[at + 1]];
      const places = refused.filter((place) => place >= from && place < from + count).map((place) => place - from);
      from += count;
      const outgoing = this.askers.get(token) as Outgoing | undefined;
      if (!places.length && refused.length) continue;
      if (!outgoing || !this.peer.unsend(token)) continue;
      this.askers.delete(token);
      outgoing.without(places.length ? places : [...Array(outgoing.left).keys()]);
      if (outgoing.left) this.outgoing.push(outgoing);
    }
  }

  /** The storage is full: sends fail, what makes room goes on. */
  private async overQuota(error: unknown): Promise<void> {
    const sends = Array.from(this.peer.sends());
    this.peer.abandoned();
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    for (let at = 0; at < sends.length; at += 2) {
      const outgoing = this.askers.get(sends[at]);
      if (!this.peer.unsend(sends[at])) continue;
      this.askers.delete(sends[at]);
      outgoing?.fail(error);
    }
    if (sends.length) return;
    // Even a small record did not fit: what is drained is deleted first, then once more.
    this.failures += 1;
    if (this.failures > RECOVERIES_MAX) throw error;
    await clean(this.peer, this.store, () => this.peer);
  }

  /** A step failed. The connection may be gone, or the engine; both can be made anew from the journal. */
  private async stumble(error: unknown): Promise<void> {
    this.failures += 1;
    if (this.closed) return;
    if (!this.durable || this.failures > RECOVERIES_MAX || isFinal(error)) return this.end(publicError(error));
    await this.recover(error, (error as { outcomeUnknown?: boolean })?.outcomeUnknown === true);
  }

  /** Opens the store again and rebuilds the replica. */
  private async recover(error: unknown, unknown: boolean): Promise<void> {
    if (this.closed) return;
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    try {
      if (!this.reopen) throw error;
      const store = await this.reopen();
      (this as { store: Store }).store.close();
      (this as { store: Store }).store = store;
      this.watch();
      const tail = await store.read(1);
      const lost = this.birth !== 0 && tail.birth !== this.birth;
      this.birth = 0;
      await this.rebuild(tail, lost || unknown, error);
      this.everyOnlooker((onlooker) => onlooker.storage(lost ? "lost" : "ok", lost ? error : undefined));
      this.look();
    } catch (second) {
      this.end(publicError(second));
    }
  }

  /** A new replica. What was asked of the old one is not asked again: it fails, and says whether it may have happened. */
  private async rebuild(tail: Tail, unknown: boolean, cause: unknown): Promise<void> {
    const askers = [...this.askers.values()];
    this.askers.clear();
    this.loader.clear();
    this.wary = CALM_STEPS;
    this.peer = this.newPeer();
    this.meet(tail);
    this.peer.effects();
    const error = new StorageLostError("the connection to the storage was lost while this was under way", unknown, { cause });
    for (const asker of askers) asker.fail(error);
    for (const handle of this.handles.values()) {
      handle.id = this.peer.queue(handle.name);
      if (handle.id < 0) handle.ready = this.renew(handle);
    }
  }

  /** Makes a queue again that was lost with its storage. */
  async renew(handle: Handle): Promise<void> {
    try {
      handle.id = await this.request((peer, token) => peer.create(token, handle.name, handle.policy, handle.deadLetterQueue));
      handle.ready = undefined;
      this.kick();
    } catch {
      // The journal has ended; everyone was told.
    }
  }

  private end(error: unknown): void {
    this.closed = error ?? closedError("");
    this.alarm.clear();
    this.everyOnlooker((onlooker) => onlooker.error(this.closed));
    for (const outgoing of this.outgoing) outgoing.fail(this.closed);
    for (const asker of this.askers.values()) asker.fail(this.closed);
    for (const { reject } of this.looking) reject(this.closed);
    this.askers.clear();
    this.outgoing = [];
    this.looking = [];
    this.store.close();
    this.onEnd?.();
  }

  /** Told when the journal can't go on. */
  onEnd: (() => void) | undefined;

  /** Gives back what is leased ahead, writes what is pending, closes. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.peer.releaseIdle();
    await this.flushed().catch(() => undefined);
    this.end(closedError(""));
  }
}
