/** Neighbouring messages, found by where they lie: however many others came under the same lease, few of them are looked at. */

export interface Span {
  readonly number: number;
  readonly index: number;
  readonly count: number;
  readonly grant: number;
}

/** Places that are looked through together, as a power of two. */
const LOG = 7;

/** Spans of which none that came under one lease overlap; what is here must not change its place. */
export class Spans<T extends Span> {
  /** By the lease, and by the places that they have a part of. */
  private readonly grants = new Map<number, Map<number, T[]>>();

  get isEmpty(): boolean {
    return this.grants.size === 0;
  }

  add(one: T): void {
    let drawers = this.grants.get(one.grant);
    if (!drawers) this.grants.set(one.grant, drawers = new Map());
    for (const place of places(one)) {
      const drawer = drawers.get(place);
      if (drawer) drawer.push(one);
      else drawers.set(place, [one]);
    }
  }

  delete(one: T): void {
    const drawers = this.grants.get(one.grant);
    if (!drawers) return;
    for (const place of places(one)) {
      const drawer = drawers.get(place);
      const at = drawer ? drawer.indexOf(one) : -1;
      if (at < 0) continue;
      drawer!.splice(at, 1);
      if (!drawer!.length) drawers.delete(place);
    }
    if (!drawers.size) this.grants.delete(one.grant);
  }

  /** Those that have some of these messages, in their order. */
  at(range: Span): T[] {
    const { number, index, count, grant } = range;
    const drawers = this.grants.get(grant);
    const found: T[] = [];
    if (!drawers) return found;
    for (const place of places(range)) {
      for (const one of drawers.get(place) ?? []) {
        // What reaches over several is found in the first of them.
        const first = placeOf(number, Math.max(one.index, index)) === place;
        if (first && one.index < index + count && index < one.index + one.count) found.push(one);
      }
    }
    return found.length > 1 ? found.sort((a, b) => a.index - b.index) : found;
  }

  all(): T[] {
    return [...new Set([...this.grants.values()].flatMap((drawers) => [...drawers.values()].flat()))];
  }

  clear(): void {
    this.grants.clear();
  }
}

function placeOf(number: number, index: number): number {
  return number * 2 ** (20 - LOG) + (index >> LOG);
}

function* places({ number, index, count }: Span): Iterable<number> {
  for (let place = placeOf(number, index), last = placeOf(number, index + count - 1); place <= last; place += 1) yield place;
}
