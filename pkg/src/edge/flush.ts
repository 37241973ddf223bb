/** Handing over: one batch at a time, in order, tried a bounded number of times, and told where it could not be done. */

import { platformError } from "../contract/errors";
import type { Settings } from "./settings";
import { Refusal } from "./errors";
import type { Kept, Target } from "./target";
import type { BufferedMessage, BufferedMetrics, Lifetime } from "./types";
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
  /** Ends its wait for more messages. Time on the wall has no say in it: that may be set back. */
  timer: unknown;
  /** What it has waited because its target asked for it. */
  restedMs: number;
  lost: Lost[];
  /** The same, as it is told. */
  failures: UndeliveredError[];
}

/** Messages that were given up, for one reason. */
interface Lost {
  messages: BufferedMessage[];
  attempts: number;
  unknown: boolean;
  cause: unknown;
  why: string;
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
  /** Those that are over, and of which `onUndelivered` is still told. */
  private readonly ending = new Set<Batch>();
  private running = false;
  /** Until the target wants to be asked again. */
  private rest: Promise<void> | undefined;
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
    // Only the last waits to be full; who has others behind it goes as it is.
    const last = this.batches[this.batches.length - 1];
    for (const batch of [before[before.length - 1], ...places]) if (batch && batch !== last) this.stop(batch);
    if (last.count < this.settings.size && !last.hurried)
      last.timer ??= this.settings.clock.setTimeout(() => this.full(last), this.settings.fillMs);
    this.go();
  }

  /** It has waited long enough. */
  private full(batch: Batch): void {
    batch.timer = undefined;
    batch.hurried = true;
    this.go();
  }

  private stop(batch: Batch): void {
    if (batch.timer !== undefined) this.settings.clock.clearTimeout(batch.timer);
    batch.timer = undefined;
  }

  /** The batch that has room for it, which it takes. */
  private place({ bytes }: Slot): Batch {
    const { size, batchBytes, fillMs } = this.settings;
    let batch = this.batches.at(-1);
    if (!batch || batch.sealed || batch.count >= size || batch.bytes + bytes > batchBytes) {
      batch = {
        slots: [],
        count: 0,
        bytes: 0,
        ended: deferred(),
        told: new Set(),
        flushed: false,
        hurried: fillMs === 0,
        sealed: false,
        timer: undefined,
        restedMs: 0,
        lost: [],
        failures: [],
      };
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
    await Promise.all([...batches, ...this.ending].map(({ ended }) => ended.promise.catch(() => undefined)));
    return batches.flatMap(({ failures }) => failures);
  }

  /** Starts the next batch when it is full or its time has come. */
  private go(): void {
    const [first] = this.batches;
    if (this.running || !first) return;
    if (!first.hurried && this.batches.length === 1 && first.count < this.settings.size) return;
    this.running = true;
    void this.run(first);
  }

  private async run(batch: Batch): Promise<void> {
    // What is sent in the same moment goes along.
    await null;
    batch.sealed = true;
    this.stop(batch);
    await this.deliver(batch, batch.slots);
    this.batches.shift();
    this.running = false;
    this.bytes -= batch.bytes;
    void this.end(batch);
    this.freed();
    this.go();
  }

  /** Tries until it is done, or cannot be; halves what is too large, or has what can't be handed over. */
  private async deliver(batch: Batch, slots: Slot[], unknown = false): Promise<void> {
    const key = crypto.randomUUID();
    for (let attempt = 1;; attempt += 1) {
      await this.rest;
      const refusal = await this.attempt(slots, key);
      if (!refusal) {
        this.counts.delivered += slots.length;
        this.counts.batches += 1;
        return;
      }
      unknown ||= refusal.unknown;
      const { afterMs } = refusal;
      const patient = batch.restedMs + afterMs <= this.settings.restMs;
      const halved = refusal.split && slots.length > 1;
      const again = halved || (refusal.retry && attempt <= this.settings.retries);
      if (patient && afterMs > 0) {
        batch.restedMs += afterMs;
        // Nor are those behind it.
        this.rest = this.pause(afterMs);
      }
      if (!again || !patient) return this.give(batch, slots, attempt, unknown, refusal, patient);
      if (halved) {
        const half = slots.length >> 1;
        await this.deliver(batch, slots.slice(0, half), unknown);
        return this.deliver(batch, slots.slice(half), unknown);
      }
      this.counts.retries += 1;
      await this.pause(this.backoff(attempt));
    }
  }

  /** Gives them up. */
  private give(batch: Batch, slots: Slot[], attempts: number, unknown: boolean, { cause, afterMs }: Refusal, patient: boolean): void {
    this.counts.undelivered += slots.length;
    const { restMs } = this.settings;
    const why = `${reason(cause)}${
      patient ? "" : `; it asks to be left alone for ${afterMs / 1000} s, and a batch waits ${restMs / 1000} s for that (maxRetryAfter)`
    }`;
    const messages = slots.map(({ kept: { message } }) => message);
    // Halves of a batch that fail for one reason are told of as one.
    const last = batch.lost[batch.lost.length - 1] as Lost | undefined;
    if (last?.why === why && last.attempts === attempts && last.unknown === unknown) last.messages.push(...messages);
    else batch.lost.push({ messages, attempts, unknown, cause, why });
  }

  /** One try; undefined: it is done. */
  private async attempt(slots: Slot[], key: string): Promise<Refusal | undefined> {
    const { clock, tryMs } = this.settings;
    const controller = new AbortController();
    const timer = clock.setTimeout(() => controller.abort(platformError("TimeoutError", `the target did not answer for ${tryMs / 1000} s`)),
      tryMs);
    try {
      await this.target.take(slots.map(({ kept }) => kept), key, controller.signal, () => clock.now());
      return undefined;
    } catch (error) {
      return error instanceof Refusal ? error : new Refusal(error, false);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.settings.clock.setTimeout(resolve, ms));
  }

  private backoff(attempt: number): number {
    const { baseMs, factor, maxMs, jitter } = this.settings.retry;
    return Math.min(baseMs * factor ** (attempt - 1), maxMs) * (1 - jitter * Math.random());
  }

  /** Tells everyone who has to do with the batch that it is over. */
  private async end(batch: Batch): Promise<void> {
    const { ended, lost } = batch;
    const told = ({ messages, attempts, unknown, cause, why }: Lost): UndeliveredError =>
      new UndeliveredError(`${messages.length} messages could not be handed over in ${attempts} tries: ${why}`, messages, attempts, unknown,
        cause);
    this.ending.add(batch);
    batch.failures = lost.map(told);
    const unheard = (await Promise.all(batch.failures.map((error) => this.report(error)))).filter((one) => one !== undefined).pop();
    this.ending.delete(batch);
    if (unheard === undefined) return ended.resolve();
    ended.reject(unheard);
    // Where no platform is told, the rejection must not go unseen.
    if (!batch.told.size && !batch.flushed) void Promise.reject(unheard);
  }

  /** Undefined: it was told. Else the error that nobody has been told of yet. */
  private async report(error: UndeliveredError): Promise<unknown> {
    const { report } = this.settings;
    if (!report) return error;
    try {
      await report(error as UndeliveredError<never>);
      return undefined;
    } catch (thrown) {
      return thrown ?? error;
    }
  }
}
