/** Cloudflare's rules for a queue handler, kept by `consume` and by the double of Cloudflare's queues. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openQueue } from "posthaste";
import { cloudflareQueues } from "posthaste/testing";
import { ackedBy, handlerOf, rules } from "../workerd/rules.mjs";
import { quiet } from "./lab.mjs";

const later = async () => {
  for (let at = 0; at < 5; at += 1) await null;
};

/** Runs a case; those of the first delivery that were acked, as a text. */
async function tried(at, run) {
  const again = [];
  const handler = handlerOf({ later }, (_, __, { bodies, first }) => {
    if (!first) again.push(...bodies);
  });
  await run(`rule${at}`, handler);
  return [..."abc"].filter((body) => !again.includes(body)).join("");
}
const batch = () => [..."abc"].map((body) => ({ body }));

describe("consume", () => {
  for (const [at, [name, rule]] of Object.entries(rules).entries()) {
    if (rule.needs) continue;
    test(name, async () => {
      const acked = await tried(at, async (queueName, handler) => {
        const queue = await openQueue(queueName, { retryDelay: 0 });
        queue.addEventListener("error", () => undefined);
        await queue.sendBatch(batch());
        const consumer = queue.consume((given) => handler(given), { maxBatchSize: 3 });
        while ((await queue.metrics()).backlogCount > 0) await quiet();
        await consumer.stop();
        await queue.close();
      });
      assert.equal(acked, ackedBy("consume", rule));
    });
  }
});

describe("the double", () => {
  for (const [at, [name, rule]] of Object.entries(rules).entries()) {
    if (rule.needs === "import") continue;
    test(name, async () => {
      const acked = await tried(at, async (queueName, handler) => {
        const queues = cloudflareQueues({ production: true });
        queues.consume(queueName, { queue: handler });
        await queues.producer(queueName).sendBatch(batch());
        await queues.settle();
        assert.equal(queues.waiting(queueName).length, 0);
      });
      assert.equal(acked, ackedBy("double", rule));
    });
  }

  const delays = {
    "a retry without a delay is delayed as the batch is": [(all, a) => {
      a.retry();
      all.retryAll({ delaySeconds: 9 });
    }, 9],
    "a retry after retryAll may name its own delay": [(all, a) => {
      all.retryAll({ delaySeconds: 9 });
      a.retry({ delaySeconds: 4 });
    }, 4],
    "the last retry names the delay": [(_, a) => {
      a.retry({ delaySeconds: 9 });
      a.retry({ delaySeconds: 4 });
    }, 4],
    "even if it names none": [(_, a) => {
      a.retry({ delaySeconds: 9 });
      a.retry();
    }, 7],
    "the last retryAll that names a delay names it": [(all) => {
      all.retryAll({ delaySeconds: 9 });
      all.retryAll({ delaySeconds: 4 });
      all.retryAll();
    }, 4],
    "0 is a delay": [(_, a) => a.retry({ delaySeconds: 0 }), 0],
  };
  for (const [name, [say, seconds]] of Object.entries(delays)) {
    test(name, async () => {
      const queues = cloudflareQueues();
      const times = [];
      queues.consume("delays", (given) => {
        times.push(queues.clock.now());
        if (times.length === 1) say(given, given.messages[0]);
      }, { retryDelay: 7 });
      await queues.producer("delays").send(1);
      await queues.settle();
      assert.equal(times[1] - times[0], seconds * 1000);
    });
  }
});
