/** The journal of a store that others share: steps are appends, and whatever goes wrong with the store is made good or told. */

import * as border from "../engine/codes";
import { StorageLostError, lostUnderWay, platformError, publicError, unstorable } from "../contract/errors";
import type { Delivery, Handle, Part } from "../engine/effects";
import { Journal } from "./journal";
import { Living } from "./peers";
import { Loader, bare } from "./body-loader";
import { valuesOf } from "../bodies/pack";
import { soon } from "../schedule/microtask";
import type { Append, Store, Tail } from "../contract/store";
import { PATIENCE_MS, RECOVERIES_MAX, SILENT, after, canGoOn, clean, isFinal, pause, putBack } from "./upkeep";
import { holdsBlob } from "../bodies/weight";
import type { Clock } from "../contract/types";

/** After so many steps that met no one, the next are blind again. */
const CALM_STEPS = 8;
const POLL_MS = 2_000;
const POLL_IDLE_MS = 10_000;

export class StoredJournal extends Journal {
  /** Steps ask the store to flush to the disk. */
  strict = false;
  private readonly loader: Loader;
  private readonly living: Living;
  /** This peer is about to be shown to the others. */
  private appearing = false;
  /** Steps left that read the tail first. */
  private wary = 0;
  private stale = false;
  /** Nothing was heard for long: that the storage has what was read of it is looked at, too. */
  private doubtful = false;
  private birth = 0;
  /** The newest record that was read or written, unless a snapshot stands for it. */
  private last: Uint8Array | undefined;
  /** So often what had been given out before went to others: the storage was made anew or put back. */
  private losses = 0;
  private pollMs = POLL_MS;
  private failures = 0;
  /** Steps that did not fit into a full storage. */
  private tries = 0;
  /** A send was refused because there was no room, and none has gone in since. */
  private refusing = false;
  private readonly looking: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  /** Set while the store is opened again and the replica rebuilt: what is asked meanwhile waits for it. */
  private recovering: Promise<void> | undefined;
  /** Recoveries so far. What a step awaits may come back in another life. */
  private life = 0;

  constructor(private store: Store, clock: Clock, private readonly reopen: () => Promise<Store>) {
    super(clock, false);
    this.loader = new Loader((keys) => this.patient(() => this.store.values(keys)));
    this.living = new Living(store.presence, (peer, counted) => this.bury(peer, counted), () => this.leave(), () => this.kick());
    this.watch();
  }

  get kind(): string {
    return this.store.kind;
  }

  get durability(): "relaxed" | "strict" {
    return this.strict ? this.store.durability : "relaxed";
  }

  private watch(): void {
    const { store } = this;
    store.watch(
      (anew) => {
        if (anew) this.doubtful = true;
        // Nobody here waits: the next step will notice.
        if (anew || this.waiting || this.watched) this.look();
      },
      (error) => void (this.store === store && this.recover(error)),
    );
  }

  fresh(): Promise<void> {
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

  bodies(places: Delivery[]): Promise<Part[][]> {
    return this.loader.load(places).catch((error: unknown) => {
      throw publicError(error);
    });
  }

  override async load(deliveries: Delivery[]): Promise<Part[][]> {
    const { losses } = this;
    const found = await this.loader.load(deliveries).catch(() => deliveries.map((delivery) => [bare(delivery)]));
    if (found.every((parts) => parts.every(({ parcel }) => parcel)) && losses === this.losses) return found;
    // Others settle, purge and clean up meanwhile, and a store is lost and opened again: that is no damage.
    const held = await this.stillHeld(deliveries, found, losses);
    return this.stillHeld(deliveries, await this.loader.mend(deliveries, held), losses);
  }

  /** These parts, but for those without bodies that the journal as it is now does not say to be leased as they were. */
  private async stillHeld(deliveries: Delivery[], parts: Part[][], losses: number): Promise<Part[][]> {
    await this.fresh();
    if (losses !== this.losses) return deliveries.map(() => []);
    const held = (part: Part, grant: number): Part[] => {
      const places = this.peer.numbers(border.HELD, part.number, part.index, part.count, grant);
      return Array.from({ length: places.length / 2 }, (_, at) => ({ ...part, index: places[2 * at], count: places[2 * at + 1] }));
    };
    return parts.map((parts, at) => parts.flatMap((part) => (part.parcel ? [part] : held(part, deliveries[at].grant))));
  }

  /** What the store answers. When it is silent, the store is opened again, and whoever waits is told. */
  private patient<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const { store } = this;
    return new Promise((resolve, reject) => {
      const watchdog = setTimeout(() => {
        const silent = platformError("TimeoutError", SILENT);
        if (this.store === store) void this.recover(silent);
        reject(silent);
      }, PATIENCE_MS);
      // What throws has answered, too.
      const asked = new Promise<Answer>((answer) => answer(ask()));
      asked.then(resolve, reject).finally(() => clearTimeout(watchdog));
    });
  }

