/**
 * Runs worlds: `node run.mjs --seed N --minutes N --only KIND --length N --package FOLDER --scenario FILE --trace`.
 * Without a seed it draws one, and says which.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const FLAGS = ["--allow-natives-syntax", "--expose-gc", "--no-warnings"];
const here = path.dirname(fileURLToPath(import.meta.url));

const { values: options } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    only: { type: "string" },
    length: { type: "string" },
    package: { type: "string" },
    scenario: { type: "string" },
    keep: { type: "string" },
    patience: { type: "string" },
    ignore: { type: "string" },
    without: { type: "string" },
    trace: { type: "boolean" },
    print: { type: "boolean" },
    shrink: { type: "boolean" },
    test: { type: "boolean" },
    quiet: { type: "boolean" },
    on: { type: "boolean" },
    apart: { type: "boolean" },
  },
});

if (!process.execArgv.includes(FLAGS[0])) {
  const words = [...FLAGS, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, words, { stdio: "inherit" });
  process.exit(status ?? 1);
}

const { Simulation } = await import("./simulation.mjs");
const folder = options.package ?? path.join(here, "../node_modules/posthaste/dist");
const simulation = new Simulation(folder, options.ignore?.split(","));
// Microtasks can be run dry only from a task of the event loop.
setImmediate(() =>
  void main().then((status) => process.exit(status), (error) => {
    console.error(error);
    process.exit(1);
  })
);

async function main() {
  if (options.scenario) {
    const result = await simulation.script(fs.readFileSync(options.scenario, "utf8"), tracing());
    console.log(result.failure ? told(result.failure) : `held: ${result.operations} operations, log ${result.hash}`);
    return result.failure ? 1 : 0;
  }
  if (options.test) {
    const { fixed } = await import("./fixed.mjs");
    return fixed(simulation);
  }
  const { explore } = await import("./explore.mjs");
  return explore(simulation, options);
}

function tracing() {
  return options.trace ? (line) => console.log(line) : undefined;
}

function told({ kind, text, at }) {
  return `VIOLATION ${kind} at ${at.toFixed(3)} ms: ${text}`;
}
