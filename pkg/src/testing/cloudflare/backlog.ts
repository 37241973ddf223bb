/** One of Cloudflare's queues: what waits in it, and the binding of its producers. */

import { text } from "../check";
import type { CloudflareMetrics, CloudflareProducer, VirtualClock } from "../types";
import { BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, content, delay, MESSAGE_BYTES_MAX, METADATA_BYTES, type Content } from "./limits";

export interface Waiting {
  readonly id: string;
  readonly timestamp: number;
  readonly content: Content;
  /** Deliveries so far. */
  attempts: number;
  /** When it may be delivered. */
  due: number;
}

export class Backlog {
  readonly waiting: Waiting[] = [];
  /** Those that are with a handler. */
  readonly out = new Set<Waiting>();
  deliveryDelay = 0;
  retentionMs = Infinity;
  /** Called when something came. */
  came: () => void = () => undefined;

  constructor(
    readonly name: string,
    private readonly clock: VirtualClock,
    private readonly limited: boolean,
    private readonly expired: (message: Waiting) => void,
  ) {}

  /** Deletes what is too old. */
  expire(): void {
    const now = this.clock.now();
    for (let at = this.waiting.length - 1; at >= 0; at -= 1) {
      const message = this.waiting[at];
      if (message.timestamp + this.retentionMs > now) continue;
      this.waiting.splice(at, 1);
      this.expired(message);
    }
  }

  put(messages: Waiting[]): void {
    if (!messages.length) return;
    for (const message of messages) this.waiting.push(message);
    this.came();
  }

  metrics(): CloudflareMetrics {
    this.expire();
    const all = [...this.waiting, ...this.out];
    const oldest = Math.min(...all.map(({ timestamp }) => timestamp));
    const backlogBytes = all.reduce((sum, message) => sum + message.content.bytes, 0);
    return { backlogCount: all.length, backlogBytes, ...(all.length && { oldestMessageTimestamp: new Date(oldest) }) };
  }

  producer<Body>(): CloudflareProducer<Body> {
    const receipt = (): { metadata: { metrics: CloudflareMetrics } } => ({ metadata: { metrics: this.metrics() } });
    return {
      send: async (body, options = {}) => {
        object("options", options);
        this.put([this.message(body, options.contentType, delay(options.delaySeconds), "a message")]);
        return receipt();
      },
      sendBatch: async (messages, options = {}) => {
        object("options", options);
        if (typeof (messages as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== "function")
          throw new TypeError(`messages must be iterable, not ${text(messages)}`);
        const all = delay(options.delaySeconds);
        const batch = Array.from(messages, (request, at) => {
          object(`message ${at} of the batch`, request);
          return this.message(request.body, request.contentType, delay(request.delaySeconds) ?? all, `message ${at} of the batch`);
        });
        this.checkBatch(batch);
        this.put(batch);
        return receipt();
      },
      metrics: async () => this.metrics(),
    };
  }

  private message(body: unknown, type: unknown, delaySeconds: number | undefined, what: string): Waiting {
    const made = content(body, type);
    const bytes = made.bytes + METADATA_BYTES;
    if (this.limited && bytes > MESSAGE_BYTES_MAX)
      throw new RangeError(`${what} may have ${MESSAGE_BYTES_MAX} bytes, not ${bytes} (${METADATA_BYTES} are metadata)`);
    const now = this.clock.now();
    return { id: identity(), timestamp: now, content: made, attempts: 0, due: now + (delaySeconds ?? this.deliveryDelay) * 1000 };
  }

  private checkBatch(batch: Waiting[]): void {
    if (!this.limited) return;
    if (batch.length > BATCH_MESSAGES_MAX) throw new RangeError(`a batch may have ${BATCH_MESSAGES_MAX} messages, not ${batch.length}`);
    const bytes = batch.reduce((sum, { content: { bytes: own } }) => sum + own + METADATA_BYTES, 0);
    if (bytes > BATCH_BYTES_MAX) throw new RangeError(`a batch may have ${BATCH_BYTES_MAX} bytes, not ${bytes}`);
  }
}

function object(what: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} must be an object, not ${text(value)}`);
}

/** As ids look there: 32 hexadecimal digits. */
const identity = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