  usage(): Promise<number | undefined> {
    return this.store.usage();
  }

  kick(): void {
    this.wanted = true;
    if (this.running || this.recovering || this.closed) return;
    this.running = true;
    soon(() => void this.run());
  }

  private async run(): Promise<void> {
    const { life } = this;
    try {
      do {
        this.wanted = false;
      } while (((await this.step()) || this.wanted) && life === this.life);
    } catch (error) {
      if (life === this.life) await this.stumble(error);
    }
    if (life !== this.life) return;
    this.running = false;
    this.rest();
  }

  /** One step; false when there is nothing to do. */
  private async step(): Promise<boolean> {
    if (this.closed) return false;
    const { life } = this;
    if (this.peer.status(border.WANTS_TO_APPEAR)) void this.appear();
    if (this.stale) await this.catchUp();
    if (life !== this.life) return true;
    let step: Append | undefined;
    let from = 0;
    if (this.wary > 0) {
      from = this.base + 1;
    } else {
      step = this.take();
      if (!step) return this.stale;
    }
    const number = await this.append(from, (tail) => {
      // A recovery decides this step anew, and looked for it before it could be written. What was opened again is looked at first.
      if (life !== this.life || (from > 0 && this.doubtful)) return undefined;
      if (from === 0) return step;
      this.meet(tail);
      step = this.take();
      return step;
    });
    // The recovery has found out what became of this step.
    if (life !== this.life) return true;
    if (number === 0) return this.stale;
    await this.land(number, step!.record);
    if (life !== this.life) return true;
    this.failures = 0;
    this.store.hint();
    this.report();
    this.desk.known();
    if (this.peer.status(border.WANTS_SNAPSHOT)) await this.clean();
    return true;
  }

  /** Shows the others that this peer lives: before that it leases nothing. */
  private async appear(): Promise<void> {
    if (this.appearing) return;
    this.appearing = true;
    const name = await this.living.show(this.others).catch(() => undefined);
    this.appearing = false;
    if (name === undefined || this.closed) return;
    // With nothing awaited in between: another name would leave to nobody what is leased under this one.
    this.peer.command(border.APPEAR, 0, 0, name);
    this.living.look(() => this.others);
    this.kick();
  }

  /** That peer is gone: what it holds goes back. */
  private async bury(peer: number, counted: () => boolean): Promise<void> {
    // Its last records may not be known here yet, nor how it went.
    await this.fresh();
    if (this.others.includes(peer)) await this.request((engine, token) => engine.command(border.BURY, token, -1, peer, Number(counted())));
  }

  /** Whoever else holds messages of that queue is gone: they go back. */
  async inherit(queue: number): Promise<void> {
    const bury = (holder: number): Promise<number> => this.request((engine, token) => engine.command(border.BURY, token, queue, holder, 1));
    await Promise.all(this.others.map(bury));
  }

  /** The context ends, in good order: what is held here goes back as if it had never been taken. */
  private leave(): void {
    if (this.closed) return;
    this.leftAt = this.base;
    this.peer.parting(this.clock.now());
    const record = this.peer.bytes();
    // Where the store is not open, whoever finds that this peer is not there any more does that.
    if (record.length && !this.recovering)
      void this.store.append(0, () => ({ record, bodies: [], chunk: -1 }), this.strict).catch(() => undefined);
    this.loseLeases();
  }

  private clean(): Promise<void> {
    const { life, store } = this;
    return clean(this.peer, (...all) => this.patient(() => store.snapshot(...all)), () => life === this.life);
  }

  /** The next record, with its bodies; undefined: there is nothing to write. */
  private take(): Append | undefined {
    const load = this.decide();
    return load &&
      { record: this.peer.bytes(), bodies: valuesOf(load.segments), headers: load.headers, chunk: this.peer.status(border.CHUNK) };
  }

  private async append(from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    let step: Append | undefined;
    const { life } = this;
    try {
      const number = await this.patient(() => this.store.append(from, (tail) => (step = decide(tail)), this.strict));
      if (this.refusing && step?.bodies.length) this.roomAgain();
      return number;
    } catch (error) {
      const name = (error as Error)?.name;
      if (life !== this.life) return 0;
      // What fails again on a new connection is not the connection's fault: WebKit says so of Blobs that it does not keep.
      const unknown = name === "UnknownError" && this.failures > 0 && !(error as { outcomeUnknown?: boolean }).outcomeUnknown;
      if (step?.bodies.length && (name === "DataCloneError" || name === "MessageTooLargeError" || unknown))
        await this.withdraw(step, error);
      else if (step && name === "QuotaExceededError") await this.overQuota(step, error);
      else throw error;
      // What is left of the step is decided again.
      this.wanted = true;
      return 0;
    }
  }

