/** Makes a script of a seed: every choice is in it, and a run draws nothing more. */

import { KINDS } from "./bodies.mjs";
import { Random, mix } from "./world/random.mjs";
import { HOST, KINDS as WORLDS, isClient } from "./worlds.mjs";

const NAMES = ["q0", "q1", "q2"];

/** How often each operation, of all. Each seed raises some and leaves some out. */
const WEIGHTS = {
  send: 30,
  batch: 4,
  write: 1,
  receive: 14,
  settle: 10,
  settleAll: 2,
  iterate: 1,
  read: 1,
  consume: 3,
  stop: 1.5,
  close: 0.3,
  open: 1.5,
  metrics: 2,
  peek: 1,
  cancel: 1,
  purge: 0.05,
  pause: 0.1,
  resume: 0.3,
  redrive: 0.5,
  flush: 0.5,
  list: 0.1,
};
const FAULT_WEIGHTS = { kill: 0.15, leave: 0.1, freeze: 0.15, block: 0.3, clock: 0.15, hide: 0.05 };
const PORT_WEIGHTS = { cut: 0.1, forge: 0.1, ports: 0.1, unserve: 0.05 };
const DISK_WEIGHTS = { disk: 1, hints: 0.1 };

function policyOf(random) {
  const policy = {};
  const set = (share, name, list) => {
    if (random.chance(share)) policy[name] = random.pick(list);
  };
  set(0.8, "visibilityTimeout", [0.5, 2, 5, 30]);
  set(0.7, "maxRetries", [0, 1, 2, 5]);
  set(0.8, "retryDelay", [0, 0.05, 1, { base: 0.1, factor: 2, max: 1, jitter: 0.3 }]);
  set(0.15, "deliveryDelay", [0.1, 1]);
  set(0.1, "messageRetention", [3, 60]);
  set(0.2, "deduplicationWindow", [1, 30]);
  if (random.chance(0.35)) {
    policy.capacity = random.chance(0.8) ? { messages: random.pick([1, 5, 20, 100]) } : { bytes: random.pick([200, 2000, 20_000]) };
    set(0.7, "overflow", ["wait", "reject", "drop-oldest", "drop-newest"]);
  }
  if (random.chance(0.1)) policy.schema = true;
  const letters = random.fraction();
  if (letters < 0.5) policy.deadLetterQueue = "dead";
  else if (letters < 0.65) policy.deadLetterQueue = false;
  return policy;
}

/** Weights for one seed: some things happen much, some not at all. */
function moods(random, weights) {
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => {
    const mood = random.fraction();
    return [name, mood < 0.15 ? 0 : mood > 0.85 ? weight * 4 : weight];
  }));
}

export function generate(seed, world, length) {
  const random = new Random(mix(seed, world));
  const script = { world, seed, queues: {}, ops: [] };
  for (const name of NAMES.slice(0, random.whole(1, 3))) script.queues[name] = policyOf(random);
  script.queues.dead = random.chance(0.3) ? { maxRetries: random.pick([0, 2]), visibilityTimeout: random.pick([2, 30]) } : {};
  const maker = new Maker(script, random);
  maker.begin();
  while (script.ops.length < length) maker.next();
  return script;
}

/** `without`: things that are left out, so that faults which are known hide no others: options of operations, ways of handlers. */
export function withoutSome(script, without) {
  if (without.has("letters")) script.queues.dead = {};
  script.ops = script.ops.filter(({ op }) => !without.has(op));
  for (const op of script.ops) if (without.has(op.body)) delete op.body;
  if (without.has("schema")) { for (const policy of Object.values(script.queues)) delete policy.schema; }
  for (const op of script.ops) for (const name of without) if (name in op && name !== "op") delete op[name];
  return script;
}

class Maker {
  #uid = 0;
  #actors = [];
  #names;
  #weights;
  #gaps;
  #way;
  #big;

