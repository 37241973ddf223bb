/** One handler, written for Cloudflare Queues and left as it is: fed by Cloudflare's own queue, and by posthaste's, pushed both ways. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Heard, start, workers } from "./lab.mjs";

/** Retry as the other's: at once. */
const consumerOf = { maxBatchSize: 10, maxBatchTimeout: 0, maxRetries: 2, retryDelay: 0 };

const sides = {
  "Cloudflare Queues (miniflare)": {
    options: { main: { queueProducers: { ORDERS: "pushed" } }, consumer: { queueConsumers: { pushed: consumerOf } } },
    send: (lab, orders) => lab.ask("sendCloudflare", orders),
  },
  "posthaste/cloudflare, by events": { options: { events: true }, send: (lab, orders) => lab.ask("send", "pushed", orders) },
  "posthaste/cloudflare, by calls": { options: { events: false }, send: (lab, orders) => lab.ask("send", "pushed", orders) },
};

for (const [name, { options, send }] of Object.entries(sides)) {
  test(name, async (t) => {
    const heard = new Heard();
    const lab = await start(t, await workers({ seen: heard.hear, ...options, main: { ...options.main } }));
    await send(lab, ["tea", "later", "cake"].map((order) => ({ order })));
    await heard.of(({ order, attempts }) => order === "later" && attempts === 2, 1);
    await send(lab, [{ order: "bad" }]);
    await heard.of(({ order }) => order === "bad", 3);
    const told = heard.reports.map(({ queue, order, attempts }) => `${queue} ${order} ${attempts}`).sort();
    assert.deepEqual(told, ["pushed bad 1", "pushed bad 2", "pushed bad 3", "pushed cake 1", "pushed later 1", "pushed later 2",
      "pushed tea 1"]);
  });
}
