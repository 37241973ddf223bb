/** Messages collected in an isolate without storage, and handed over in batches while the platform keeps it alive. */

import { onAbort } from "../schedule/cancellation";
import { disposable } from "../contract/dispose";
import { MessageTooLargeError, platformError, QueueFullError, show } from "../contract/errors";
import { object, sendOptions, signalOption } from "../contract/options";
import { Handing, type Slot } from "./flush";
import { lifetimeOption, settings, type Settings } from "./settings";
import { targetOption, type Target } from "./target";
import type { BufferedMessage, BufferedMetrics, BufferedSender, BufferedSenderOptions, BufferedSendOptions, Lifetime,
  SendTarget } from "./types";
import { throwAll, type UndeliveredError } from "./undelivered";

/** What a message takes beside its body, about. */
const MESSAGE_BYTES = 100;

/** Who waits for room, in order. */
interface Waiter {
  bytes: number;
  enter: () => void;
}

class Sender<Body> implements BufferedSender<Body> {
  private readonly settings: Settings;
  private readonly target: Target;
  private readonly handing: Handing;
  private waiters: Waiter[] = [];
  private closed = false;

  constructor(target: SendTarget<Body>, options: BufferedSenderOptions<Body>) {
    this.target = targetOption(target as SendTarget<never>);
    this.settings = settings(options as BufferedSenderOptions<never>);
    this.handing = new Handing(this.target, this.settings, () => this.admit());
  }

  async send(body: Body, options: BufferedSendOptions = {}): Promise<void> {
    object("options", options);
    const { ctx, signal, ...rest } = options;
    await this.put([{ body, ...rest }], ctx, signal);
  }

  async sendBatch(messages: Iterable<BufferedMessage<Body>>, options: { ctx?: Lifetime; signal?: AbortSignal } = {}): Promise<void> {
    object("options", options);
    if (typeof (messages as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== "function")
      throw new TypeError(`messages must be iterable, not ${show(messages)}`);
    await this.put(Array.from(messages, request), options.ctx, options.signal);
  }

  private async put(messages: BufferedMessage[], ctx: Lifetime | undefined, given: AbortSignal | undefined): Promise<void> {
    if (this.closed) throw platformError("InvalidStateError", "the sender is closed");
    const signal = signalOption(given);
    signal?.throwIfAborted();
    const { bytes: bound, batchBytes, waits } = this.settings;
    const lifetime = lifetimeOption(ctx) ?? this.settings.lifetime;
    const slots = messages.map((message) => slot(this.target, message));
    if (!slots.length) return;
    for (const { bytes } of slots)
      if (bytes > batchBytes)
        throw new MessageTooLargeError(
          `a message of ${bytes} bytes can't fit: a batch may have ${batchBytes} (maxBatchBytes)`,
        );
    const bytes = slots.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes > bound)
      throw new MessageTooLargeError(`${slots.length} messages of ${bytes} bytes can't fit: the buffer may have ${bound} (maxBytes)`);
    if (!this.waiters.length && this.handing.bytes + bytes <= bound) return this.handing.add(slots, lifetime);
    if (!waits) throw new QueueFullError(`the buffer has ${this.handing.bytes} of ${bound} bytes, and no room for ${bytes} more`);
    await this.room(bytes, signal, () => this.handing.add(slots, lifetime));
  }

  /** Waits for room; `enter` takes it. */
  private room(bytes: number, signal: AbortSignal | undefined, enter: () => void): Promise<void> {
    this.handing.hurry();
    return new Promise((resolve, reject) => {
      const off = signal && onAbort(signal, (reason) => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(reason);
        this.admit();
      });
      const waiter: Waiter = {
        bytes,
        enter: () => {
          off?.();
          try {
            enter();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
      };
      this.waiters.push(waiter);
    });
  }

  private admit(): void {
    while (this.waiters.length && this.handing.bytes + this.waiters[0].bytes <= this.settings.bytes) this.waiters.shift()!.enter();
  }

  async flush(): Promise<void> {
    throwAll(await this.handing.flush());
  }

  metrics(): BufferedMetrics {
    return this.handing.metrics();
  }

  async close(): Promise<void> {
    this.closed = true;
    const failures: UndeliveredError[] = [];
    // Who waits for room comes in when there is some.
    do {
      failures.push(...(await this.handing.flush()));
    } while (this.handing.bytes > 0 || this.waiters.length);
    throwAll(failures);
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;
}

function request<Body>(message: BufferedMessage<Body>, at: number): BufferedMessage<Body> {
  if (typeof message === "object" && message !== null && "body" in message) return message;
  throw new TypeError(`message ${at} of the batch must be an object with a body, not ${show(message)}`);
}

/** The message with what is given alone: a key without a value would be told. */
function checked(message: BufferedMessage): BufferedMessage {
  const { body, contentType, delaySeconds, idempotencyKey, headers } = message;
  sendOptions(message);
  return {
    body,
    ...(contentType !== undefined && { contentType }),
    ...(delaySeconds !== undefined && { delaySeconds }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(headers !== undefined && { headers: { ...headers } }),
  };
}

function slot(target: Target, message: BufferedMessage): Slot {
  const kept = target.keep(checked(message));
  return { kept, bytes: kept.bytes + MESSAGE_BYTES };
}

disposable(Sender.prototype, (sender) => sender.close());

/**
 * Collects messages in this isolate and hands them to `target` in batches: for functions that have no storage. What is
 * buffered is gone with the isolate, so give `ctx` or `waitUntil`, which keep it alive until all is handed over. A target
 * may get a batch twice, where a try ended without an answer.
 */
export function bufferedSender<Body = unknown>(target: SendTarget<Body>, options: BufferedSenderOptions<Body> = {}): BufferedSender<Body> {
  return new Sender<Body>(target, options);
}
