/**
 * More than `generate.mjs` draws: options that came later, and faults. They are drawn apart, so that the scripts of seeds that never
 * change stay what they were.
 */

import { Random, mix } from "./world/random.mjs";
import { KINDS } from "./worlds.mjs";

/** What is known to be wrong, and hides the rest: not drawn until it is mended. */
const HELD = new Set([]);
/** What a body may be said to be. */
const TYPES = { number: "json", text: "text", bytes: "bytes", object: "json", map: "v8", tree: "v8", buffer: "v8" };

/** What is added to an operation: option, how often, value (or a function of the operation and a random number generator). */
const OPTIONS = {
  send: [["type", 0.1, ({ body = "number" }) => TYPES[body]], ["transfer", 0.5, ({ body }) => (body === "buffer" ? true : undefined)]],
  batch: [["expiring", 0.2, true]],
  receive: [["borrow", 0.1, true]],
  consume: [["borrow", 0.1, true]],
  stop: [["using", 0.2, true]],
  close: [["using", 0.2, true]],
};

/** Numbers of messages that `generate` comes to in no script. */
const FIRST_UID = 1_000_001;

/** Who receives one by one is leased more ahead; then the queue is purged, and it goes on. Nobody else has begun to receive. */
function busyThenPurged(q, actor) {
  const receive = { gap: 3, op: "receive", then: "ack" };
  const ops = [{ gap: 5, op: "batch", u: FIRST_UID, n: 20 }, ...Array(6).fill(receive), { gap: 3, op: "purge" }, receive, receive, receive];
  return ops.map((op) => ({ ...op, actor, q }));
}

/** A lease runs for long; what is due before it ends is not kept waiting for that. */
function heldThenDelayed(q, actor) {
  const send = { gap: 5, op: "send", q, actor };
  return [
    { ...send, u: FIRST_UID },
    { gap: 5, op: "receive", q, actor },
    { ...send, u: FIRST_UID + 1, delay: 1 },
    { gap: 5, op: "receive", wait: 5, q, actor },
    { gap: 6000, op: "metrics", q, actor },
  ];
}

/** There is no room for the first steps; then nobody writes for so long that the storage is looked through. */
function fullAtFirst(ops, random) {
  const first = ops.findIndex(({ op }) => op === "open");
  const next = ops.findIndex(({ op, gap }, at) => at > first && op !== "open" && gap >= 0);
  if (first < 0 || next < 0) return;
  ops[next] = { ...ops[next], gap: 6000 };
  ops.splice(first, 0, { gap: 0, actor: ops[first].actor, op: "disk", what: "append", n: random.pick([1, 1, 2, 4]), when: "full" });
}

export function enrich(script) {
  const random = new Random(mix(script.seed, `more ${script.world}`));
  const onDisk = KINDS[script.world].disk !== undefined;
  const strict = onDisk && random.chance(0.2);
  const clock = !onDisk && random.chance(0.2);
  const faults = [];
  if (onDisk && !HELD.has("restore") && random.chance(0.05)) faults.push("keep", "keep", "restore");
  if (KINDS[script.world].disk === "indexeddb" && random.chance(0.1)) faults.push("disconnect");
  const ops = [];
  for (const op of script.ops) {
    ops.push(op);
    if (op.op === "start" && clock) op.clock = true;
    if (op.op === "open" && strict) op.durability = "strict";
    for (const [name, share, value] of OPTIONS[op.op] ?? []) {
      if (HELD.has(name) || !random.chance(share)) continue;
      const drawn = typeof value === "function" ? value(op) : value;
      if (drawn !== undefined) op[name] = drawn;
    }
    if (faults.length && random.chance(0.003)) ops.push({ gap: 0, actor: op.actor, op: random.pick(faults) });
  }
  const begun = ops.findIndex(({ op }) => !["start", "open", "flush"].includes(op));
  const opens = ops.slice(0, begun).filter(({ op }) => op === "open");
  if (opens.length && random.chance(0.25)) {
    const { q, actor } = random.pick(opens);
    ops.splice(begun, 0, ...random.pick([busyThenPurged, heldThenDelayed])(q, actor));
  }
  if (onDisk && random.chance(0.05)) fullAtFirst(ops, random);
  script.ops = ops;
  return script;
}
