/**
 * Kills whatever uses a storage, over and over, in the middle of its work, and looks after each time whether the ledger's books are
 * right. As a program: `kills.mjs <chromium|firefox|file|deno|workerd> [--count N] [--seed N]`.
 */
import { pathToFileURL } from "node:url";
import { Ledger } from "./ledger.mjs";

/** A home starts contexts, kills some, and starts others in their place. */
async function homeOf(kind, ledger, random) {
  if (kind === "file" || kind === "deno") return new (await import("./processes.mjs")).ProcessesHome(kind, ledger, random);
  if (kind === "workerd") return new (await import("./workerd.mjs")).WorkerdHome(ledger, random);
  return new (await import("./browser.mjs")).BrowserHome(kind, ledger, random);
}

/** xorshift32: whole numbers below a bound. */
function randomFrom(seed) {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Rejects with what is broken first; answers what there was. */
export async function kills(kind, { count = 100, seed = 1, progress = () => {} } = {}) {
  const ledger = await Ledger.open();
  const random = randomFrom(seed);
  const home = await homeOf(kind, ledger, random);
  const ways = {};
  const check = (when) => {
    if (ledger.broken.length)
      throw new Error(`${when}, seed ${seed}: ${ledger.broken.length} broken:\n  ${ledger.broken.slice(0, 10).join("\n  ")}`);
  };
  try {
    await home.start();
    for (let kill = 1; kill <= count; kill += 1) {
      const enough = ledger.words + 20 + random(150);
      await ledger.until(() => ledger.words >= enough || ledger.broken.length > 0, "contexts at work");
      const { what, held, from } = await home.kill();
      ways[what] = (ways[what] ?? 0) + 1;
      await ledger.goesOn(held, from).catch((error) => ledger.broken.push(error.message));
      check(`after kill ${kill} (${what})`);
      progress(kill, ledger);
    }
    ledger.stopping = true;
    await home.drained?.();
    // Who finds nothing left may tell so before another tells that its last ack stood.
    await ledger.until(() => ledger.end && (ledger.broken.length > 0 || !ledger.isUnderWay), "all to be drained");
    const sums = ledger.reckon();
    check("at the end");
    const gaps = ledger.gaps.toSorted((a, b) => a - b).map(Math.round);
    return {
      ...sums,
      ways,
      gaps: { measured: gaps.length, median: gaps[gaps.length >> 1], most: gaps.at(-1), past: gaps.filter((ms) => ms > 1000).length },
    };
  } finally {
    await home.stop();
    await ledger.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [kind, ...words] = process.argv.slice(2);
  const number = (name, other) => (words.includes(name) ? Number(words[words.indexOf(name) + 1]) : other);
  const [count, seed] = [number("--count", 100), number("--seed", 1 + Math.floor(Math.random() * 1e6))];
  console.log(`${kind}: ${count} kills, seed ${seed}`);
  const progress = (kill, { words, entries }) => {
    if (kill % 10 === 0 || kill === count) console.log(`${kill} kills, ${entries.size} messages, ${words} words`);
  };
  try {
    const { ways, gaps, ...sums } = await kills(kind, { count, seed, progress });
    console.log(`${kind}, ${count} kills, seed ${seed}: nothing lost, nothing doubled that no death explains`);
    console.log(JSON.stringify(sums), JSON.stringify(ways));
    console.log(
      `work went on after ${gaps.median} ms (median), ${gaps.most} ms at most, of ${gaps.measured} deaths with messages in hand; ${gaps.past} past a second`,
    );
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
