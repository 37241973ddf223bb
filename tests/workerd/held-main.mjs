// Queues that are pushed to the handlers of held-worker.mjs, and an object that counts what wakes it.
import { QueueObject, openQueue } from "posthaste/cloudflare";
import { answering } from "./answering.mjs";

const letters = Array.from({ length: 6 }, (_, at) => `dead${at}`);

export class Queues extends QueueObject {
  alarms = 0;
  consumers = {
    held: { service: this.env.CONSUMER, maxBatchSize: 10, visibilityTimeout: 0.6 },
    wrapped: { service: this.env.WRAPPED, maxBatchSize: 10, visibilityTimeout: 0.6 },
    mixed: { service: this.env.CONSUMER, maxBatchSize: 100, maxBatchTimeout: 1, retryDelay: 0 },
    ...Object.fromEntries(letters.flatMap((name) => [
      [name, { service: this.env.CONSUMER, maxRetries: 0, deadLetterQueue: `${name}-dlq` }],
      [`${name}-dlq`, { service: this.env.CONSUMER }],
    ])),
    ...(this.env.BROKEN && { nobody: { service: this.env.NOBODY } }),
  };

  alarm() {
    this.alarms += 1;
    return super.alarm();
  }

  counted() {
    return this.alarms;
  }
}

export default answering({
  async send(env, name, bodies, object) {
    const queue = await openQueue(env.QUEUES, name, { object });
    await queue.sendBatch(bodies.map((body) => ({ body: body === "undefined" ? undefined : body })));
  },
  /** A body that takes three times as many bytes in a call between Workers as in the object. */
  async sendLarge(env, name) {
    const queue = await openQueue(env.QUEUES, name, { object: name });
    await queue.sendBatch([{ body: "first" }, { body: new Array(3_600_000).fill(1n) }, { body: "last" }]);
  },
  async sendMany(env, name, count, headers) {
    const queue = await openQueue(env.QUEUES, name);
    const sent = await Promise.allSettled(
      Array.from({ length: count }, (_, at) => queue.send(at, { headers: { ...headers, at: String(at) } })),
    );
    const whole = await queue.sendBatch(Array.from({ length: count }, (_, at) => ({ body: at, headers }))).catch(({ name }) => name);
    return [sent.filter(({ status }) => status === "fulfilled").length, whole];
  },
  async receiveAll(env, name) {
    const queue = await openQueue(env.QUEUES, name);
    let [received, largest] = [0, 0];
    for (;;) {
      const messages = await queue.receive({ max: 10_000 });
      if (!messages.length) return [received, largest];
      received += messages.length;
      largest = Math.max(largest, messages.length);
      await Promise.all(messages.map((message) => message.deadLetter("r".repeat(500))));
    }
  },
  metrics: async (env, name, object) => (await openQueue(env.QUEUES, name, { object })).metrics(),
  peek: async (env, name, object) =>
    (await (await openQueue(env.QUEUES, name, { object })).peek({ max: 100 })).map((info) => ({
      ...info,
      body: String(info.body).slice(0, 20),
    })),
  counted: (env, object) => env.QUEUES.get(env.QUEUES.idFromName(object)).counted(),
});
