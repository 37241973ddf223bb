// `window.demo`: what an automated test reads. Read-only, and all of it from durable state: the queues' tallies and the
// page's ledger. `await demo.ready`, then `demo.counts` (last sample) or `await demo.read()` (read now).
import { readCounts, sumFiles } from "./counts.js";
import { readFiles } from "./ledger.js";

const ALL = 10_000; // the most that `peek` shows

/** Puts `demo` on the window. `look()` gives `{ counts, files, found, tab, sending }` as last shown. */
export function exposeDemo(ready, queues, look) {
  const demo = {
    /** Resolves when the queues are open and the first counts are in. */
    ready,
    /** { photos, jobs, thumbnails } as last sampled (four times a second). */
    get counts() {
      return structuredClone(look().counts);
    },
    get sent() {
      return look().counts?.photos.sent ?? 0;
    },
    get done() {
      return look().counts?.photos.done ?? 0;
    },
    get waiting() {
      return look().counts?.photos.waiting ?? 0;
    },
    get leased() {
      return look().counts?.photos.leased ?? 0;
    },
    get dead() {
      return look().counts?.photos.dead ?? 0;
    },
    /** What was found when this page opened: the counts then. */
    get found() {
      return structuredClone(look().found);
    },
    get tab() {
      return look().tab;
    },
    /** Sends of this page that are not accepted yet. */
    get sending() {
      return look().sending;
    },
    read: () => readAll(queues()),
  };
  Object.defineProperty(window, "demo", { value: Object.freeze(demo) });
}

/**
 * The whole truth, read now: `{ counts, totals, files, doneByName }`. Each file: `{ id, name, runs, acks, results, place }`;
 * place is "waiting", "leased", "dead" or "done". `acks` are confirmations a worker lived to note (never above 1);
 * that a file left its queue by an ack, and by nothing else, is what place "done" and the queue's tally say.
 */
async function readAll(queues) {
  const [counts, rows, live, dead] = await Promise.all([
    readCounts(queues),
    readFiles(),
    queues.photos.peek({ max: ALL }),
    queues["photos-dlq"].peek({ max: ALL }),
  ]);
  const places = new Map(live.map(({ id, state }) => [id, state === "leased" ? "leased" : "waiting"]));
  for (const { id } of dead) places.set(id, "dead");
  const files = rows.map((row) => ({ ...row, place: places.get(row.id) ?? "done" }));
  const doneByName = {};
  for (const { name, results, place } of files) {
    if (place === "done" && results > 0) doneByName[name] = (doneByName[name] ?? 0) + 1;
  }
  return { counts, totals: sumFiles(rows), files, doneByName };
}
