/** Bodies of delivered messages out of a store: read in one go, from values that hold many, and remembered while they are used up. */

import type { Delivery, Part } from "../engine/effects";
import { headersBetween } from "../bodies/headers";
import { VALUES, type Parcel } from "../bodies/pack";
import type { Bodies, Store } from "../contract/store";

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

  /** Whether nobody has taken any of these. */
  free(place: number, count: number): boolean {
    for (let at = place; at < place + count; at += 1) if (!this.has(at)) return false;
    return true;
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
  /** Grows when nothing that was asked for before may be remembered any more. */
  private era = 0;

  /** `store`: as `values` of the store that is open at the time. */
  constructor(private readonly store: Store["values"]) {}

  /**
   * The parts of these deliveries, in order; parts whose bodies are not there have no parcel. Others may load meanwhile: what is
   * remembered is taken before anything is awaited, and what is read then is this load's own.
   */
  async load(deliveries: Delivery[]): Promise<Part[][]> {
    const places = deliveries.map(spans);
    const parts = new Map<Span, Part[]>();
    const take = (span: Span, stored: Stored | undefined): boolean => {
      const found = partsOf(span, stored);
      if (found) parts.set(span, found);
      return found !== undefined;
    };
    let missing = places.flat().filter((span) => {
      const stored = this.values.get(key(span));
      return !stored?.free(span.place, span.count) || !take(span, stored);
    });
    while (missing.length) {
      const { era } = this;
      const values = await this.read(missing);
      // Two may ask for the same body: each reads one of its own.
      missing = missing.filter((span) => !take(span, values.get(key(span))));
      if (era === this.era) values.forEach((stored, name) => this.remember(name, stored));
    }
    this.trim();
    return places.map((spans) => spans.flatMap((span) => parts.get(span)!));
  }

  /**
   * These parts, those without bodies read once more: what is remembered is forgotten, and each value is read by itself, so that parts
   * which can't be read have the error, and the others go on.
   */
  async mend(deliveries: Delivery[], parts: Part[][]): Promise<Part[][]> {
    this.clear();
    const one = (span: Span, chunk: number): Promise<Part[]> =>
      this.load([{ ...span, chunk } as Delivery & Span]).then(([parts]) => parts, (error: unknown) => [{ ...bare(span), error }]);
    const again = ({ number, index, count }: Part, { chunk }: Delivery): Promise<Part[]>[] =>
      spans({ number, index, count, chunk }).map((span) => one(span, chunk));
    const mended = (part: Part, delivery: Delivery): (Part[] | Promise<Part[]>)[] => (part.parcel ? [[part]] : again(part, delivery));
    return Promise.all(
      parts.map(async (some, at) => (await Promise.all(some.flatMap((part) => mended(part, deliveries[at])))).flat()),
    );
  }

  private async read(spans: Span[]): Promise<Map<string, Stored | undefined>> {
    const names = [...new Set(spans.map(key))];
    const values = await this.store(names.flatMap((name) => name.split("/").map(Number)));
    return new Map(names.map((name, at) => [name, values[at] && new Stored(values[at])]));
  }

  private remember(name: string, stored: Stored | undefined): void {
    this.values.delete(name);
    if (stored) this.values.set(name, stored);
  }

  private trim(): void {
    for (const [name, stored] of this.values) if (this.values.size > VALUES_MAX || stored.left <= 0) this.values.delete(name);
  }

  /** Forgets what is remembered, and what is being read will not be. */
  clear(): void {
    this.era += 1;
    this.values.clear();
  }
}

/** What a value has for a span; undefined: somebody else has taken some of it. */
function partsOf(span: Span, stored: Stored | undefined): Part[] | undefined {
  const { number, index, count, place } = span;
  const here = Math.min(count, Math.max(0, (stored?.count ?? 0) - place));
  const parts: Part[] = [];
  if (here > 0) {
    if (!stored!.free(place, here)) return undefined;
    const headers = headersBetween(stored!.value.headers, place, here);
    parts.push({ number, index, count: here, parcel: stored!.take(place, here), offset: 0, headers });
  }
  if (here < count) parts.push(bare({ number, index: index + here, count: count - here }));
  return parts;
}

/** Messages without their bodies. */
export function bare({ number, index, count }: { number: number; index: number; count: number }): Part {
  return { number, index, count, parcel: undefined, offset: 0, headers: undefined };
}

/** Neighbouring messages whose bodies lie in one value. */
interface Span {
  number: number;
  index: number;
  count: number;
  part: number;
  place: number;
}

function spans({ number, index, count, chunk }: Pick<Delivery, "number" | "index" | "count" | "chunk">): Span[] {
  if (chunk < 0) return [{ number, index, count, part: -1, place: index }];
  const size = 1 << chunk;
  const found: Span[] = [];
  for (let at = index; at < index + count;) {
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
