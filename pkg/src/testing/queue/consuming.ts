/** What a consumer promises: Cloudflare's rules for handlers, and a stop that stops. */

import type { MessageBatch } from "../../contract/types";
import { bounded, eventually, ok, quiet, same } from "../check";
import { bodies, queueCase, range, type World } from "./case";

/** Handles only the first batch; the messages of later ones are put off. */
const once = (world: World, first: (batch: MessageBatch<number>) => unknown): (batch: MessageBatch<number>) => unknown => {
  let calls = 0;
  return (batch) => (calls++ === 0 ? first(batch) : batch.retryAll({ delaySeconds: world.seconds(1000) }));
};

export const consuming = [
  queueCase("a handler that returns has acked", async (world) => {
    const queue = await world.filled(2, world.policy());
    const { backlogCount } = await world.consumed(queue, () => undefined, ({ acked }) => acked === 2);
    same(backlogCount, 0, "backlogCount");
  }),

  queueCase("a handler that throws is given its messages again", async (world) => {
    const queue = await world.filled(2, world.policy());
    const seen: unknown[] = [];
    const { retried } = await world.consumed(queue, ({ messages }) => {
      seen.push(messages.map(({ body, attempts }) => [body, attempts]));
      if (seen.length === 1) throw new Error("once");
    }, ({ acked }) => acked === 2);
    same([seen, retried], [[[[0, 1], [1, 1]], [[0, 2], [1, 2]]], 2], "the batches, and retried");
  }),

  queueCase("a handler that rejects is given its messages again, except what it acked", async (world) => {
    const queue = await world.filled(3, world.policy());
    const seen: unknown[] = [];
    await world.consumed(queue, async ({ messages }) => {
      seen.push(bodies(messages));
      if (seen.length > 1) return;
      void messages[1].ack();
      await null;
      throw new Error("once");
    }, ({ acked }) => acked === 3);
    same(seen, [[0, 1, 2], [0, 2]], "the batches");
  }),

  queueCase("the error of a handler is kept with its dead letters, and told", async (world) => {
    const queue = await world.filled(1, world.policy({ maxRetries: 1 }));
    const told: unknown[] = [];
    queue.addEventListener("error", (event) => void told.push((event as { error?: unknown }).error));
    await world.consumed(queue, () => Promise.reject(new TypeError("no such customer")), ({ deadLettered }) => deadLettered === 1);
    const letters = await world.queue({}, `${world.name}-dlq`);
    const letter = await eventually(async () => (await letters.peek())[0], "the letter");
    ok(letter.lastError?.includes("TypeError: no such customer"), `the error is kept: ${letter.lastError}`);
    same(told.map((error) => (error as Error).message), ["no such customer", "no such customer"], "the events");
  }),

  queueCase("the first call on a message wins", async (world) => {
    const queue = await world.filled(2, world.policy());
    const { acked, retried } = await world.consumed(queue, once(world, async ({ messages: [first, second] }) => {
      void first.ack();
      await first.retry();
      void second.retry({ delaySeconds: world.seconds(1000) });
      await second.ack();
    }), (metrics) => metrics.acked === 1 && metrics.delayed === 1);
    same([acked, retried], [1, 1], "acked, retried");
  }),

  queueCase("a call on a message beats a later one on the batch; what comes after that is not heard", async (world) => {
    const queue = await world.filled(3, world.policy());
    const { acked, delayed } = await world.consumed(queue, once(world, (batch) => {
      void batch.messages[0].retry({ delaySeconds: world.seconds(1000) });
      batch.ackAll();
      void batch.messages[2].retry({ delaySeconds: world.seconds(1000) });
    }), (metrics) => metrics.acked + metrics.delayed === 3);
    same([acked, delayed], [2, 1], "acked, delayed");
  }),

  queueCase("the first call on the batch wins, and stays when the handler throws", async (world) => {
    const queue = await world.filled(2, world.policy());
    await world.consumed(queue, (batch) => {
      batch.ackAll();
      batch.retryAll();
      throw new Error("afterwards");
    }, ({ acked }) => acked === 2);
    const other = await world.queue(world.policy(), `${world.name} other`);
    await other.send(1);
    const { acked } = await world.consumed(other, (batch) => {
      batch.retryAll({ delaySeconds: world.seconds(1000) });
      batch.ackAll();
    }, ({ delayed }) => delayed === 1);
    same(acked, 0, "acked");
  }),

  queueCase("an ack inside the handler can be awaited", async (world) => {
    const queue = await world.filled(1, world.policy());
    let acked = 0;
    await world.consumed(queue, async ({ messages: [message] }) => {
      await message.ack();
      ({ acked } = await queue.metrics());
    }, (metrics) => metrics.acked === 1);
    same(acked, 1, "acked, when the ack resolved");
  }),

  queueCase("batches are as large as asked for, come in order, and say whose they are", async (world) => {
    const queue = await world.filled(25, world.policy());
    const batches: unknown[][] = [];
    const backlogs: number[] = [];
    await world.consumed(queue, (batch) => {
      batches.push(bodies(batch.messages));
      backlogs.push(batch.metadata.metrics.backlogCount);
      same(batch.queue, world.name, "the queue of the batch");
    }, ({ acked }) => acked === 25, { maxBatchSize: 8 });
    same([batches.flat(), batches[0].length, backlogs[0]], [range(25), 8, 25], "the order, the first batch, its backlog");
    ok(batches.every(({ length }) => length <= 8), `no batch is larger: ${batches.map(({ length }) => length)}`);
  }),

  queueCase("a consumer waits for a fuller batch as long as it may", async (world) => {
    const queue = await world.queue(world.policy());
    const sizes: number[] = [];
    const consumer = queue.consume(({ messages }) => void sizes.push(messages.length), {
      maxBatchSize: 3,
      maxBatchTimeout: world.seconds(10),
    });
    await queue.send(1);
    await eventually(async () => (await queue.metrics()).leased === 1, "the first is taken");
    await queue.send(2);
    if (world.exact) same(sizes, [], "it waits for a third");
    await eventually(async () => (await queue.metrics()).leased === 2, "the second is taken");
    await world.pass(11);
    await eventually(() => sizes.length > 0, "the batch that is not full");
    same(sizes, [2], "its size");
    await queue.sendBatch(range(3).map((body) => ({ body })));
    await eventually(() => sizes.length > 1, "the batch that is full, at once");
    same(sizes, [2, 3], "the sizes");
    await bounded(consumer.stop(), "the consumer stops");
  }),

  queueCase("a consumer runs as many handlers at once as it may", async (world) => {
    const queue = await world.filled(5, world.policy());
    const running: (() => void)[] = [];
    let [most, now] = [0, 0];
    const consumer = queue.consume(() =>
      new Promise<void>((resolve) => {
        most = Math.max(most, ++now);
        running.push(() => {
          now -= 1;
          resolve();
        });
      }), { maxBatchSize: 1, maxConcurrency: 3 });
    await eventually(() => running.length >= 3, "three handlers run");
    for (let left = 5; left > 0; left -= 1) (await eventually(() => running.shift(), "the next handler"))();
    await eventually(async () => (await queue.metrics()).acked === 5, "all are acked");
    await bounded(consumer.stop(), "the consumer stops");
    same(most, 3, "handlers at once");
  }),

  queueCase("leases are extended while the handler runs, and left alone where that is asked for", async (world) => {
    for (const autoExtend of [true, false]) {
      const queue = await world.queue({ visibilityTimeout: world.seconds(10), retryDelay: 0 }, `${world.name} ${autoExtend}`);
      const finish: (() => void)[] = [];
      const consumer = queue.consume(() => new Promise<void>((resolve) => void finish.push(resolve)), { autoExtend, maxBatchSize: 1 });
      await queue.send(1);
      await eventually(() => finish.length === 1, "the handler runs");
      for (let units = 0; units < 8; units += 1) {
        await world.pass(3);
        await queue.metrics();
      }
      const again = await queue.receive();
      same(again.map(({ attempts }) => attempts), autoExtend ? [] : [2], autoExtend ? "nobody else gets it" : "another gets it");
      for (const message of again) await message.ack();
      for (const resolve of finish) resolve();
      await bounded(consumer.stop(), "the consumer stops");
      same((await queue.metrics()).acked, 1, "acked");
    }
  }),

  queueCase("stop waits for what runs, takes no more, and is done", async (world) => {
    const queue = await world.queue(world.policy());
    let finish: (() => void) | undefined;
    const consumer = queue.consume(() => new Promise<void>((resolve) => (finish = resolve)), { maxBatchSize: 1 });
    await queue.send(1);
    await eventually(() => finish, "the handler runs");
    let stopped = false;
    const stopping = consumer.stop().then(() => (stopped = true));
    await queue.send(2);
    await quiet();
    same(stopped, false, "it waits for the handler");
    finish!();
    await bounded(Promise.all([stopping, consumer.done]), "stop and done");
    const { acked, ready } = await eventually(async () => {
      const metrics = await queue.metrics();
      return metrics.leased === 0 && metrics;
    }, "what was not handled is given back");
    same([acked, ready], [1, 1], "acked, ready");
  }),

  queueCase("an aborted signal stops a consumer; an empty queue never calls the handler", async (world) => {
    const queue = await world.queue();
    const controller = new AbortController();
    let calls = 0;
    const consumer = queue.consume(() => void (calls += 1), { signal: controller.signal });
    await world.pass(5);
    controller.abort();
    await bounded(consumer.done, "done");
    await queue.send(1);
    await quiet();
    same(calls, 0, "calls");
    same((await queue.receive()).length, 1, "the message is there for others");
  }),

  queueCase("several consumers share the work, each message once", async (world) => {
    const queue = await world.queue(world.policy());
    const second = await world.queue();
    const seen: unknown[] = [];
    const consumers = [queue, second].map((each) => each.consume(({ messages }) => void seen.push(...bodies(messages))));
    await queue.sendBatch(range(100).map((body) => ({ body })));
    await eventually(async () => (await queue.metrics()).acked === 100, "all are acked");
    for (const consumer of consumers) await bounded(consumer.stop(), "the consumer stops");
    same((seen as number[]).sort((a, b) => a - b), range(100), "what was handled");
  }),
];
