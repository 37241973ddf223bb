/**
 * The peer loop: one a storage and context. It collects what queues ask for, makes one step at a time of it, and gives
 * back what took effect. While a step is under way everything new waits for the next: that is the group commit.
 */

import { abortable } from "../schedule/cancellation";
import { Alarm } from "../schedule/alarm";
import type { Commands } from "../engine/commands";
import { Desk, type Load } from "./requests";
import { closedError, platformError, publicError, show } from "../contract/errors";
import * as border from "../engine/codes";
import type { Asker, Delivery, Handle, Onlooker, Part } from "../engine/effects";
import { Peer } from "../engine/peer";
import { Leases } from "../delivery/leases";
import { systemClock } from "../contract/options";
import type { Outgoing } from "./sends";
import type { Clock } from "../contract/types";

/** So often the system's clock is looked at: it may have been set, and a machine that sleeps keeps timers waiting. */
const LOOK_MS = 10_000;
const random = (): number => Math.floor(Math.random() * 2 ** 52) + 1;

/** What every journal has; how steps are made is its storage's business. */
export abstract class Journal {
  /** Names the storage. */
  abstract readonly kind: string;
  /** What a send waits for. */
  abstract readonly durability: "none" | "relaxed" | "strict";
  peer: Peer;
  /** Why it can't go on. */
  closed: unknown;
  /** The queues opened here, by name. */
  readonly handles = new Map<string, Handle>();
  /** And by number. */
  private readonly numbered = new Map<number, Handle>();
  readonly leases = new Leases((asker, command, queue) => this.ask(asker, command, queue), () => this.now());
  protected readonly desk = new Desk();
  protected readonly alarm: Alarm;
  protected running = false;
  /** Something came since the step began. */
  protected wanted = false;
  protected readonly quiet: (() => void)[] = [];
  /** Who asked something of a queue that is being made anew, by token. */
  private readonly later = new Map<number, Asker>();
  /** Leases of records up to this one went back when this context was left: they may have been told of only after that. */
  leftAt = 0;

  constructor(readonly clock: Clock, private readonly memory: boolean) {
    this.alarm = new Alarm(clock, clock === systemClock ? LOOK_MS : undefined);
    this.peer = this.newPeer();
  }

  /** The present time, no earlier than the journal's. */
  now(): number {
    return this.alarm.now(this.peer.status(border.TIME));
  }

  protected newPeer(): Peer {
    return new Peer(random(), random(), this.memory);
  }

  /** The number of the last record that the replica has. */
  protected get base(): number {
    return this.peer.status(border.BASE);
  }

  /** Someone waits for what another peer may do. */
  protected get waiting(): boolean {
    return this.peer.status(border.WAITING) > 0;
  }

  /** The names of the other peers that hold leases. */
  protected get others(): readonly number[] {
    return this.peer.numbers(border.OTHERS);
  }

  /** Sees that a step follows. */
  abstract kick(): void;
  /** Resolves when the replica is as new as the storage was at the call. */
  abstract fresh(): Promise<void>;
  /** The bodies of what lies at these places, in parts. */
  abstract bodies(places: Delivery[]): Part[][] | Promise<Part[][]>;
  /** The bodies of these deliveries, in parts. None for those that are someone else's by now; a part without a parcel is damage. */
  load(deliveries: Delivery[]): Part[][] | Promise<Part[][]> {
    return this.bodies(deliveries);
  }
  /** Bytes in the storage, where it can tell. */
  abstract usage(): Promise<number | undefined>;

  /** Someone listens to events of a queue. */
  protected get watched(): boolean {
    for (const handle of this.handles.values()) for (const onlooker of handle.onlookers) if (onlooker.listening) return true;
    return false;
  }

  /** Registers who asks, runs the command with its token, and sees that a step follows; not before `queue` has a number, while it is made anew. */
  ask(asker: Asker, command: (commands: Commands, token: number) => void, queue?: Handle): number {
    if (this.closed) {
      asker.fail(this.closed);
      return -1;
    }
    const token = this.desk.register(asker);
    if (queue?.ready) {
      this.later.set(token, asker);
      void this.askLater(token, asker, command, queue);
    } else {
      command(this.peer, token);
      this.kick();
    }
    return token;
  }

