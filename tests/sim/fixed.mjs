/** What `cargo xtask test` runs: every scenario, one seed twice, and seeds that never change. About a minute. */

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { WORLDS } from "./worlds.mjs";

const SCENARIOS = path.join(path.dirname(fileURLToPath(import.meta.url)), "scenarios");
/** Of each world so many seeds, from the first. */
const FIRST = 20_261_129;
const SEEDS = 12;
const LENGTH = 2_500;
/** Kinds of faults that are being mended: they are told, and do not fail the test. */
const KNOWN = new Set(fs.readFileSync(path.join(SCENARIOS, "known-kinds.txt"), "utf8").split(/\s+/).filter(Boolean));

export async function fixed(simulation) {
  const outcomes = { passed: 0, failed: 0 };
  const check = (what, failure) => {
    const known = failure && KNOWN.has(failure.kind);
    outcomes[failure && !known ? "failed" : "passed"] += 1;
    if (failure) console.log(`${known ? "known" : "FAILED"}: ${what}: ${failure.kind}: ${failure.text}`);
  };
  for (const file of fs.readdirSync(SCENARIOS).filter((name) => name.endsWith(".txt") && name !== "known-kinds.txt")) {
    const { failure } = await simulation.script(fs.readFileSync(path.join(SCENARIOS, file), "utf8"));
    check(`scenario ${file}`, failure);
  }
  for (const world of WORLDS) {
    const [one, other] = [await simulation.seed(FIRST, world, LENGTH), await simulation.seed(FIRST, world, LENGTH)];
    const differ = { kind: "not-deterministic", text: `logs ${one.hash} and ${other.hash}` };
    check(`${world}: the same seed twice`, one.hash === other.hash ? undefined : differ);
    for (let at = 0; at < SEEDS; at += 1) {
      const { failure } = await simulation.seed(FIRST + at, world, LENGTH);
      check(`seed ${FIRST + at}, world ${world}`, failure);
    }
  }
  console.log(`ℹ pass ${outcomes.passed}\nℹ fail ${outcomes.failed}`);
  return outcomes.failed ? 1 : 0;
}
