/**
 * The public types: options, queues, messages, metrics and events. Durations are seconds, from 0 to 3,155,760,000 (100 years) where no
 * other limit is named, and may have fractions of milliseconds' size; a name ending in `Ms` is milliseconds. An argument of the wrong
 * type throws or rejects with `TypeError`, one out of its limits with `RangeError`, and both show the bad value.
 *
 * What is marked `@experimental` throws or rejects with `NotSupportedError` in this version.
 */

import type { StorageDriver } from "./store";
import type { CryptoKey, DetailEvent, ErrorEvent, IDBTransaction, ListenerOptions, Port, Transferable } from "./platform";

/* ------------------------------------------------------------------ opening */

/** Options of `openQueue(name, options)`; a name has 1 to 512 characters of well-formed text. */
export interface QueueOptions<Body = unknown> {
  /**
   * Where messages live. "memory" (default): in this context, gone with it. "indexeddb": survives reload and crash; every context of the
   * origin is a peer. Or a driver: `folderStorage()` of posthaste/node, `kvStorage()` of posthaste/deno, your own.
   * "opfs" is refused with `NotSupportedError` in this version.
   */
  storage?: StorageOption;
  /**
   * The moment that `send` waits for on durable storage. "relaxed" (default): the message is committed, and survives the death of tab,
   * browser and process. "strict": the store was also asked to flush to the disk, so that it survives loss of power.
   */
  durability?: "strict" | "relaxed";
  /**
   * Makes this a client of the queue that is served at the other end of the port (`queue.serve`). `TimeoutError` where nobody serves it
   * within 10 s, `NotAllowedError` on what its host did not `allow`, `StorageLostError` once the host is gone.
   */
  port?: Port;

  /* The delivery policy. It is kept with the queue: the first opener sets it, later ones may leave an option out, or must agree:
     another value is a `PolicyMismatchError`. */
  /** For how long a received message is hidden from others before it is delivered again: at least 0.001. Default 30. */
  visibilityTimeout?: number;
  /** Deliveries after the first before a message is dead-lettered: 0 to 1,000,000, or `Infinity`. Default 3. */
  maxRetries?: number;
  /** Wait before a retry that names no delay of its own. Default `{ base: 1, factor: 2, max: 300, jitter: 0.3 }`. */
  retryDelay?: number | Backoff;
  /**
   * The queue for messages that have no retry left. Default `${name}-dlq`; `false` drops them, which is counted and told by a "drop"
   * event. It is made where it is missing, to keep its messages until someone acks them; its first opener with options sets its policy.
   */
  deadLetterQueue?: string | false;
  /** Delay of every message that names none. Default 0. */
  deliveryDelay?: number;
  /** A message older than this is dropped, counted, and told by a "drop" event: at least 0.001. Default: none is. */
  messageRetention?: number;
  /**
   * For how long a repeated `idempotencyKey` is the same message. Default 300. A queue remembers 1,000,000 keys, 64 MiB of them: no
   * window is cut short, a send with one more key rejects with `QueueFullError`.
   */
  deduplicationWindow?: number;
  /**
   * The most messages and bytes there may be. Default: 1,000,000 messages, no limit of bytes. A message counts with its own bytes: those
   * of its body and headers, as estimated when it was sent. One that alone is more than `bytes` rejects with `MessageTooLargeError`. Dead
   * letters are never refused.
   */
  capacity?: { messages?: number; bytes?: number };
  /**
   * What a send does in a full queue. "wait" (default): it resolves when there is room, which is backpressure. "reject": it rejects with
   * `QueueFullError`. "drop-oldest" and "drop-newest" drop a message, which is counted and told by a "drop" event.
   */
  overflow?: "wait" | "reject" | "drop-oldest" | "drop-newest";

