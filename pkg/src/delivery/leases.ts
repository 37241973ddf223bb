/** The leases of one journal or port in this context, and what is said under them on its way there. */

import { RELEASE } from "../engine/codes";
import type { Asker, Delivery, Handle, Settle } from "../engine/effects";
import type { Commands } from "../engine/commands";
import type { Keeper } from "./extender";
import { Deferred } from "../schedule/deferred";
import { soon } from "../schedule/microtask";
import { Spans, type Span } from "./spans";
import type { Stop } from "../schedule/cancellation";

/** Neighbouring messages of one queue under one lease. One record may bring neighbours of several queues, and lease them. */
export interface Range extends Span {
  readonly queue: Handle;
}

/** Those for which what was said does not stand, by their indices. */
export type Lost = Set<number> | undefined;

/** Messages that are held under one lease, as whoever ends it needs them. */
export interface Held extends Span {
  readonly messages: readonly { lose(): void; interrupt(reason: unknown): void; abandon(reason: unknown): void }[];
  /** It ends with this. */
  readonly closed: Stop;
  /** The journal or host that gave it is gone: its numbers mean nothing to another. */
  forgotten: boolean;
  letGo(): void;
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
  private readonly held = new Spans<Held>();
  /** By whoever's end they end with. */
  private readonly ending = new Map<Stop, Set<Held>>();
  private open: Settlement | undefined;
  /** Messages that were handed out, and are not in anyone's hands before their bodies are here. */
  readonly coming = new Spans<Delivery>();
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

  add(lease: Held): void {
    this.held.add(lease);
    const others = this.ending.get(lease.closed);
    if (others) others.add(lease);
    else this.ending.set(lease.closed, new Set([lease]));
  }

  end(lease: Held): void {
    const others = this.ending.get(lease.closed);
    if (!others?.delete(lease)) return;
    if (!others.size) this.ending.delete(lease.closed);
    this.held.delete(lease);
    lease.letGo();
  }

  /** Of whoever closes: all leases that end with it. */
  of(closed: Stop): Held[] {
    return [...(this.ending.get(closed) ?? [])];
  }

  /** The journal took these leases away. */
  lost(number: number, index: number, count: number, grant: number): void {
    const range = { number, index, count, grant };
    for (const lease of this.held.at(range)) {
      const from = index - lease.index;
      for (const message of lease.messages.slice(Math.max(0, from), Math.max(0, from + count))) message.lose();
    }
    for (const delivery of this.coming.at(range)) (delivery.lost ??= []).push(range);
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
  giveBack(queue: Handle, { number, index, count, grant }: Span, life = this.life): void {
    if (life === this.life) void this.settle(RELEASE, { queue, number, index, count, grant });
  }
}