  /** The step was committed under `number`: applies what came before it, it, and what came after. */
  private async land(number: number, record: Uint8Array): Promise<void> {
    const { life, base } = this;
    if (number <= base) throw putBack(base);
    if (number === base + 1 && !this.doubtful) {
      this.wary = Math.max(0, this.wary - 1);
      this.last = record;
      return this.commit(number);
    }
    this.wary = CALM_STEPS;
    const tail = await this.patient(() => this.store.read(Math.max(1, base)));
    if (life === this.life) this.meet(tail.birth === this.birth ? after(tail, base, this.last) : tail, number);
  }

  private commit(number: number): void {
    this.peer.command(border.COMMIT, 0, 0, number);
  }

  /** Applies what others wrote, and the own record in its place. */
  private meet(tail: Tail | undefined, own = 0): void {
    if (!tail) return;
    if (this.birth && tail.birth !== this.birth) throw new StorageLostError("the storage was deleted and made anew");
    this.birth = tail.birth;
    if (tail.numbers.length && !own) this.wary = CALM_STEPS;
    if (own > (tail.snapshot?.number ?? 0) && !tail.numbers.includes(own)) throw putBack(own);
    if (tail.snapshot) {
      this.peer.replay(tail.snapshot.number, tail.snapshot.bytes, true);
      this.loader.clear();
      if (own && own <= tail.snapshot.number) this.commit(own);
      this.replaced();
    }
    tail.numbers.forEach((number, at) => {
      if (number === own) this.commit(number);
      else this.peer.replay(number, tail.records[at], false);
    });
    if (!tail.numbers.length && !tail.snapshot) return;
    this.last = tail.records.at(-1);
    this.living.look(() => this.others);
  }

  private async catchUp(): Promise<void> {
    const { looking, life, doubtful, base } = this;
    this.stale = this.doubtful = false;
    // Whoever comes while it is read waits for the next; whoever waits when that fails, for the recovery or the end.
    const { length } = looking;
    const tail = await this.patient(() => this.store.read(Math.max(1, doubtful ? base : base + 1)));
    // What was opened again meanwhile is read from where it can be told apart.
    if (life !== this.life || (this.doubtful && !doubtful)) return;
    this.meet(doubtful && tail.birth === this.birth ? after(tail, base, this.last) : tail);
    this.report();
    for (const { resolve } of looking.splice(0, length)) resolve();
  }

  protected setTimer(): void {
    const { waiting } = this;
    const polls = waiting || this.watched;
    const at = Math.min(this.peer.status(border.DEADLINE), polls ? this.now() + this.pollMs : Infinity);
    // Only someone who waits keeps a program from ending.
    this.alarm.set(at, waiting, () => {
      if (polls) {
        this.stale = this.doubtful = true;
        this.pollMs = this.waiting ? POLL_MS : POLL_IDLE_MS;
      }
      this.kick();
    });
  }

  /** Bodies that can be cloned but not stored fail by themselves; the other messages go on. */
  private async withdraw(step: Append, error: unknown): Promise<void> {
    const { life } = this;
    let refused = await this.patient(() => this.store.refused(step.bodies));
    if (life !== this.life) return;
    if ((error as Error).name === "UnknownError")
      refused = step.bodies.map((body, at) => refused[at] ?? (holdsBlob(body) ? error : undefined));
    // The store refused the step, and none of its bodies by itself: it can't be known which it was.
    const each = refused.some((one) => one !== undefined);
    this.desk.reconsider(this.peer, (outgoing, from, count) => {
      const errors = each ? refused.slice(from, from + count) : Array(outgoing.left).fill(error);
      if (errors.some((one) => one !== undefined)) outgoing.without(errors.map((one) => one && unstorable(one as Error)));
    });
  }

  /** The storage is full: what is needed no more is deleted; then sends fail, what makes room goes on, at last with the room kept for it. */
  private async overQuota(step: Append, error: unknown): Promise<void> {
    const { peer, life } = this;
    if (step.bodies.length && peer.command(border.MAKES_ROOM, 0, 0)) {
      this.desk.reconsider(peer, () => undefined);
      return this.clean();
    }
    this.refusing = true;
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    this.desk.reconsider(peer, (outgoing) => outgoing.fail(error));
    if (step.bodies.length || (await this.patient(() => this.store.release())) || life !== this.life) return;
    this.tries += 1;
    if (this.tries % RECOVERIES_MAX === 0) throw error;
    await this.clean();
  }

  /** A send went in after others were refused for want of room. */
  private roomAgain(): void {
    this.refusing = false;
    this.everyOnlooker((onlooker) => onlooker.storage("ok"));
  }

