// Measures several contenders side by side: in each round every one of them does the same work once, the one that
// goes first changing from round to round, after one round that is not counted. A slow moment of the machine then
// falls on all of them, and a ratio is taken within a round, never between two runs.

/**
 * @param {object} plan
 * @param {number} plan.rounds how many rounds count
 * @param {object} plan.contenders by name, each with any methods
 * @param {number | ((contender: object) => number)} plan.work units (messages) a round, to make a rate of a time
 * @param {(contender: object) => Promise<unknown>} plan.prepare before the clock starts; its result goes to `run`
 * @param {(contender: object, prepared: unknown) => Promise<number | void>} plan.run what is timed, unless it answers the seconds itself
 * @param {(contender: object) => Promise<void>} plan.tidy after the clock stopped
 * @param {(done: number) => unknown} plan.report is told the share done, from 0 to 1
 * @returns {Promise<Record<string, number[]>>} for each contender its rates, units a second, by round
 */
export async function race({ rounds, contenders, work, prepare, run, tidy, report }) {
  const names = Object.keys(contenders);
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) {
      const contender = contenders[name];
      const prepared = await prepare(contender);
      await breath();
      const start = performance.now();
      const told = await run(contender, prepared);
      const seconds = told ?? (performance.now() - start) / 1000;
      await tidy(contender);
      if (round > 0) rates[name].push((typeof work === "function" ? work(contender) : work) / seconds);
    }
    await report((round + 1) / (rounds + 1));
  }
  return rates;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the ratios within each round, and the smallest and largest of them. */
export function ratio(rates, reference) {
  const each = rates.map((rate, round) => rate / reference[round]);
  return { median: median(each), least: Math.min(...each), most: Math.max(...each) };
}

/** Lets what the last contender left to do (cleaning up, events, drawing) end before the next is timed. */
export function breath(ms = 100) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
