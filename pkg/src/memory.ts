/** The store of memory queues: bodies by record, gone with the context. There are no other peers, so no records are kept. */

import { copy } from "./copy";
import type { Append, Bodies, HeadersByIndex, Store, Tail } from "./store";

interface Kept {
  bodies: unknown[];
  headers: HeadersByIndex | undefined;
  chunk: number;
  left: number;
}

export class MemoryStore implements Store {
  readonly kind = "memory";
  readonly durability = "none";
  private number = 0;
  private readonly kept = new Map<number, Kept>();

  async append(_from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    const step = decide(undefined);
    if (!step) return 0;
    const { bodies, headers, chunk } = step;
    this.number += 1;
    if (bodies.length) this.kept.set(this.number, { bodies, headers, chunk, left: bodies.length });
    return this.number;
  }

  async read(): Promise<Tail> {
    return { numbers: [], records: [], birth: 0 };
  }

  /** Each reader gets its own copy: a handler may change what it is given, and a redelivery must not show that. */
  async values(keys: number[]): Promise<(Bodies | undefined)[]> {
    const values: (Bodies | undefined)[] = [];
    for (let at = 0; at < keys.length; at += 2) {
      const kept = this.kept.get(keys[at]);
      const [from, to] = keys[at + 1] < 0 ? [0, Infinity] : [keys[at + 1] << (kept?.chunk ?? 0), (keys[at + 1] + 1) << (kept?.chunk ?? 0)];
      values.push(kept && { bodies: kept.bodies.slice(from, to).map(copy), headers: shifted(kept.headers, from) });
    }
    return values;
  }

  forget(number: number, index: number, count: number): void {
    const kept = this.kept.get(number);
    if (!kept) return;
    kept.left -= count;
    if (kept.left <= 0) this.kept.delete(number);
    else kept.bodies.fill(undefined, index, index + count);
  }

  async snapshot(): Promise<boolean> {
    return false;
  }

  watch(): void {}
  hint(): void {}

  async usage(): Promise<undefined> {
    return undefined;
  }

  async refused(): Promise<number[]> {
    return [];
  }

  async release(): Promise<boolean> {
    return false;
  }

  close(): void {
    this.kept.clear();
  }
}

function shifted(headers: HeadersByIndex | undefined, from: number): HeadersByIndex | undefined {
  if (!headers || from === 0) return headers;
  return Object.fromEntries(Object.entries(headers).map(([index, value]) => [Number(index) - from, value]));
}
