/**
 * The double of Cloudflare Queues beside Cloudflare's own simulation of them, which runs handlers in workerd: the same handler
 * sees the same deliveries in both.
 *
 * Left out is a handler that throws after an ack: miniflare delivers what was acked again, Cloudflare says that it does not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Miniflare } from "miniflare";
import { cloudflareQueues } from "posthaste/testing";

/** A Worker as text: what each message says is done, by attempt. It notes what it sees. */
const WORKER = `({
  async queue(batch, env, ctx) {
    await env.note([batch.queue, batch.messages.map(({ body, attempts }) => [body.id, attempts])]);
    for (const message of batch.messages) {
      for (const word of message.body.plan?.[message.attempts - 1] ?? []) {
        if (word === "ack" || word === "retry") message[word]();
        else if (word === "throw") throw new Error("planned");
        else if (word === "reject") ctx.waitUntil(Promise.reject(new Error("planned")));
        else batch[word]();
      }
    }
  },
})`;

/** By name of the queue: the messages of one batch. */
const PLANS = {
  returns: [{ id: 1 }, { id: 2 }],
  throws: [{ id: 1, plan: [["throw"], ["throw"], ["throw"], ["throw"]] }, { id: 2 }],
  rejects: [{ id: 1, plan: [["reject"]] }],
  words: [{ id: 1, plan: [["ack", "retry"]] }, { id: 2, plan: [["retry", "ack"]] }, { id: 3 }],
  retriesall: [{ id: 1, plan: [["retryAll", "ackAll"]] }, { id: 2, plan: [["ack"]] }, { id: 3, plan: [["retry"], ["ack"]] }],
  acksall: [{ id: 1, plan: [["ackAll", "retryAll"]] }, { id: 2, plan: [["retry"]] }, { id: 3 }],
  retrythenall: [{ id: 1, plan: [["retry", "ackAll"]] }, { id: 2 }],
  many: Array.from({ length: 12 }, (_, id) => ({ id })),
};
const names = Object.keys(PLANS);
const consumer = (name) => ({
  maxBatchSize: 5,
  maxBatchTimeout: 0,
  maxRetries: 3,
  ...(!name.endsWith("-dlq") && { deadLetterQueue: `${name}-dlq` }),
});

async function ours() {
  const seen = Object.fromEntries(names.flatMap((name) => [[name, []], [`${name}-dlq`, []]]));
  const queues = cloudflareQueues();
  const env = { note: async ([queue, messages]) => void seen[queue].push(messages) };
  for (const name of Object.keys(seen)) queues.consume(name, (0, eval)(WORKER), { env, ...consumer(name) });
  for (const name of names) await queues.producer(name).sendBatch(PLANS[name].map((body) => ({ body })));
  await queues.settle();
  return seen;
}

/** Until as many batches were seen as `expected` has. */
async function theirs(expected) {
  const seen = Object.fromEntries(Object.keys(expected).map((name) => [name, []]));
  const count = (batches) => Object.values(batches).flat().length;
  let all;
  const finished = new Promise((resolve) => (all = resolve));
  const script = `const worker = ${WORKER};
    export default {
      queue: (batch, env, ctx) => worker.queue(batch, { note: (seen) => env.NOTES.fetch("http://notes/", { method: "POST", body: JSON.stringify(seen) }) }, ctx),
      async fetch(request, env) {
        for (const [name, bodies] of Object.entries(await request.json())) await env[name].sendBatch(bodies.map((body) => ({ body })));
        return new Response();
      },
    };`;
  const miniflare = new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-04-01",
    queueProducers: Object.fromEntries(names.map((name) => [name, name])),
    queueConsumers: Object.fromEntries(Object.keys(seen).map((name) => [name, consumer(name)])),
    serviceBindings: {
      async NOTES(request) {
        const [queue, messages] = await request.json();
        seen[queue].push(messages);
        if (count(seen) >= count(expected)) all();
        return new Response();
      },
    },
    handleRuntimeStdio: () => {},
  });
  try {
    await miniflare.dispatchFetch("http://here/", { method: "POST", body: JSON.stringify(PLANS) });
    await finished;
    return seen;
  } finally {
    await miniflare.dispose();
  }
}

test("a handler sees the same deliveries from the double and from miniflare", { timeout: 60_000 }, async () => {
  const expected = await ours();
  assert.ok(expected.throws.length > 3 && expected["throws-dlq"].length > 0, "dead letters are among them");
  assert.deepEqual(await theirs(expected), expected);
});
