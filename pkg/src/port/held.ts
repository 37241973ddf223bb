/** Leases that a client has from its host: of what it was given for a receive, and of what it was sent ahead and may not have handed out. */

import { Pieces, type Span } from "./pieces";

export interface HeldSpan extends Span {
  /** Nobody had asked for these yet. */
  readonly ahead: boolean;
}

export class Held extends Pieces<HeldSpan> {
  /** What was sent ahead was handed out: so much of it is known here. */
  start(range: Span): Span[] {
    const all = this.take(range);
    for (const span of all) this.add({ ...span, ahead: false });
    return all.filter(({ ahead }) => ahead);
  }
}
