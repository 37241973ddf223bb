/** A store in memory that others can share: what a driver's author can read, and a storage for tests that does not outlive them. */

import { headersBetween } from "../bodies/headers";
import type { Append, Bodies, StorageDriver, Store, Tail } from "../contract/store";

/** In the place of a body that nobody needs any more: no body is a symbol. */
const GONE = Symbol();

/** What one driver's stores share. */
interface Kept {
  birth: number;
  number: number;
  records: Map<number, Append>;
  snapshot: { number: number; bytes: Uint8Array } | undefined;
  floor: number;
  stores: Set<MemoryStore>;
}

class MemoryStore implements Store {
  readonly kind = "memory-storage";
  readonly durability = "relaxed";
  private moved: (() => void) | undefined;
  private closed = false;

  constructor(private readonly kept: Kept) {
    kept.stores.add(this);
  }

  private check(): void {
    if (this.closed) throw new DOMException("the store is closed", "InvalidStateError");
  }

  async append(from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    this.check();
    const step = decide(from === 0 ? undefined : this.tail(from));
    if (!step) return 0;
    const { record, bodies, headers, chunk } = step;
    this.kept.records.set(this.kept.number + 1, structuredClone({ record: record.slice(), bodies, headers, chunk }));
    return ++this.kept.number;
  }

  async read(from: number): Promise<Tail> {
    this.check();
    return this.tail(from);
  }

  private tail(from: number): Tail {
    const { records, snapshot, floor, birth } = this.kept;
    const whole = snapshot && (from <= 1 || from <= floor) ? { number: snapshot.number, bytes: snapshot.bytes.slice() } : undefined;
    const numbers = [...records.keys()].filter((number) => (whole ? number > whole.number : number >= from));
    return { ...(whole && { snapshot: whole }), numbers, records: numbers.map((number) => records.get(number)!.record.slice()), birth };
  }

  async values(keys: number[]): Promise<(Bodies | undefined)[]> {
    this.check();
    const found: (Bodies | undefined)[] = [];
    for (let at = 0; at < keys.length; at += 2) found.push(part(this.kept.records.get(keys[at]), keys[at + 1]));
    return found;
  }

  async snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts: number[] = []): Promise<boolean> {
    this.check();
    const { kept } = this;
    if (kept.snapshot && kept.snapshot.number >= number) return false;
    kept.snapshot = { number, bytes: bytes.slice() };
    kept.floor = Math.max(kept.floor, floor);
    for (let at = 0; at < ranges.length; at += 2) {
      for (const key of kept.records.keys()) if (key >= ranges[at] && key <= ranges[at + 1]) kept.records.delete(key);
    }
    for (let at = 0; at < parts.length; at += 3) {
      const step = kept.records.get(parts[at]);
      if (!step) continue;
      const [from, to] = [parts[at + 1] * 2 ** step.chunk, Math.min(step.bodies.length, (parts[at + 2] + 1) * 2 ** step.chunk)];
      step.bodies.fill(GONE, from, to);
      for (let place = from; step.headers && place < to; place += 1) delete step.headers[place];
    }
    return true;
  }

  watch(moved: () => void): void {
    this.moved = moved;
  }

  hint(): void {
    for (const store of this.kept.stores) if (store !== this) queueMicrotask(() => store.moved?.());
  }

  async usage(): Promise<undefined> {
    return undefined;
  }

  async refused(bodies: unknown[]): Promise<unknown[]> {
    return bodies.map((body) => {
      try {
        structuredClone(body);
        return undefined;
      } catch (error) {
        return error;
      }
    });
  }

  async release(): Promise<boolean> {
    return false;
  }

  close(): void {
    this.closed = true;
    this.moved = undefined;
    this.kept.stores.delete(this);
  }
}

/** The bodies of a record that `key` (-1: all, else a chunk) names, as nobody else's. */
function part(step: Append | undefined, key: number): Bodies | undefined {
  if (!step) return undefined;
  const [from, to] = key < 0 ? [0, step.bodies.length] : [key << step.chunk, (key + 1) << step.chunk];
  const bodies = step.bodies.slice(from, to);
  if (key >= 0 && (!bodies.length || bodies[0] === GONE)) return undefined;
  const headers = headersBetween(step.headers, from, bodies.length);
  return structuredClone(headers ? { bodies, headers } : { bodies });
}

/** A driver that keeps its journal in memory, for the queues that are opened by it, in however many lives of theirs. */
export function memoryStorage(): StorageDriver {
  const birth = 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
  const kept: Kept = { birth, number: 0, records: new Map(), snapshot: undefined, floor: 0, stores: new Set() };
  return { kind: "memory-storage", open: async () => new MemoryStore(kept) };
}
