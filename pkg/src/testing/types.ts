/** The public types of `posthaste/testing`. */

import type { Bodies, StorageDriver } from "../contract/store";
import type { Clock, Queue, QueueOptions } from "../contract/types";

/** A case of the suite that every store passes. `run` rejects with an error that says what is not so. */
export interface StoreCase {
  readonly name: string;
  /** Needs two stores, opened one after the other by the same driver, that work beside each other. */
  readonly peers?: boolean;
  /** `make` answers a driver on a new, empty storage, however often it is called. */
  run(make: () => Promise<StorageDriver>): Promise<void>;
}

/** Bodies as bytes. Both throw errors by name: `DataCloneError` for a body that can't be written, `CorruptionError` for bytes that are no bodies. */
export interface Serializer {
  write(bodies: Bodies): Uint8Array;
  read(bytes: Uint8Array): Bodies;
}

/** A case of the suite that every serializer passes. `run` rejects with an error that says what is not so. */
export interface SerializerCase {
  readonly name: string;
  run(serializer: Serializer): Promise<void>;
}

/** Opens a queue as `openQueue` does, on the storage under test. What the case puts in `options` must reach the queue. */
export type Open = <Body = unknown>(name: string, options?: QueueOptions<Body>) => Promise<Queue<Body>>;

/** A case of the suite that every queue passes. `run` rejects with an error that says what is not so. */
export interface QueueCase {
  readonly name: string;
  /**
   * Names of queues are new in each run, so `open` may lead to one storage for all cases; they need one `time` for all then.
   * `time`: default `virtualTime()`.
   */
  run(open: Open, time?: Time): Promise<void>;
}

/** How time passes for queues under test. */
export interface Time {
  /** Given to every queue that a case opens; undefined: the queues have the clock on the wall. */
  readonly clock: VirtualClock | undefined;
  /** What a case takes for a second, in seconds: less than 1 where the time is real. */
  readonly unit: number;
  /** Resolves when so many units are over, and what was due has happened. */
  pass(units: number): Promise<void>;
}

/** A clock that stands still until it is moved. */
export interface VirtualClock extends Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Timers that wait. */
  readonly pending: number;
  /** Moves on by so many milliseconds. What is due on the way happens at its time, and what follows from it before time goes on. */
  advance(ms: number): Promise<void>;
  /** Moves on to the next timer and lets it happen. False: there is none. */
  tick(): Promise<boolean>;
}

/* --------------------------------------------------------------- faults */

/** What a store was asked, as a plan of faults is told. */
export interface StoreCall {
  readonly operation: "open" | "append" | "read" | "values" | "snapshot" | "refused" | "release";
  /** How often this operation was asked for, with this one, over all stores of the driver. From 1. */
  readonly count: number;
}

/**
 * What goes wrong with one call:
 * - "fail": rejects; nothing was done. An `Error`: rejects with that.
 * - "full": rejects with `QuotaExceededError`; nothing was done.
 * - "unknown": rejects with `outcomeUnknown`; nothing was done.
 * - "unanswered": done; the answer is lost: rejects with `outcomeUnknown`.
 * - "lost": nothing was done; the store is gone: every later call rejects, and whoever watches is told.
 * - "crash": done, then as "lost", with `outcomeUnknown`: the connection died between the commit and its answer.
 * - `{ delayMs }`: done that much later by the plan's clock.
 */
export type StoreFault = "fail" | "full" | "unknown" | "unanswered" | "lost" | "crash" | Error | { readonly delayMs: number };

/** Answers the fault that a call is to meet; undefined: none. */
export type StoreFaults = (call: StoreCall) => StoreFault | undefined;

/** What goes wrong between a queue and its handler. Each is asked with a count from 1 for each time it could happen. */
export interface DeliveryFaults {
  /** True: the message is delivered once more after it was handled. What is said of it then counts for nothing. */
  duplicate?(message: { readonly id: string; readonly body: unknown; readonly attempts: number }, count: number): boolean;
  /** The order of a batch; true: the other way round. Otherwise places of the messages, each once. */
  reorder?(messages: readonly unknown[], count: number): boolean | readonly number[];
  /** True: the context dies between take and ack. The handler has run, what it said is lost, the messages come again. */
  crash?(messages: readonly unknown[], count: number): boolean;
}