  private async askLater(token: number, asker: Asker, command: (commands: Commands, token: number) => void, queue: Handle): Promise<void> {
    while (queue.ready) await queue.ready;
    if (this.later.get(token) !== asker) return;
    this.later.delete(token);
    // Whoever has failed meanwhile was told that it is not done.
    if (!this.closed && this.desk.awaits(token, asker)) command(this.peer, token);
    this.kick();
  }

  /** As `ask`, for a command that ends with one number. */
  request(command: (peer: Peer, token: number) => void, queue?: Handle): Promise<number> {
    return new Promise((resolve, reject) => this.ask({ done: resolve, fail: reject }, (_, token) => command(this.peer, token), queue));
  }

  /** Makes a queue. Its number; that of a queue that is there already stays. */
  async create(name: string, policy: ArrayLike<number>, deadLetterQueue: string | undefined): Promise<number> {
    const id = await this.request((peer, token) => peer.make(token, -1, name, policy as Float64Array, deadLetterQueue));
    if (id < Infinity) return id;
    throw this.full(name);
  }

  /** Gives a queue that was only made to keep another's dead letters a policy, as if it were made now. */
  async adopt(id: number, name: string, policy: ArrayLike<number>, deadLetterQueue: string | undefined): Promise<void> {
    const adopted = await this.request((peer, token) => peer.make(token, id, name, policy as Float64Array, deadLetterQueue));
    // Where it is no keeper any more, someone else was first.
    if (adopted === Infinity && this.isKeeper(id)) throw this.full(name);
  }

  /** Finds that queue in another replica, or makes it as it was. */
  protected async remake({ name, policy, deadLetterQueue }: Handle): Promise<number> {
    for (;;) {
      const { peer } = this;
      const id = this.closed ? -1 : peer.queue(name);
      // It may have been made before its turn, to keep the dead letters of another.
      const differs = id >= 0 && this.isKeeper(id) &&
        (this.lettersOf(id) !== deadLetterQueue || this.policyOf(id).some((number, at) => number !== policy[at]));
      if (id >= 0 && !differs) return id;
      if (id < 0) await this.create(name, policy, deadLetterQueue);
      else await this.adopt(id, name, policy, deadLetterQueue);
    }
  }

  /** The names of all queues. */
  names(): string[] {
    return this.peer.show(border.NAMES) as string[];
  }

  /** A queue's policy, as numbers; none: there is no such queue. */
  policyOf(id: number): readonly number[] {
    return this.peer.numbers(border.POLICY_OF, id);
  }

  /** The name of the queue to which its dead letters go. */
  lettersOf(id: number): string | undefined {
    return this.peer.show(border.LETTERS, id) as string | undefined;
  }

  /** Whether it was only made to keep another's dead letters, and has no policy of its own. */
  isKeeper(id: number): boolean {
    return this.peer.numbers(border.IS_KEEPER, id)[0] > 0;
  }

  private full(name: string): DOMException {
    const there = this.names().length;
    return platformError("QuotaExceededError",
      `the queue ${
        show(name)
      } can't be made: a storage holds ${border.QUEUES_MAX} queues with their dead-letter queues, and has ${there}; delete some first`);
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
    if (this.later.delete(token)) this.desk.forgo(token)?.received?.();
    else this.peer.command(border.UNRECEIVE, token, 0);
    this.kick();
  }

  /** Takes back a send that no step has taken up; false: too late. */
  recall(outgoing: Outgoing): boolean {
    return this.desk.recall(outgoing, this.peer);
  }

  /** Fails the sends to that queue of that owner (or of all) which no step has taken up. */
  fail(handle: Handle, owner: unknown, error: unknown): void {
    this.desk.failSends(handle, owner, error, this.peer);
  }

  /** Resolves when everything asked so far is committed; what waits for room or for messages is not waited for. */
  flushed(signal?: AbortSignal): Promise<void> {
    return abortable(signal, new Promise((resolve) => {
      if (this.closed) throw this.closed;
      this.quiet.push(resolve);
      this.kick();
    }));
  }

  /** Nothing is left to do for now. */
  protected rest(): void {
    if (this.quiet.length && !this.later.size) { for (const resolve of this.quiet.splice(0)) resolve(); }
    if (this.closed) return;
    if (this.wanted) return this.kick();
    try {
      this.setTimer();
    } catch (error) {
      // A clock that throws: nobody would ever be woken.
      this.end(publicError(error));
    }
  }

  protected abstract setTimer(): void;

