/** Leases this context holds: messages leased together, and what their receivers say of them. */

import { EXTEND, RELEASE } from "../engine/codes";
import type { Asker, Delivery, Handle, Part, Settle } from "../engine/effects";
import type { Commands } from "../engine/commands";
import type { Keeper } from "./extender";
import { ReceivedMessage } from "./message";
import { Deferred } from "../schedule/deferred";
import { soon } from "../schedule/microtask";
import { Spans } from "./spans";
import type { Stop } from "../schedule/cancellation";

/** Neighbouring messages of one queue under one lease. One record may bring neighbours of several queues, and lease them. */
export interface Range {
  readonly queue: Handle;
  readonly number: number;
  readonly index: number;
  readonly count: number;
  readonly grant: number;
}

/** Who receives messages, as far as their lease goes by it. */
export interface Receiver {
  /** In a handler the first word counts and later ones are not heard; elsewhere another word is an error. */
  firstWins: boolean;
  /** Bodies of bytes may be views of lent memory. */
  borrow: boolean;
  /** Told of what was said in a handler and makes no sense. */
  report?: (error: unknown) => void;
}

/** Those for which what was said does not stand, by their indices. */
type Lost = Set<number> | undefined;

/** Neighbouring messages that were leased together and whose bodies lie in one parcel. */
export class Lease<Body = unknown> {
  readonly messages: ReceivedMessage<Body>[] = [];
  readonly number: number;
  readonly index: number;
  readonly count: number;
  readonly grant: number;
  /** Until when it is its receiver's at least, as far as is known here. */
  until: number;
  /** Messages of which nothing was said yet. */
  left: number;
  /** The handler has said something of all its batch: what it says of a message now is not heard. */
  spokenFor = false;
  /** Its handler has ended: what is said from now on comes too late. */
  handled = false;
  private keeper: Keeper | undefined = undefined;
  /** The journal or host that gave it is gone: its numbers mean nothing to another. */
  forgotten = false;

  constructor(
    readonly leases: Leases,
    readonly queue: Handle,
    readonly part: Part,
    readonly delivery: Delivery,
    readonly receiver: Receiver,
    /** It ends with this. */
    readonly closed: Stop,
  ) {
    ({ number: this.number, index: this.index, count: this.count } = part);
    ({ grant: this.grant, until: this.until } = delivery);
    this.left = this.count;
    part.parcel!.hold?.(receiver.borrow);
    for (let place = 0; place < this.count; place += 1) this.messages.push(new ReceivedMessage<Body>(this, place));
    leases.add(this);
  }

  /** From now on it is extended by that keeper, or none. */
  keep(keeper: Keeper | undefined): void {
    if (keeper === this.keeper || (keeper && this.left === 0)) return;
    this.keeper?.delete(this);
    this.keeper = keeper;
    keeper?.add(this);
  }

  /**
   * Those of which nothing was said go on for so long from `now`, unless they do so anyway; also of a queue that is closing: it waits
   * for its handlers. Resolves when it is known of which it stood.
   */
  extend(ms: number, now = this.leases.now()): Promise<void> {
    const { messages } = this;
    const until = now + ms;
    const asked = this.forgotten ? [] : this.runs(
      (message) => message.isHeld && message.until < until,
      (range) => this.leases.settle(EXTEND, range, ms).then((lost) => lost?.forEach((index) => messages[index - this.index]?.lose())),
    );
    const extended = Promise.all(asked).then(() => void (this.until = Math.max(this.until, until)));
    // It need not be awaited.
    extended.catch(() => undefined);
    return extended;
  }

  /** A message's word. */
  say(kind: Settle, place: number, arg = 0, text?: string): Promise<Lost> {
    const range = this.range(place, 1);
    return this.forgotten ? Promise.resolve(new Set([range.index])) : this.leases.settle(kind, range, arg, text);
  }

  /** The handler has ended: the same is said of all of which nothing was. The last promise; undefined where there are none. */
  sayRest(kind: Settle, arg = 0, text?: string): Promise<Lost> | undefined {
    this.handled = true;
    const unsaid = (message: ReceivedMessage<Body>): boolean => {
      if (message.said !== undefined) return false;
      message.said = kind;
      return true;
    };
    const said = this.runs(unsaid, (range) => (this.forgotten ? undefined : this.leases.settle(kind, range, arg, text)));
    this.over(this.left);
    return said.at(-1);
  }

  /** What `work` makes of each run of neighbours that are so. */
  private runs<T>(isSo: (message: ReceivedMessage<Body>) => boolean, work: (range: Range) => T): T[] {
    const { messages } = this;
    const done: T[] = [];
    for (let at = 0; at < messages.length; at += 1) {
      const from = at;
      while (at < messages.length && isSo(messages[at])) at += 1;
      if (at > from) done.push(work(this.range(from, at - from)));
    }
    return done;
  }

  private range(place: number, count: number): Range {
    const { queue, number, index, grant } = this;
    return { queue, number, index: index + place, count, grant };
  }

  /** Something was said of so many more. */
  over(count: number): void {
    this.left -= count;
    if (count === 0 || this.left > 0) return;
    this.keep(undefined);
    this.leases.end(this);
  }

  /** Bytes that were only lent are copied for who did not borrow them and has not looked yet. */
  letGo(): void {
    const { part: { parcel }, receiver: { borrow } } = this;
    if (!parcel?.letGo) return;
    if (!borrow) { for (const message of this.messages) message.own(); }
    parcel.letGo(borrow);
  }
}