  /**
   * Validates every body on send and on receive (any Standard Schema: zod, valibot, arktype ...): a copy of it, made when `send` is
   * called. A send of a body that it refuses rejects with `TypeError`; a received one that it refuses is dead-lettered.
   */
  schema?: StandardSchemaV1<unknown, Body>;
  /** Encrypts bodies and headers at rest. @experimental */
  encryptionKey?: CryptoKey;
  /**
   * The clock, for tests. Default: the system's. Memory queues with a clock are apart from those with another; empty ones go when the last
   * of that clock is closed.
   */
  clock?: Clock;
  /** Ends opening: it rejects with the signal's reason. It does not close a queue that is open. */
  signal?: AbortSignal;
}
export type StorageOption = "memory" | "indexeddb" | "opfs" | StorageDriver;
export type { Append, Bodies, HeadersByIndex, StorageDriver, Store, Tail } from "./store";
/** Exponential backoff: retry n, from 1, waits `base * factor ** (n - 1)` seconds, give or take its part `jitter`, and at most `max`. */
export interface Backoff {
  /** Seconds before the first retry. */
  base: number;
  /** From 1 to 1,000. Default 2. */
  factor?: number;
  /** Seconds, at most. Default 300. */
  max?: number;
  /** How far a wait may be off, as a part of it: 0 to 1. Default 0.3. */
  jitter?: number;
}
/** A clock that queues go by, as `posthaste/testing` has one that is turned by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/* -------------------------------------------------------------------- queue */

export interface Queue<Body = unknown> extends Omit<EventTarget, "addEventListener">, AsyncIterable<Message<Body>>, AsyncDisposable {
  readonly name: string;
  /** The storage, durability and transport that the queue really has now: "none" of durability in memory, or where a disk failed. */
  readonly mode: { storage: string; durability: "none" | "relaxed" | "strict"; transport: "local" | "port" | "shared-memory" };

  /**
   * Resolves when the message is accepted: in memory, or committed to storage. The body is copied when it is called, as structured clone
   * does. Rejects with `DataCloneError` (can't be cloned or stored), `QueueFullError`, `MessageTooLargeError`, `QuotaExceededError` (the
   * disk is full), `StorageLostError` (`outcomeUnknown` says whether it may have been sent), `InvalidStateError` (the queue is closed) or
   * the signal's reason.
   */
  send(body: Body, options?: SendOptions): Promise<SendReceipt>;
  /**
   * Sends all or nothing, with the errors of `send`. Up to 1,048,576 messages, and 61,440 runs of messages that are alike (neighbours with
   * one delay and one expiration, and no key; through a port also with one kind of body): `RangeError` past it.
   */
  sendBatch(messages: Iterable<MessageSendRequest<Body>>, options?: SendBatchOptions): Promise<SendBatchReceipt>;

  /**
   * Takes the oldest messages that are ready, under a lease, and answers none with an empty array. Rejects with `StorageLostError`,
   * `InvalidStateError` (closed), `NotFoundError` (the queue was deleted) or the signal's reason.
   */
  receive(options?: ReceiveOptions): Promise<Message<Body>[]>;
  /**
   * Runs `handler` on batches until `stop`. It returns: the batch is acked. It throws, or its promise rejects: the batch is retried.
   * Messages that it settled itself stay settled so; the first word on a message wins.
   */
  consume(handler: QueueHandler<Body>, options?: ConsumerOptions): Consumer;
  /** One message at a time. `break` releases what was taken and not settled. Nothing is acked by itself. */
  [Symbol.asyncIterator](): AsyncIterator<Message<Body>>;
  /** WHATWG streams; backpressure by the queue's capacity. */
  readonly writable: WritableStream<Body>;
  readonly readable: ReadableStream<Message<Body>>;

  /** Request and reply over the queue. @experimental */
  request<Reply = unknown>(body: Body, options?: RequestOptions): Promise<Reply>;

  /** Counts of this moment. */
  metrics(): Promise<QueueMetrics>;
  /** Looks without taking, oldest first: 1 to 10,000 messages, default 10; of one state, or of any. `groupId` is @experimental. */
  peek(options?: { max?: number; state?: MessageState; groupId?: string }): Promise<MessageInfo<Body>[]>;
  /**
   * Takes back a message that no one has received yet; it is told as a `drop` of cause "purged", and counted as one. False: too late.
   * Where another context or client was sent it ahead of demand, this waits until it is handed out there, or comes back.
   */
  cancel(id: string): Promise<boolean>;
  /** Drops every message there is, leased ones too, and answers how many. Each is counted, and told by a "drop" event of cause "purged". */
  purge(): Promise<number>;
  /** Stops, and restarts, deliveries in every context. Sends go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Moves dead letters back to the queues they came from, or to the queue `to`, and answers how many. Called on a queue that has a
   * dead-letter queue it moves its own letters. `max`: at most so many. `ratePerSecond`: 1 to 1,000,000. Attempts begin anew. Those for
   * which there is no room stay. `NotFoundError` where there is no queue `to`.
   */
  redrive(options?: { to?: string; max?: number; ratePerSecond?: number }): Promise<number>;
  /** Resolves when everything asked of this queue so far is committed, but for what waits for room or for messages. */
  flush(options?: { signal?: AbortSignal }): Promise<void>;

