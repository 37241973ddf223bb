/** Consuming: batches for a handler, with Cloudflare's rules. Returns: acked. Throws: retried, except what was settled. */

import { after } from "../schedule/alarm";
import { disposable } from "../contract/dispose";
import { ACK, RELEASE, RETRY } from "../engine/codes";
import { show } from "../contract/errors";
import { nameOf, noteOf } from "../contract/foreign";
import { inside, isInside } from "./in-handler";
import type { Lease, ReceivedMessage } from "../delivery/message";
import { flag, object, refuseLater, seconds, signalOption, whole } from "../contract/options";
import { leasesOf, stillHeld, type Source } from "./receive";
import { Stop, onAbort } from "../schedule/cancellation";
import type { BacklogMetrics, Consumer, ConsumerOptions, MessageBatch, QueueHandler } from "../contract/types";

class Batch<Body> implements MessageBatch<Body> {
  /** What the batch as a whole is to become; a word on a message itself beats it if it came before. */
  all: { kind: typeof ACK | typeof RETRY; delayMs: number } | undefined;

  private told: { metrics: BacklogMetrics } | undefined;

  readonly queue: string;

  constructor(private readonly from: Source<Body>, readonly messages: readonly ReceivedMessage<Body>[]) {
    this.queue = from.name;
  }

  get metadata(): { metrics: BacklogMetrics } {
    return (this.told ??= this.from.backlog());
  }

  ackAll(): void {
    this.say(ACK, -1);
  }

  retryAll(options?: { delaySeconds?: number }): void {
    // Where the delay makes no sense, they are retried nevertheless: they were not to be acked.
    this.say(RETRY, -1);
    const delay = options?.delaySeconds;
    if (delay !== undefined) this.say(RETRY, seconds("delaySeconds", delay));
  }

  private say(kind: typeof ACK | typeof RETRY, delayMs: number): void {
    this.all ??= { kind, delayMs };
    // The first word counts, as on a message; of two on a retry the last names the delay.
    if (this.all.kind === kind && delayMs >= 0) this.all.delayMs = delayMs;
    for (const { lease } of this.messages) lease.spokenFor = true;
  }
}

const STOPPED = new Error("the consumer was stopped");
/** Who waits for handlers to end waits so long, or for a lease, at most. */
const PATIENCE_MS = 30_000;
/** After a receive that failed. */
const PAUSE_MS = 250;

/** A batch is handled while what was said of so many before it is on its way; then it waits. */
const UNHEARD_MAX = 16;

const FAILED = { kind: RETRY, delayMs: -1 } as const;
const ACKED = { kind: ACK, delayMs: -1 } as const;
const RELEASED = { kind: RELEASE, delayMs: -1 } as const;

interface Settings {
  size: number;
  fillMs: number;
  concurrency: number;
  extend: boolean;
  borrow: boolean;
}

function settings(options: ConsumerOptions): Settings {
  object("options", options);
  refuseLater(options, ["rateLimit"]);
  return {
    size: whole("maxBatchSize", options.maxBatchSize ?? 10, 1, 10_000),
    fillMs: seconds("maxBatchTimeout", options.maxBatchTimeout ?? 0, 0, 3600),
    concurrency: whole("maxConcurrency", options.maxConcurrency ?? 1, 1, 1000),
    extend: options.autoExtend ?? true,
    borrow: flag("borrow", options.borrow),
  };
}

export class LocalConsumer<Body> implements Consumer {
  readonly done: Promise<void>;
  private readonly stopping = new Stop();
  private readonly settings: Settings;

  constructor(private readonly queue: Source<Body>, private readonly handler: QueueHandler<Body>, options: ConsumerOptions = {}) {
    if (typeof handler !== "function") throw new TypeError(`a handler must be a function, not ${show(handler)}`);
    this.settings = settings(options);
    const signal = signalOption(options.signal);
    if (signal?.aborted) this.stopping.now(STOPPED);
    const off = signal && onAbort(signal, () => void this.stop());
    const lanes = Array.from({ length: this.settings.concurrency }, () => this.lane());
    this.done = Promise.all(lanes).then(() => undefined).finally(off);
    this.done.catch(() => undefined);
  }

