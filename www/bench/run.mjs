// Runs the benchmarks of this folder in a real browser and prints what they measured.
//
//   node www/bench/run.mjs durable [--browser chromium|firefox] [--rounds 5] [--only awaited,batch] [--json file]
//   node www/bench/run.mjs memory  [--browser chromium|firefox] [--count 1000000] [--only bursts] [--json file]
//
// --pkg folder measures another build of the package (its index.js) instead of pkg/dist.
// Needs the built package (pkg/dist) and the development tools (tests/node_modules). Exits with an error only when
// something failed; slow is not an error. Compare ratios, not times: the machine has other things to do.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { start } from "./browser.mjs";
import { printDurable, printMemory } from "./print.mjs";
import { serve } from "./server.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tools = createRequire(join(root, "tests/package.json"));
const benchmarks = { durable: printDurable, memory: printMemory };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string", default: "chromium" },
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "1000000" },
    only: { type: "string" },
    json: { type: "string" },
    pkg: { type: "string", default: join(root, "pkg/dist") },
  },
});
const chosen = positionals.length ? positionals : Object.keys(benchmarks);
for (const name of chosen) if (!benchmarks[name]) fail(`no benchmark ${JSON.stringify(name)}: there is ${Object.keys(benchmarks).join(" and ")}`);
if (!["chromium", "firefox"].includes(options.browser)) fail(`--browser ${JSON.stringify(options.browser)}: chromium or firefox`);
if (!existsSync(join(options.pkg, "index.js"))) fail(`${join(options.pkg, "index.js")} is not there: run cargo xtask build`);

const server = await serve({
  "/www/bench/": join(root, "www/bench"),
  "/pkg/dist/": options.pkg,
  "/tests/node_modules/dexie/": dirname(tools.resolve("dexie/package.json")),
});
const results = [];
try {
  for (const name of chosen) results.push(await run(name));
} finally {
  server.close();
}
if (options.json) await writeFile(options.json, JSON.stringify(results, null, 2));

/** One benchmark in a browser of its own. */
async function run(name) {
  const loadBefore = loadavg()[0];
  const browser = await start(tools("playwright-core"), options.browser);
  try {
    console.log(`\n${name}: ${options.browser} ${browser.version}, ${availableParallelism()} cores, load before ${loadBefore.toFixed(2)}`);
    const { page } = browser;
    page.on("pageerror", (error) => console.error(error));
    page.setDefaultTimeout(0);
    await page.exposeFunction("told", progress);
    await page.goto(`${server.origin}/www/bench/index.html`);
    const only = options.only?.split(",");
    const plan = { rounds: Number(options.rounds), count: Number(options.count), only };
    const result = await page.evaluate(
      async ([name, plan]) => (await import(`./${name}.js`))[name]({ ...plan, report: (at) => globalThis.told(at) }),
      [name, plan],
    );
    progress({ share: 1, doing: "" });
    benchmarks[name](result);
    if (loadBefore > availableParallelism() / 2) console.log("\nThe machine was busy before this began: ratios may still hold, times do not. Run it again.");
    return { ...result, browser: `${options.browser} ${browser.version}`, loadBefore };
  } finally {
    await browser.close();
  }
}

/** One line that is written over, where there is someone to see it. */
function progress({ share, doing }) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${share < 1 ? `${Math.round(share * 100)} %  ${doing}` : ""}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
