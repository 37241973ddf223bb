/** A received message, and what its receiver says of it. */

import { LeaseLostError, notSupported, platformError, show } from "./errors";
import * as effect from "./effects";
import type { Delivery, Settle } from "./effects";
import type { Journal } from "./journal";
import { seconds, text } from "./options";
import { messageId } from "./send";
import type { Message } from "./types";

const NONE: Readonly<Record<string, string>> = Object.freeze({});

const VERBS: Record<Settle, string> = { 0: "acked", 1: "retried", 2: "dead-lettered", 3: "extended", 4: "released" };

/** A settlement of neighbouring messages that is one command. */
interface Shared {
  kind: Settle;
  grant: number;
  number: number;
  next: number;
  count: number;
  promise: Promise<Set<number> | undefined>;
}

/** Settlements of one journal: those of one moment that are alike and of neighbours are one command. */
export class Settler {
  private open: (Shared & { first: number; resolve: (lost: Set<number> | undefined) => void; reject: (error: unknown) => void; arg: number; text: string | undefined }) | undefined;

  constructor(private readonly journal: Journal) {}

  /** Resolves with the indices of those for which it did not stand. */
  settle(kind: Settle, number: number, index: number, grant: number, arg = 0, note?: string): Promise<Set<number> | undefined> {
    const { open } = this;
    if (open && open.kind === kind && open.number === number && open.next === index && open.grant === grant && open.arg === arg && open.text === note) {
      open.next += 1;
      open.count += 1;
      return open.promise;
    }
    this.flush();
    let resolve!: (lost: Set<number> | undefined) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<Set<number> | undefined>((yes, no) => ([resolve, reject] = [yes, no]));
    promise.catch(() => undefined);
    this.open = { kind, grant, number, first: index, next: index + 1, count: 1, promise, resolve, reject, arg, text: note };
    queueMicrotask(() => this.flush());
    return promise;
  }

  flush(): void {
    const { open } = this;
    if (!open) return;
    this.open = undefined;
    let lost: Set<number> | undefined;
    const asker = {
      lost(_number: number, index: number, count: number): void {
        lost ??= new Set();
        for (let at = 0; at < count; at += 1) lost.add(index + at);
      },
      done: () => open.resolve(lost),
      fail: open.reject,
    };
    this.journal.ask(asker, (peer, token) => {
      peer.settle(token, open.kind, open.number, open.first, open.count, open.grant, open.arg, open.text);
      // A lease that is gone on the replica already is answered at once.
    });
  }
}

export class ReceivedMessage<Body> implements Message<Body> {
  readonly priority = 0;
  /** What was said of it first. */
  said: Settle | undefined;
  private promise: Promise<void> | undefined;
  private controller: AbortController | undefined;
  private unwatch: (() => void) | undefined;
  private until: number;
  private lost = false;

  constructor(
    private readonly journal: Journal,
    private readonly settler: Settler,
    private readonly held: Set<unknown>,
    private readonly delivery: Delivery,
    readonly index: number,
    readonly body: Body,
    readonly headers: Readonly<Record<string, string>> = NONE,
    /** In a handler the first word counts and later ones are not heard; elsewhere another word is an error. */
    private readonly firstWins: boolean,
    private readonly closed: AbortSignal,
  ) {
    this.until = delivery.until;
  }

  get id(): string {
    return messageId(this.delivery.number, this.index);
  }

  get timestamp(): Date {
    return new Date(this.delivery.sent);
  }

  get attempts(): number {
    return this.delivery.attempts;
  }

  get groupId(): undefined {
    return undefined;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      const { number, grant } = this.delivery;
      this.unwatch = this.journal.loader.watch(number, this.index, grant, () => this.lose());
      if (this.said === undefined && this.journal.clock.now() >= this.until) this.lose();
      else if (this.said === undefined) this.watchClock();
    }
    return this.controller.signal;
  }

  private watchClock(): void {
    const { clock } = this.journal;
    clock.setTimeout(() => {
      if (this.said !== undefined) return;
      if (clock.now() >= this.until) this.lose();
      else this.watchClock();
    }, Math.min(Math.max(1, this.until - clock.now()), 2 ** 31 - 1));
  }

  private lose(): void {
    this.unwatch?.();
    if (this.said === undefined) this.controller?.abort(this.leaseLost());
  }

  private leaseLost(): LeaseLostError {
    return new LeaseLostError(`the lease of message ${this.id} ran out or was taken away: it is someone else's by now`);
  }

  ack(): Promise<void> {
    return this.say(effect.ACK);
  }

  retry(options?: { delaySeconds?: number }): Promise<void> {
    try {
      const delay = options?.delaySeconds;
      return this.say(effect.RETRY, delay === undefined ? -1 : seconds("delaySeconds", delay));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  deadLetter(reason = "dead-lettered by its receiver"): Promise<void> {
    try {
      return this.say(effect.DEAD_LETTER, 0, text("reason", reason));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `retry`, with the error that caused it. */
  fail(error: unknown, delayMs = -1): Promise<void> {
    const note = error instanceof Error ? `${error.name}: ${error.message}` : show(error);
    return this.say(effect.RETRY, delayMs, note.slice(0, 512));
  }

  async extend(duration: number): Promise<void> {
    const ms = seconds("seconds", duration, 0.001);
    if (this.closed.aborted) throw this.closed.reason;
    if (this.said !== undefined) throw this.settled(effect.EXTEND);
    const { number, grant } = this.delivery;
    const lost = await this.settler.settle(effect.EXTEND, number, this.index, grant, ms);
    if (lost?.has(this.index)) throw this.leaseLost();
    this.until = this.journal.clock.now() + ms;
  }

  /** The queue is closed: its receiver is told, and it goes back. */
  abandon(reason: unknown): void {
    this.controller?.abort(reason);
    void this.release();
  }

  /** Gives it back as if it had not been taken. */
  release(): Promise<void> {
    return this.say(effect.RELEASE);
  }

  reply(): Promise<void> {
    return Promise.reject(notSupported("message.reply"));
  }

  ackIn(): void {
    throw notSupported("message.ackIn");
  }

  private settled(kind: Settle): Error {
    if (this.lost) return this.leaseLost();
    return platformError("InvalidStateError", `message ${this.id} was ${VERBS[this.said as Settle]} already: it can't be ${VERBS[kind]}`);
  }

  private say(kind: Settle, arg = 0, note?: string): Promise<void> {
    if (this.closed.aborted && kind !== effect.RELEASE) return rejected(this.closed.reason);
    if (this.promise) {
      if (this.firstWins || this.said === kind) return this.promise;
      return rejected(this.settled(kind));
    }
    this.said = kind;
    this.held.delete(this);
    this.unwatch?.();
    const { number, grant } = this.delivery;
    const promise = this.settler.settle(kind, number, this.index, grant, arg, note).then((lost) => {
      if (!lost?.has(this.index)) return;
      this.lost = true;
      throw this.leaseLost();
    });
    // It need not be awaited.
    promise.catch(() => undefined);
    return (this.promise = promise);
  }
}

/** A rejection that need not be looked at. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => undefined);
  return promise;
}