  stop(): Promise<void> {
    this.stopping.now(STOPPED);
    if (isInside()) return Promise.resolve();
    // Who has awaited something in a handler, and stops it then, can't be told from others: nobody waits for ever.
    const { clock, visibilityMs } = this.queue.backing;
    return new Promise((resolve) => {
      const callOff = after(clock, Math.max(visibilityMs, PATIENCE_MS), resolve);
      void this.done.catch(() => undefined).then(() => {
        callOff();
        resolve();
      });
    });
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  private async lane(): Promise<void> {
    // What was said of the batches before, and is not known to be heard.
    const said: (Promise<unknown> | undefined)[] = [];
    while (!this.stopping.come) {
      let messages: ReceivedMessage<Body>[] = [];
      if (said.length === UNHEARD_MAX) await said.shift();
      try {
        messages = await this.gather();
      } catch (error) {
        if (this.stopping.come) break;
        // Who is not allowed to receive never will be.
        if (this.queue.isOver || nameOf(error) === "NotAllowedError") throw error;
        // The storage failed, and may be there again soon.
        this.queue.report(error);
        await this.pause();
      }
      if (messages.length) said.push((await this.handle(messages)).said);
    }
    await Promise.all(said);
  }

  private pause(): Promise<void> {
    const { clock } = this.queue.backing;
    return new Promise((resolve) => {
      const over = (): void => {
        clock.clearTimeout(timer);
        this.stopping.delete(over);
        resolve();
      };
      const timer = clock.setTimeout(over, PAUSE_MS);
      this.stopping.add(over);
    });
  }

  private take(max: number, waitMs: number): Promise<ReceivedMessage<Body>[]> {
    const { queue, stopping } = this;
    const report = (error: unknown): void =>
      queue.report(error, "what a handler said of a message makes no sense, and it is retried, in the queue");
    return queue.take({
      max,
      leaseMs: this.extends ? queue.leaseMs : 0,
      autoExtend: this.extends,
      waitMs,
      borrow: this.settings.borrow,
      firstWins: true,
      stop: stopping,
      signal: undefined,
      report,
    });
  }

  private async gather(): Promise<ReceivedMessage<Body>[]> {
    const { size, fillMs } = this.settings;
    const messages = await this.take(size, Infinity);
    return fillMs > 0 ? this.fill(messages) : messages;
  }

  /** Waits for more, for as long as a batch may take to fill. */
  private async fill(messages: ReceivedMessage<Body>[]): Promise<ReceivedMessage<Body>[]> {
    const { size, fillMs } = this.settings;
    const { clock } = this.queue.backing;
    // A clock may be set meanwhile, or stand: what was awaited counts, by its timers.
    let [left, over] = [fillMs, false];
    const callOff = after(clock, fillMs, () => (over = true));
    this.queue.keep(messages);
    try {
      while (messages.length > 0 && messages.length < size && !over && left > 0) {
        const began = clock.now();
        const more = await this.take(size - messages.length, left);
        this.queue.keep(more);
        // Who was kept from running too long has lost what it had: others may work on that.
        messages = messages.filter(({ isHeld }) => isHeld).concat(more);
        left -= Math.max(0, clock.now() - began);
      }
      messages = await stillHeld(this.queue.backing, messages);
      if (!this.settings.extend) this.begin(messages);
      return messages;
    } catch {
      // Stopped, or the queue is closed: what is here goes back, unhandled.
      messages.forEach((message) => void message.release());
      return [];
    } finally {
      callOff();
    }
  }

  /** Answers with a promise, in an object as it is not to be waited for here: what was said of the batch is known. */
  private async handle(messages: ReceivedMessage<Body>[]): Promise<{ said: Promise<unknown> | undefined }> {
    const { queue } = this;
    // The handler may do with its list as it likes.
    const batch = new Batch(queue, messages.slice());
    let failed: { error: unknown } | undefined;
    try {
      const working: unknown = inside(() => this.handler(batch));
      if (working !== undefined) {
        this.keep(messages);
        await working;
      }
    } catch (error) {
      failed = { error };
    }
    // Whoever is told by its signal that the queue is closing may well throw: that is no attempt.
    const closing = queue.isClosed;
    if (failed)
      queue.report(failed.error, closing ? undefined : "a handler threw, and its messages are retried or dead-lettered, in the queue");
    const { kind, delayMs } = batch.all ?? (failed ? (closing ? RELEASED : FAILED) : ACKED);
    const note = kind === RETRY && failed && !batch.all ? noteOf(failed.error) : undefined;
    let last: Promise<unknown> | undefined;
    let lease: Lease | undefined;
    for (const message of messages) {
      if (message.lease === lease) continue;
      lease = message.lease;
      last = lease.sayRest(kind, kind === RETRY ? delayMs : 0, note) ?? last;
    }
    return { said: last?.catch(() => undefined) };
  }

  /** Whether leases are extended before a handler has them. */
  private get extends(): boolean {
    return this.settings.extend || this.settings.fillMs > 0;
  }

  /** A handler that extends its leases by itself, if it wants to, has them from now on for as long as the queue says. */
  private begin(messages: readonly ReceivedMessage<Body>[]): void {
    this.queue.letGo(messages);
    for (const lease of leasesOf(messages)) void lease.extend(this.queue.backing.visibilityMs);
  }

  /** What is worked on has its leases extended until all is said of it. */
  private keep(messages: ReceivedMessage<Body>[]): void {
    if (this.settings.extend) this.queue.keep(messages);
  }
}

disposable(LocalConsumer.prototype, (consumer) => consumer.stop());
