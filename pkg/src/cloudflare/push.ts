/** Pushing: batches go to the `queue(batch, env, ctx)` handler of a Worker, by a service binding. */

import type { LocalBacking } from "../local";
import type { ReceivedMessage } from "../message";
import type { OpenedQueue } from "../queue";
import type { Consumer, MessageBatch } from "../types";
import { CALL_MAX } from "./calls";
import type { ObjectClock } from "./clock";
import { decode } from "./codec";
import type { PushConsumer } from "./consumers";
import type { Service } from "./platform";

type Retry = { delaySeconds?: number } | undefined;
/** What the platform answers to a queue event (`FetcherQueueResult`). Names in quotes: no bundle shortens them. */
interface Result {
  "outcome": string;
  "ackAll": boolean;
  "retryBatch": { "retry": boolean; "delaySeconds"?: number };
  "explicitAcks": string[];
  "retryMessages": { "msgId": string; "delaySeconds"?: number }[];
}

/** So long after the last batch nothing is expected to come any more: what comes later starts it again. */
const IDLE_MS = 500;
/** Words travel before the answer and are heard a little after it: so long after the last one there are no more. */
const WORDS_MS = 2000;

/** What the platform calls on what it gives back. */
const DISPOSE = Reflect.get(Symbol, "dispose") as symbol;

export class Push {
  private consumer: Consumer | undefined;
  private handling = 0;
  private delivered = 0;

  constructor(private readonly queue: OpenedQueue<Uint8Array>, private readonly settings: PushConsumer, private readonly clock: ObjectClock) {}

  /** There may be something to deliver. */
  kick(): void {
    if (this.consumer || this.queue.isOver || !this.ready) return;
    const { maxBatchSize, maxBatchTimeout, maxConcurrency } = this.settings;
    this.clock.begin();
    this.clock.guard();
    this.consumer = this.queue.consume((batch) => this.handle(batch), { maxBatchSize, maxBatchTimeout, maxConcurrency });
    this.watch();
  }

  private get ready(): boolean {
    const { journal, handle } = this.queue.backing as LocalBacking;
    const metrics = journal.peer.metrics(handle.id, journal.now()) as { ready: number } | undefined;
    return metrics !== undefined && metrics.ready > 0;
  }

  /** Stops when nothing comes any more: an object that waits costs what one that works does. */
  private watch(): void {
    const before = this.delivered;
    // It keeps the object awake, as is meant, and is nothing to be woken for.
    setTimeout(async () => {
      const busy = this.handling > 0 || this.delivered > before;
      if (busy && !this.queue.isOver) return this.watch();
      const { consumer } = this;
      this.consumer = undefined;
      await consumer?.stop();
      this.clock.end();
    }, (this.settings.maxBatchTimeout ?? 0) * 1000 + IDLE_MS);
  }

  private async handle(batch: MessageBatch<Uint8Array>): Promise<void> {
    this.handling += 1;
    // Should this object die now, it is woken when the leases end.
    this.clock.setAlarm(this.clock.now() + this.queue.backing.visibilityMs);
    try {
      for (const part of partsOf(batch.messages as ReceivedMessage<Uint8Array>[])) await this.deliver(batch, part);
    } finally {
      this.handling -= 1;
      this.delivered += 1;
    }
  }

  private async deliver(batch: MessageBatch<Uint8Array>, messages: ReceivedMessage<Uint8Array>[]): Promise<void> {
    const readable = messages.flatMap((message) => {
      try {
        return [{ message, body: decode(message.body) }];
      } catch (error) {
        void message.deadLetter((error as Error).message);
        return [];
      }
    });
    if (!readable.length) return;
    const service = this.settings.service as { queue?: unknown };
    const says = Object.hasOwn(Object.getPrototypeOf(service) as object, "queue") ? byEvent : byCall;
    await says(this.settings.service, batch, readable);
  }
}

interface Readable {
  message: ReceivedMessage<Uint8Array>;
  body: unknown;
}

/** As an event of the platform's: `Fetcher.queue`, where the runtime has it (`service_binding_extra_handlers`; miniflare). */
async function byEvent(service: Service, batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<void> {
  const messages = readable.map(({ message: { id, timestamp, attempts }, body }) => ({ id, timestamp, attempts, body }));
  const result = await (service as { queue(name: string, messages: unknown[], metadata: unknown): Promise<Result> }).queue(batch.queue, messages, batch.metadata);
  const { outcome, ackAll, retryBatch, explicitAcks, retryMessages } = result;
  const acks = new Set(explicitAcks);
  const retries = new Map(retryMessages.map((one) => [one.msgId, one]));
  for (const { message } of readable) {
    const retry = retries.get(message.id);
    if (retry) void message.retry(delayOf(retry));
    else if (acks.has(message.id) || ackAll) void message.ack();
    else if (retryBatch.retry) void message.retry(delayOf(retryBatch));
    else if (outcome === "ok") void message.ack();
  }
  if (outcome !== "ok") throw new Error(`the handler's outcome was ${outcome}`);
}

/** As a call of the handler by RPC, which every service binding takes. What it says of messages comes back as calls. */
async function byCall(service: Service, batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<void> {
  const words = new Words();
  let all: ((message: ReceivedMessage<Uint8Array>) => void) | undefined;
  const given = {
    queue: batch.queue,
    metadata: batch.metadata,
    messages: readable.map(({ message, body }) => ({
      id: message.id, timestamp: message.timestamp, attempts: message.attempts, headers: message.headers, body,
      ack: words.hear(() => void message.ack()),
      retry: words.hear((options) => void message.retry(delayOf(options))),
    })),
    ackAll: words.hear(() => (all ??= (message) => void message.ack())),
    retryAll: words.hear((options) => (all ??= (message) => void message.retry(delayOf(options)))),
  };
  try {
    await (service as { queue(batch: unknown): Promise<unknown> }).queue(given);
  } finally {
    // They arrive after the answer does.
    await words.over();
    if (all) for (const { message } of readable) all(message);
  }
  for (const { message } of readable) void message.ack();
}

/**
 * Functions that a handler elsewhere may call, and the end of that: when the platform gives them all back, which it does
 * once the handler's request is over; a response that nobody reads holds that up.
 */
class Words {
  private left = 0;
  private heard = 0;
  private resolve: (() => void) | undefined;

  hear(say: (options?: Retry) => void): (options?: Retry) => void {
    this.left += 1;
    const word = (options?: Retry): void => {
      this.heard += 1;
      // First word wins: ReceivedMessage sees to it.
      say(options);
    };
    return Object.assign(word, {
      [DISPOSE]: () => {
        this.left -= 1;
        if (this.left === 0) this.resolve?.();
      },
    });
  }

  /** Resolves when no more will be heard. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      if (this.left === 0) return resolve();
      const look = (before: number): void => {
        setTimeout(() => (this.left > 0 && this.heard > before ? look(this.heard) : resolve()), WORDS_MS);
      };
      look(this.heard);
    });
  }
}

function delayOf(options: Retry): Retry {
  return options?.delaySeconds === undefined ? undefined : { delaySeconds: options.delaySeconds };
}

/** As many in a call as it may carry. */
function partsOf(messages: ReceivedMessage<Uint8Array>[]): ReceivedMessage<Uint8Array>[][] {
  const parts: ReceivedMessage<Uint8Array>[][] = [];
  let room = 0;
  for (const message of messages) {
    const { length } = message.body;
    if (!parts.length || length > room) {
      parts.push([]);
      room = CALL_MAX;
    }
    parts[parts.length - 1].push(message);
    room -= length;
  }
  return parts;
}
