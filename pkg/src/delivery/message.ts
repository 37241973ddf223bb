/** Received messages, the lease under which they came, and what their receiver says of them. */

import { LeaseLostError, notSupported, platformError } from "../contract/errors";
import { ACK, DEAD_LETTER, EXTEND, RELEASE, RETRY } from "../engine/codes";
import type { Delivery, Handle, Part, Settle } from "../engine/effects";
import { bounded } from "../contract/foreign";
import type { Keeper } from "./extender";
import type { Held, Leases, Lost, Range } from "./leases";
import type { Stop } from "../schedule/cancellation";
import { seconds, text } from "../contract/options";
import { messageId } from "../journal/sends";
import type { Message } from "../contract/types";
import { visible } from "../contract/inspectable";

/** Who receives messages, as far as their lease goes by it. */
export interface Receiver {
  /** In a handler the first word counts and later ones are not heard; elsewhere another word is an error. */
  firstWins: boolean;
  /** Bodies of bytes may be views of lent memory. */
  borrow: boolean;
  /** Told of what was said in a handler and makes no sense. */
  report?: (error: unknown) => void;
}

/** Neighbouring messages that were leased together and whose bodies lie in one parcel. */
export class Lease<Body = unknown> implements Held {
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
  forgotten = false;

  constructor(
    readonly leases: Leases,
    readonly queue: Handle,
    readonly part: Part,
    readonly delivery: Delivery,
    readonly receiver: Receiver,
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
      if ((firstWins && !this.lease.handled) || this.said === kind) return (more.promise ??= Promise.resolve());
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
