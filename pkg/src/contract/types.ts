/** The public types: options, queues, messages and what is told of them. Durations are seconds; a name ending in `Ms` is milliseconds. */

import type { StorageDriver } from "./store";
import type { CryptoKey, DetailEvent, ErrorEvent, IDBTransaction, ListenerOptions, Port, Transferable } from "./platform";

/* ------------------------------------------------------------------ opening */

export interface QueueOptions<Body = unknown> {
  /** Where messages live. "memory" (default): in this context, gone with it. "indexeddb": survives reload and crash; every context of the origin is a peer. "opfs": as indexeddb for high write rates, dedicated workers only. Or a driver. */
  storage?: StorageOption;
  /** What `send` waits for on durable storage. "relaxed" (default): committed; survives the death of tab, browser and process. "strict": the store was also asked to flush to the disk; meant to survive power loss. */
  durability?: "strict" | "relaxed";
  /** Become a client of the queue served at the other end of this port (`queue.serve`). */
  port?: Port;

  /* Delivery policy. Kept with the queue: the first opener sets it, later openers may leave it out or must agree. */
  /** How long a received message is hidden from others before it is delivered again. Default 30. */
  visibilityTimeout?: number;
  /** Deliveries after the first before a message is dead-lettered. Default 3. */
  maxRetries?: number;
  /** Wait before a retry that names no delay. Default `{ base: 1, factor: 2, max: 300, jitter: 0.3 }`. */
  retryDelay?: number | Backoff;
  /**
   * Where messages go after the last retry. Default `${name}-dlq`; `false` drops them (counted, and told by a "drop" event).
   * It is made where it is missing, to keep what comes until someone acks it; its first opener with options sets its policy.
   */
  deadLetterQueue?: string | false;
  /** Default delay of every message. Default 0. */
  deliveryDelay?: number;
  /** A message older than this is dropped (counted, "drop" event). Default: none. */
  messageRetention?: number;
  /**
   * Window in which a repeated `idempotencyKey` is the same message, in seconds. Default 300. A queue remembers 1,000,000 keys,
   * 64 MiB of them: no window is cut short, a send with one more key rejects with `QueueFullError`.
   */
  deduplicationWindow?: number;
  /**
   * Bounds. Default: 1_000_000 messages, no byte limit. Each message counts with its own bytes: its body's and its headers', as
   * estimated when it was sent. One that alone is more than `bytes` is refused with `MessageTooLargeError`. Dead letters are not refused.
   */
  capacity?: { messages?: number; bytes?: number };
  /** What `send` does at the bound. "wait" (default): backpressure, resolves when there is room. "reject": `QueueFullError`. "drop-oldest", "drop-newest": counted, "drop" event. */
  overflow?: "wait" | "reject" | "drop-oldest" | "drop-newest";

  /**
   * Validates every body on send and on receive (any Standard Schema: zod, valibot, arktype …): a copy of it, made when `send` is
   * called. A received one that it refuses is dead-lettered.
   */
  schema?: StandardSchemaV1<unknown, Body>;
  /** Encrypts bodies and headers at rest (AES-GCM by WebCrypto). */
  encryptionKey?: CryptoKey;
  /** Clock, for tests. Memory queues with a clock of its own are apart from others; empty ones go when the last of that clock is closed. */
  clock?: Clock;
  signal?: AbortSignal;
}
export type StorageOption = "memory" | "indexeddb" | "opfs" | StorageDriver;
export type { Append, Bodies, HeadersByIndex, StorageDriver, Store, Tail } from "./store";
export interface Backoff {
  base: number;
  factor?: number;
  max?: number;
  jitter?: number;
}
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/* -------------------------------------------------------------------- queue */

export interface Queue<Body = unknown> extends Omit<EventTarget, "addEventListener">, AsyncIterable<Message<Body>>, AsyncDisposable {
  readonly name: string;
  /** What storage and durability the queue really has now; never claims more than it does. */
  readonly mode: { storage: string; durability: "none" | "relaxed" | "strict"; transport: "local" | "port" | "shared-memory" };

  /** Resolves when the message is accepted: in memory, or committed to storage. */
  send(body: Body, options?: SendOptions): Promise<SendReceipt>;
  /**
   * All or nothing. Up to 1,048,576 messages, and 61,440 runs of messages that are alike (neighbours with one delay and one
   * expiration, and no key; through a port also with one kind of body): `RangeError` past it.
   */
  sendBatch(messages: Iterable<MessageSendRequest<Body>>, options?: SendBatchOptions): Promise<SendBatchReceipt>;

