/** Sends on their way: those of one moment with the same options are one command of the engine. */

import { MessageTooLargeError, QueueFullError, StorageLostError, platformError, show } from "./errors";
import { FULL, TOO_LARGE, UNKNOWN, type Asker, type Handle } from "./effects";
import type { HeadersByIndex } from "./store";
import type { BacklogMetrics } from "./types";

export interface Receipt {
  id: string;
  duplicate: boolean;
  metadata: { metrics: BacklogMetrics };
}

/** What the messages of one command have in common. */
export interface Terms {
  /** -1: the queue's. */
  delayMs: number;
  /** 0: as the queue's retention says. */
  expiresMs: number;
  key: string | undefined;
}

/** The text form of a message's id. */
export function messageId(number: number, index: number): string {
  return `${number}-${index}`;
}

type Metrics = () => { metrics: BacklogMetrics };

/** Messages of one send command, oldest first. Subclasses know who waits for them. */
export abstract class Outgoing implements Asker {
  count = 0;
  bytes = 0;
  /** In the engine's hands: nothing more may be added. */
  departed = false;
  /** How many were accepted or refused. */
  protected over = 0;
  protected readonly bodies: unknown[] = [];
  protected headers: (Readonly<Record<string, string>> | undefined)[] | undefined;

  /** `owner`: who to fail with. */
  constructor(readonly owner: unknown, readonly handle: Handle, readonly terms: Terms) {}

  /** Whether it stands as a whole: as the engine's `send` takes it, with how much follows as its parts. */
  whole(): [kind: number, more: number, bytes: number] {
    return [0, 0, 0];
  }

  protected push(body: unknown, bytes: number, headers: Readonly<Record<string, string>> | undefined): void {
    if (headers) (this.headers ??= [])[this.count] = headers;
    this.bodies.push(body);
    this.count += 1;
    this.bytes += bytes;
  }

  get left(): number {
    return this.count - this.over;
  }

  /** Adds the next `count` messages to a record's bodies; answers whether any has headers. */
  load(count: number, bodies: unknown[], headers: HeadersByIndex): boolean {
    let some = false;
    for (let at = this.over; at < this.over + count; at += 1) {
      const own = this.headers?.[at];
      if (own) {
        headers[bodies.length] = own;
        some = true;
      }
      bodies.push(this.bodies[at]);
    }
    return some;
  }

  protected end(count: number): void {
    this.bodies.fill(undefined, this.over, this.over + count);
    this.over += count;
  }

  abstract sent(number: number, index: number, count: number): void;
  abstract duplicate(number: number, index: number): void;
  abstract refused(why: number, count: number): void;
  abstract fail(error: unknown): void;
  /** Takes out messages whose bodies the store can't hold, by place among those not over yet. */
  abstract without(places: number[]): void;
}

/** Sends that each have a promise. */
export class SingleOutgoing extends Outgoing {
  private readonly resolves: ((receipt: Receipt) => void)[] = [];
  private readonly rejects: ((error: unknown) => void)[] = [];

  constructor(owner: unknown, handle: Handle, terms: Terms, private readonly metrics: Metrics) {
    super(owner, handle, terms);
  }

  add(body: unknown, bytes: number, headers: Readonly<Record<string, string>> | undefined): Promise<Receipt> {
    this.push(body, bytes, headers);
    return new Promise((resolve, reject) => {
      this.resolves.push(resolve);
      this.rejects.push(reject);
    });
  }

  sent(number: number, index: number, count: number): void {
    const metadata = this.metrics();
    for (let at = 0; at < count; at += 1) {
      this.resolves[this.over + at]({ id: messageId(number, index + at), duplicate: false, metadata });
    }
    this.end(count);
  }

  duplicate(number: number, index: number): void {
    this.resolves[this.over]({ id: messageId(number, index), duplicate: true, metadata: this.metrics() });
    this.end(1);
  }

