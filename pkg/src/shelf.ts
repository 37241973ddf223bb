/** Bodies that came through a port, until the messages they belong to are handed out. */

import type { Delivery, Part } from "./effects";
import { LentBytes } from "./lent";
import type { Parcel } from "./parcel";
import type { HeadersByIndex } from "./store";

interface Shelved {
  index: number;
  count: number;
  parcel: Parcel;
  headers: HeadersByIndex | undefined;
  left: number;
}

export class Shelf {
  private readonly byNumber = new Map<number, Shelved[]>();

  add(number: number, index: number, count: number, parcel: Parcel, headers: HeadersByIndex | undefined): void {
    const known = this.byNumber.get(number);
    const shelved = { index, count, parcel, headers, left: count };
    if (known) known.push(shelved);
    else this.byNumber.set(number, [shelved]);
  }

  /** The bodies of these messages, which leave the shelf. */
  take({ number, index, count }: Delivery): Part[] {
    const parts: Part[] = [];
    const end = index + count;
    for (let at = index; at < end; ) {
      const shelved = this.byNumber.get(number)?.find((one) => one.index <= at && at < one.index + one.count);
      const here = shelved ? Math.min(end, shelved.index + shelved.count) - at : end - at;
      parts.push({ number, index: at, count: here, parcel: shelved?.parcel, offset: shelved ? at - shelved.index : 0, headers: shelved?.headers, leaving: true });
      if (shelved) this.off(number, shelved, here);
      at += here;
    }
    return parts;
  }

  /** They went back unread. */
  drop(number: number, index: number, count: number): void {
    for (const { parcel, count: gone } of this.take({ number, index, count } as Delivery)) if (parcel instanceof LentBytes) parcel.gone(gone);
  }

  private off(number: number, shelved: Shelved, count: number): void {
    shelved.left -= count;
    if (shelved.left > 0) return;
    const known = this.byNumber.get(number)!;
    known.splice(known.indexOf(shelved), 1);
    if (!known.length) this.byNumber.delete(number);
  }
}
