// Draws the results of the worker benchmark as text tables, the goals beside them.

import { number, table, times } from "../print.mjs";

const verdict = (reached) => (reached ? "pass" : "SHORT");
const MiB = (bytes) => `${number(bytes / 2 ** 20)} MiB`;
const us = (ms) => `${number(ms * 1000)} us`;

export function printWorkers({ rows, memory, rounds, verify }) {
  const checked = verify === "all" ? "every byte" : "only the number";
  console.log(`\nWorker to worker: median of ${rounds} interleaved rounds, beside raw postMessage; ${checked} of each message checked`);
  for (const row of rows) printRow(row);
  if (memory) printSlow(memory);
}

function printRow({ title, trips, contenders, goals, failed }) {
  if (failed) return console.log(`\n${title}\n\nFAILED: ${failed}`);
  const figures = (one) => (trips ? [us(one.meanMs), us(one.p99Ms)] : [number(one.rate)]);
  const lines = contenders.map((one) => [
    one.title + (one.transport ? ` (${one.transport})` : ""),
    ...figures(one),
    times(one.ratio.median),
    `${times(one.ratio.least)} to ${times(one.ratio.most)}`,
    goals.filter(({ of, other }) => of === one.title && other === contenders[0].title).map(goalText).join(", "),
  ]);
  const heads = trips ? ["mean", "99 of 100 below", "x raw"] : ["messages a second", "x raw"];
  console.log(`\n${title}\n`);
  console.log(table(["", ...heads, "within rounds", "goal"], lines));
  for (const goal of goals) {
    if (goal.other !== contenders[0].title) console.log(`${goal.of} beside ${goal.other}: ${times(goal.ratio)}, goal ${goalText(goal)}`);
  }
}

function goalText({ goal, most, reached }) {
  return `${most ? "at most " : ""}${times(goal)} ${verdict(reached)}`;
}

function printSlow({ title, contenders, goals, failed }) {
  if (failed) return console.log(`\n${title}\n\nFAILED: ${failed}`);
  const lines = contenders.map((one) => [one.title, MiB(one.grown), MiB(one.grownLater), `${one.seconds.toFixed(1)} s`]);
  console.log(`\n${title}\n`);
  console.log(table(["", "grown at most", "of it in the second half", "took"], lines));
  for (const { ratio, goal, reached } of goals)
    console.log(`posthaste grew by ${times(ratio)} of what raw postMessage grew, goal at most ${times(goal)}: ${verdict(reached)}`);
}