  /** Takes up to `max` messages (default 1) under a lease, waiting up to `wait` seconds (default 0) for the first. Empty array: none. */
  receive(options?: ReceiveOptions): Promise<Message<Body>[]>;
  /** Runs `handler` on batches until `stop`. Returns: acked. Throws: retried, except what was acked. First call per message wins. */
  consume(handler: QueueHandler<Body>, options?: ConsumerOptions): Consumer;
  /** One message at a time. `break` releases what was taken and not settled. Nothing is acked by itself. */
  [Symbol.asyncIterator](): AsyncIterator<Message<Body>>;
  /** WHATWG streams; backpressure by the queue's capacity. */
  readonly writable: WritableStream<Body>;
  readonly readable: ReadableStream<Message<Body>>;

  /** Request and reply over the queue: the reply of whoever handles the message. Never hangs: rejects with `TimeoutError`. */
  request<Reply = unknown>(body: Body, options?: RequestOptions): Promise<Reply>;

  metrics(): Promise<QueueMetrics>;
  /** Looks without taking; oldest first. */
  peek(options?: { max?: number; state?: MessageState; groupId?: string }): Promise<MessageInfo<Body>[]>;
  /**
   * Takes back a message that no one has received yet; it is told as a `drop` of cause "purged", and counted as one. False: too late.
   * Where another context or client was sent it ahead of demand, this waits until it is handed out there, or comes back.
   */
  cancel(id: string): Promise<boolean>;
  purge(): Promise<number>;
  /** Stops, and restarts, deliveries in every context. Sends go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Moves dead letters back to the queues they came from, or to `to`; called on a queue that has a dead-letter queue, its own letters. Returns how many. */
  redrive(options?: { to?: string; max?: number; ratePerSecond?: number }): Promise<number>;
  /** Resolves when everything accepted so far is committed (and, with a forwarder, delivered). */
  flush(options?: { signal?: AbortSignal }): Promise<void>;

  /**
   * Serves this queue to the context at the other end of a port, limited to `allow`. Upgrades itself to shared memory where the
   * page is cross-origin isolated. What a client holds that goes is given back at once where the platform says so: its Web
   * Lock is free, or its port closes. A client without locks that vanishes without a `close` event keeps its leases until they
   * run out.
   */
  serve(port: Port, options?: { allow?: ("send" | "receive" | "admin")[] }): Serving;
  /** Releases leases, commits, closes. Idempotent. */
  close(): Promise<void>;

  /* Inside the application's own IndexedDB transaction (storage opened on that database): */
  /** The message exists exactly when the transaction commits (transactional outbox). */
  stage(transaction: IDBTransaction, body: Body, options?: SendOptions): void;

  addEventListener<K extends keyof QueueEventMap>(type: K, listener: (event: QueueEventMap[K]) => void, options?: ListenerOptions): void;
}

export interface SendOptions {
  contentType?: "json" | "text" | "bytes" | "v8";
  /** 0 to 86400 and beyond; overrides the queue's `deliveryDelay`. */
  delaySeconds?: number;
  /** Messages of one group are delivered in order, one at a time; groups run in parallel. */
  groupId?: string;
  /** 0 (default) to 9, higher first. */
  priority?: number;
  /**
   * A second message with the same key within `deduplicationWindow` is the first one (its receipt is returned, though the queue be
   * full). 1 to 256 characters, whatever they are.
   */
  idempotencyKey?: string;
  /** Dropped (counted) when not taken by then. */
  expirationSeconds?: number;
  headers?: Record<string, string>;
  /** Moved with the body when `send` is called, before a schema is asked: gone from here though it refuses the message. */
  transfer?: Transferable[];
  signal?: AbortSignal;
}
export interface SendBatchOptions {
  delaySeconds?: number;
  signal?: AbortSignal;
}
export interface MessageSendRequest<Body = unknown> extends Omit<SendOptions, "signal"> {
  body: Body;
}
export interface SendReceipt {
  id: string;
  duplicate: boolean;
  metadata: { metrics: BacklogMetrics };
}
export interface SendBatchReceipt {
  ids: string[];
  metadata: { metrics: BacklogMetrics };
}
/** `backlogBytes`: of all bodies and headers there, each as it was estimated when it was sent. */
export interface BacklogMetrics {
  backlogCount: number;
  backlogBytes: number;
  oldestMessageTimestamp?: Date;
}

export interface ReceiveOptions {
  max?: number;
  wait?: number;
  visibilityTimeout?: number;
  /** Byte bodies may be views of shared memory, valid until the message is settled. Default false: copies. */
  borrow?: boolean;
  signal?: AbortSignal;
}
export interface RequestOptions extends SendOptions {
  timeoutSeconds?: number;
}

