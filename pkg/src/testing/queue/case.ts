/** What the cases of queues share: queues with names of their own, filled, consumed and closed. */

import type { Consumer, ConsumerOptions, Message, Queue, QueueHandler, QueueMetrics, QueueOptions } from "../../contract/types";
import { bounded, eventually, ok, quiet } from "../check";
import { virtualTime } from "../clock";
import type { QueueCase, Time } from "../types";

/** Numbers, as bodies that are told apart. */
export type Numbers = Queue<number>;

let last = 0;
/** No other case, run or context has it. */
const fresh = (): string => `case ${++last} ${Math.random().toString(36).slice(2, 10)}`;

export class World {
  private readonly queues: Queue<never>[] = [];
  readonly name = fresh();

  constructor(private readonly opener: Parameters<QueueCase["run"]>[0], readonly time: Time) {}

  /** So many units, in seconds. */
  seconds(units: number): number {
    return units * this.time.unit;
  }

  pass(units: number): Promise<void> {
    return this.time.pass(units);
  }

  /** What must not happen before its time can only be seen where time stands still meanwhile. */
  get exact(): boolean {
    return this.time.clock !== undefined;
  }

  /** Nothing is to be had, for it is not time yet. */
  async notYet(queue: Numbers | Queue<string>, what: string): Promise<void> {
    if (this.exact) ok(await empty(queue), what);
  }

  /** Opens the case's own queue, or another by its name. */
  async queue<Body = number>(options: QueueOptions<Body> = {}, name = this.name): Promise<Queue<Body>> {
    const given = this.time.clock ? { clock: this.time.clock, ...options } : options;
    const queue = await bounded(this.opener<Body>(name, given), "the queue opens");
    this.queues.push(queue as unknown as Queue<never>);
    return queue;
  }

  /** The same with bodies 0 to `count` - 1 in it. */
  async filled(count: number, options: QueueOptions<number> = {}): Promise<Numbers> {
    const queue = await this.queue(options);
    await queue.sendBatch(range(count).map((body) => ({ body })));
    return queue;
  }

  /** Leased for 60 units by default: nothing comes back while a case looks elsewhere. */
  policy<Body>(options: QueueOptions<Body> = {}): QueueOptions<Body> {
    return { visibilityTimeout: this.seconds(60), retryDelay: 0, ...options };
  }

  /** Lets `handler` consume what `queue` has until the metrics are as `until` wants them; then stops it. */
  async consumed<Body>(
    queue: Queue<Body>,
    handler: QueueHandler<Body>,
    until: (metrics: QueueMetrics) => boolean,
    options?: ConsumerOptions,
  ): Promise<QueueMetrics> {
    const consumer: Consumer = queue.consume(handler, options);
    const metrics = await eventually(async () => {
      await quiet();
      const now = await queue.metrics();
      return until(now) && now;
    }, "the queue is consumed");
    await bounded(consumer.stop(), "the consumer stops");
    return metrics;
  }

  async close(): Promise<void> {
    for (const queue of this.queues) await bounded(queue.close(), "the queue closes").catch(() => undefined);
  }
}

export function queueCase(name: string, body: (world: World) => Promise<void>): QueueCase {
  return {
    name,
    async run(open, time = virtualTime()) {
      const world = new World(open, time);
      try {
        await body(world);
      } finally {
        await world.close();
      }
    },
  };
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

export const bodies = (messages: readonly { body: unknown }[]): unknown[] => messages.map(({ body }) => body);

/** Takes up to `count`, waiting for as many as there are said to be. */
export async function take<Body>(queue: Queue<Body>, count: number): Promise<Message<Body>[]> {
  const messages: Message<Body>[] = [];
  while (messages.length < count) {
    const got = await bounded(queue.receive({ max: count - messages.length, wait: 3600 }), `${count} messages, ${messages.length} came`);
    messages.push(...got);
  }
  return messages;
}

/** Settles when no message is to be had. */
export async function empty(queue: Queue<never> | Numbers | Queue<string> | Queue<unknown>): Promise<boolean> {
  return (await bounded((queue as Queue<unknown>).receive({ max: 10 }), "an answer")).length === 0;
}