/** A settlement of neighbouring messages that is one command. Resolves with those for which it did not stand. */
class Settlement extends Deferred<Lost> implements Asker {
  private notStanding: Lost = undefined;

  /** Of how many. */
  count: number;

  constructor(readonly kind: Settle, readonly range: Range, readonly arg: number, readonly text: string | undefined) {
    super();
    this.count = range.count;
    this.promise.catch(() => undefined);
  }

  /** Whether these are the next messages, and the same is said of them. */
  goesOn(kind: Settle, { queue, number, index, grant }: Range, arg: number, text: string | undefined): boolean {
    const { range } = this;
    const next = range.queue === queue && range.number === number && range.index + this.count === index && range.grant === grant;
    return next && this.kind === kind && this.arg === arg && this.text === text;
  }

  lost(_number: number, index: number, count: number): void {
    this.notStanding ??= new Set();
    for (let at = 0; at < count; at += 1) this.notStanding.add(index + at);
  }

  done(): void {
    this.resolve(this.notStanding);
  }

  fail(error: unknown): void {
    this.reject(error);
  }
}

/** All leases of one journal or port in this context. Settlements of one moment that are alike and of neighbours are one command. */
export class Leases {
  private readonly held = new Spans<Lease>();
  /** By whoever's end they end with. */
  private readonly ending = new Map<Stop, Set<Lease>>();
  private open: Settlement | undefined;
  /** Messages that were handed out, and are not in anyone's hands before their bodies are here. */
  readonly coming = new Set<Delivery>();
  /** Whoever extends leases here. */
  readonly keepers = new Set<Keeper>();
  /** Nothing that is kept ends before. */
  private soonest = Infinity;
  /** So often all were lost: nothing is said any more of what was leased before, whose numbers may be others' by now. */
  life = 0;

  /** `now`: the present time by the clock that leases go by, which is never set back. */
  constructor(
    private readonly ask: (asker: Asker, command: (commands: Commands, token: number) => void, queue: Handle) => void,
    readonly now: () => number,
  ) {}

  add(lease: Lease): void {
    this.held.add(lease);
    const others = this.ending.get(lease.closed);
    if (others) others.add(lease);
    else this.ending.set(lease.closed, new Set([lease]));
  }

  end(lease: Lease): void {
    const others = this.ending.get(lease.closed);
    if (!others?.delete(lease)) return;
    if (!others.size) this.ending.delete(lease.closed);
    this.held.delete(lease);
    lease.letGo();
  }

  /** Of whoever closes: all leases that end with it. */
  of(closed: Stop): Lease[] {
    return [...(this.ending.get(closed) ?? [])];
  }

  /** The journal took these leases away. */
  lost(number: number, index: number, count: number, grant: number): void {
    for (const lease of this.held.at({ number, index, count, grant })) {
      const from = index - lease.index;
      for (const message of lease.messages.slice(Math.max(0, from), Math.max(0, from + count))) message.lose();
    }
    for (const delivery of this.coming)
      if (delivery.number === number && delivery.grant === grant) (delivery.lost ??= []).push({ number, index, count, grant });
  }

  /** They are in their receiver's hands, who hears of those that were lost on the way; or went back. */
  came(delivery: Delivery): void {
    this.coming.delete(delivery);
    for (const { number, index, count, grant } of delivery.lost ?? []) this.lost(number, index, count, grant);
  }

  /** There is nobody any more who knows of them. */
  loseAll(): void {
    this.life += 1;
    const { open } = this;
    this.open = undefined;
    open?.lost(open.range.number, open.range.index, open.count);
    open?.done();
    for (const lease of [...this.ending.values()].flatMap((leases) => [...leases])) {
      lease.forgotten = true;
      for (const message of lease.messages) message.lose();
    }
  }

  /** It is `now`, before anyone can take what is over by then: those that are kept go on. */
  reach(now: number): void {
    if (now < this.soonest) return;
    let some = false;
    this.soonest = Infinity;
    for (const keeper of this.keepers) {
      some = keeper.reach(now) || some;
      this.keptUntil(keeper.end);
    }
    if (some) this.flush();
  }

  /** Something that is kept ends then. */
  keptUntil(end: number): void {
    this.soonest = Math.min(this.soonest, end);
  }

  settle(kind: Settle, range: Range, arg = 0, text?: string): Promise<Lost> {
    const { open } = this;
    if (open?.goesOn(kind, range, arg, text)) {
      open.count += range.count;
      return open.promise;
    }
    this.flush();
    const made = new Settlement(kind, range, arg, text);
    this.open = made;
    soon(() => this.flush());
    return made.promise;
  }

  /** Says what collected. */
  flush(): void {
    const { open } = this;
    if (!open) return;
    this.open = undefined;
    const { kind, count, arg, text, range: { queue, number, index, grant } } = open;
    this.ask(open, (commands, token) => commands.settle(token, queue.id, kind, number, index, count, grant, arg, text), queue);
  }

  /** As if it had never been taken. `life`: that in which it was leased. */
  giveBack(queue: Handle, { number, index, count, grant }: Omit<Range, "queue">, life = this.life): void {
    if (life === this.life) void this.settle(RELEASE, { queue, number, index, count, grant });
  }
}
