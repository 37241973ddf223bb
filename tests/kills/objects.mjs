/** The Worker of a kill test: queues in a Durable Object that pushes their messages. Over HTTP: [what, ...arguments] as JSON. */
import { QueueObject, openQueue } from "posthaste/cloudflare";
import { answering } from "../workerd/answering.mjs";

export class Queues extends QueueObject {
  consumers = {
    jobs: { service: this.env.CONSUMER, maxBatchSize: 4, maxConcurrency: 2, maxRetries: 5, retryDelay: 0.01, visibilityTimeout: 3600 },
  };
}

export default answering({
  async send(env, body) {
    const queue = await openQueue(env.QUEUES, "jobs");
    return (await queue.send(body)).metadata.metrics.backlogCount;
  },
  async metrics(env) {
    return (await openQueue(env.QUEUES, "jobs")).metrics();
  },
  async dead(env) {
    const letters = await (await openQueue(env.QUEUES, "jobs-dlq")).peek({ max: 10_000 });
    return letters.map(({ body, reason }) => [body.id, reason]);
  },
});
