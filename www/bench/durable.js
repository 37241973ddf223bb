// The durable benchmark, run in a page: posthaste on IndexedDB against Dexie 4, side by side, and counts of what
// posthaste asks of IndexedDB. What each side does is written at the head of sides.js. The result is plain JSON.

import { bodies, slices } from "./bodies.js";
import { install } from "./counts.js";
import { breath, median, race, ratio } from "./rounds.js";
import { DexieTables, DexieUnleased, Posthaste } from "./sides.js";

/**
 * What is compared, and beside whom: each of `beside` gives a row of the result, with its title and with the goal, the
 * ratio that posthaste has set itself (none where it has not).
 */
const workloads = [
  {
    key: "awaited",
    beside: { dexie: { title: "sends, each awaited", goal: 1.5 } },
    count: 1_000,
    prepare: async (_side, count) => bodies(count),
    run: (side, list) => side.sendEach(list),
  },
  {
    key: "concurrent",
    beside: { dexie: { title: "10,000 sends at once", goal: 150 } },
    count: 10_000,
    prepare: async (_side, count) => bodies(count),
    run: (side, list) => side.sendAll(list),
  },
  {
    key: "batch",
    beside: { dexie: { title: "sendBatch of 100 / bulkAdd of 100", goal: 8 } },
    count: 10_000,
    prepare: async (_side, count) => slices(bodies(count), 100),
    run: (side, batches) => side.sendBatches(batches),
  },
  {
    key: "drain100",
    beside: {
      dexie: { title: "receive and ack, batches of 100", goal: 5 },
      unleased: { title: "batches of 100, Dexie without leases" },
    },
    count: 10_000,
    prepare: (side, count) => side.fillBatches(bodies(count)),
    run: (side, _filled, count) => side.drainBatches(count, 100),
  },
  {
    key: "drain1",
    beside: {
      dexie: { title: "receive and ack, one by one" },
      unleased: { title: "one by one, Dexie without leases" },
    },
    count: 1_000,
    prepare: (side, count) => side.fillEach(bodies(count)),
    run: (side, _filled, count) => side.drainEach(count),
  },
];

/**
 * Runs all workloads, then the counts.
 * @param {object} [options]
 * @param {number} [options.rounds] rounds of each workload, default 5
 * @param {string[]} [options.only] keys of the workloads to run, default all; "counts" stands for the counts
 * @param {(progress: {share: number, doing: string, row?: object}) => unknown} [options.report]
 */
export async function durable({ rounds = 5, only, report = () => {} } = {}) {
  const { Dexie } = await import("dexie");
  const chosen = workloads.filter(({ key }) => !only || only.includes(key));
  const result = { kind: "durable", agent: navigator.userAgent, dexie: Dexie.semVer, rounds, rows: [] };
  const everyone = {
    posthaste: await Posthaste.open("bench-durable"),
    dexie: await DexieTables.open("bench-dexie"),
    unleased: await DexieUnleased.open("bench-dexie-unleased"),
  };
  for (const [place, workload] of chosen.entries()) {
    const at = (share) => ({ share: (0.9 * (place + share)) / chosen.length, doing: workload.beside.dexie.title });
    const rows = await compare(workload, everyone, rounds, (share) => report(at(share)));
    result.rows.push(...rows);
    for (const row of rows) await report({ ...at(1), row });
  }
  for (const side of Object.values(everyone)) await side.remove();
  if (!only || only.includes("counts")) {
    await report({ share: 0.92, doing: "counting requests" });
    result.counts = await counts();
  }
  await report({ share: 1, doing: "done" });
  return result;
}

/** One race; a row of the result for each whom posthaste ran beside. */
async function compare({ key, beside, count, prepare, run }, everyone, rounds, report) {
  const names = ["posthaste", ...Object.keys(beside)];
  const rates = await race({
    rounds,
    contenders: Object.fromEntries(names.map((name) => [name, everyone[name]])),
    work: count,
    prepare: (side) => prepare(side, count),
    run: (side, prepared) => run(side, prepared, count),
    tidy: (side) => side.clear(),
    report,
  });
  return Object.entries(beside).map(([other, { title, goal }]) => {
    const compared = ratio(rates.posthaste, rates[other]);
    return {
      key,
      other,
      title,
      count,
      goal,
      reached: goal === undefined ? undefined : compared.median >= goal,
      ratio: compared.median,
      least: compared.least,
      most: compared.most,
      posthaste: median(rates.posthaste),
      dexie: median(rates[other]),
      rounds: { posthaste: rates.posthaste, dexie: rates[other] },
    };
  });
}

/** What posthaste asks of IndexedDB for the three things it promises about. */
async function counts() {
  const counter = install();
  try {
    const side = await Posthaste.open("bench-counts");
    // A peer that found records of others reads before it writes, for some steps.
    await side.sendEach(bodies(50));
    const concurrent = await counter.during(() => side.sendAll(bodies(10_000)));
    const one = await counter.during(() => side.sendEach(bodies(1)));
    const hundred = await counter.during(() => side.sendEach(bodies(100)));
    const receiveOne = await counter.during(() => side.drainEach(1));
    await side.remove();
    const openings = [];
    for (const [shape, { count, send }] of Object.entries(fillings)) {
      openings.push({ shape, ...(await opening(count, send)) });
    }
    return { concurrent, one, hundred, receiveOne, openings };
  } finally {
    counter.stop();
  }
}

/** How the queues that are opened came to be full: it decides how their bodies lie in the store. */
const fillings = {
  "sent at once, 10,000 at a time": {
    count: 100_000,
    send: async (side, list) => {
      for (const part of slices(list, 10_000)) await side.sendAll(part);
    },
  },
  "sent in batches of 100": { count: 100_000, send: (side, list) => side.sendBatches(slices(list, 100)) },
  "sent one by one, each awaited": { count: 10_000, send: (side, list) => side.sendEach(list) },
};

/** Fills a queue, closes it, and lets a new context open it and receive the first message. */
async function opening(count, send) {
  const name = "bench-opening";
  const side = await Posthaste.open(name);
  await send(side, bodies(count));
  await side.queue.close();
  await breath(300);
  const counted = await inFrame(name);
  await (await Posthaste.open(name)).remove();
  return counted;
}

/** A frame of the same origin is a context of its own: other module instances, another engine, other prototypes. */
function inFrame(name) {
  return new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = new URL(`opening.html?queue=${name}`, import.meta.url).href;
    const answered = ({ source, data }) => {
      if (source !== frame.contentWindow) return;
      removeEventListener("message", answered);
      frame.remove();
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    addEventListener("message", answered);
    document.body.append(frame);
  });
}
