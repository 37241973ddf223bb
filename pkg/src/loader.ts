/** Bodies of delivered messages out of a store: read in one go, from values that hold many, and remembered while they are used up. */

import type { Delivery, Part } from "./effects";
import { headersBetween } from "./headers";
import { VALUES, type Parcel } from "./parcel";
import type { Bodies, Store } from "./store";

const VALUES_MAX = 16;

/** A body that was handed out: the receiver may change it, so the next delivery reads it again. */
const TAKEN = Symbol();

/** One value of the store. Its bodies are nobody else's: they are handed out as they are. */
class Stored implements Parcel {
  readonly form = VALUES;
  left: number;

  constructor(readonly value: Bodies) {
    this.left = value.bodies.length;
  }

  get count(): number {
    return this.value.bodies.length;
  }

  has(place: number): boolean {
    return place < this.count && this.value.bodies[place] !== TAKEN;
  }

  body(place: number): unknown {
    return this.value.bodies[place];
  }

  /** The bodies at these places as a parcel of their own, which whoever reads them next does not get. */
  take(from: number, count: number): Parcel {
    const bodies = this.value.bodies.slice(from, from + count);
    this.value.bodies.fill(TAKEN, from, from + count);
    this.left -= count;
    return new Stored({ bodies });
  }
}

export class Loader {
  private readonly values = new Map<string, Stored>();

  constructor(private readonly store: () => Store) {}

  /** The parts of these deliveries, in order; parts whose bodies are gone have no parcel. */
  async load(deliveries: Delivery[]): Promise<Part[][]> {
    const places = deliveries.map(spans);
    const missing = new Set<string>();
    for (const span of places.flat()) if (!this.complete(span)) missing.add(key(span));
    if (missing.size) {
      const names = [...missing];
      const values = await this.store().values(names.flatMap((name) => name.split("/").map(Number)));
      names.forEach((name, at) => this.remember(name, values[at]));
    }
    const parts = places.map((spans) => spans.flatMap((span) => this.take(span)));
    this.trim();
    return parts;
  }

  private complete(span: Span): boolean {
    const stored = this.values.get(key(span));
    if (!stored) return false;
    for (let at = 0; at < span.count; at += 1) if (!stored.has(span.place + at)) return false;
    return true;
  }

  private take(span: Span): Part[] {
    const { number, index, count, place } = span;
    const stored = this.values.get(key(span));
    const here = stored ? Math.min(count, Math.max(0, stored.count - place)) : 0;
    const parts: Part[] = [];
    if (here > 0) {
      const headers = headersBetween(stored!.value.headers, place, here);
      parts.push({ number, index, count: here, parcel: stored!.take(place, here), offset: 0, headers });
    }
    if (here < count) parts.push({ number, index: index + here, count: count - here, parcel: undefined, offset: 0, headers: undefined });
    return parts;
  }

  private remember(name: string, value: Bodies | undefined): void {
    this.values.delete(name);
    if (value) this.values.set(name, new Stored(value));
  }

  private trim(): void {
    for (const [name, stored] of this.values) if (this.values.size > VALUES_MAX || stored.left <= 0) this.values.delete(name);
  }

  clear(): void {
    this.values.clear();
  }
}

/** Neighbouring messages whose bodies lie in one value. */
interface Span {
  number: number;
  index: number;
  count: number;
  part: number;
  place: number;
}

function spans({ number, index, count, chunk }: Delivery): Span[] {
  if (chunk < 0) return [{ number, index, count, part: -1, place: index }];
  const size = 1 << chunk;
  const found: Span[] = [];
  for (let at = index; at < index + count; ) {
    const place = at & (size - 1);
    const here = Math.min(size - place, index + count - at);
    found.push({ number, index: at, count: here, part: at >> chunk, place });
    at += here;
  }
  return found;
}

function key({ number, part }: Span): string {
  return `${number}/${part}`;
}