  refused(why: number, count: number): void {
    const error = refusal(why, this.handle.name);
    for (let at = 0; at < count; at += 1) this.rejects[this.over + at](error);
    this.end(count);
  }

  fail(error: unknown): void {
    for (let at = this.over; at < this.count; at += 1) this.rejects[at](error);
    this.over = this.count;
  }

  without(places: number[]): void {
    for (const place of places.toSorted((a, b) => b - a)) {
      const at = this.over + place;
      this.rejects[at](unstorableError());
      for (const list of [this.bodies, this.headers, this.resolves, this.rejects]) list?.splice(at, 1);
      this.count -= 1;
    }
  }
}

/** All or nothing: one promise for all. Messages with terms of their own are parts of one batch. */
export class Batch {
  readonly parts: BatchPart[] = [];
  readonly ids: Promise<string[]>;
  private readonly collected: string[] = [];
  private left = 0;
  private resolve!: (ids: string[]) => void;
  private reject!: (error: unknown) => void;

  constructor(private readonly owner: unknown, private readonly handle: Handle) {
    this.ids = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.ids.catch(() => undefined);
  }

  add(body: unknown, bytes: number, terms: Terms, headers: Readonly<Record<string, string>> | undefined): void {
    let part = this.parts.at(-1);
    if (!part || part.terms.key !== undefined || !sameTerms(part.terms, terms)) {
      this.parts.push((part = new BatchPart(this.owner, this.handle, terms, this, this.left)));
    }
    part.add(body, bytes, headers);
    this.left += 1;
  }

  accepted(place: number, number: number, index: number, count: number): void {
    for (let at = 0; at < count; at += 1) this.collected[place + at] = messageId(number, index + at);
    this.left -= count;
    if (this.left === 0) this.resolve(this.collected);
  }

  fail(error: unknown): void {
    this.reject(error);
  }
}

export class BatchPart extends Outgoing {
  constructor(owner: unknown, handle: Handle, terms: Terms, private readonly batch: Batch, private readonly first: number) {
    super(owner, handle, terms);
  }

  add(body: unknown, bytes: number, headers: Readonly<Record<string, string>> | undefined): void {
    this.push(body, bytes, headers);
  }

  override whole(): [kind: number, more: number, bytes: number] {
    if (this.first > 0) return [1, 0, 0];
    const rest = this.batch.parts.slice(1);
    return [2, rest.reduce((sum, part) => sum + part.count, 0), rest.reduce((sum, part) => sum + part.bytes, 0)];
  }

  sent(number: number, index: number, count: number): void {
    this.batch.accepted(this.first + this.over, number, index, count);
    this.end(count);
  }

  duplicate(number: number, index: number): void {
    this.sent(number, index, 1);
  }

  refused(why: number, count: number): void {
    this.batch.fail(refusal(why, this.handle.name));
    this.end(count);
  }

  fail(error: unknown): void {
    this.batch.fail(error);
    this.end(this.left);
  }

  without(places: number[]): void {
    const which = places.map((place) => this.first + place).join(", ");
    this.fail(platformError("DataCloneError", `message ${which} of the batch: ${unstorableError().message}`));
  }
}

export function sameTerms(a: Terms, b: Terms): boolean {
  return a === b || (a.key === undefined && b.key === undefined && a.delayMs === b.delayMs && a.expiresMs === b.expiresMs);
}

export function unstorableError(): DOMException {
  return platformError("DataCloneError", "the storage can't hold the body: it can be cloned, but not stored (shared memory, a wasm module)");
}

function refusal(why: number, queue: string): unknown {
  switch (why) {
    case FULL:
      return new QueueFullError(`the queue ${show(queue)} is full; its overflow policy is "reject"`);
    case TOO_LARGE:
      return new MessageTooLargeError(`more than the capacity of the queue ${show(queue)} in one piece`);
    case UNKNOWN:
      return new StorageLostError("it can't be known any more whether the message was stored", true);
    default:
      return platformError("NotFoundError", `the queue ${show(queue)} was deleted`);
  }
}