  /**
   * Serves this queue to the context at the other end of a port, limited to `allow`. Upgrades itself to shared memory where the
   * page is cross-origin isolated. What a client holds that goes is given back at once where the platform says so: its Web
   * Lock is free, or its port closes. A client without locks that vanishes without a `close` event keeps its leases until they
   * run out. Default of `allow`: all three. `NotSupportedError` on a queue that is itself a client.
   */
  serve(port: Port, options?: { allow?: ("send" | "receive" | "admin")[] }): Serving;
  /** Ends consumers, gives back what is leased without counting an attempt, commits, closes. Idempotent. */
  close(): Promise<void>;

  /** Sends within the application's own IndexedDB transaction: the message exists exactly when that commits. @experimental */
  stage(transaction: IDBTransaction, body: Body, options?: SendOptions): void;

  addEventListener<K extends keyof QueueEventMap>(type: K, listener: (event: QueueEventMap[K]) => void, options?: ListenerOptions): void;
}

/** Options of one send. */
export interface SendOptions {
  /**
   * How the body goes. "v8" (default): any value that structured clone takes. "json": as `JSON.stringify` has it, a copy that `JSON.parse`
   * makes. "text": a string. "bytes": an ArrayBuffer or a view of one. A body of another type is a `TypeError`.
   */
  contentType?: "json" | "text" | "bytes" | "v8";
  /** Overrides the queue's `deliveryDelay`. */
  delaySeconds?: number;
  /** Messages of one group are delivered in order, one at a time. @experimental */
  groupId?: string;
  /** 0 (default) to 9, higher first. @experimental */
  priority?: number;
  /**
   * A second message with the same key within `deduplicationWindow` is the first one: its receipt is returned with `duplicate: true`,
   * though the queue be full. 1 to 256 characters, whatever they are.
   */
  idempotencyKey?: string;
  /** The message is dropped, counted and told by a "drop" event when nobody has taken it by then: at least 0.001. */
  expirationSeconds?: number;
  /** Up to 64 headers, of 4,096 characters in all, names included. */
  headers?: Record<string, string>;
  /** Moved with the body when `send` is called, before a schema is asked: gone from here though it refuses the message. */
  transfer?: Transferable[];
  /** Takes the send back as long as it is not on its way to the storage: it rejects with the signal's reason. */
  signal?: AbortSignal;
}
/** Options of a batch, for each of its messages. */
export interface SendBatchOptions {
  /** Delay of messages that name none. */
  delaySeconds?: number;
  signal?: AbortSignal;
}
/** One message of a batch. */
export interface MessageSendRequest<Body = unknown> extends Omit<SendOptions, "signal"> {
  body: Body;
}
export interface SendReceipt {
  /** The message's id: unique within its storage; the same over retries, dead-lettering and redrive. */
  id: string;
  /** The message is an earlier one with the same `idempotencyKey`. */
  duplicate: boolean;
  metadata: { metrics: BacklogMetrics };
}
export interface SendBatchReceipt {
  /** The messages' ids, in the order of the batch. */
  ids: string[];
  metadata: { metrics: BacklogMetrics };
}
export interface BacklogMetrics {
  /** Messages there are: ready, delayed and leased. */
  backlogCount: number;
  /** The bytes of their bodies and headers, each as it was estimated when it was sent. */
  backlogBytes: number;
  /** When the oldest of them was sent; undefined: there is none. */
  oldestMessageTimestamp?: Date;
}

