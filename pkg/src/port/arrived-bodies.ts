/** Bodies that came through a port, until the messages they belong to are handed out. */

import type { Delivery, Part } from "../engine/effects";
import type { Parcel } from "../bodies/pack";
import { Spans, type Span } from "../delivery/spans";
import type { HeadersByIndex } from "../contract/store";

/** Neighbours that lie here, from that place of their parcel on. */
interface Shelved extends Span {
  readonly offset: number;
  readonly parcel: Parcel;
  readonly headers: HeadersByIndex | undefined;
}

export class Shelf {
  private readonly shelved = new Spans<Shelved>();

  add(number: number, index: number, count: number, grant: number, parcel: Parcel, headers: HeadersByIndex | undefined): void {
    this.shelved.add({ number, index, count, grant, offset: 0, parcel, headers });
  }

  /** The bodies of these messages, which leave the shelf. What came under another lease stays: the same message may have come again. */
  take({ number, index, count, grant }: Pick<Delivery, "number" | "index" | "count" | "grant">): Part[] {
    const parts: Part[] = [];
    const end = index + count;
    let at = index;
    const bare = (to: number): void => {
      if (at < to) parts.push({ number, index: at, count: to - at, parcel: undefined, offset: 0, headers: undefined, leaving: true });
      at = to;
    };
    for (const one of this.shelved.at({ number, index, count, grant })) {
      bare(Math.max(at, one.index));
      const stop = one.index + one.count;
      const here = Math.min(end, stop) - at;
      parts.push({
        number,
        index: at,
        count: here,
        parcel: one.parcel,
        offset: one.offset + at - one.index,
        headers: one.headers,
        leaving: true,
      });
      this.shelved.delete(one);
      if (one.index < at) this.shelved.add({ ...one, count: at - one.index });
      at += here;
      if (at < stop) this.shelved.add({ ...one, index: at, count: stop - at, offset: one.offset + at - one.index });
    }
    bare(end);
    return parts;
  }

  /** They went back unread; those that were handed out are not here any more. */
  drop(number: number, index: number, count: number, grant: number): void {
    for (const { parcel, count: gone } of this.take({ number, index, count, grant })) parcel?.gone?.(gone);
  }
}
