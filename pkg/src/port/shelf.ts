/** Bodies that came through a port, until the messages they belong to are handed out. */

import type { Delivery, Part } from "../effects";
import { LentBytes } from "../lent";
import type { Parcel } from "../parcel";
import type { HeadersByIndex } from "../store";

/** Neighbours that lie here, from that place of their parcel on. */
interface Shelved {
  index: number;
  count: number;
  offset: number;
  readonly grant: number;
  readonly parcel: Parcel;
  readonly headers: HeadersByIndex | undefined;
}

export class Shelf {
  private readonly byNumber = new Map<number, Shelved[]>();

  add(number: number, index: number, count: number, grant: number, parcel: Parcel, headers: HeadersByIndex | undefined): void {
    const known = this.byNumber.get(number);
    const shelved = { index, count, offset: 0, grant, parcel, headers };
    if (known) known.push(shelved);
    else this.byNumber.set(number, [shelved]);
  }

  /** The bodies of these messages, which leave the shelf. What came under another lease stays: the same message may have come again. */
  take({ number, index, count, grant }: Pick<Delivery, "number" | "index" | "count" | "grant">): Part[] {
    const parts: Part[] = [];
    const end = index + count;
    const known = this.byNumber.get(number)?.filter((one) => one.grant === grant) ?? [];
    for (let at = index; at < end; ) {
      const shelved = known.find((one) => one.index <= at && at < one.index + one.count);
      const next = known.reduce((least, one) => (one.index > at ? Math.min(least, one.index) : least), end);
      const here = (shelved ? Math.min(end, shelved.index + shelved.count) : next) - at;
      parts.push({ number, index: at, count: here, parcel: shelved?.parcel, offset: shelved ? shelved.offset + at - shelved.index : 0, headers: shelved?.headers, leaving: true });
      if (shelved) this.off(number, shelved, at, here);
      at += here;
    }
    return parts;
  }

  /** They went back unread; those that were handed out are not here any more. */
  drop(number: number, index: number, count: number, grant: number): void {
    for (const { parcel, count: gone } of this.take({ number, index, count, grant })) if (parcel instanceof LentBytes) parcel.gone(gone);
  }

  /** Cuts `count` messages from `at` on out of what lies together. */
  private off(number: number, shelved: Shelved, at: number, count: number): void {
    const known = this.byNumber.get(number)!;
    const before = at - shelved.index;
    if (before > 0) known.push({ ...shelved, count: before });
    shelved.index = at + count;
    shelved.offset += before + count;
    shelved.count -= before + count;
    if (shelved.count > 0) return;
    known.splice(known.indexOf(shelved), 1);
    if (!known.length) this.byNumber.delete(number);
  }
}