/* ----------------------------------------------------- Cloudflare Queues */

export interface CloudflareOptions {
  /**
   * Cloudflare's defaults and limits. Default false: consumers get what is there at once, and nothing is too large, too late
   * or too much.
   */
  production?: boolean;
  /** Default: a virtual clock of its own. */
  clock?: VirtualClock;
  faults?: DeliveryFaults;
}

/** As the settings of a queue and its producers are called at Cloudflare. Durations in seconds. */
export interface CloudflareQueueOptions {
  /** Default delay of every message: 0 to 86400. Default 0. */
  deliveryDelay?: number;
  /** Older messages are deleted: 60 to 1209600. Default with `production` 345600, 4 days; else none are. */
  messageRetention?: number;
}

/** As the settings of a consumer are called at Cloudflare. */
export interface CloudflareConsumerOptions<Env = unknown> {
  env?: Env;
  /** 1 to 100. Default 10. */
  maxBatchSize?: number;
  /** Seconds that a batch waits to be full: 0 to 60. Default with `production` 5, else 0. */
  maxBatchTimeout?: number;
  /** Deliveries after the first: 0 to 100. Default 3. */
  maxRetries?: number;
  /** Seconds before a retry that names no delay: 0 to 86400. Default 0. */
  retryDelay?: number;
  /** Default: none, messages are deleted after the last retry. */
  deadLetterQueue?: string;
  /** Handlers at once: 1 to 250. Default 1: what Cloudflare adds by itself would make tests differ from run to run. */
  maxConcurrency?: number;
}

export interface CloudflareMetrics {
  backlogCount: number;
  backlogBytes: number;
  oldestMessageTimestamp?: Date;
}
export interface CloudflareMessage<Body = unknown> {
  readonly id: string;
  readonly timestamp: Date;
  readonly body: Body;
  readonly attempts: number;
  ack(): void;
  retry(options?: { delaySeconds?: number }): void;
}
export interface CloudflareBatch<Body = unknown> {
  readonly queue: string;
  readonly messages: readonly CloudflareMessage<Body>[];
  readonly metadata: { metrics: CloudflareMetrics };
  ackAll(): void;
  retryAll(options?: { delaySeconds?: number }): void;
}
type ContentType = "text" | "bytes" | "json" | "v8";
/** The binding of a producer: Cloudflare's `Queue`. */
export interface CloudflareProducer<Body = unknown> {
  send(
    message: Body,
    options?: { contentType?: ContentType; delaySeconds?: number },
  ): Promise<{ metadata: { metrics: CloudflareMetrics } }>;
  sendBatch(
    messages: Iterable<{ body: Body; contentType?: ContentType; delaySeconds?: number }>,
    options?: { delaySeconds?: number },
  ): Promise<{ metadata: { metrics: CloudflareMetrics } }>;
  metrics(): Promise<CloudflareMetrics>;
}
/** A Worker with a `queue` handler, or the handler. */
export type CloudflareHandler = ((batch: any, env: any, ctx: any) => unknown) | { queue?(batch: any, env: any, ctx: any): unknown };

/** How a message ended, or what became of a delivery. */
export interface CloudflareOutcome {
  readonly queue: string;
  readonly id: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly outcome: "acked" | "retried" | "dead-lettered" | "deleted" | "expired";
}

/** Queues as Cloudflare has them, in this context, on a clock that moves when told. */
export interface CloudflareQueues {
  readonly clock: VirtualClock;
  /** What became of deliveries, in order. */
  readonly outcomes: readonly CloudflareOutcome[];
  /** What handlers threw, in order. */
  readonly errors: readonly unknown[];
  /** The binding of the queue `name`, which is made where it is new. */
  producer<Body = unknown>(name: string, options?: CloudflareQueueOptions): CloudflareProducer<Body>;
  /** Makes `worker` the consumer of the queue. A queue has one. */
  consume<Env = unknown>(name: string, worker: CloudflareHandler, options?: CloudflareConsumerOptions<Env>): void;
  /** What waits in a queue, oldest first. */
  waiting(name: string): { id: string; body: unknown; attempts: number; timestamp: Date }[];
  /** Lets the clock move on until no queue with a consumer has a message, or for so many seconds (default a day). */
  settle(seconds?: number): Promise<void>;
}
