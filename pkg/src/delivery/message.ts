/** A received message, and what its receiver says of it. */

import { LeaseLostError, notSupported, platformError } from "../contract/errors";
import { ACK, DEAD_LETTER, EXTEND, RELEASE, RETRY } from "../engine/codes";
import type { Settle } from "../engine/effects";
import { bounded } from "../contract/foreign";
import type { Lease } from "./leases";
import { seconds, text } from "../contract/options";
import { messageId } from "../journal/sends";
import type { Message } from "../contract/types";
import { visible } from "../contract/inspectable";

const NONE: Readonly<Record<string, string>> = Object.freeze({});
const VERBS: Record<Settle, string> = { 0: "acked", 1: "retried", 2: "dead-lettered", 3: "extended", 4: "released" };
/** A body that was not looked at yet. */
const UNREAD = Symbol();

/** What few messages have. */
interface Rare {
  promise?: Promise<void>;
  controller?: AbortController;
  lost?: boolean;
  /** Its receiver extended its lease until then. */
  until?: number;
}

export class ReceivedMessage<Body> implements Message<Body> {
  /** What was said of it first. */
  said: Settle | undefined = undefined;
  private value: unknown = UNREAD;
  private rare: Rare | undefined = undefined;

  constructor(readonly lease: Lease<Body>, private readonly place: number) {}

  /** Until when its receiver has it at least, as far as its lease and its own word say. */
  get until(): number {
    return this.rare?.until ?? this.lease.until;
  }

  /** Nothing was said of it, and it is not lost. */
  get isHeld(): boolean {
    return this.said === undefined && !this.rare?.lost;
  }

  private get more(): Rare {
    return (this.rare ??= {});
  }

  get id(): string {
    return messageId(this.lease.number, this.index);
  }

  private get index(): number {
    return this.lease.index + this.place;
  }

  get timestamp(): Date {
    return new Date(this.lease.delivery.sent);
  }

  get body(): Body {
    this.own();
    return this.value as Body;
  }

  /** Takes the body, if it was not looked at yet. */
  own(): void {
    if (this.value !== UNREAD) return;
    const { part, receiver } = this.lease;
    this.value = part.parcel!.body(part.offset + this.place, receiver.borrow);
  }

  get attempts(): number {
    return this.lease.delivery.attempts;
  }

  get headers(): Readonly<Record<string, string>> {
    const { headers, offset } = this.lease.part;
    return headers?.[offset + this.place] ?? NONE;
  }

  get priority(): number {
    return 0;
  }

  get groupId(): undefined {
    return undefined;
  }

  get signal(): AbortSignal {
    const { more } = this;
    if (!more.controller) {
      more.controller = new AbortController();
      if (more.lost) more.controller.abort(this.leaseLost());
    }
    return more.controller.signal;
  }

  /** Someone else has it, or it is gone. A lease that ran out is not lost before. */
  lose(): void {
    const { more } = this;
    if (this.said !== undefined || more.lost) return;
    more.lost = true;
    this.lease.over(1);
    more.controller?.abort(this.leaseLost());
  }

  private leaseLost(): Error {
    return new LeaseLostError(`the lease of message ${this.id} is lost: the message was taken by someone else meanwhile, or is gone`);
  }

  ack(): Promise<void> {
    return this.say(ACK);
  }

  retry(options?: { delaySeconds?: number }): Promise<void> {
    try {
      const delay = options?.delaySeconds;
      return this.say(RETRY, delay === undefined ? -1 : seconds("delaySeconds", delay));
    } catch (error) {
      return this.refuse(error);
    }
  }

  deadLetter(reason = "dead-lettered by its receiver"): Promise<void> {
    try {
      return this.say(DEAD_LETTER, 0, bounded(text("reason", reason)));
    } catch (error) {
      return this.refuse(error);
    }
  }

  /** What was said makes no sense. In a handler, which may not wait to hear that, the message is retried: it was not to be acked. */
  private refuse(error: unknown): Promise<never> {
    const { firstWins, report } = this.lease.receiver;
    if (firstWins && this.said === undefined) {
      void this.say(RETRY, -1);
      report?.(error);
    }
    return rejected(error);
  }

  extend(duration: number): Promise<void> {
    const extended = this.extending(duration);
    // It need not be awaited.
    extended.catch(() => undefined);
    return extended;
  }

  private async extending(duration: number): Promise<void> {
    const ms = seconds("seconds", duration, 0.001);
    const until = this.lease.leases.now() + ms;
    // As with every other word, a handler is heard until its messages go back.
    if (!this.lease.receiver.firstWins || this.said === RELEASE) this.lease.closed.throwIfCome();
    if (this.said !== undefined) throw this.settled(EXTEND);
    const lost = await this.lease.say(EXTEND, this.place, ms);
    if (lost?.has(this.index)) throw this.leaseLost();
    this.more.until = until;
  }

  /** The queue is closing: whoever works on it may stop. */
  interrupt(reason: unknown): void {
    if (this.said === undefined) this.rare?.controller?.abort(reason);
  }

  /** The queue is closed: its receiver is told, and it goes back. */
  abandon(reason: unknown): void {
    this.interrupt(reason);
    if (this.isHeld) void this.release();
  }

  /** Gives it back as if it had not been taken. */
  release(): Promise<void> {
    return this.say(RELEASE);
  }

  reply(): Promise<void> {
    return Promise.reject(notSupported("message.reply"));
  }

  ackIn(): void {
    throw notSupported("message.ackIn");
  }

  private settled(kind: Settle): Error {
    if (this.rare?.lost) return this.leaseLost();
    return platformError("InvalidStateError", `message ${this.id} was ${VERBS[this.said as Settle]} already: it can't be ${VERBS[kind]}`);
  }

  private say(kind: Settle, arg = 0, note?: string): Promise<void> {
    const { closed, spokenFor, receiver: { firstWins } } = this.lease;
    const { more } = this;
    // A handler is waited for, and heard, until its messages go back.
    if (closed.come && kind !== RELEASE && (!firstWins || this.said === RELEASE)) return rejected(closed.reason);
    if (spokenFor && this.said === undefined && kind !== RELEASE) return Promise.resolve();
    if (this.said !== undefined) {
      if (firstWins && !this.lease.handled || this.said === kind) return (more.promise ??= Promise.resolve());
      return rejected(this.settled(kind));
    }
    this.said = kind;
    const promise = this.lease.say(kind, this.place, arg, note).then((lost) => {
      if (!lost?.has(this.index)) return;
      more.lost = true;
      throw this.leaseLost();
    });
    if (!more.lost) this.lease.over(1);
    // It need not be awaited.
    promise.catch(() => undefined);
    return (more.promise = promise);
  }
}

visible(ReceivedMessage.prototype, "id", "timestamp", "attempts", "headers", "body");

/** A rejection that need not be looked at. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => undefined);
  return promise;
}