export interface Message<Body = unknown> {
  readonly id: string;
  readonly timestamp: Date;
  readonly body: Body;
  /** Starts at 1. Not counted while the page is offline or frozen before the handler started. */
  readonly attempts: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly groupId?: string;
  readonly priority: number;
  /** Aborts when someone else has the message, or it is gone. A lease that ran out is not lost before. */
  readonly signal: AbortSignal;
  /** Done with it. Resolves when recorded; rejects with `LeaseLostError` when someone else has it by now. Need not be awaited. */
  ack(): Promise<void>;
  /** Deliver it again, after `delaySeconds` (default: the queue's `retryDelay`). */
  retry(options?: { delaySeconds?: number }): Promise<void>;
  /** Never deliver it again: straight to the dead-letter queue. */
  deadLetter(reason?: string): Promise<void>;
  /** Keeps the lease for `seconds` more from now. */
  extend(seconds: number): Promise<void>;
  /** Answers `queue.request`. Acks too. */
  reply(value: unknown): Promise<void>;
  /** Acked exactly when the application's own IndexedDB transaction commits; aborts the transaction when the lease is lost. */
  ackIn(transaction: IDBTransaction): void;
}

export interface MessageBatch<Body = unknown> {
  readonly queue: string;
  readonly messages: readonly Message<Body>[];
  readonly metadata: { metrics: BacklogMetrics };
  ackAll(): void;
  retryAll(options?: { delaySeconds?: number }): void;
}
export type QueueHandler<Body> = (batch: MessageBatch<Body>) => unknown | Promise<unknown>;

export interface ConsumerOptions {
  /** Default 10. */
  maxBatchSize?: number;
  /** Seconds to wait for a fuller batch. Default 0: deliver what is there. */
  maxBatchTimeout?: number;
  /** Batches handled at once in this context. Default 1. */
  maxConcurrency?: number;
  /** Messages per second, over all contexts. Default: no limit. */
  rateLimit?: number;
  /** Leases are extended by themselves while the handler runs. Default true. */
  autoExtend?: boolean;
  /** As `ReceiveOptions.borrow`. */
  borrow?: boolean;
  signal?: AbortSignal;
}
export interface Consumer extends AsyncDisposable {
  /** Takes no more, waits for what runs. */ stop(): Promise<void>;
  readonly done: Promise<void>;
}
export interface Serving extends AsyncDisposable {
  close(): Promise<void>;
}

/* ------------------------------------------------------------------- topics */

export interface TopicOptions<Body = unknown>
  extends Pick<QueueOptions<Body>, "storage" | "durability" | "schema" | "encryptionKey" | "clock" | "signal">
{}
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

export type MessageState = "ready" | "delayed" | "leased" | "dead";
export interface MessageInfo<Body = unknown> {
  id: string;
  state: MessageState;
  timestamp: Date;
  attempts: number;
  body: Body;
  headers: Record<string, string>;
  groupId?: string;
  priority: number;
  availableAt: Date;
  leasedBy?: string;
  leaseExpiresAt?: Date;
  reason?: string;
  lastError?: string;
}
/**
 * Counts that add up at every moment, whatever has expired or run out: `backlogCount` is `ready` + `delayed` + `leased`, and `sent`
 * is `acked` + `deadLettered` + all of `dropped` + `backlogCount`. `sent` counts what came in, as a dead letter or by a redrive too,
 * less what a redrive took away; what a redrive brings back from its dead-letter queue is taken off `deadLettered`.
 */
export interface QueueMetrics extends BacklogMetrics {
  ready: number;
  delayed: number;
  leased: number;
  deadLettered: number;
  sent: number;
  delivered: number;
  acked: number;
  retried: number;
  duplicates: number;
  /** Every message that ended without an ack, by cause. Nothing is ever lost without being counted here. */
  dropped: { expired: number; overflow: number; purged: number; noDeadLetterQueue: number };
  storageBytes?: number;
}
export interface QueueInfo {
  name: string;
  kind: "queue" | "topic" | "subscription";
  storage: string;
  backlogCount: number;
}
export interface QueueEventMap {
  /** The queue went empty. */ drain: Event;
  /** The backlog changed (coalesced). */ depth: Event;
  deadletter: DetailEvent<{ id: string; reason: string }>;
  drop: DetailEvent<{ id: string; cause: keyof QueueMetrics["dropped"] }>;
  /** Storage was lost, evicted, refused (quota) or recovered. */ storage: DetailEvent<
    { state: "ok" | "degraded" | "lost"; error?: unknown }
  >;
  error: ErrorEvent;
}

/* ----------------------------------------------------- helpers for the page */

export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): unknown;
    readonly types?: { input: Input; output: Output };
  };
}
