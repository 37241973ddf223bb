/** Spans of which any part can be taken out. */

import { Spans, type Span } from "../delivery/spans";

export type { Span };

export class Pieces<T extends Span> extends Spans<T> {
  /** Takes out what there is of these messages, in their order. */
  take(range: Span): T[] {
    const { index, count } = range;
    return this.at(range).map((span) => {
      const stop = span.index + span.count;
      const [from, to] = [Math.max(span.index, index), Math.min(stop, index + count)];
      this.delete(span);
      if (span.index < from) this.add({ ...span, count: from - span.index });
      if (to < stop) this.add({ ...span, index: to, count: stop - to });
      return { ...span, index: from, count: to - from };
    });
  }

  /** Takes out everything. */
  takeAll(): T[] {
    const all = this.all();
    this.clear();
    return all;
  }
}

/** What there is between `parts`, which are in their order, of the messages of `span`. */
export function gaps({ number, index, count, grant }: Span, parts: readonly Span[]): Span[] {
  const found: Span[] = [];
  let next = index;
  for (const part of [...parts, { index: index + count, count: 0 }]) {
    if (part.index > next) found.push({ number, index: next, count: part.index - next, grant });
    next = part.index + part.count;
  }
  return found;
}
