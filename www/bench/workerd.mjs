// Queues in workerd: posthaste/cloudflare (durable, in a Durable Object's SQLite) beside miniflare's Cloudflare Queues (in
// memory), in one run of one workerd, by the same calls, consumed by the same handler.
//
//   node www/bench/workerd.mjs [--rounds 5] [--count 1000] [--json file]
//
// Needs the built package (pkg/dist) and the development tools (tests/node_modules). Compare ratios, not times.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { COMPATIBILITY_DATE, Response, folder, modulesOf, start } from "../../tests/workerd/lab.mjs";
import { number, table, times } from "./print.mjs";
import { median, race, ratio } from "./rounds.js";

const here = fileURLToPath(new URL("workerd", import.meta.url));
const { values: options } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" }, count: { type: "string", default: "1000" }, json: { type: "string" } },
});
const [rounds, count] = [Number(options.rounds), Number(options.count)];
const LATENCIES = 20;

let seen = 0;
/** How long messages took from before their send to their handler. */
let took = [];
let awaited = { count: Infinity, resolve() {} };
const ends = [];
const hear = async (request) => {
  const waits = await request.json();
  took.push(...waits);
  seen += waits.length;
  if (seen >= awaited.count) awaited.resolve();
};
/** Resolves when so many more messages were handled. */
const handled = (more) =>
  new Promise((resolve) => {
    awaited = { count: seen + more, resolve };
  });

const storage = folder({ after: (end) => ends.push(end) });
const consumerOf = { maxBatchSize: 100, maxBatchTimeout: 0 };
const [worker, consumer] = await Promise.all([modulesOf("worker.mjs", here), modulesOf("consumer.mjs", here)]);
const lab = await start(undefined, [
  {
    name: "main",
    modules: worker,
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ["service_binding_extra_handlers", "experimental"],
    durableObjects: { QUEUES: { className: "Queues", useSQLite: true }, ROWS: { className: "Rows", useSQLite: true } },
    serviceBindings: { CONSUMER: "consumer" },
    queueProducers: { orders: "orders", kept: "kept" },
  },
  {
    name: "consumer",
    modules: consumer,
    compatibilityDate: COMPATIBILITY_DATE,
    serviceBindings: { SEEN: async (request) => (await hear(request), new Response("")) },
    queueConsumers: { orders: consumerOf },
  },
], { miniflare: { durableObjectsPersist: storage } });
ends.unshift(() => lab.dispose());

const contenders = { posthaste: "posthaste", cloudflare: "cloudflare" };
const withRows = { ...contenders, rows: "rows" };
const progress = (what) => (done) => void (process.stdout.isTTY && process.stdout.write(`\r${what} ${Math.round(100 * done)} %   \r`));

/** Sends alone: to a queue that nobody consumes. */
const sending = (how, work, contenders) =>
  race({
    rounds,
    contenders,
    work,
    prepare: async () => undefined,
    run: (side) => lab.ask(how, side, "kept", work),
    tidy: async () => undefined,
    report: progress(how),
  });
/** From the first send to the end of the last handler. */
const delivering = () =>
  race({
    rounds,
    contenders,
    work: count,
    report: progress("delivery"),
    tidy: async () => undefined,
    prepare: async () => ({ all: handled(count) }),
    run: async (side, { all }) => {
      await lab.ask("batches", side, "orders", count);
      await all;
    },
  });
/** One message at a time, from before its send to its handler: messages a second, were there nothing else. */
const oneByOne = async () => {
  const rates = { posthaste: [], cloudflare: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of round % 2 ? ["posthaste", "cloudflare"] : ["cloudflare", "posthaste"]) {
      took = [];
      for (let at = 0; at < LATENCIES; at += 1) {
        const one = handled(1);
        await lab.ask("awaited", side, "orders", 1);
        await one;
      }
      if (round > 0) rates[side].push((1000 * took.length) / Math.max(1, took.reduce((sum, ms) => sum + ms, 0)));
    }
    progress("latency")((round + 1) / (rounds + 1));
  }
  return rates;
};

const rows = [];
let least;
const add = (title, rates) => {
  const { median: middle, least, most } = ratio(rates.posthaste, rates.cloudflare);
  rows.push({ title, posthaste: median(rates.posthaste), cloudflare: median(rates.cloudflare), ratio: middle, least, most });
};
try {
  const awaitedRates = await sending("awaited", count / 5, withRows);
  add("send, each awaited", awaitedRates);
  least = { rate: median(awaitedRates.rows), ...ratio(awaitedRates.posthaste, awaitedRates.rows) };
  add("send, 100 at once", await sending("concurrent", count, contenders));
  add("sendBatch of 100", await sending("batches", 5 * count, contenders));
  add("sent in batches and handled", await delivering());
  add("sent and handled, one by one", await oneByOne());
} finally {
  for (const end of ends) await end();
}
const cells = rows.map(({ title, posthaste, cloudflare, ratio, least, most }) => [
  title,
  number(posthaste),
  (1000 / posthaste).toFixed(2),
  number(cloudflare),
  (1000 / cloudflare).toFixed(2),
  times(ratio),
  `${times(least)} to ${times(most)}`,
  ratio >= 1 ? "pass" : "SHORT",
]);
console.log(
  `\nIn workerd, messages a second (and ms each): posthaste/cloudflare, durable, against miniflare's Cloudflare Queues, in memory; median of ${rounds} interleaved rounds\n`,
);
console.log(table(["", "posthaste", "ms", "miniflare", "ms", "ratio", "within rounds", ""], cells));
console.log(
  `\nA bare row in a Durable Object, each awaited: ${number(least.rate)} a second; posthaste ${
    times(least.median)
  } of that. Each waits for the disk; miniflare's queue does not.`,
);
if (options.json) await writeFile(options.json, JSON.stringify({ rows, least }, null, 2));
