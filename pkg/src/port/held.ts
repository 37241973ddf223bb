/** Leases that a client has from its host: of what it was given for a receive, and of what it was sent ahead and may not have handed out. */

import { Spans, type Span } from "../delivery/spans";

export type { Span };

class Parts extends Spans<Span> {
  /** Takes out what there is of these messages. */
  take(range: Span): Span[] {
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
  takeAll(): Span[] {
    const all = this.all();
    this.clear();
    return all;
  }
}

export class Held {
  private readonly given = new Parts();
  private readonly ahead = new Parts();

  get isEmpty(): boolean {
    return this.given.isEmpty && this.ahead.isEmpty;
  }

  /** `ahead`: nobody had asked for these yet. */
  add(span: Span, ahead: boolean): void {
    (ahead ? this.ahead : this.given).add(span);
  }

  /** What was sent ahead was handed out: so much of it is known here. */
  start(span: Span): Span[] {
    const parts = this.ahead.take(span);
    for (const part of parts) this.given.add(part);
    return parts;
  }

  /** Takes out what there is of these messages, in their order. */
  take(span: Span): Span[] {
    return [...this.given.take(span), ...this.ahead.take(span)].sort((a, b) => a.index - b.index);
  }

  /** Takes out everything: what was handed out, and what was not. */
  takeAll(): [given: Span[], ahead: Span[]] {
    return [this.given.takeAll(), this.ahead.takeAll()];
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