/** Options of one receive. */
export interface ReceiveOptions {
  /** Messages, at most: 1 to 65,536. Default 1. */
  max?: number;
  /** Seconds to wait for the first message, or `Infinity`. Default 0. */
  wait?: number;
  /** For how long these are hidden from others: at least 0.001. Default: the queue's. */
  visibilityTimeout?: number;
  /** Bodies of bytes may be views of shared memory, valid until the message is settled. Default false: copies. */
  borrow?: boolean;
  /** Ends the wait: `receive` rejects with the signal's reason, and no message was taken. */
  signal?: AbortSignal;
}
/** @experimental */
export interface RequestOptions extends SendOptions {
  timeoutSeconds?: number;
}

/** A message that was received, under a lease. */
export interface Message<Body = unknown> {
  /** As in the receipt of its send. */
  readonly id: string;
  /** When it was sent. */
  readonly timestamp: Date;
  /** A copy of the body that was sent. */
  readonly body: Body;
  /** Starts at 1. Not counted while the page is offline or frozen before the handler started. */
  readonly attempts: number;
  readonly headers: Readonly<Record<string, string>>;
  /** @experimental Always undefined. */
  readonly groupId?: string;
  /** @experimental Always 0. */
  readonly priority: number;
  /** Aborts when someone else has the message, or it is gone. A lease that ran out is not lost before. */
  readonly signal: AbortSignal;
  /**
   * Done with it. Resolves when that is recorded. Rejects with `LeaseLostError` when someone else has it by now, or it is gone; with
   * `InvalidStateError` when something else was said of it before, or the queue is closed. It need not be awaited.
   */
  ack(): Promise<void>;
  /** Deliver it again, after `delaySeconds` (default: the queue's `retryDelay`). */
  retry(options?: { delaySeconds?: number }): Promise<void>;
  /** Never deliver it again: straight to the dead-letter queue. */
  deadLetter(reason?: string): Promise<void>;
  /** Keeps the lease for `seconds` from now: at least 0.001. */
  extend(seconds: number): Promise<void>;
  /** Answers `queue.request`. @experimental */
  reply(value: unknown): Promise<void>;
  /** Acked exactly when the application's own IndexedDB transaction commits. @experimental */
  ackIn(transaction: IDBTransaction): void;
}

/** The messages of one call of a handler, as Cloudflare Queues has them. */
export interface MessageBatch<Body = unknown> {
  /** The queue's name. */
  readonly queue: string;
  /** Oldest first; at least one. */
  readonly messages: readonly Message<Body>[];
  readonly metadata: { metrics: BacklogMetrics };
  /** Acks every message of which nothing was said, though the handler throws afterwards. */
  ackAll(): void;
  /** Retries every message of which nothing was said, after `delaySeconds` (default: the queue's `retryDelay`). */
  retryAll(options?: { delaySeconds?: number }): void;
}
export type QueueHandler<Body> = (batch: MessageBatch<Body>) => unknown | Promise<unknown>;

/** Options of a consumer. */
export interface ConsumerOptions {
  /** Messages of a batch, at most: 1 to 10,000. Default 10. */
  maxBatchSize?: number;
  /** Seconds to wait for a fuller batch: 0 to 3,600. Default 0: a batch has what is there. */
  maxBatchTimeout?: number;
  /** Batches handled at once in this context: 1 to 1,000. Default 1. */
  maxConcurrency?: number;
  /** Messages per second, over all contexts. @experimental */
  rateLimit?: number;
  /** Leases are extended by themselves while the handler runs. Default true. */
  autoExtend?: boolean;
  /** As `ReceiveOptions.borrow`. */
  borrow?: boolean;
  /** Stops the consumer, as `stop` does. */
  signal?: AbortSignal;
}
/** A handler at work. */
export interface Consumer extends AsyncDisposable {
  /**
   * Takes no more. Resolves when the handlers that run have ended and their words are recorded, or at once in a handler; it waits for a
   * handler that hangs no longer than `visibilityTimeout`, or 30 s if that is more.
   */
  stop(): Promise<void>;
  /** Resolves when the consumer has stopped; rejects with the failure that ended it. */
  readonly done: Promise<void>;
}
/** A queue that is served at a port. */
export interface Serving extends AsyncDisposable {
  /** Serves no more: its clients end with `InvalidStateError`, and the messages they held go back. */
  close(): Promise<void>;
}

/* ------------------------------------------------------------------- topics */

