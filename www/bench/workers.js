// The worker benchmark, run in a page: messages from one worker to another by posthaste and by everything else that
// people use for it, side by side. Who takes part and what each really does is written at the head of
// workers/contenders.js, what is compared and the goals in workers/rows.js. A page measures the rows that are for its
// kind: cross-origin isolated (shared memory is to be had) or not. The result is plain JSON.

import { median, race, ratio } from "./rounds.js";
import { contenders } from "./workers/contenders.js";
import { Pair } from "./workers/pair.js";
import { rows, slow } from "./workers/rows.js";

const MESSAGES_MOST = 8_000_000;
const TRIPS_MOST = 20_000;
/** Messages to an idle receiver in a round. */
const SINGLES = 50;
const SLOW_MESSAGES = 1_000_000;

const browser = navigator.userAgent.includes("Firefox") ? "firefox" : "chromium";

/**
 * Runs the rows for this kind of page.
 * @param {object} [options]
 * @param {number} [options.rounds] rounds of each row, default 5
 * @param {string[]} [options.only] keys of the rows to run, default all
 * @param {"all" | "head"} [options.verify] the bytes of a message that are checked; "head": its number only
 * @param {(progress: {share: number, doing: string, row?: object}) => unknown} [options.report]
 */
export async function workers({ rounds = 5, only, verify = "all", report = () => {} } = {}) {
  const chosen = rows.filter(({ key, isolated }) => isolated === globalThis.crossOriginIsolated && (!only || only.includes(key)));
  const result = { kind: "workers", agent: navigator.userAgent, rounds, verify, isolated: globalThis.crossOriginIsolated, rows: [] };
  for (const [place, row] of chosen.entries()) {
    const at = (share) => ({ share: (place + share) / chosen.length, doing: row.title });
    await report(at(0));
    const failed = ({ message }) => ({ key: row.key, title: row.title, failed: message, contenders: [], goals: [] });
    const measured = await measure(row, rounds, verify, (share) => report(at(share))).catch(failed);
    result.rows.push(measured);
    await report({ ...at(1), row: measured });
  }
  return result;
}

async function measure(row, rounds, verify, report) {
  const pairs = {};
  const kind = row.idleMs ? "idle" : row.trips ? "trips" : "send";
  const run = (pair, count) => pair[kind](count);
  try {
    for (const name of row.contenders) {
      pairs[name] = await Pair.open(contenders[name], row, { verify });
      if (row.idleMs) pairs[name].count = SINGLES;
      else await pairs[name].calibrate(run, row.trips ? TRIPS_MOST : MESSAGES_MOST);
    }
    const rates = await race({
      rounds,
      contenders: pairs,
      work: (pair) => pair.count,
      prepare: async () => {},
      run: (pair) => run(pair, pair.count),
      tidy: async () => {},
      report,
    });
    const transports = {};
    for (const name of row.contenders) transports[name] = await pairs[name].transport();
    return rowOf(row, pairs, rates, transports, rounds);
  } finally {
    for (const pair of Object.values(pairs)) pair.close();
  }
}

function rowOf(row, pairs, rates, transports, rounds) {
  return {
    key: row.key,
    title: row.title,
    trips: timed(row),
    contenders: row.contenders.map((name) => ({
      name,
      title: contenders[name].title,
      own: contenders[name].file === "posthaste",
      transport: transports[name],
      count: pairs[name].count,
      rate: median(rates[name]),
      ...(timed(row) && { meanMs: 1000 / median(rates[name]), p99Ms: median(pairs[name].p99s.slice(-rounds)) }),
      ratio: beside(row, rates, name, "raw"),
      rounds: rates[name],
    })),
    goals: (row.goals ?? []).filter((goal) => goal[browser]).map((goal) => judged(row, rates, goal)),
  };
}

/** Whether a row is of times: of round trips, or of one way. */
function timed({ trips, idleMs }) {
  return Boolean(trips || idleMs);
}

/** How many times the messages a second; of times, how many times as long. */
function beside(row, rates, name, other) {
  return timed(row) ? ratio(rates[other], rates[name]) : ratio(rates[name], rates[other]);
}

function judged(row, rates, { of, other = "raw", [browser]: goal }) {
  const { median: reached } = beside(row, rates, of, other);
  const titles = { of: contenders[of].title, other: contenders[other].title };
  return { ...titles, goal, most: timed(row), ratio: reached, reached: timed(row) ? reached <= goal : reached >= goal };
}

/**
 * A million objects from one contender to a slow consumer, and the memory it took. In a browser that has done nothing
 * else: memory that was once taken is seldom given back.
 * @param {object} options
 * @param {string} options.name of the contender
 * @param {() => Promise<number>} options.memory bytes that the browser's processes take now
 * @param {(progress: {share: number, doing: string}) => unknown} [options.report]
 */
export async function slowConsumer({ name, memory, report = () => {} }) {
  const until = slow.until[name] ?? 1;
  const curve = [];
  let last = Promise.resolve();
  let enough;
  const told = (share) => {
    last = last.then(async () => curve.push({ share, bytes: await memory() }));
    void report({ share, doing: contenders[name].title });
    if (share >= until) enough?.();
  };
  const pair = await Pair.open(contenders[name], slow, { verify: "all", told });
  try {
    await pair.send(10_000);
    await last;
    curve.length = 0;
    const before = await memory();
    const start = performance.now();
    const halfway = until < 1 ? [new Promise((resolve) => (enough = resolve))] : [];
    await Promise.race([pair.send(SLOW_MESSAGES), ...halfway]);
    await last;
    const seconds = (performance.now() - start) / 1000;
    return { name, title: contenders[name].title, seconds, ...growth(before, curve), curve };
  } finally {
    pair.close();
  }
}

/** Bytes that the most was above the beginning; and that the most of the second half was above the most of the first. */
function growth(before, curve) {
  const most = (part) => Math.max(...part.map(({ bytes }) => bytes));
  const half = curve.length >> 1;
  return { before, grown: most(curve) - before, grownLater: most(curve.slice(half)) - most(curve.slice(0, half)) };
}
