/**
 * A disk that contexts share, and a storage driver on it: the contract of the package's stores and no more. Every step may be
 * late, fail before it is committed or after, find no room; the disk may be lost, or an old copy of it put in its place.
 */

/** What a step takes when nothing is wrong: until it is committed, and until that is told. */
const COMMIT_MS = 0.5;
const ANSWER_MS = 0.2;
const HINT_MS = 0.3;
const WRITES = new Set(["append", "snapshot"]);
/** What a record takes on the disk beside its bytes and bodies. */
const RECORD_BYTES = 64;

export class Disk {
  records = new Map();
  number = 0;
  snapshot = undefined;
  floor = 0;
  bytes = 0;
  /** Bytes that fit. */
  room = Infinity;
  /** So often it was lost, or an old copy put in its place. */
  losses = 0;
  /** So often an old copy. */
  copies = 0;
  /** Steps committed. */
  steps = 0;
  #stores = new Set();
  /** What goes wrong next, by context and operation. */
  #faults = new Map();
  #copy = undefined;

  constructor(world, birth = 1) {
    this.world = world;
    this.birth = birth;
  }

  /** The next `count` operations of that kind in the context have this fault: { ms, when: "before" | "after" | "silent" | "full" }. */
  plan(context, operation, fault, count) {
    const key = `${context.name} ${operation}`;
    const planned = this.#faults.get(key) ?? [];
    for (let at = 0; at < count; at += 1) planned.push(fault);
    this.#faults.set(key, planned);
  }

  fault(context, operation) {
    const planned = this.#faults.size ? this.#faults.get(`${context.name} ${operation}`)?.shift() : undefined;
    if (planned) this.world.troubled(planned.ms);
    return planned;
  }

  calm() {
    this.#faults.clear();
    this.room = Infinity;
  }

  driverFor(context) {
    return { kind: "sim", open: () => this.#open(context) };
  }

  #open(context) {
    if (context.touch()) return new Promise(() => undefined);
    return new Promise((resolve, reject) => {
      const fault = this.fault(context, "open");
      if (fault?.when === "silent") return;
      context.task(COMMIT_MS + (fault?.ms ?? 0), () => {
        if (fault?.when) return reject(new Error("the disk can't be opened"));
        const store = new SimStore(this, context);
        this.#stores.add(store);
        resolve(store);
      });
    });
  }

  closed(store) {
    this.#stores.delete(store);
  }

