// `cargo xtask bench deno`: posthaste/deno beside Deno KV's own queue, in one Deno, on one disk, in turns.
// Options: --messages=<of a burst> --rounds=<of each>. Times are medians of the rounds.
import { openQueue } from "../../pkg/dist/index.js";
import { kvStorage } from "../../pkg/dist/deno/index.js";
import { number, table, times } from "./print.mjs";

const option = (name, otherwise) => Number(Deno.args.find((word) => word.startsWith(`--${name}=`))?.split("=")[1] ?? otherwise);
const MESSAGES = option("messages", 1000);
const ROUNDS = option("rounds", 3);
/** Sent one by one, each when the one before is confirmed (or has arrived). */
const LONE = 200;

const body = (n) => ({ n, name: "cat.jpg", tags: ["a", "b"], size: 123_456 });

/** Both sides: `send` resolves when the message is committed, `take` calls `handle` for each message from then on. */
const sides = {
  async posthaste(file) {
    const kv = await Deno.openKv(file);
    const queue = await openQueue("bench", { storage: kvStorage(kv) });
    return {
      send: (message) => queue.send(message),
      take: (handle) => void queue.consume((batch) => batch.messages.forEach(({ body }) => handle(body)), { maxBatchSize: 100 }),
      end: async () => (await queue.close(), kv.close()),
    };
  },
  async "Deno KV queue"(file) {
    const kv = await Deno.openKv(file);
    return {
      send: (message) => kv.enqueue(message),
      take: (handle) => void kv.listenQueue(handle),
      end: async () => kv.close(),
    };
  },
};

/** Resolves when `handled` has been called so many times. */
function counter(count) {
  let left = count;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  return { handled: () => (left -= 1) === 0 && done(), all };
}

const timed = async (work) => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

/** Milliseconds: one send alone, a burst of sends, all of these delivered and settled, one message from send to handler. */
async function round(open, folder) {
  const side = await open(`${folder}/${crypto.randomUUID()}.db`);
  const took = {};
  took.lone = (await timed(async () => {
    for (let n = 0; n < LONE; n += 1) await side.send(body(n));
  })) / LONE;
  took.burst = await timed(() => Promise.all(Array.from({ length: MESSAGES }, (_, n) => side.send(body(n)))));
  const burst = counter(LONE + MESSAGES);
  let handle = burst.handled;
  took.delivery = await timed(() => (side.take((message) => handle(message)), burst.all));
  took.way = (await timed(async () => {
    for (let n = 0; n < LONE; n += 1) {
      const { promise, resolve } = Promise.withResolvers();
      handle = resolve;
      await side.send(body(n));
      await promise;
    }
  })) / LONE;
  await side.end();
  return took;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rows = [
  ["a send alone, ms", ({ lone }) => lone, "less"],
  ["sends of a burst, a second", ({ burst }) => (1000 * MESSAGES) / burst, "more"],
  ["deliveries, a second", ({ delivery }) => (1000 * (LONE + MESSAGES)) / delivery, "more"],
  ["from send to handler, ms", ({ way }) => way, "less"],
];

const folder = Deno.makeTempDirSync();
const names = Object.keys(sides);
const found = Object.fromEntries(names.map((name) => [name, []]));
try {
  for (let at = 0; at < ROUNDS; at += 1)
    for (const name of at % 2 ? names.toReversed() : names) found[name].push(await round(sides[name], folder));
} finally {
  Deno.removeSync(folder, { recursive: true });
}
const small = (value) => (value < 100 ? value.toFixed(2) : number(value));
const cells = rows.map(([what, read, better]) => {
  const [ours, theirs] = names.map((name) => median(found[name].map(read)));
  return [what, small(ours), small(theirs), times(better === "more" ? ours / theirs : theirs / ours)];
});
console.log(`\nDeno ${Deno.version.deno}, bursts of ${number(MESSAGES)} messages, median of ${ROUNDS} rounds in turns\n`);
console.log(table(["", ...names, "ahead"], cells));
Deno.exit(0);
