/** Bodies that came through a port, until the messages they belong to are handed out. */

import type { Parcel } from "../bodies/pack";
import type { HeadersByIndex } from "../contract/store";
import type { Part } from "../engine/effects";
import { Pieces, gaps, type Span } from "./pieces";

/** Neighbours that lie here. */
interface Shelved extends Span {
  /** The message that is the first of the parcel. */
  readonly first: number;
  readonly parcel: Parcel;
  readonly headers: HeadersByIndex | undefined;
}

export class Shelf {
  private readonly shelved = new Pieces<Shelved>();

  add(number: number, index: number, count: number, grant: number, parcel: Parcel, headers: HeadersByIndex | undefined): void {
    this.shelved.add({ number, index, count, grant, first: index, parcel, headers });
  }

  /** The bodies of these messages, which leave the shelf. What came under another lease stays: the same message may have come again. */
  take({ number, index, count, grant }: Span): Part[] {
    const range = { number, index, count, grant };
    const found = this.shelved.take(range);
    const bare = gaps(range, found).map((gap) => ({ ...gap, first: gap.index, parcel: undefined, headers: undefined }));
    const all = bare.length ? [...found, ...bare].sort((a, b) => a.index - b.index) : found;
    return all.map((part) => ({ ...part, offset: part.index - part.first, leaving: true }));
  }

  /** They went back unread; those that were handed out are not here any more. */
  drop(number: number, index: number, count: number, grant: number): void {
    for (const { parcel, count: gone } of this.shelved.take({ number, index, count, grant })) parcel.gone?.(gone);
  }
}