  /** Makes one record of all that was asked, and tells what took effect. The record's bodies; undefined: there is nothing to write. */
  protected decide(): Load | undefined {
    const { peer, desk } = this;
    const now = this.now();
    this.leases.reach(now);
    desk.load(peer);
    const left = peer.left(peer.step(now));
    const sends = peer.status(border.SENDS);
    const committed = sends + peer.status(border.BEFORE_COMMIT);
    const decided = peer.status(border.DECIDED) > 0;
    this.tell(left, sends, committed);
    if (!decided) return undefined;
    // Those of a send come after what was refused of it, and are kept before anyone hears that they are there.
    const load = desk.bodies(left, sends);
    this.keep(load);
    this.tell(left, committed, left.length);
    return load;
  }

  /** Bodies that the engine has taken up. */
  protected keep(_load: Load): void {}

  /** Tells what took effect since the last step. `news` false: only to who asked, as it happened before. */
  protected report(news = true): void {
    const left = this.peer.left(this.peer.report());
    this.tell(left, 0, left.length, news);
  }

  /** Tells askers and onlookers what rows say. */
  private tell(rows: readonly number[], from: number, to: number, news = true): void {
    let texts: string[] | undefined;
    for (let at = from; at < to; at += border.WIDTH) {
      if (rows[at] === border.DEAD) texts ??= this.peer.show(border.TEXTS) as string[];
      if (rows[at] < border.DEAD) this.desk.tell(rows, at);
      else if (news) this.tellOnlookers(rows, at, texts);
    }
  }

  private tellOnlookers(rows: readonly number[], at: number, texts: string[] | undefined): void {
    const [kind, a, b, c, d, e] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4], rows[at + 5]];
    if (kind === border.GONE) return this.forget(a, b, c);
    if (kind === border.LEASE_LOST) this.leases.lost(b, c, d, e);
    for (const onlooker of this.onlookersOf(a)) {
      if (kind === border.DEAD) onlooker.dead(b, c, d, texts![e]);
      else if (kind === border.DROPPED) onlooker.dropped(b, c, d, e);
      else if (kind === border.DEPTH) onlooker.depth(b);
      else if (kind === border.LEASE_LOST) onlooker.leaseLost?.(b, c, d, e);
      else onlooker.gone();
    }
    if (kind === border.QUEUE_GONE) this.letGo(a);
  }

  /** The queue is gone: whoever opens one of its name has another. */
  private letGo(queue: number): void {
    const known = this.handleOf(queue);
    if (known) this.handles.delete(known.name);
    this.numbered.delete(queue);
  }

  /** The replica was replaced: queues that are not in it were deleted, and nobody said so. */
  protected replaced(): void {
    for (const { name, id, onlookers } of this.handles.values()) {
      if (id < 0 || this.peer.queue(name) === id) continue;
      for (const onlooker of [...onlookers]) onlooker.gone();
      this.letGo(id);
    }
  }

  /** Bodies of so many messages of this record are not needed any more. */
  protected forget(_number: number, _index: number, _count: number): void {}

  private onlookersOf(queue: number): Onlooker[] {
    return [...(this.handleOf(queue)?.onlookers ?? [])];
  }

  private handleOf(queue: number): Handle | undefined {
    const known = this.numbered.get(queue);
    return known?.id === queue && this.handles.get(known.name) === known ? known : undefined;
  }

  /** The queue is opened here, under that number. */
  opened(handle: Handle, id: number): void {
    this.handles.set(handle.name, handle);
    this.number(handle, id);
  }

  protected number(handle: Handle, id: number): void {
    handle.id = id;
    this.numbered.set(id, handle);
  }

  /** No lease stands any more that this context has or gave to a client. */
  protected loseLeases(): void {
    this.leases.loseAll();
    this.everyOnlooker((onlooker) => onlooker.leasesGone?.());
  }

  protected everyOnlooker(tell: (onlooker: Onlooker) => void): void {
    for (const handle of this.handles.values()) for (const onlooker of [...handle.onlookers]) tell(onlooker);
  }

  protected end(error: unknown): void {
    this.closed = error ?? closedError("");
    this.alarm.clear();
    this.everyOnlooker((onlooker) => onlooker.error(this.closed));
    this.desk.failAll(this.closed);
    for (const resolve of this.quiet.splice(0)) resolve();
  }

  /** Gives back what is leased ahead, writes what is pending, closes. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.peer.command(border.RELEASE_IDLE, 0, 0);
    await this.flushed().catch(() => undefined);
    this.end(closedError(""));
  }
}
