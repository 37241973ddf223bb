/** Seed after seed, until the time is up or something is wrong. */

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { enrich } from "./enrich.mjs";
import { generate, withoutSome } from "./generate.mjs";
import { print } from "./script.mjs";
import { shrink } from "./shrink.mjs";
import { Watch } from "./watch.mjs";
import { NAMES, WORLDS } from "./worlds.mjs";

const LENGTH = 4_000;
/** A long run tells how far it has come so often. */
const PROGRESS_MS = 60_000;

/** What a run has done so far. */
class Sum {
  operations = 0;
  worlds = 0;
  last = 0;
  kinds = new Map();
  #began = Date.now();
  #cpu = process.cpuUsage();

  failed(kind) {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }

  get failures() {
    return [...this.kinds.values()].reduce((sum, count) => sum + count, 0);
  }

  /** `cpu`: in microseconds; not told where it was others'. */
  told(cpu = process.cpuUsage(this.#cpu).user) {
    const second = (ms) => Math.round(this.operations / (ms / 1000));
    const ms = Date.now() - this.#began;
    const speed = `${second(ms)} a second${cpu ? `, ${second(cpu / 1000)} a second of processor` : ""}`;
    const kinds = [...this.kinds].map(([kind, count]) => `${kind} ${count}`).join(", ");
    const violations = `${this.failures} violations${kinds && ` (${kinds})`}`;
    return `${this.operations} operations in ${this.worlds} worlds, ${violations}; ${(ms / 60_000).toFixed(1)} minutes, ${speed}`;
  }
}

/** A function that tells of `sum` now and then. */
function progress(sum, cpu) {
  let next = Date.now() + PROGRESS_MS;
  return () => {
    if (Date.now() < next) return;
    next += PROGRESS_MS;
    console.log(`so far, seeds to ${sum.last}: ${sum.told(cpu)}`);
  };
}

function rangeOf(options) {
  const first = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(options.seed);
  const count = options.seeds ? Number(options.seeds) : options.minutes || options.seed === undefined ? Infinity : 1;
  const minutes = Number(options.minutes ?? (count === Infinity ? 1 : 60));
  return { first, count, minutes };
}

export async function explore(simulation, options) {
  const worlds = options.only ? options.only.split(",") : WORLDS;
  const { first, count, minutes } = rangeOf(options);
  if (options.apart) return apart(worlds, { first, count, minutes }, options);
  const end = Date.now() + minutes * 60_000;
  const length = Number(options.length ?? LENGTH);
  const coverage = new Map();
  const sum = new Sum();
  const tell = progress(sum);
  const watch = new Watch();
  console.log(`seeds from ${first} on, ${worlds.join(" ")}`);
  for (let seed = first; seed < first + count && Date.now() < end; seed += 1) {
    for (const world of worlds) {
      const script = withoutSome(enrich(generate(seed, world, length)), new Set(options.without?.split(",")));
      if (options.print) {
        console.log(print(script));
        return 0;
      }
      watch.begun(seed, NAMES.indexOf(world));
      const result = await simulation.run(script, options.trace ? (line) => console.log(line) : undefined);
      sum.operations += result.operations;
      sum.worlds += 1;
      sum.last = seed;
      tell();
      for (const [what, times] of result.coverage) coverage.set(what, (coverage.get(what) ?? 0) + times);
      if (!result.failure) continue;
      const { kind, text, at } = result.failure;
      sum.failed(kind);
      console.log(`VIOLATION of seed ${seed}, world ${world}: ${kind} at ${at.toFixed(3)} ms: ${text}`);
      watch.off();
      if (options.shrink || options.keep) await shorter(simulation, script, kind, options);
      if (!options.keep && !options.on) return 1;
    }
  }
  watch.off();
  console.log(sum.told());
  if (!options.quiet) console.log([...coverage].sort().map(([what, times]) => `${what}: ${times}`).join("\n"));
  return sum.failures ? 1 : 0;
}

/** Each world in a process of its own. They tell of violations as they come, and what they have done each minute. */
async function apart(worlds, { first, count, minutes }, options) {
  const words = process.argv.slice(2).filter((word) => word !== "--apart");
  const set = (name, value) => {
    const at = words.indexOf(`--${name}`);
    if (at >= 0) words.splice(at, 2);
    words.push(`--${name}`, String(value));
  };
  set("seed", first);
  set("minutes", minutes);
  if (count < Infinity) set("seeds", count);
  if (!options.keep && !words.includes("--on")) words.push("--on");
  const one = (world) =>
    new Promise((resolve) => {
      set("only", world);
      const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...words], { stdio: ["ignore", "pipe", "inherit"] });
      let last = "";
      const seen = (line) => {
        last = line;
        console.log(`${world}: ${line}`);
      };
      readline.createInterface({ input: child.stdout }).on("line", seen).on("close", () => undefined);
      child.on("close", (status) => resolve({ world, status, last }));
    });
  const ends = await Promise.all(worlds.map(one));
  const operations = ends.reduce((sum, { last }) => sum + (Number(/^(\d+) operations/.exec(last)?.[1]) || 0), 0);
  const bad = ends.filter(({ status }) => status !== 0).map(({ world }) => world);
  console.log(`${operations} operations in all; ${bad.length ? `violations in ${bad.join(", ")}` : "no violation"}`);
  return bad.length ? 1 : 0;
}

async function shorter(simulation, script, kind, options) {
  const found = await shrink(simulation, script, kind, options.patience ? Number(options.patience) * 1000 : undefined);
  const text = `${print(found.script)}# ${found.failure.kind}: ${found.failure.text.split("\n")[0]}\n`;
  if (!options.keep) return console.log(text);
  fs.mkdirSync(options.keep, { recursive: true });
  fs.writeFileSync(path.join(options.keep, `${kind}-${script.world}-${script.seed}.txt`), text);
}