  get open() {
    let open = 0;
    for (const { context } of this.#stores) open += context.dead ? 0 : 1;
    return open;
  }

  hint(from) {
    const { world } = this;
    if (world.hintsLost) return;
    for (const store of this.#stores) {
      if (store === from || store.context.dead) continue;
      world.scheduler.at(from.context.local + HINT_MS + world.hintDelay, store.context, told, store);
    }
  }

  tail(from) {
    const { snapshot, floor, records, birth, number } = this;
    const whole = snapshot && (from <= 1 || from <= floor) ? { number: snapshot.number, bytes: snapshot.bytes.slice() } : undefined;
    const first = whole ? whole.number + 1 : Math.max(1, from);
    const numbers = [];
    for (let at = first; at <= number; at += 1) if (records.has(at)) numbers.push(at);
    return { ...(whole && { snapshot: whole }), numbers, records: numbers.map((at) => records.get(at).record.slice()), birth };
  }

  /** Writes a step; false: there is no room for it. */
  write(step) {
    if (this.bytes + step.size > this.room) return 0;
    this.number += 1;
    this.steps += 1;
    this.bytes += step.size;
    this.records.set(this.number, step);
    return this.number;
  }

  /** As `Store.snapshot`. */
  replace(number, floor, bytes, ranges, parts = []) {
    if (this.snapshot && this.snapshot.number >= number) return false;
    this.bytes += bytes.length - (this.snapshot?.bytes.length ?? 0);
    this.snapshot = { number, bytes: bytes.slice() };
    this.floor = Math.max(this.floor, floor);
    for (let at = 0; at < ranges.length; at += 2) {
      const last = Math.min(ranges[at + 1], this.number);
      for (let key = ranges[at]; key <= last; key += 1) {
        this.bytes -= this.records.get(key)?.size ?? 0;
        this.records.delete(key);
      }
    }
    for (let at = 0; at < parts.length; at += 3) {
      const step = this.records.get(parts[at]);
      if (!step) continue;
      const gone = new Set(step.gone);
      for (let part = parts[at + 1]; part <= parts[at + 2] && part << step.chunk < step.bodies.length; part += 1) gone.add(part);
      // A copy of the disk may have the same record.
      this.records.set(parts[at], { ...step, gone });
    }
    return true;
  }

  /** Everything is gone, and the storage made anew. */
  lose() {
    Object.assign(this, { records: new Map(), number: 0, snapshot: undefined, floor: 0, bytes: 0 });
    this.birth += 1;
    this.losses += 1;
  }

  /** Keeps a copy of the disk. */
  copy() {
    const { records, number, snapshot, floor, bytes } = this;
    this.#copy = { records: new Map(records), number, snapshot, floor, bytes };
  }

  /** Puts the copy in the disk's place. */
  restore() {
    if (!this.#copy) return false;
    const { records, ...rest } = this.#copy;
    Object.assign(this, { ...rest, records: new Map(records), losses: this.losses + 1, copies: this.copies + 1 });
    return true;
  }
}

function failedAfter(name) {
  return Object.assign(new Error(`the disk failed after ${name}`), { outcomeUnknown: true });
}

function closed() {
  return new DOMException("the store is closed", "InvalidStateError");
}

function told(store) {
  store.moved?.();
}

/** Bodies as the disk has them: nobody else's. */
function cloned({ record, bodies, headers, chunk }) {
  let size = record.length + RECORD_BYTES;
  const kept = bodies.map((body) => {
    if (typeof body !== "object" || body === null) {
      size += typeof body === "string" ? body.length : 8;
      return body;
    }
    const copy = structuredClone(body);
    size += copy.byteLength ?? 64;
    return copy;
  });
  return { record: record.slice(), bodies: kept, headers: headers && structuredClone(headers), chunk, size };
}

class SimStore {
  kind = "sim";
  durability = "relaxed";
  moved = undefined;
  #closed = false;
  #copies;

  constructor(disk, context) {
    this.disk = disk;
    this.context = context;
    this.#copies = disk.copies;
  }

  /** Whether an older copy has taken the disk's place: whoever has it open is told before any step goes on. */
  #putBack() {
    const { copies } = this.disk;
    if (copies === this.#copies) return false;
    this.#copies = copies;
    this.moved?.(true);
    return true;
  }

  #answer(reject, settle, value) {
    if (this.#closed) return reject(closed());
    this.#putBack();
    settle(value);
  }

  /** Runs `work` when the disk gets to it, and tells what it answered; with the faults that are planned. */
  #operation(name, work) {
    const { disk, context } = this;
    if (context.touch()) return new Promise(() => undefined);
    if (this.#closed) return Promise.reject(closed());
    if (this.#putBack() && WRITES.has(name)) return Promise.reject(new Error(`the disk failed before ${name}`));
    const fault = disk.fault(context, name);
    const begunAt = context.local;
    const { losses } = disk;
    return new Promise((resolve, reject) => {
      const answer = (settle, value) => {
        if (fault?.when !== "silent") context.task(ANSWER_MS, () => this.#answer(reject, settle, value));
      };
      disk.world.scheduler.at(begunAt + COMMIT_MS + (fault?.ms ?? 0), null, () => {
        if (context.diedAt < begunAt) return;
        // What was written to the old one is gone with it.
        const gone = WRITES.has(name) && disk.losses !== losses;
        if (gone || fault?.when === "before") return answer(reject, new Error(`the disk failed before ${name}`));
        if (fault?.when === "full") return answer(reject, new DOMException("the disk is full", "QuotaExceededError"));
        let value;
        try {
          value = work();
        } catch (error) {
          return answer(reject, error);
        }
        if (fault?.when === "after") {
          return answer(reject, failedAfter(name));
        }
        answer(resolve, value);
      });
    });
  }

  append(from, decide) {
    if (from > 0) return this.#appendAfterReading(from, decide);
    let step;
    try {
      const decided = decide(undefined);
      if (!decided) return Promise.resolve(0);
      step = cloned(decided);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#operation("append", () => this.#write(step));
  }

  /** The context itself decides while the disk is held: it must be there for it. */
  #appendAfterReading(from, decide) {
    const { disk, context } = this;
    if (context.touch()) return new Promise(() => undefined);
    if (this.#closed) return Promise.reject(closed());
    const fault = disk.fault(context, "append");
    return new Promise((resolve, reject) => {
      const answer = (settle, value) => {
        if (fault?.when !== "silent") context.task(ANSWER_MS, () => this.#answer(reject, settle, value));
      };
      context.task(COMMIT_MS + (fault?.ms ?? 0), () => {
        if (this.#closed) return reject(closed());
        this.#putBack();
        if (fault?.when === "before") return answer(reject, new Error("the disk failed before append"));
        if (fault?.when === "full") return answer(reject, new DOMException("the disk is full", "QuotaExceededError"));
        let number = 0;
        try {
          const decided = decide(disk.tail(from));
          if (context.dead) return;
          if (decided) number = this.#write(cloned(decided));
        } catch (error) {
          return answer(reject, error);
        }
        if (fault?.when === "after") {
          return answer(reject, failedAfter("append"));
        }
        answer(resolve, number);
      });
    });
  }

  #write(step) {
    const number = this.disk.write(step);
    if (number) return number;
    this.disk.world.crowded();
    throw new DOMException("the disk is full", "QuotaExceededError");
  }

  read(from) {
    return this.#operation("read", () => this.disk.tail(from));
  }

  values(keys) {
    const wanted = [...keys];
    return this.#operation("values", () => {
      const found = [];
      for (let at = 0; at < wanted.length; at += 2) found.push(part(this.disk.records.get(wanted[at]), wanted[at + 1]));
      return found;
    });
  }

  snapshot(number, floor, bytes, ranges, parts) {
    const kept = bytes.slice();
    return this.#operation("snapshot", () => this.disk.replace(number, floor, kept, ranges, parts));
  }

  watch(moved) {
    this.moved = moved;
  }

  hint() {
    if (!this.context.touch()) this.disk.hint(this);
  }

  usage() {
    return Promise.resolve(this.disk.bytes);
  }

  refused(bodies) {
    return Promise.resolve(bodies.map((body) => {
      try {
        structuredClone(body);
        return undefined;
      } catch (error) {
        return error;
      }
    }));
  }

  release() {
    return Promise.resolve(false);
  }

  close() {
    this.#closed = true;
    this.moved = undefined;
    this.disk.closed(this);
  }
}

/** The bodies of a record that `key` (-1: all, else a chunk) names, as nobody else's. */
function part(step, key) {
  if (!step || step.gone?.has(key)) return undefined;
  const [from, to] = key < 0 ? [0, step.bodies.length] : [key << step.chunk, (key + 1) << step.chunk];
  const bodies = step.bodies.slice(from, to);
  if (key >= 0 && !bodies.length) return undefined;
  const found = { bodies: bodies.map((body) => (typeof body === "object" && body !== null ? structuredClone(body) : body)) };
  if (!step.headers) return found;
  const headers = {};
  let some = false;
  for (let at = 0; at < bodies.length; at += 1) {
    const own = step.headers[from + at];
    if (own) [headers[at], some] = [own, true];
  }
  return some ? { ...found, headers } : found;
}
