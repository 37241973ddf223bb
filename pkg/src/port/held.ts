/** Leases that a client has from its host: of what it was given for a receive, and of what it was sent ahead and may not have handed out. */

/** Neighbouring messages under one lease. */
export interface Span {
  readonly number: number;
  readonly index: number;
  readonly count: number;
  readonly grant: number;
}

/** Spans by their lease. */
class Spans {
  private readonly byGrant = new Map<number, Span[]>();

  add(span: Span): void {
    const known = this.byGrant.get(span.grant);
    if (known) known.push(span);
    else this.byGrant.set(span.grant, [span]);
  }

  take({ number, index, count, grant }: Span): Span[] {
    const taken: Span[] = [];
    const left: Span[] = [];
    const keep = (span: Span, from: number, to: number): void => {
      if (from < to) left.push({ ...span, index: from, count: to - from });
    };
    for (const span of this.byGrant.get(grant) ?? []) {
      const [start, stop] = [span.index, span.index + span.count];
      const [from, to] = [Math.max(start, index), Math.min(stop, index + count)];
      if (span.number !== number || from >= to) {
        left.push(span);
        continue;
      }
      keep(span, start, from);
      taken.push({ ...span, index: from, count: to - from });
      keep(span, to, stop);
    }
    if (left.length) this.byGrant.set(grant, left);
    else this.byGrant.delete(grant);
    return taken;
  }

  get isEmpty(): boolean {
    return this.byGrant.size === 0;
  }

  /** Takes out everything. */
  takeAll(): Span[] {
    const all = [...this.byGrant.values()].flat();
    this.byGrant.clear();
    return all;
  }
}

export class Held {
  private readonly given = new Spans();
  private readonly ahead = new Spans();

  get isEmpty(): boolean {
    return this.given.isEmpty && this.ahead.isEmpty;
  }

  /** `ahead`: nobody had asked for these yet. */
  add(span: Span, ahead: boolean): void {
    (ahead ? this.ahead : this.given).add(span);
  }

  /** What was sent ahead was handed out. */
  start(span: Span): void {
    for (const part of this.ahead.take(span)) this.given.add(part);
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