  constructor(script, random) {
    this.script = script;
    this.random = random;
    this.#names = Object.keys(script.queues);
    const faults = random.chance(0.8);
    this.#weights = moods(random, { ...WEIGHTS, ...(faults && FAULT_WEIGHTS), ...(faults && this.#onDisk && DISK_WEIGHTS) });
    if (this.#onDisk && random.chance(0.05)) this.#weights.lose = 0.05;
    if (this.#onDisk && random.chance(0.1)) this.#weights.room = 0.2;
    if (faults && this.#ports) Object.assign(this.#weights, moods(random, PORT_WEIGHTS));
    if (random.chance(0.05)) this.#weights.remove = 0.1;
    this.#gaps = random.pick([[0, 0, 0.1], [0, 0.2, 1], [0, 1, 20], [0, 5, 400]]);
    this.#way = random.pick(["well", "badly", "badly", "wildly"]);
    this.#big = random.chance(0.1) ? 20_000 : 60;
  }

  get #onDisk() {
    return WORLDS[this.script.world].disk !== undefined;
  }

  get #ports() {
    return WORLDS[this.script.world].ports === true;
  }

  #add(actor, op, rest, gap = this.#gap()) {
    this.script.ops.push({ gap, actor, op, ...rest });
  }

  #gap() {
    const { random } = this;
    const kind = random.fraction();
    if (kind < 0.35) return -1;
    if (kind < 0.36) return random.pick([100, 1000, 5000, 40_000]);
    return Math.round(random.pick(this.#gaps) * (0.5 + random.fraction()) * 1000) / 1000;
  }

  begin() {
    const { random } = this;
    const count = this.script.world === "memory" ? random.pick([1, 1, 2]) : random.whole(this.#ports ? 2 : 1, 4);
    for (let at = 0; at < count; at += 1) this.#start(`c${at}`);
  }

  #start(name) {
    if (!this.#actors.includes(name)) this.#actors.push(name);
    this.#add(name, "start", { kind: this.random.pick(["worker", "page"]) }, 0);
    for (const q of this.#names) if (this.random.chance(0.9)) this.#add(name, "open", { q, events: this.random.chance(0.7) }, 0);
    this.#add(name, "flush", { q: this.#names[0] }, 10);
  }

  next() {
    const { random } = this;
    const name = random.weighted(this.#weights);
    const actor = random.pick(this.#actors);
    const make = this[name];
    if (make) make.call(this, actor, name);
    else this.#add(actor, name, { q: random.pick(this.#names) });
  }

  #uids(count) {
    const first = this.#uid + 1;
    this.#uid += count;
    return first;
  }

  #size(body) {
    return body === "number" || this.random.chance(0.5) ? undefined : this.random.whole(0, this.#big);
  }

  #aborts(share) {
    const kind = this.random.fraction();
    if (kind < share) return { abort: this.random.pick([0, 0, 0.3, 2, 50]) };
    return kind < 2 * share ? { signal: true } : {};
  }

  send(actor) {
    const { random } = this;
    const body = random.chance(0.5) ? "number" : random.pick(KINDS);
    const plain = random.chance(0.6);
    this.#add(actor, "send", {
      q: random.pick(this.#names),
      u: this.#uids(1),
      ...(body !== "number" && { body, size: this.#size(body) }),
      ...(!plain && random.chance(0.3) && { delay: random.pick([0, 0.01, 1, 30]) }),
      ...(!plain && random.chance(0.15) && { expire: random.pick([0.5, 5, 60]) }),
      ...(!plain && random.chance(0.3) && { key: random.whole(1, random.pick([5, 200])) }),
      ...(!plain && random.chance(0.3) && { headers: 1 }),
      ...(!plain && this.#aborts(0.1)),
      ...(random.chance(0.1) && { mutate: true }),
    });
  }

  batch(actor) {
    const { random } = this;
    const n = random.pick([1, 2, 5, 20, 100]);
    const body = random.chance(0.5) ? "number" : random.pick(KINDS);
    this.#add(actor, "batch", {
      q: random.pick(this.#names),
      u: this.#uids(n),
      n,
      ...(body !== "number" && { body, size: this.#size(body) }),
      ...(random.chance(0.4) && { mixed: true }),
      ...(random.chance(0.1) && { delay: random.pick([0.1, 2]) }),
      ...this.#aborts(0.05),
    });
  }

  write(actor) {
    this.#add(actor, "write", { q: this.random.pick(this.#names), u: this.#uids(1) });
  }

  receive(actor) {
    const { random } = this;
    this.#add(actor, "receive", {
      q: random.pick(this.#names),
      ...(random.chance(0.6) && { max: random.pick([1, 2, 10, 50]) }),
      ...(random.chance(0.4) && { wait: random.pick([0.01, 0.5, 5, 20]) }),
      ...(random.chance(0.2) && { lease: random.pick([0.3, 2, 60]) }),
      ...(random.chance(0.3) && { then: "ack" }),
      ...this.#aborts(0.05),
    });
  }

  settle(actor) {
    const { random } = this;
    const as = random.weighted({ ack: 6, retry: 2, dead: 1, extend: 1 });
    const delay = as === "retry" && random.chance(0.5) ? random.pick([0, 0.2, 3]) : undefined;
    const seconds = as === "extend" ? random.pick([0.5, 5, 60]) : delay;
    const i = random.whole(0, 99);
    this.#add(actor, "settle", { i, as, seconds, ...(random.chance(0.03) && { twice: random.pick(["ack", "retry"]) }) });
  }

  settleAll(actor) {
    const as = this.random.weighted({ ack: 6, retry: 2, dead: 0.5, extend: 1 });
    this.#add(actor, "settleAll", { as, seconds: as === "extend" ? 5 : undefined });
  }

  iterate(actor) {
    const { random } = this;
    this.#add(actor, "iterate", { q: random.pick(this.#names), n: random.whole(1, 8), as: random.pick(["ack", "ack", "retry", "none"]) });
  }

  consume(actor) {
    const { random } = this;
    this.#add(actor, "consume", {
      q: random.pick(this.#names),
      seed: random.bits() % 1_000_000,
      way: this.#way,
      ...(random.chance(0.6) && { size: random.pick([1, 2, 30]) }),
      ...(random.chance(0.3) && { fill: random.pick([0.01, 0.3, 3]) }),
      ...(random.chance(0.4) && { conc: random.pick([2, 5]) }),
      ...(random.chance(0.15) && { auto: false }),
      ...this.#aborts(0.03),
    });
  }

  flush(actor, op) {
    this.#add(actor, op, { q: this.random.pick(this.#names), ...this.#aborts(0.2) });
  }

  stop(actor, op) {
    this.#add(actor, op, { i: this.random.whole(0, 9) });
  }

  cancel(actor, op) {
    this.stop(actor, op);
  }

  pause(actor) {
    const q = this.random.pick(this.#names);
    this.#add(actor, "pause", { q });
  }

  redrive(actor) {
    const { random } = this;
    const to = random.chance(0.2) ? random.pick(this.#names) : undefined;
    const from = this.#names.includes("dead") && random.chance(0.8) ? "dead" : random.pick(this.#names);
    this.#add(actor, "redrive", {
      q: from,
      ...(to && { to }),
      ...(random.chance(0.3) && { max: random.whole(1, 5) }),
      ...(random.chance(0.1) && { rate: 100 }),
    });
  }

  peek(actor) {
    const { random } = this;
    const state = random.chance(0.5) ? random.pick(["ready", "delayed", "leased", "dead"]) : undefined;
    const q = random.pick(this.#names);
    this.#add(actor, "peek", { q, ...(state && { state }), ...(random.chance(0.2) && { max: random.pick([1, 100]) }) });
  }

  list(actor, op) {
    this.#add(actor, op, {});
  }

  remove(actor, op) {
    this.#add(actor, op, { q: this.random.pick(this.#names), force: this.random.chance(0.5) });
  }

  /* ------------------------------------------------------------ faults */

  kill(actor) {
    const { random } = this;
    this.#add(actor, "kill", random.chance(0.7) ? { looks: random.whole(1, 60) } : {});
    this.#add(actor, "flush", { q: this.#names[0] }, random.pick([0, 5, 50]));
    this.#start(actor);
    // Who was served by it needs another port.
    this.#cutOff(actor);
  }

  /** The clients of a host that is gone. */
  #cutOff(actor) {
    if (!this.#ports || actor !== HOST) return;
    for (const client of this.#actors) if (isClient(this.script.world, client)) this.#again(client);
  }

  #again(client) {
    this.#add(client, "kill", {}, 0);
    this.#start(client);
  }

  cut(actor) {
    this.#add(actor, "cut", {});
    if (actor !== "c0") this.#again(actor);
  }

  forge(actor, op) {
    const { random } = this;
    const as = random.chance(0.7) ? { as: random.pick(["cut", "flip", "lost", "twice", "row", "row", "row"]) } : {};
    this.#add(actor, op, { seed: random.bits() % 1000, n: random.pick([1, 2, 5]), ...as, ...(random.chance(0.4) && { toClient: true }) });
    this.#add(actor, "flush", { q: this.#names[0] }, 20);
    if (actor !== "c0") this.#again(actor);
  }

  unserve(actor, op) {
    this.#add(actor, op, { q: this.random.pick(this.#names) });
    if (actor !== "c0") this.#again(actor);
  }

  ports(actor, op) {
    this.#add(actor, op, { ms: this.random.pick([0, 0, 3, 300]) });
  }

  freeze(actor, op) {
    this.#add(actor, op, { ms: this.random.pick([5, 300, 3000, 40_000]) });
  }

  leave(actor, op) {
    const { random } = this;
    if (random.chance(0.5)) return this.#add(actor, op, { ms: random.pick([5, 3000, 40_000]) });
    this.#add(actor, op, {});
    this.#add(actor, "flush", { q: this.#names[0] }, random.pick([0, 5, 50]));
    this.#start(actor);
    this.#cutOff(actor);
  }

  block(actor, op) {
    this.#add(actor, op, { ms: this.random.pick([5, 300, 3000, 40_000]) });
  }

  clock(actor, op) {
    const { random } = this;
    const all = this.script.world !== "memory" && random.chance(0.8) ? { all: true } : {};
    const jump = random.pick([-3_600_000, -5000, -50, 50, 5000, 3_600_000]);
    if (all.all || random.chance(0.7)) return this.#add(actor, op, { ...all, jump });
    this.#add(actor, op, { rate: random.pick([0, 1, 1, 1.01, 3]) });
  }

  hide(actor, op) {
    this.#add(actor, op, { hidden: this.random.chance(0.5) });
  }

  disk(actor, op) {
    const { random } = this;
    const what = random.weighted({ append: 4, read: 2, values: 3, snapshot: 1, open: 0.5 });
    const when = random.chance(0.4) ? random.pick(what === "append" ? ["before", "after", "full"] : ["before"]) : undefined;
    this.#add(actor, op, { what, n: random.pick([1, 1, 3, 10]), ...(when ? { when } : { ms: random.pick([1, 5, 50, 700]) }) });
  }

  hints(actor, op) {
    this.#add(actor, op, this.random.chance(0.5) ? { lost: this.random.chance(0.5) } : { ms: this.random.pick([0, 50, 5000]) });
  }

  lose(actor, op) {
    this.#add(actor, op, {});
  }

  room(actor, op) {
    this.#add(actor, op, { bytes: this.random.pick([0, 1000, 100_000, Infinity]) });
  }
}
