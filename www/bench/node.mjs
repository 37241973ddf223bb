// Queues in a folder on Node, beside BullMQ on Redis and better-queue, in one run: what each side does is at the head of node/sides.mjs.
//
//   node www/bench/node.mjs [--rounds 5] [--only awaited,deliver] [--durability relaxed,strict] [--folder .] [--json file] [--pkg folder]
//
// --folder: where the files are kept, on the disk that is to be measured. Needs the built package (pkg/dist), the
// development tools (tests/node_modules) and redis-server. Compare ratios, not times: the machine has other things to do.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bodies } from "./bodies.js";
import { Better, Bull, Posthaste, redisVersion, versionOf } from "./node/sides.mjs";
import { number, table, times } from "./print.mjs";
import { median, race, ratio } from "./rounds.js";

/** `count`: messages a round, relaxed and strict. `each`: shown as the time of one. */
const workloads = [
  { key: "awaited", title: "sends, each awaited", count: [1_000, 200], each: true, run: (side, list) => side.sendEach(list) },
  { key: "concurrent", title: "sends at once", count: [5_000, 5_000], run: (side, list) => side.sendAll(list) },
  { key: "batch", title: "batches of 100", count: [5_000, 2_000], run: (side, list) => side.sendBatches(list) },
  {
    key: "deliver",
    title: "deliveries with ack, 100 at once",
    count: [5_000, 2_000],
    filled: true,
    run: (side, list) => side.deliver(list.length),
  },
  { key: "roundTrips", title: "sent, handled, the next", count: [500, 100], each: true, run: (side, list) => side.roundTrips(list) },
];
const DURABILITIES = ["relaxed", "strict"];
const FSYNC = { relaxed: "everysec", strict: "always" };

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    durability: { type: "string", default: DURABILITIES.join(",") },
    folder: { type: "string", default: tmpdir() },
    json: { type: "string" },
    pkg: { type: "string", default: fileURLToPath(new URL("../../pkg/dist", import.meta.url)) },
  },
});
if (!existsSync(path.join(options.pkg, "node/index.js"))) throw new Error(`${options.pkg} has no built package: run cargo xtask build`);
const rounds = Number(options.rounds);
const folder = mkdtempSync(path.join(options.folder, "posthaste-bench-"));
console.log(`node: ${process.version}, ${availableParallelism()} cores, load before ${loadavg()[0].toFixed(2)}, files in ${folder}`);
const rows = [];
try {
  for (const durability of options.durability.split(",")) rows.push(...(await compared(durability)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (options.json) await writeFile(options.json, JSON.stringify({ node: process.version, rows }, null, 2));

async function compared(durability) {
  const sides = {
    posthaste: await Posthaste.open(folder, durability, options.pkg),
    bull: await Bull.open(folder, FSYNC[durability]),
    better: await Better.open(),
  };
  const found = [];
  for (const { key, title, count: counts, each, filled, run } of workloads) {
    if (options.only && !options.only.split(",").includes(key)) continue;
    const count = counts[DURABILITIES.indexOf(durability)];
    const rates = await race({
      rounds,
      contenders: sides,
      work: count,
      prepare: async (side) => {
        const list = bodies(count);
        if (filled) await side.sendAll(list);
        return list;
      },
      run,
      tidy: (side) => side.clear(),
      report: () => {},
    });
    found.push({ durability, key, title, count, each, rates });
  }
  for (const side of Object.values(sides)) await side.end();
  print(durability, found);
  return found;
}

function print(durability, found) {
  const said = { relaxed: "on the disk within a second", strict: "on the disk" };
  console.log(`\n${durability} (${said[durability]}), messages a second; median of ${rounds} interleaved rounds\n`);
  const shown = (rate, each) => (each ? `${number(rate)} (${number(1e6 / rate)} µs)` : number(rate));
  const lines = found.map(({ title, each, rates }) => {
    const cell = (name) => shown(median(rates[name]), each);
    const against = (name) => {
      const { median: middle, least, most } = ratio(rates.posthaste, rates[name]);
      return `${times(middle)} (${times(least)} to ${times(most)})`;
    };
    return [title, cell("posthaste"), cell("bull"), against("bull"), cell("better"), against("better")];
  });
  const head = ["", "posthaste", `BullMQ ${versionOf("bullmq")}, Redis ${redisVersion()} ${FSYNC[durability]}`, "ratio",
    `better-queue ${versionOf("better-queue")}, memory`, "ratio"];
  console.log(table(head, lines));
}
