/** A queue that a Durable Object keeps stands in for a Cloudflare binding, and the object's class for any Durable Object. */

import type * as posthaste from "posthaste";
import { QueueObject, openQueue, sqliteStorage } from "posthaste/cloudflare";
import { DurableObject } from "cloudflare:workers";

interface Photo {
  name: string;
}
interface Env {
  QUEUES: DurableObjectNamespace<Queues>;
  CONSUMER: Fetcher;
  OTHER: Service<Handler>;
}
type Handler = { queue(batch: MessageBatch<Photo>): Promise<void> } & Rpc.WorkerEntrypointBranded;

export class Queues extends QueueObject<Env> {
  override consumers = {
    photos: { service: this.env.CONSUMER, maxBatchSize: 10, maxBatchTimeout: 5, maxRetries: 3, retryDelay: 10, deadLetterQueue: "letters" },
    others: { service: this.env.OTHER, maxConcurrency: 2 },
  };
}

declare const env: Env;
const queue: posthaste.Queue<Photo> = await openQueue<Photo>(env.QUEUES, "photos", { maxRetries: 3 });
export const binding: Queue<Photo> = queue;
export const untyped: Queue = await openQueue(env.QUEUES, "photos", { object: "all" });
export const elsewhere = await openQueue(env.QUEUES.jurisdiction("eu"), "photos");

// @ts-expect-error where messages live is the object's business
await openQueue(env.QUEUES, "photos", { storage: "memory" });

/* And a class of one's own may keep a queue in its storage. */
export class Own extends DurableObject<Env> {
  readonly storage = sqliteStorage(this.ctx.storage);
}

export default {
  async fetch(): Promise<Response> {
    return new Response((await queue.send({ name: "cat.jpg" })).id);
  },
  async queue(batch): Promise<void> {
    for (const { body } of batch.messages) console.log(body.name);
  },
} satisfies ExportedHandler<Env, Photo>;
