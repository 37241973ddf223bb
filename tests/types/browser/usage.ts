/** How the API is meant to be used compiles; what must not be written does not. */

import { openQueue, QueueFullError, type Message, type Queue, type StandardSchemaV1 } from "posthaste";

interface Order {
  item: string;
  count: number;
}
declare const schema: StandardSchemaV1<unknown, Order>;
declare const message: Message<Order>;

export async function meant(): Promise<void> {
  await using queue = await openQueue<Order>("orders", { storage: "indexeddb", retryDelay: { base: 1 }, deadLetterQueue: false });
  const { id, duplicate, metadata } = await queue.send({ item: "tea", count: 1 }, { delaySeconds: 0, idempotencyKey: "a" });
  await queue.sendBatch([{ body: { item: "tea", count: 1 }, delaySeconds: 5 }], { signal: AbortSignal.timeout(1000) });
  const ids: [string, boolean, number] = [id, duplicate, metadata.metrics.backlogCount];

  await using consumer = queue.consume(async (batch) => {
    for (const { body, attempts, signal } of batch.messages) await fetch(`/${body.item}/${attempts}`, { signal });
    batch.ackAll();
  }, { maxBatchSize: 10, maxConcurrency: 2 });
  await consumer.done;

  for await (const taken of queue) await (taken.body.count > 1 ? taken.ack() : taken.retry({ delaySeconds: 1 }));
  queue.addEventListener("deadletter", (event: CustomEvent<{ id: string; reason: string }>) => event.detail.reason);
  queue.addEventListener("storage", (event) => event.detail.state === "lost");
  await new ReadableStream<Order>().pipeTo(queue.writable);
  const reader = queue.readable.getReader();
  const typed: Message<Order> | undefined = (await reader.read()).value;

  const inferred: Queue<Order> = await openQueue("orders", { schema });
  const untyped = await openQueue("anything");
  await untyped.send(new Map([[1, new Blob()]]));
  const [info] = await inferred.peek({ max: 1, state: "dead" });
  const error = new QueueFullError("full");
  const shown: [string, string, string | undefined, unknown] = [error.code, error.name, info?.reason, typed];
  void [ids, shown];
}

export async function notMeant(queue: Queue<Order>): Promise<void> {
  // @ts-expect-error a body of another type
  await queue.send({ item: "tea" });
  // @ts-expect-error a batch holds requests, not bodies
  await queue.sendBatch([{ item: "tea", count: 1 }]);
  // @ts-expect-error durations are numbers of seconds
  await queue.send({ item: "tea", count: 1 }, { delaySeconds: "5" });
  // @ts-expect-error there is no such storage
  await openQueue("orders", { storage: "localstorage" });
  // @ts-expect-error there is no such overflow policy
  await openQueue("orders", { overflow: "explode" });
  // @ts-expect-error a schema of something else
  await openQueue<string>("orders", { schema });
  // @ts-expect-error what was received is not for writing
  message.body = { item: "tea", count: 1 };
  // @ts-expect-error ids are texts
  await queue.cancel(1);
  // @ts-expect-error there is no such state
  await queue.peek({ state: "lost" });
  // @ts-expect-error there is no such event
  queue.addEventListener("message", () => {});
  // @ts-expect-error a handler of something else
  queue.consume((batch: { readonly messages: readonly Message<string>[] }) => batch);
  // @ts-expect-error a consumer runs until it is stopped, it is not a promise
  queue.consume(() => {}).then(() => {});
}
