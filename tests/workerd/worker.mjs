// The Worker that the tests ask: over HTTP, [what, ...arguments] as JSON.
import { QueueObject, openQueue } from "posthaste/cloudflare";
import { answering } from "./answering.mjs";
import { cases } from "./cases.mjs";

let failing = false;

export class Queues extends QueueObject {
  consumers = {
    pushed: { service: this.env.CONSUMER, maxBatchSize: 10, maxRetries: 2, retryDelay: 0, visibilityTimeout: 1 },
    slow: { service: this.env.CONSUMER, maxBatchSize: 3, maxBatchTimeout: 30 },
    throwing: {
      service: {
        queue() {
          throw new TypeError("the binding is not what it was");
        },
      },
      maxBatchTimeout: 0,
      maxRetries: 0,
    },
  };

  /** As the platform does where it replaces an object. */
  replace() {
    this.ctx.abort("the object was replaced");
  }

  storedAlarm() {
    return this.ctx.storage.getAlarm();
  }

  /** An alarm, as the platform calls it; when it is set for afterwards, in milliseconds from now. */
  async ring() {
    await this.ctx.storage.deleteAlarm();
    await this.alarm();
    return (await this.ctx.storage.getAlarm()) - Date.now();
  }

  /** Bodies can't be read from the storage `count` times. */
  failReading(count) {
    const { storage } = this.ctx;
    const { sql } = storage;
    let left = count;
    const exec = (query, ...bindings) => {
      if (left > 0 && query.startsWith("SELECT bodies")) {
        left -= 1;
        throw new Error("the disk is busy");
      }
      return sql.exec(query, ...bindings);
    };
    Object.defineProperty(storage, "sql", {
      value: {
        exec,
        get databaseSize() {
          return sql.databaseSize;
        },
      },
      configurable: true,
    });
    return left;
  }

  damage(query) {
    return this.ctx.storage.sql.exec(query).toArray().length;
  }
}

/** An object whose alarm fails while told to. */
export class Flaky extends Queues {
  constructor(ctx, env) {
    super(ctx, env);
    const { consumers } = this;
    Object.defineProperty(this, "consumers", {
      get() {
        if (failing) throw new Error("an alarm that fails");
        return consumers;
      },
    });
  }
}

const actions = {
  cases: () => Object.keys(cases),
  async case(env, name) {
    await cases[name](env);
    return "passed";
  },
  async send(env, name, bodies, options) {
    const queue = await openQueue(env.QUEUES, name, options);
    const { ids } = await queue.sendBatch(bodies.map((body) => ({ body })));
    return ids;
  },
  async sendCloudflare(env, bodies) {
    await env.ORDERS.sendBatch(bodies.map((body) => ({ body })));
  },
  async sendOne(env, name, body, options) {
    const queue = await openQueue(env.QUEUES, name);
    return (await queue.send(body, options)).id;
  },
  /** Receives and acks, and reports each before it goes on. */
  async take(env, name, options) {
    const report = (said) => env.SEEN.fetch("https://seen.example/", { method: "POST", body: JSON.stringify({ queue: name, ...said }) });
    const queue = await openQueue(env.QUEUES, name);
    const messages = await queue.receive(options);
    await report({ received: messages.map(({ body }) => body) });
    const acked = await Promise.allSettled(messages.map((message) => message.ack().then(() => message.body)));
    await report({ acked: acked.flatMap(({ status, value }) => (status === "fulfilled" ? [value] : [])) });
  },
  async metrics(env, name) {
    return (await openQueue(env.QUEUES, name)).metrics();
  },
  async peek(env, name, options) {
    return (await openQueue(env.QUEUES, name)).peek(options);
  },
  object: (env, name, method, ...args) => env.QUEUES.get(env.QUEUES.idFromName(name))[method](...args),
  flaky: (env, name, method, ...args) => env.FLAKY.get(env.FLAKY.idFromName(name))[method](...args),
  fail: (env, on) => void (failing = on),
  async sendFlaky(env, name, body) {
    return (await (await openQueue(env.FLAKY, name)).send(body)).id;
  },
};

export default answering(actions);
