/** Sends on their way: those of one moment with the same options are one command of the engine. */

import { MessageTooLargeError, QueueFullError, StorageLostError, platformError, show } from "../contract/errors";
import { AS_MANY_AS_FIT, BATCH, BATCH_MESSAGES_MAX, BATCH_PART, BATCH_RUNS_MAX, FORBIDDEN, FULL, KEYS_MAX, NO_KEYS, TOO_LARGE, UNKNOWN,
  WITHDRAWN } from "../engine/codes";
import type { Asker, Handle } from "../engine/effects";
import type { Part } from "../contract/body";
import type { Terms } from "../contract/options";
import { TEXT, VALUES, formOf, parcelFor, type Filling, type Parcel, type Segment } from "../bodies/pack";
import type { Headers, HeadersByIndex } from "../contract/store";
import type { BacklogMetrics, SendBatchReceipt, SendReceipt } from "../contract/types";
import { visible } from "../contract/inspectable";
import { Deferred } from "../schedule/deferred";

/** The text form of a message's id. */
export function messageId(number: number, index: number): string {
  return `${number}-${index}`;
}

/** Text for the engine, which has UTF-8 only: half characters, and the zeros that mark them, as a zero and four hex digits. */
function encoded(text: string): string {
  return text.replace(/[\0\p{Cs}]/gu, (unit) => `\0${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Place of the capacity among a policy's numbers; its bytes come next. */
const CAPACITY_MESSAGES = 9;

type Metrics = () => { metrics: BacklogMetrics };

/** Messages of one send command, oldest first. Subclasses know who waits for them. */
export abstract class Outgoing implements Asker {
  count = 0;
  /** In the engine's hands: nothing more may be added. */
  departed = false;
  /** What to reject with, once its sender has called it off. */
  withdrawn: unknown;
  /** By which the engine or the host knows it, once it was asked. */
  ownToken: number | undefined;
  /** How many were accepted or refused. */
  protected over = 0;
  /** How many have gone through a port, whether they have their answer or not. Set by `post` alone. */
  posted = 0;
  readonly parcels: Parcel[] = [];
  private filling: Filling | undefined;
  protected headers: (Headers | undefined)[] = [];
  /** Estimated bytes of each message, while all are alike. */
  size = 0;
  protected sizes: number[] | undefined;

  /** `owner`: who to fail with. */
  constructor(readonly owner: unknown, readonly handle: Handle, readonly terms: Terms) {}

  /** Whether it stands as a whole: as the engine's `send` takes it, with how much follows as its parts. */
  whole(): [kind: number, more: number, bytes: number] {
    return [AS_MANY_AS_FIT, 0, 0];
  }

  /** The idempotency key as the engine has it: no two different strings are one. */
  get key(): string | undefined {
    const { key } = this.terms;
    return key === undefined ? undefined : encoded(key);
  }

  /** Estimated bytes of all messages: each with its body and its headers. */
  get bytes(): number {
    return this.bytesOf(0, this.count);
  }

  /** Of those that are left each, where they are not alike. */
  get sizesLeft(): Float64Array | undefined {
    return this.sizes && Float64Array.from(this.sizes.slice(this.over));
  }

  get left(): number {
    return this.count - this.over;
  }

  /** Estimated bytes of the message at a place, of all that were added. */
  sizeAt(place: number): number {
    return this.sizes ? this.sizes[place] : this.size;
  }

  /** Of `count` messages from a place on. */
  bytesOf(first: number, count: number): number {
    return this.sizes ? this.sizes.slice(first, first + count).reduce((sum, size) => sum + size, 0) : this.size * count;
  }

  areAlike(first: number, count: number): boolean {
    return !this.sizes?.slice(first, first + count).some((size) => size !== this.sizeAt(first));
  }

  /** How many have not gone through a port. */
  get unposted(): number {
    return this.count - this.next;
  }

  /** Adds a copy of the body, after those that are here. */
  protected push({ body, headers, transfer }: Part): void {
    // What moves is not copied, bytes neither.
    const form = transfer ? VALUES : formOf(body);
    const { handle, filling, count } = this;
    let before = filling?.bytes ?? 0;
    let parcel = filling;
    if (!parcel || (parcel.form !== form && handle.packs) || !parcel.add(body, transfer)) {
      before = 0;
      parcel = (form > TEXT ? handle.parcel?.(form, (body as Uint8Array).byteLength) : undefined) ?? parcelFor(form, handle.packs);
      parcel.add(body, transfer);
      this.parcels.push(this.filling = parcel);
    }
    let size = parcel.bytes - before;
    for (const name in headers) size += name.length + headers[name].length;
    if (count === 0) this.size = size;
    else if (size !== this.size && !this.sizes) this.sizes = new Array<number>(count).fill(this.size);
    this.sizes?.push(size);
    if (headers) this.headers[count] = headers;
    this.count += 1;
  }

  /** The place of the first that has not gone. */
  private get next(): number {
    return Math.max(this.over, this.posted);
  }

  /** The next `count` are posted: a frame may go before the one before it is answered. */
  post(count: number): void {
    this.posted = this.next + count;
  }

  /** Adds the next `count` messages to `segments`. */
  addSegments(count: number, segments: Segment[]): void {
    let from = this.next;
    for (const parcel of this.parcels) {
      const taken = Math.min(count, parcel.count - from);
      if (taken > 0) {
        segments.push({ parcel, from, count: taken });
        count -= taken;
      }
      from = Math.max(0, from - parcel.count);
      if (count === 0) break;
    }
  }

  /** Adds the headers of the next `count` messages; answers whether there are any. */
  addHeaders(count: number, headers: HeadersByIndex, index: number): boolean {
    let some = false;
    for (let at = 0; at < count && this.headers.length; at += 1) {
      const own = this.headers[this.next + at];
      if (own) headers[index + at] = own;
      some ||= own !== undefined;
    }
    return some;
  }

  protected end(count: number): void {
    this.over += count;
  }

  abstract sent(number: number, index: number, count: number): void;
  abstract duplicate(number: number, index: number): void;
  abstract refused(why: number, count: number): void;
  /** Of the messages that went to a host the next `count` failed there. */
  failNext(_count: number, error: unknown): void {
    this.fail(error);
  }
  abstract fail(error: unknown): void;
  /** Takes out messages whose bodies the store can't hold: for each of those not over yet its error, or undefined. */
  abstract without(errors: unknown[]): void;

  /** Drops the bodies at these places, of all that were added. */
  protected remove(places: number[]): void {
    let first = 0;
    for (const parcel of this.parcels as Filling[]) {
      const { count } = parcel;
      parcel.remove(places.filter((place) => place >= first && place < first + count).map((place) => place - first));
      first += count;
    }
    for (const place of places.toReversed()) {
      this.headers.splice(place, 1);
      this.sizes?.splice(place, 1);
    }
    this.count -= places.length;
  }
}

/** Where there is an error, in ascending order. */
function placesOf(errors: unknown[], first = 0): number[] {
  return errors.flatMap((error, place) => (error === undefined ? [] : [first + place]));
}

/** Where a message went: its id is text only for who asks. */
class Receipt implements SendReceipt {
  constructor(
    private readonly number: number,
    private readonly index: number,
    readonly duplicate: boolean,
    readonly metadata: { metrics: BacklogMetrics },
  ) {}

  get id(): string {
    return messageId(this.number, this.index);
  }
}

visible(Receipt.prototype, "id", "duplicate", "metadata");

/** Sends that each have a promise. */
export class SingleOutgoing extends Outgoing {
  /** Resolved with a rejection where there is no receipt: one closure a send is enough. */
  private readonly resolves: ((receipt: SendReceipt | Promise<never>) => void)[] = [];

  constructor(owner: unknown, handle: Handle, terms: Terms, private readonly metrics: Metrics) {
    super(owner, handle, terms);
  }

  add(part: Part): Promise<SendReceipt> {
    this.push(part);
    return new Promise((resolve) => this.resolves.push(resolve));
  }

  /** Answers the next `count`, each by what `receipt` makes of its place among them. */
  private answer(count: number, receipt: (at: number) => SendReceipt | Promise<never>): void {
    for (let at = 0; at < count; at += 1) this.resolves[this.over + at](receipt(at));
    this.end(count);
  }

  sent(number: number, index: number, count: number): void {
    const metadata = this.metrics();
    this.answer(count, (at) => new Receipt(number, index + at, false, metadata));
  }

  duplicate(number: number, index: number): void {
    this.answer(1, () => new Receipt(number, index, true, this.metrics()));
  }

  refused(why: number, count: number): void {
    this.failNext(count, refusal(why, this));
  }

  override failNext(count: number, error: unknown): void {
    this.answer(count, () => Promise.reject(error));
  }

  fail(error: unknown): void {
    this.failNext(this.left, error);
  }

  without(errors: unknown[]): void {
    const { over } = this;
    const places = placesOf(errors, over);
    this.remove(places);
    for (const at of places.reverse()) this.resolves.splice(at, 1)[0](Promise.reject(errors[at - over]));
  }
}

/** Neighbours that were sent together, and where the first of them was in its batch. */
interface Run {
  place: number;
  number: number;
  index: number;
  count: number;
}

/** Where the messages of a batch went, as runs. */
class BatchReceipt implements SendBatchReceipt {
  private made: string[] | undefined;

  constructor(private readonly runs: Run[], readonly metadata: { metrics: BacklogMetrics }) {}

  get ids(): string[] {
    return (this.made ??= this.runs.flatMap(({ number, index, count }) =>
      Array.from({ length: count }, (_, at) => messageId(number, index + at))
    ));
  }
}

visible(BatchReceipt.prototype, "ids", "metadata");

/** All or nothing: one promise for all. Messages with terms of their own are parts of one batch. */
export class Batch extends Deferred<SendBatchReceipt> {
  readonly parts: BatchPart[] = [];
  private readonly runs: Run[] = [];
  private left = 0;

  constructor(private readonly owner: unknown, private readonly handle: Handle, private readonly metrics: Metrics) {
    super();
  }

  add(message: Part): void {
    if (this.left === BATCH_MESSAGES_MAX) throw new RangeError(`a batch may have ${BATCH_MESSAGES_MAX} messages, not more`);
    let part = this.parts.at(-1);
    if (!part || part.terms.key !== undefined || !sameTerms(part.terms, message.terms)) {
      this.parts.push(part = new BatchPart(this.owner, this.handle, message.terms, this, this.left));
    }
    part.add(message);
    this.left += 1;
  }

  /** Throws when it is more than one step, and one frame where it goes through a port, can hold: it goes whole or not at all. */
  check(posted: boolean): void {
    const runs = this.parts.reduce((sum, { parcels }) => sum + (posted ? parcels.length : 1), 0);
    if (runs <= BATCH_RUNS_MAX) return;
    const alike = posted ? "a kind of body, a delay and an expiration, about 64 KiB at most," : "a delay and an expiration";
    throw new RangeError(
      `a batch may have ${BATCH_RUNS_MAX} runs of messages that share ${alike} and have no idempotencyKey, not ${runs}: send it in several`,
    );
  }

  accepted(run: Run): void {
    this.runs.push(run);
    this.left -= run.count;
    if (this.left > 0) return;
    this.runs.sort((a, b) => a.place - b.place);
    this.resolve(new BatchReceipt(this.runs, this.metrics()));
  }

  /** Its parts are over with it, whatever becomes of one that is under way. */
  fail(error: unknown): void {
    this.reject(error);
    for (const part of this.parts) part.drop();
  }
}

class BatchPart extends Outgoing {
  constructor(owner: unknown, handle: Handle, terms: Terms, private readonly batch: Batch, private readonly first: number) {
    super(owner, handle, terms);
  }

  add(part: Part): void {
    this.push(part);
  }

  override whole(): [kind: number, more: number, bytes: number] {
    if (this.first > 0) return [BATCH_PART, 0, 0];
    const rest = this.batch.parts.slice(1);
    return [BATCH, rest.reduce((sum, part) => sum + part.count, 0), rest.reduce((sum, part) => sum + part.bytes, 0)];
  }

  sent(number: number, index: number, count: number): void {
    this.batch.accepted({ place: this.first + this.over, number, index, count });
    this.end(Math.min(count, this.left));
  }

  duplicate(number: number, index: number): void {
    this.sent(number, index, 1);
  }

  refused(why: number): void {
    this.fail(refusal(why, this));
  }

  fail(error: unknown): void {
    this.batch.fail(error);
  }

  drop(): void {
    this.end(this.left);
  }

  without(errors: unknown[]): void {
    const places = placesOf(errors);
    const error = errors[places[0]] as Error;
    const says = `message ${places.map((place) => this.first + place).join(", ")} of the batch: ${error.message}`;
    this.fail(error instanceof MessageTooLargeError ? new MessageTooLargeError(says) : platformError(error.name, says));
  }
}

export function sameTerms(a: Terms, b: Terms): boolean {
  return a === b || (a.key === undefined && b.key === undefined && a.delayMs === b.delayMs && a.expiresMs === b.expiresMs);
}

function refusal(why: number, { handle, withdrawn }: Outgoing): unknown {
  const name = show(handle.name);
  const { [CAPACITY_MESSAGES]: messages, [CAPACITY_MESSAGES + 1]: bytes } = handle.policy;
  switch (why) {
    case FULL:
      return new QueueFullError(`the queue ${name} is full; its overflow policy is "reject"`);
    case TOO_LARGE:
      return new MessageTooLargeError(
        `more in one piece than the queue ${name} can ever hold: its capacity is ${messages} messages${
          bytes < Infinity ? `, ${bytes} bytes` : ""
        }`,
      );
    case NO_KEYS:
      return new QueueFullError(
        `the queue ${name} remembers as many idempotency keys as it can (${KEYS_MAX}, or 64 MiB of them): no window is cut short; a shorter deduplicationWindow lets it take more`,
      );
    case UNKNOWN:
      return new StorageLostError("it can't be known any more whether the message was stored", true);
    case WITHDRAWN:
      return withdrawn;
    case FORBIDDEN:
      return platformError("NotAllowedError", `the host of ${name} does not allow sending to this port`);
    default:
      return platformError("NotFoundError", `the queue ${name} was deleted`);
  }
}
