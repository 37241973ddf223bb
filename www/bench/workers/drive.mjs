// Drives the worker benchmark from outside: the rows for isolated pages, the rows for others, and the memory of the
// browser's processes, which no page can see.

import { inPage } from "../browser.mjs";
import { browserMemory } from "./process-memory.mjs";
import { rows, slow } from "./rows.js";

/**
 * @param {object} how
 * @param {object} how.playwright the module `playwright-core`
 * @param {"chromium" | "firefox"} how.browser
 * @param {{isolated: string, plain: string}} how.origins of the servers of the two kinds of pages
 * @param {object} how.plan what a page's `workers` is told
 * @param {(progress: object) => void} how.progress
 */
export async function driveWorkers(how) {
  const { origins, plan } = how;
  const keys = [...rows, slow].map(({ key }) => key);
  const odd = plan.only?.find((key) => !keys.includes(key));
  if (odd !== undefined) throw new Error(`no row ${JSON.stringify(odd)}: there are ${keys.join(", ")}`);
  const parts = [];
  for (const [kind, origin] of Object.entries(origins)) {
    if (plan.only && !rows.some(({ key, isolated }) => plan.only.includes(key) && isolated === (kind === "isolated"))) continue;
    const call = ([name, plan]) => import("./workers.js").then((module) => module[name]({ ...plan, report: (at) => globalThis.told(at) }));
    parts.push(await inPage({ ...how, origin }, (page) => page.evaluate(call, ["workers", plan])));
  }
  const result = { ...plan, ...parts[0], rows: parts.flatMap(({ rows }) => rows) };
  if (!plan.only || plan.only.includes(slow.key)) result.memory = await memoryRow({ ...how, origin: origins.isolated });
  return { ...result, failed: result.rows.some(({ failed }) => failed) || result.memory?.failed };
}

async function memoryRow(how) {
  const measured = [];
  for (const name of slow.contenders) {
    const one = await inPage(how, async (page, profile) => {
      if ((await browserMemory(profile)) === undefined) return undefined;
      await page.exposeFunction("memory", () => browserMemory(profile));
      const call = (name) =>
        import("./workers.js").then((module) =>
          module.slowConsumer({ name, memory: () => globalThis.memory(), report: (at) => globalThis.told(at) })
        );
      return page.evaluate(call, name).catch(({ message }) => ({ failed: message }));
    });
    if (one.failed) return { key: slow.key, title: slow.title, failed: one.failed };
    if (one.name === undefined) return undefined;
    measured.push(one);
  }
  const grown = (name) => measured.find((one) => one.name === name).grown;
  const goals = slow.goals.map(({ of, other, [how.browser]: goal }) => ({
    of,
    other,
    goal,
    ratio: grown(of) / grown(other),
    reached: grown(of) / grown(other) <= goal,
  }));
  return { key: slow.key, title: slow.title, contenders: measured, goals };
}
