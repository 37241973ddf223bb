// Sends the cases of rules.mjs to queues that are pushed to their consumers, and asks handlers in both ways.
import { QueueObject, openQueue } from "posthaste/cloudflare";
import { answering } from "./answering.mjs";
import { rules } from "./rules.mjs";

const names = Object.keys(rules).map((_, at) => `rule${at}`);

export class Queues extends QueueObject {
  consumers = Object.fromEntries(
    names.map((name) => [name, { service: this.env.CONSUMER, maxBatchSize: 3, maxBatchTimeout: 1, maxRetries: 3, retryDelay: 0 }]),
  );
}

export default answering({
  async send(env, name) {
    const queue = env[name] ?? (await openQueue(env.QUEUES, name, { object: "rules" }));
    await queue.sendBatch([..."abc"].map((body) => ({ body, contentType: "text" })));
  },
  async metrics(env, name) {
    return (await openQueue(env.QUEUES, name, { object: "rules" })).metrics();
  },
  /** What an event says of a batch that follows a script, and what the answer to a call does. */
  async event(env, messages) {
    return env.SCRIPT.queue("scripts", messages.map((message) => ({ ...message, timestamp: new Date(0), attempts: 1 })), {
      metrics: { backlogCount: 0, backlogBytes: 0 },
    });
  },
  async call(env, messages) {
    const { readable, writable } = new TransformStream();
    const given = messages.map((message) => ({ ...message, timestamp: new Date(0), attempts: 1 }));
    const answer = await env.SCRIPT.queue({ posthaste: { version: 1, alive: writable }, queue: "scripts", metadata: {}, messages: given });
    await readable.cancel();
    return answer;
  },
});
