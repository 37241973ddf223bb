/** What is written for Cloudflare Queues runs on posthaste, and a posthaste queue stands in for a Cloudflare binding. */

import { openQueue } from "posthaste";
import type * as posthaste from "posthaste";
import { bufferedSender } from "posthaste/edge";
import { cloudflareQueues } from "posthaste/testing";

interface Order {
  item: string;
}
interface Env {
  ORDERS: Queue<Order>;
}

/* A posthaste queue is a Cloudflare queue. */
declare const queue: posthaste.Queue<Order>;
export const binding: Queue<Order> = queue;
export const untyped: Queue = await openQueue("orders");
export const env: Env = { ORDERS: queue };

/* A handler written for Cloudflare is a posthaste handler. */
declare function onBatch(batch: MessageBatch<Order>): Promise<void>;
queue.consume(onBatch);
queue.consume((batch: MessageBatch<Order>) => {
  for (const message of batch.messages) message.attempts > 2 ? message.retry({ delaySeconds: 60 }) : message.ack();
  batch.retryAll({ delaySeconds: 0 });
});

/* So is the queue handler of a whole worker. */
const worker = {
  async queue(batch: MessageBatch<Order>, env: Env, context: ExecutionContext): Promise<void> {
    context.waitUntil(env.ORDERS.send(batch.messages[0]!.body));
  },
} satisfies ExportedHandler<Env, Order>;
declare const context: ExecutionContext;
queue.consume((batch) => worker.queue(batch, env, context));

/* What posthaste hands out is what Cloudflare hands out. */
export const batch = (given: posthaste.MessageBatch<Order>): MessageBatch<Order> => given;
export const message = (given: posthaste.Message<Order>): Message<Order> => given;
export const receipt = (given: posthaste.SendReceipt): QueueSendResponse => given;
export const batchReceipt = (given: posthaste.SendBatchReceipt): QueueSendBatchResponse => given;
export const metrics = (given: posthaste.QueueMetrics): QueueMetrics => given;

/* And what is given to Cloudflare may be given to posthaste. */
declare const options: QueueSendOptions;
declare const batchOptions: QueueSendBatchOptions;
declare const requests: MessageSendRequest<Order>[];
await queue.send({ item: "tea" }, options);
await queue.sendBatch(requests, batchOptions);

/* But not a handler for other bodies. */
declare function onOther(batch: MessageBatch<{ other: number }>): void;
// @ts-expect-error its messages are of another type
queue.consume(onOther);

/* The double of Cloudflare's queues gives bindings, and takes Workers. */
const double = cloudflareQueues({ production: true });
export const doubled: Queue<Order> = double.producer<Order>("orders");
double.consume("orders", worker, { env: { ORDERS: doubled } satisfies Env });
declare const exported: ExportedHandler<Env, Order>;
double.consume("others", exported);

/* A binding is a target, and a Worker's context keeps the isolate alive. */
declare const bound: Queue<Order>;
await bufferedSender(bound, { ctx: context }).send({ item: "tea" }, { ctx: context });
await bufferedSender({ url: "https://example.com/", fetch: (url, init) => fetch(url, init) }).send(1);
