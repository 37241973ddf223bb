/** Pushing: batches go to the `queue(batch, env, ctx)` handler of a Worker, by a service binding. */

import { METRICS } from "../engine/codes";
import type { LocalBacking } from "../journal/local";
import type { Onlooker } from "../engine/effects";
import type { ReceivedMessage } from "../delivery/message";
import type { OpenedQueue } from "../queue/queue";
import type { Consumer, MessageBatch } from "../contract/types";
import { decode } from "./bodies";
import { CALL_MAX } from "./rpc";
import type { ObjectClock } from "./clock";
import type { PushConsumer } from "./push-options";
import { weight } from "./framing";
import { deliver, Unsendable, type Readable } from "./delivery";

/** So long after the last batch nothing is expected to come any more: what comes later starts it again. */
const IDLE_MS = 500;

export class Push implements Onlooker {
  readonly consuming = false;
  readonly listening = false;
  private consumer: Consumer | undefined;
  private handling = 0;
  private delivered = 0;

  constructor(
    private readonly queue: OpenedQueue<Uint8Array>,
    private readonly settings: PushConsumer,
    private readonly clock: ObjectClock,
  ) {
    queue.backing.handle.onlookers.add(this);
  }

  /** Something came, or went: a dead letter of another queue, what was redriven. */
  depth(): void {
    // It is told in the middle of a step.
    queueMicrotask(() => this.kick());
  }

  dead(): void {}

  dropped(): void {}

  gone(): void {}

  storage(): void {}

  error(): void {}

  /** There may be something to deliver. */
  kick(): void {
    if (this.consumer || this.queue.isOver || this.ready === 0) return;
    const { maxBatchSize, maxBatchTimeout, maxConcurrency } = this.settings;
    this.clock.begin();
    this.clock.guard();
    this.consumer = this.queue.consume((batch) => this.handle(batch), { maxBatchSize, maxBatchTimeout, maxConcurrency });
    this.watch();
  }

  private get ready(): number {
    const { journal, handle } = this.queue.backing as LocalBacking;
    return (journal.peer.show(METRICS, handle.id, journal.now()) as { ready: number } | undefined)?.ready ?? 0;
  }

  /** Stops when nothing comes any more: an object that waits costs what one that works does. */
  private watch(): void {
    const before = this.delivered;
    // It keeps the object awake, as is meant, and is nothing to be woken for.
    setTimeout(async () => {
      const busy = this.handling > 0 || this.delivered > before;
      if (busy && !this.queue.isOver) return this.watch();
      const { consumer, ready } = this;
      this.consumer = undefined;
      await consumer?.stop();
      this.clock.end();
      // It gave back what it was filling a batch with. (What is ready and was not taken waits for a queue that is paused.)
      if (!this.queue.isOver && this.ready > ready) this.kick();
    }, (this.settings.maxBatchTimeout ?? 0) * 1000 + IDLE_MS);
  }

  private async handle(batch: MessageBatch<Uint8Array>): Promise<void> {
    this.handling += 1;
    // Should this object die now, it is woken when the leases end.
    this.clock.setAlarm(this.clock.now() + this.queue.backing.visibilityMs);
    let failed: { error: unknown } | undefined;
    try {
      for (const part of partsOf(batch.messages as ReceivedMessage<Uint8Array>[])) {
        // The others are no worse for it.
        await this.deliver(batch, part.flatMap(readable)).catch((error: unknown) => void (failed ??= { error }));
      }
    } finally {
      this.handling -= 1;
      this.delivered += 1;
    }
    if (failed) throw failed.error;
  }

  /** What can't be handed over makes a dead letter of its message, and of no other. */
  private async deliver(batch: MessageBatch<Uint8Array>, readable: Readable[]): Promise<void> {
    if (!readable.length) return;
    try {
      await deliver(this.settings.service, batch, readable);
    } catch (error) {
      if (!(error instanceof Unsendable)) throw error;
      if (readable.length === 1) return void readable[0].message.deadLetter(error.message);
      const half = readable.length >> 1;
      const halves = [readable.slice(0, half), readable.slice(half)];
      const ends = [];
      for (const one of halves) ends.push(await this.deliver(batch, one).then(() => undefined, (error: unknown) => ({ error })));
      const failed = ends.find((end) => end !== undefined);
      if (failed) throw failed.error;
    }
  }
}

function readable(message: ReceivedMessage<Uint8Array>): Readable[] {
  try {
    return [{ message, body: decode(message.body) }];
  } catch (error) {
    void message.deadLetter((error as Error).message);
    return [];
  }
}

/** As many in a call as it may carry. */
function partsOf(messages: ReceivedMessage<Uint8Array>[]): ReceivedMessage<Uint8Array>[][] {
  const parts: ReceivedMessage<Uint8Array>[][] = [];
  let room = 0;
  for (const message of messages) {
    const size = weight(message.body, message.headers);
    if (!parts.length || size > room) {
      parts.push([]);
      room = CALL_MAX;
    }
    parts[parts.length - 1].push(message);
    room -= size;
  }
  return parts;
}
