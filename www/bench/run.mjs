// Runs the benchmarks of this folder in a real browser and prints what they measured.
//
//   node www/bench/run.mjs durable [--browser chromium|firefox] [--rounds 5] [--only awaited,batch] [--json file]
//   node www/bench/run.mjs memory  [--browser chromium|firefox] [--count 1000000] [--only bursts] [--json file]
//   node www/bench/run.mjs workers [--browser chromium|firefox] [--rounds 5] [--only objects,64B] [--json file]
//                                  [--verify all|head]
//
// Without --browser: Chromium, workers in Firefox too. --pkg folder measures another build of the package (its index.js)
// instead of pkg/dist. --verify head checks the numbers of the messages only, not all of their bytes.
// Needs the built package (pkg/dist) and the development tools (tests/node_modules). Exits with an error only when
// something failed; slow is not an error. Compare ratios, not times: the machine has other things to do.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inPage } from "./browser.mjs";
import { printDurable, printMemory } from "./print.mjs";
import { serve } from "./server.mjs";
import { bundle, contendersRooms } from "./workers/bundle.mjs";
import { driveWorkers } from "./workers/drive.mjs";
import { printWorkers } from "./workers/print.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = createRequire(join(root, "tests/package.json"));
const playwright = tools("playwright-core");
const benchmarks = {
  durable: { browsers: ["chromium"], drive: inOnePage, print: printDurable },
  memory: { browsers: ["chromium"], drive: inOnePage, print: printMemory },
  workers: { browsers: ["chromium", "firefox"], drive: driveWorkers, print: printWorkers },
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string" },
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "1000000" },
    only: { type: "string" },
    verify: { type: "string", default: "all" },
    json: { type: "string" },
    pkg: { type: "string", default: join(root, "pkg/dist") },
  },
});
const chosen = positionals.length ? positionals : Object.keys(benchmarks);
for (const name of chosen)
  if (!benchmarks[name]) fail(`no benchmark ${JSON.stringify(name)}: there is ${Object.keys(benchmarks).join(" and ")}`);
if (![undefined, "chromium", "firefox"].includes(options.browser))
  fail(`--browser ${JSON.stringify(options.browser)}: chromium or firefox`);
if (!["all", "head"].includes(options.verify)) fail(`--verify ${JSON.stringify(options.verify)}: all or head`);
if (!existsSync(join(options.pkg, "index.js"))) fail(`${join(options.pkg, "index.js")} is not there: run cargo xtask build`);

if (chosen.includes("workers")) await bundle(root);
const rooms = {
  "/www/bench/": join(root, "www/bench"),
  "/pkg/dist/": options.pkg,
  "/tests/node_modules/dexie/": dirname(tools.resolve("dexie/package.json")),
  ...contendersRooms(root),
};
const servers = { plain: await serve(rooms), isolated: await serve(rooms, { isolated: true }) };
const origins = { isolated: servers.isolated.origin, plain: servers.plain.origin };
const results = [];
try {
  for (const name of chosen) {
    for (const browser of options.browser ? [options.browser] : benchmarks[name].browsers) results.push(await run(name, browser));
  }
} finally {
  for (const server of Object.values(servers)) server.close();
}
if (results.some(({ failed }) => failed)) process.exitCode = 1;
if (options.json) await writeFile(options.json, JSON.stringify(results, null, 2));

async function run(name, browser) {
  const loadBefore = loadavg()[0];
  console.log(`\n${name}: ${browser}, ${availableParallelism()} cores, load before ${loadBefore.toFixed(2)}`);
  const plan = { rounds: Number(options.rounds), count: Number(options.count), only: options.only?.split(","), verify: options.verify };
  const result = await benchmarks[name].drive({ name, playwright, browser, origins, plan, progress });
  progress({ share: 1, doing: "" });
  console.log(result.browser);
  benchmarks[name].print(result);
  if (loadBefore > availableParallelism() / 2)
    console.log("\nThe machine was busy before this began: ratios may still hold, times do not. Run it again.");
  return { ...result, loadBefore };
}

/** A benchmark that is a function of its name in the module of its name. */
function inOnePage({ name, plan, origins, ...how }) {
  const call = async ([name, plan]) => (await import(`./${name}.js`))[name]({ ...plan, report: (at) => globalThis.told(at) });
  return inPage({ ...how, origin: origins.plain }, (page) => page.evaluate(call, [name, plan]));
}

/** One line that is written over, where there is someone to see it. */
function progress({ share, doing }) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${share < 1 ? `${Math.round(share * 100)} %  ${doing}` : ""}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
