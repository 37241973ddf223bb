// The Worker that is measured: it sends to Cloudflare Queues' binding or to a queue of posthaste, the same calls for both.
import { DurableObject } from "cloudflare:workers";
import { QueueObject, openQueue } from "../../../pkg/dist/cloudflare/index.js";

export class Queues extends QueueObject {
  consumers = { orders: { service: this.env.CONSUMER, maxBatchSize: 100, maxRetries: 3 } };
}

/** The least that anything durable can do here: a row in an object's SQLite, by one call. */
export class Rows extends DurableObject {
  send(body) {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS rows (body TEXT)");
    this.ctx.storage.sql.exec("INSERT INTO rows VALUES (?)", JSON.stringify(body));
  }
}

const body = (at) => ({ at, customer: "c-1234567", items: ["tea", "cake"], total: 12.5, note: "leave it at the door", sent: Date.now() });

const sends = {
  /** One after another, each awaited. */
  async awaited(queue, count) {
    for (let at = 0; at < count; at += 1) await queue.send(body(at));
  },
  /** A hundred at once. */
  async concurrent(queue, count) {
    for (let at = 0; at < count; at += 100) await Promise.all(Array.from({ length: 100 }, (_, more) => queue.send(body(at + more))));
  },
  async batches(queue, count) {
    for (let at = 0; at < count; at += 100) await queue.sendBatch(Array.from({ length: 100 }, (_, more) => ({ body: body(at + more) })));
  },
};

export default {
  async fetch(request, env) {
    const [how, side, name, count] = await request.json();
    const start = performance.now();
    const queue = side === "posthaste"
      ? await openQueue(env.QUEUES, name)
      : side === "rows"
      ? env.ROWS.get(env.ROWS.idFromName(name))
      : env[name];
    await sends[how](queue, count);
    return Response.json(performance.now() - start);
  },
};