  /** A step failed. The connection may be gone, or the engine; both can be made anew from the journal. */
  private async stumble(error: unknown): Promise<void> {
    if (this.closed) return;
    // A full storage is no reason to end: who reads and acks makes room.
    if ((error as Error)?.name !== "QuotaExceededError") this.failures += 1;
    if (isFinal(error)) return this.lose(error);
    await this.recover(error);
  }

  /** Nothing more can be done with the storage. */
  private lose(error: unknown): void {
    const lost = publicError(error);
    this.everyOnlooker((onlooker) => onlooker.storage("lost", lost));
    this.end(lost);
  }

  /** Opens the store again. What is asked meanwhile waits. */
  private recover(error: unknown): Promise<void> {
    if (this.closed) return Promise.resolve();
    if (this.recovering) return this.recovering;
    // Whatever is awaited in the old life may never come back.
    this.life += 1;
    this.running = false;
    this.recovering = this.persevere(error).then(
      () => {
        this.recovering = undefined;
        this.look();
      },
      (last) => {
        this.recovering = undefined;
        if (!this.closed) this.lose(last);
      },
    );
    return this.recovering;
  }

  /** Tries until the store is open again and was read. */
  private async persevere(first: unknown): Promise<void> {
    for (let error = first;; this.failures += 1) {
      if (isFinal(error)) throw error;
      await pause(this.failures, error);
      if (this.closed) return;
      try {
        // Once the replica is unsound it stays so.
        return await this.restore(canGoOn(first) ? error : first);
      } catch (next) {
        error = next;
      }
    }
  }

  private async restore(error: unknown): Promise<void> {
    this.everyOnlooker((onlooker) => onlooker.storage("degraded", error));
    const store = await this.reopen();
    this.store.close();
    if (this.closed) return store.close();
    this.store = store;
    this.watch();
    this.wary = CALM_STEPS;
    const { base } = this;
    const tail = await store.read(Math.max(1, base));
    if (this.closed) return;
    const gone = error instanceof StorageLostError || (this.birth !== 0 && tail.birth !== this.birth);
    if (gone) {
      // In another journal the numbers of leases mean others.
      this.loseLeases();
      [this.losses, this.leftAt] = [this.losses + 1, 0];
    }
    if (gone || !canGoOn(error)) await this.rebuild(error, tail.birth);
    else this.resume(after(tail, base, this.last));
    this.everyOnlooker((onlooker) => onlooker.storage(gone ? "lost" : "ok", gone ? error : undefined));
  }

  /** Goes on with the same replica. Whether the step under way was committed is in the journal. */
  private resume(tail: Tail): void {
    // What became of the one that may have been under way is not known.
    this.peer.command(border.SNAPSHOT_OVER, 0, 0);
    const at = tail.records.findIndex((record) => this.peer.isOwn(record));
    if (at < 0 && !tail.snapshot) this.peer.command(border.ABANDON, 0, 0);
    this.meet(tail, at < 0 ? 0 : tail.numbers[at]);
    // A snapshot may contain it, and does not say.
    if (at < 0 && tail.snapshot) this.commit(0);
    this.report();
    this.desk.known();
  }

  /** A new replica. What was asked of the old one is not asked again: who asked is told, and whether it may have happened. */
  private async rebuild(error: unknown, birth: number): Promise<void> {
    const full = (error as Error)?.name === "QuotaExceededError";
    const lost = (outcomeUnknown: boolean): unknown => (full ? error : lostUnderWay(error, outcomeUnknown));
    this.loader.clear();
    this.peer = this.newPeer();
    this.birth = birth;
    let read!: () => void;
    const whenRead = new Promise<void>((resolve) => (read = resolve));
    for (const handle of this.handles.values()) {
      handle.id = -1;
      handle.ready = whenRead.then(() => this.renew(handle));
    }
    this.desk.failAsked(lost(false), lost(true));
    try {
      this.meet(await this.store.read(1));
      this.report(false);
    } finally {
      read();
    }
  }

  /** Finds a queue in a new replica, and makes it again where it was lost with its storage. */
  private async renew(handle: Handle): Promise<void> {
    const { peer } = this;
    try {
      const id = await this.remake(handle);
      // Made anew once more: that renews it, too.
      if (peer === this.peer) this.number(handle, id);
    } catch {
      // The journal has ended, or is made anew once more; everyone was told.
    }
    if (peer !== this.peer) return;
    handle.ready = undefined;
    this.kick();
  }

  protected override end(error: unknown): void {
    // Nobody will find out any more what became of the step under way.
    this.closed = error;
    this.desk.failAsked(error, lostUnderWay(error, true));
    super.end(error);
    for (const { reject } of this.looking.splice(0)) reject(this.closed);
    this.living.close();
    this.store.close();
  }
}
