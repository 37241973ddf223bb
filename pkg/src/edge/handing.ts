/** Handing over: one batch at a time, in order, tried a bounded number of times, and told where it could not be done. */

import { platformError } from "../errors";
import type { Settings } from "./settings";
import { Refusal, type Kept, type Target } from "./target";
import type { BufferedMetrics, Lifetime } from "./types";
import { reason, UndeliveredError } from "./undelivered";

/** A buffered message, and what it counts for. */
export interface Slot {
  kept: Kept;
  bytes: number;
}

/** A promise from outside. */
interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Slots that go together, and who waits for them. */
interface Batch {
  slots: Slot[];
  /** Of its slots, and of those it is about to get. */
  count: number;
  bytes: number;
  /** Ends with the batch; rejects where nobody else is told of what was not handed over. */
  ended: Deferred;
  /** Those that keep the isolate alive for it. */
  told: Set<Lifetime>;
  /** Someone flushes it, and hears of its failures. */
  flushed: boolean;
  /** It waits for no more messages. */
  hurried: boolean;
  /** It takes no more. */
  sealed: boolean;
  /** When its first message came. */
  since: number;
  failures: UndeliveredError[];
}

function deferred(): Deferred {
  let [resolve, reject]: [() => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

export class Handing {
  /** Of all that is not handed over. */
  bytes = 0;
  /** The last takes more; the first goes next. */
  private batches: Batch[] = [];
  private running = false;
  private timer: unknown;
  private readonly counts = { delivered: 0, undelivered: 0, batches: 0, retries: 0 };

  constructor(private readonly target: Target, private readonly settings: Settings, private readonly freed: () => void) {}

  metrics(): BufferedMetrics {
    const buffered = this.batches.reduce((sum, { slots }) => sum + slots.length, 0);
    return { buffered, ...this.counts, bufferedBytes: this.bytes };
  }

  /** Throws what `lifetime` does when it is told; nothing was added then. */
  add(slots: Slot[], lifetime: Lifetime | undefined): void {
    const before = [...this.batches];
    const places = slots.map((slot) => this.place(slot));
    if (lifetime) this.tell(new Set(places), lifetime, before);
    slots.forEach((slot, at) => places[at].slots.push(slot));
    this.go();
  }

  /** The batch that has room for it, which it takes. */
  private place({ bytes }: Slot): Batch {
    const { size, batchBytes, clock } = this.settings;
    let batch = this.batches.at(-1);
    if (!batch || batch.sealed || batch.count >= size || batch.bytes + bytes > batchBytes) {
      batch = { slots: [], count: 0, bytes: 0, ended: deferred(), told: new Set(), flushed: false, hurried: false, sealed: false, since: clock.now(), failures: [] };
      batch.ended.promise.catch(() => undefined);
      this.batches.push(batch);
    }
    batch.count += 1;
    batch.bytes += bytes;
    this.bytes += bytes;
    return batch;
  }

  private tell(batches: Set<Batch>, lifetime: Lifetime, before: Batch[]): void {
    try {
      for (const batch of batches) {
        if (batch.told.has(lifetime)) continue;
        lifetime.waitUntil(batch.ended.promise);
        batch.told.add(lifetime);
      }
    } catch (error) {
      for (const batch of batches) {
        if (!before.includes(batch)) batch.ended.resolve();
        batch.count = batch.slots.length;
        const bytes = batch.slots.reduce((sum, slot) => sum + slot.bytes, 0);
        this.bytes -= batch.bytes - bytes;
        batch.bytes = bytes;
      }
      this.batches = before;
      throw error;
    }
  }

  /** Hands over what is there without waiting for more. */
  hurry(): void {
    for (const batch of this.batches) batch.hurried = true;
    this.go();
  }

  /** Hands over all that is there; what could not be. */
  async flush(): Promise<UndeliveredError[]> {
    const batches = [...this.batches];
    for (const batch of batches) batch.flushed = true;
    this.hurry();
    await Promise.all(batches.map(({ ended }) => ended.promise.catch(() => undefined)));
    return batches.flatMap(({ failures }) => failures);
  }

  /** Starts the next batch when it is full or its time has come. */
  private go(): void {
    const { clock, fillMs, size } = this.settings;
    const [first] = this.batches;
    if (this.running || !first) return;
    const left = first.since + fillMs - clock.now();
    if (left > 0 && !first.hurried && this.batches.length === 1 && first.count < size) {
      this.timer ??= clock.setTimeout(() => {
        this.timer = undefined;
        this.go();
      }, left);
      return;
    }
    if (this.timer !== undefined) clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.running = true;
    void this.run(first);
  }

  private async run(batch: Batch): Promise<void> {
    // What is sent in the same moment goes along.
    await null;
    batch.sealed = true;
    await this.deliver(batch, batch.slots);
    this.batches.shift();
    this.running = false;
    this.bytes -= batch.bytes;
    this.end(batch);
    this.freed();
    this.go();
  }

  /** Tries until it is done, or cannot be; halves what is too large. */
  private async deliver(batch: Batch, slots: Slot[]): Promise<void> {
    const key = crypto.randomUUID();
    let unknown = false;
    for (let attempt = 1; ; attempt += 1) {
      const refusal = await this.attempt(slots, key);
      if (!refusal) {
        this.counts.delivered += slots.length;
        this.counts.batches += 1;
        return;
      }
      unknown ||= refusal.unknown;
      if (refusal.split && slots.length > 1) {
        const half = slots.length >> 1;
        await this.deliver(batch, slots.slice(0, half));
        return this.deliver(batch, slots.slice(half));
      }
      if (!refusal.retry || attempt > this.settings.retries) {
        const what = `${slots.length} messages could not be handed over in ${attempt} tries: ${reason(refusal.cause)}`;
        this.counts.undelivered += slots.length;
        batch.failures.push(new UndeliveredError(what, slots.map(({ kept: { message } }) => message), attempt, unknown, refusal.cause));
        return;
      }
      this.counts.retries += 1;
      await this.pause(attempt, refusal.afterMs);
    }
  }

  /** One try; undefined: it is done. */
  private async attempt(slots: Slot[], key: string): Promise<Refusal | undefined> {
    const { clock, tryMs } = this.settings;
    const controller = new AbortController();
    const timer = clock.setTimeout(() => controller.abort(platformError("TimeoutError", `the target did not answer for ${tryMs / 1000} s`)), tryMs);
    try {
      await this.target.take(slots.map(({ kept }) => kept), key, controller.signal, () => clock.now());
      return undefined;
    } catch (error) {
      return error instanceof Refusal ? error : new Refusal(error, false);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  private pause(attempt: number, afterMs: number): Promise<void> {
    const { clock, retry: { baseMs, factor, maxMs, jitter } } = this.settings;
    const grown = Math.min(baseMs * factor ** (attempt - 1), maxMs);
    const ms = grown * (1 - jitter * Math.random());
    // A target that says "in an hour" is not waited for: no isolate lives that long.
    return new Promise((resolve) => void clock.setTimeout(resolve, Math.max(ms, Math.min(afterMs, maxMs))));
  }

  /** Tells everyone who has to do with the batch that it is over. */
  private end(batch: Batch): void {
    const { ended, failures } = batch;
    let unheard: unknown;
    for (const error of failures) unheard = this.report(error) ?? unheard;
    if (unheard === undefined) return ended.resolve();
    ended.reject(unheard);
    // Where no platform is told, the rejection must not go unseen.
    if (!batch.told.size && !batch.flushed) void Promise.reject(unheard);
  }

  /** Undefined: it was told. Else the error that nobody has been told of yet. */
  private report(error: UndeliveredError): unknown {
    const { report } = this.settings;
    if (!report) return error;
    try {
      report(error as UndeliveredError<never>);
      return undefined;
    } catch (thrown) {
      return thrown;
    }
  }
}
