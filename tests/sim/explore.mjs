/** Seed after seed, until the time is up or something is wrong. */

import fs from "node:fs";
import path from "node:path";
import { generate } from "./generate.mjs";
import { print } from "./script.mjs";
import { shrink } from "./shrink.mjs";
import { WORLDS } from "./simulation.mjs";

const LENGTH = 4_000;

export async function explore(simulation, options) {
  const worlds = options.only ? options.only.split(",") : WORLDS;
  const first = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(options.seed);
  const count = options.seeds ? Number(options.seeds) : options.minutes || options.seed === undefined ? Infinity : 1;
  const end = Date.now() + Number(options.minutes ?? (count === Infinity ? 1 : 60)) * 60_000;
  const length = Number(options.length ?? LENGTH);
  const coverage = new Map();
  let operations = 0;
  let worldsRun = 0;
  let failures = 0;
  const began = process.cpuUsage();
  const wall = Date.now();
  console.log(`seeds from ${first} on, ${worlds.join(" ")}`);
  for (let seed = first; seed < first + count && Date.now() < end; seed += 1) {
    for (const world of worlds) {
      const script = generate(seed, world, length, new Set(options.without?.split(",")));
      if (options.print) return void console.log(print(script)) ?? 0;
      const result = await simulation.run(script, options.trace ? (line) => console.log(line) : undefined);
      operations += result.operations;
      worldsRun += 1;
      for (const [what, times] of result.coverage) coverage.set(what, (coverage.get(what) ?? 0) + times);
      if (!result.failure) continue;
      failures += 1;
      const { kind, text, at } = result.failure;
      console.log(`VIOLATION of seed ${seed}, world ${world}: ${kind} at ${at.toFixed(3)} ms: ${text}`);
      if (options.shrink || options.keep) await shorter(simulation, script, kind, options);
      if (!options.keep && !options.on) return 1;
    }
  }
  const { user } = process.cpuUsage(began);
  const second = (time) => Math.round(operations / time);
  const speed = `${second((Date.now() - wall) / 1000)} a second, ${second(user / 1e6)} a second of processor`;
  console.log(`${operations} operations in ${worldsRun} worlds, ${failures} violations; ${speed}`);
  if (!options.quiet) console.log([...coverage].sort().map(([what, times]) => `${what}: ${times}`).join("\n"));
  return failures ? 1 : 0;
}

async function shorter(simulation, script, kind, options) {
  const found = await shrink(simulation, script, kind, options.patience ? Number(options.patience) * 1000 : undefined);
  const text = `${print(found.script)}# ${found.failure.kind}: ${found.failure.text.split("\n")[0]}\n`;
  if (!options.keep) return console.log(text);
  fs.mkdirSync(options.keep, { recursive: true });
  fs.writeFileSync(path.join(options.keep, `${kind}-${script.world}-${script.seed}.txt`), text);
}
