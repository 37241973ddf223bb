/** The public types of `posthaste/edge`. Durations are seconds. */

import type { Backoff, Clock } from "../contract/types";

/** A message on its way to a target. */
export interface BufferedMessage<Body = unknown> extends BufferedOptions {
  body: Body;
}

/** What a target is told of a message beside its body. */
export interface BufferedOptions {
  contentType?: "json" | "text" | "bytes" | "v8";
  /** The target delivers it that much later. */
  delaySeconds?: number;
  /** The target takes a second message with this key for the first. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
}

/**
 * Anything that takes batches: a posthaste `Queue`, a binding of Cloudflare Queues. A batch that is refused for one of its
 * messages (a `TypeError`, a `RangeError`, a `DataCloneError`, too large) is tried again in halves, so that the others arrive.
 */
export interface BatchTarget<Body = unknown> {
  sendBatch(messages: Iterable<BufferedMessage<Body>>): Promise<unknown>;
}

/**
 * An address that batches are posted to.
 *
 * "json", the default: `Content-Type: application/json`, one object `{ "id": key, "messages": [message, ...] }`.
 * "ndjson": `Content-Type: application/x-ndjson`, a line for each message. A message is `{ "body": ... }` with the
 * `contentType`, `delaySeconds`, `idempotencyKey` and `headers` it was sent with.
 *
 * `Idempotency-Key` is a UUID for each batch, the same however often it is tried: whoever has seen it has the batch. Any
 * answer of 200 to 299 takes the batch. 408, 425, 429, 500 and above, no answer, and what has a `Retry-After` from 400 on, are
 * tried again, not before that says; 413 is tried again in halves. Anything else refuses the batch for good: a redirect, too,
 * which is not followed (a `fetch` that does makes GET of POST, and a page that answers has taken nothing).
 */
export interface FetchTarget {
  url: string | URL;
  /** Sent with each batch. */
  headers?: Record<string, string>;
  format?: "json" | "ndjson";
  /** Default: the platform's. */
  fetch?: (url: string, init: FetchInit) => Promise<FetchAnswer>;
}
export interface FetchInit {
  method: "POST";
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
  redirect: "manual";
}
/** A `Response`, or as much of one. */
export interface FetchAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly redirected?: boolean;
  readonly type?: string;
  readonly url?: string;
  readonly body?: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<unknown> };
    cancel(): Promise<unknown>;
  } | null;
  text(): Promise<string>;
}

/** A queue, or where batches are posted to. */
export type SendTarget<Body = unknown> = BatchTarget<Body> | FetchTarget | URL | string;

/** What keeps an isolate alive: `ctx` of a Worker, `event` of a fetch event, the second argument of an edge function. */
export interface Lifetime {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * The defaults are made for isolates, and so that even a target that never answers has been given up within 30 seconds,
 * which is what platforms give `waitUntil`.
 */
export interface BufferedSenderOptions<Body = unknown> {
  /** Messages a batch, 1 to 10000. Default 100. */
  maxBatchSize?: number;
  /** Seconds that a batch waits to be full. Default 1. */
  maxBatchTimeout?: number;
  /** Bytes a batch, about, with 100 for each message. Default 256000. */
  maxBatchBytes?: number;
  /** Bytes of all messages that are not handed over, about. Default 4000000. */
  maxBytes?: number;
  /** What `send` does at that bound. "wait" (default): resolves when there is room. "reject": `QueueFullError`. */
  overflow?: "wait" | "reject";
  /** Tries after the first. Default 3. */
  maxRetries?: number;
  /** Default `{ base: 0.2, factor: 2, max: 5, jitter: 0.3 }`. */
  retryDelay?: number | Backoff;
  /** Seconds that one try may take. Default 5. */
  timeout?: number;
  /**
   * Seconds that a batch waits in all, beyond `retryDelay`, because its target's `Retry-After` asks for it. Default 20, at most
   * 86400. A batch that would wait longer is undelivered at once, and the next is tried when its turn comes.
   */
  maxRetryAfter?: number;
  /** Keeps the isolate alive until what was sent is handed over. Where each request has its own, give it to `send`. */
  ctx?: Lifetime;
  /** The same as a function: Vercel's `waitUntil`. */
  waitUntil?: (promise: Promise<unknown>) => void;
  /**
   * Told of each batch that could not be handed over, with its messages. A promise it answers is waited for. Without it, the
   * promise given to `waitUntil` rejects, or where there is none nobody handles a rejection: platforms log both.
   */
  onUndelivered?: (error: UndeliveredReport<Body>) => unknown;
  /** Clock, for tests. */
  clock?: Clock;
}

/** What could not be handed over, and why. */
export interface UndeliveredReport<Body = unknown> extends Error {
  readonly code: string;
  readonly messages: readonly BufferedMessage<Body>[];
  /** Tries that were made. */
  readonly attempts: number;
  /** True: the target may have the messages all the same, for a try ended without an answer. */
  readonly outcomeUnknown: boolean;
  /** What the last try failed with. */
  readonly cause?: unknown;
}

export interface BufferedSendOptions extends BufferedOptions {
  /** As `ctx` of the sender, for this message. */
  ctx?: Lifetime;
  /** Ends a wait for room. */
  signal?: AbortSignal;
}

/** Counts of messages, but for `batches` and `retries`. Each message is in one of the first three. */
export interface BufferedMetrics {
  /** Not handed over yet. */
  buffered: number;
  delivered: number;
  undelivered: number;
  /** Batches that were handed over. */
  batches: number;
  /** Tries after the first. */
  retries: number;
  /** Of the buffered messages, about. */
  bufferedBytes: number;
}

/** Collects messages in this isolate and hands them over in batches, in order, one batch at a time. */
export interface BufferedSender<Body = unknown> extends AsyncDisposable {
  /** Resolves when the message is buffered: handing over goes on in `waitUntil`. */
  send(body: Body, options?: BufferedSendOptions): Promise<void>;
  /** All or none are buffered. */
  sendBatch(messages: Iterable<BufferedMessage<Body>>, options?: { ctx?: Lifetime; signal?: AbortSignal }): Promise<void>;
  /** Hands over at once. Resolves when all that was buffered is handed over; rejects with `UndeliveredError` for what could not be. */
  flush(): Promise<void>;
  metrics(): BufferedMetrics;
  /** Takes no more, and flushes. */
  close(): Promise<void>;
}
