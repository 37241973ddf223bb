/** A consumer written for Cloudflare Queues, the very file that workerd runs in its tests, consumes from a page's durable queue. */
import { promise } from "./harness.mjs";

promise("a handler of Cloudflare Queues, unchanged", (world) =>
  world.run(async () => {
    const { default: handler } = await import("/workerd/handler.mjs");
    const reports = [];
    const SEEN = { fetch: async (_address, { body }) => void reports.push(JSON.parse(body)) };
    const running = [];
    const context = { waitUntil: (promise) => void running.push(promise) };
    const queue = await openQueue("pushed", { storage: "indexeddb", maxRetries: 2, retryDelay: 0 });
    const consumer = queue.consume((batch) => handler.queue(batch, { SEEN }, context));
    await queue.sendBatch(["tea", "later", "cake"].map((order) => ({ body: { order } })));
    await until(() => reports.some(({ order, attempts }) => order === "later" && attempts === 2), "the retry");
    await queue.send({ order: "bad" });
    await until(async () => (await queue.metrics()).backlogCount === 0, "the dead letter");
    await consumer.stop();
    await Promise.all(running);
    const told = reports.map(({ queue, order, attempts }) => `${queue} ${order} ${attempts}`).sort();
    same(told, ["pushed bad 1", "pushed bad 2", "pushed bad 3", "pushed cake 1", "pushed later 1", "pushed later 2", "pushed tea 1"]);
  }));