/** @experimental */
export interface TopicOptions<Body = unknown>
  extends Pick<QueueOptions<Body>, "storage" | "durability" | "schema" | "encryptionKey" | "clock" | "signal">
{}
/** @experimental */
export interface Topic<Body = unknown> extends AsyncDisposable {
  readonly name: string;
  send(body: Body, options?: SendOptions): Promise<SendReceipt>;
  sendBatch(messages: Iterable<MessageSendRequest<Body>>, options?: SendBatchOptions): Promise<SendBatchReceipt>;
  /** A durable subscription: a queue of its own that keeps receiving while nobody consumes it. `filter` matches headers exactly. */
  subscribe(
    subscription: string,
    options?: Omit<QueueOptions<Body>, "storage"> & { filter?: Record<string, string | string[]> },
  ): Promise<Queue<Body>>;
  unsubscribe(subscription: string): Promise<void>;
  close(): Promise<void>;
}

/* --------------------------------------------------------------- inspection */

/** Where a message is. "dead": it is a dead letter, and ready in its dead-letter queue. */
export type MessageState = "ready" | "delayed" | "leased" | "dead";
/** A message as `peek` sees it. */
export interface MessageInfo<Body = unknown> {
  id: string;
  state: MessageState;
  /** When it was sent. */
  timestamp: Date;
  /** Deliveries that count, so far. */
  attempts: number;
  /** A copy. */
  body: Body;
  headers: Record<string, string>;
  /** @experimental Always undefined. */
  groupId?: string;
  /** @experimental Always 0. */
  priority: number;
  /** When it can be received: a past time where it is ready. */
  availableAt: Date;
  /** Leased: the name of the peer that has it, a text that says only which are the same. */
  leasedBy?: string;
  /** Leased: until then. */
  leaseExpiresAt?: Date;
  /** Dead: why, in at most 512 bytes. */
  reason?: string;
  /** What its handler threw last, in at most 512 bytes. */
  lastError?: string;
}
/**
 * Counts that add up at every moment, whatever has expired or run out: `backlogCount` is `ready` + `delayed` + `leased`, and `sent`
 * is `acked` + `deadLettered` + all of `dropped` + `backlogCount`. `sent` counts what came in, as a dead letter or by a redrive too,
 * less what a redrive took away; what a redrive brings back from its dead-letter queue is taken off `deadLettered`.
 */
export interface QueueMetrics extends BacklogMetrics {
  /** Messages that can be received now. */
  ready: number;
  /** Messages that wait for their delay, or their retry's. */
  delayed: number;
  /** Messages that receivers have. */
  leased: number;
  /** Messages that became dead letters of this queue. */
  deadLettered: number;
  sent: number;
  /** Deliveries, each retry counted. */
  delivered: number;
  acked: number;
  /** Deliveries that were given back to be tried again. */
  retried: number;
  /** Sends that were an earlier message by their `idempotencyKey`. */
  duplicates: number;
  /** Every message that ended without an ack, by cause. Nothing is ever lost without being counted here. */
  dropped: { expired: number; overflow: number; purged: number; noDeadLetterQueue: number };
  /** Bytes that the storage takes with all its queues, as far as the platform says so. */
  storageBytes?: number;
}
/** A queue as `listQueues` names it. */
export interface QueueInfo {
  name: string;
  kind: "queue" | "topic" | "subscription";
  storage: string;
  backlogCount: number;
}
/** Events of a queue, told to every context that has it open. */
export interface QueueEventMap {
  /** The queue went empty. */
  drain: Event;
  /** The backlog changed; many changes are told as one. */
  depth: Event;
  /** A message has no retry left, or its handler gave it up. */
  deadletter: DetailEvent<{ id: string; reason: string }>;
  /** A message ended without an ack, and why. */
  drop: DetailEvent<{ id: string; cause: keyof QueueMetrics["dropped"] }>;
  /** The storage works again ("ok"), refuses writes or fails ("degraded"), or is gone with what was in it ("lost"). */
  storage: DetailEvent<{ state: "ok" | "degraded" | "lost"; error?: unknown }>;
  /** A failure that no promise tells: a handler threw, a settlement was lost, the queue was deleted. */
  error: ErrorEvent;
}

/* ------------------------------------------------------------------ schemas */

/** The part of a Standard Schema (standardschema.dev) that posthaste uses. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): unknown;
    readonly types?: { input: Input; output: Output };
  };
}
