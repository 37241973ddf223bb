// A consumer as one writes it for Cloudflare Queues: it knows nothing of posthaste. `env.SEEN` is a binding it reports to.
export default {
  async queue(batch, env, ctx) {
    for (const message of batch.messages) {
      const { order } = message.body;
      const report = { queue: batch.queue, id: message.id, order, attempts: message.attempts, size: batch.messages.length };
      ctx.waitUntil(env.SEEN.fetch("https://seen.example/", { method: "POST", body: JSON.stringify(report) }));
      if (!(message.timestamp instanceof Date)) throw new TypeError("a message has a timestamp");
      if (order === "bad") throw new Error("an order that nobody can fill");
      if (order === "later" && message.attempts === 1) message.retry({ delaySeconds: 1 });
      else message.ack();
    }
  },
};
