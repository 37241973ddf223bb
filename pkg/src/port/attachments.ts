/** What goes along with a frame: bodies, as parcels until it is known how they go, and values. */

import { Bytes, Values, type Parcel, type Segment } from "../bodies/pack";
import type { Text } from "../bodies/text";
import type { Transferable } from "../contract/platform";
import { asText, asValue, goesAsText } from "./bodies";

/** A piece of what a ring takes: bytes, or a text. */
export type Piece = (Segment & { parcel: Bytes }) | string;

const RING_TEXT_MAX = 4 << 10;

/** Takes the memory of bodies that are not needed any more. */
interface Keeper {
  keep(parcel: Bytes): void;
}

export class Beside {
  private readonly items: (Segment | { value: unknown })[] = [];
  /** Bytes of the bodies that are bytes. */
  size = 0;
  /** A ring takes all of it. */
  private plain = true;

  /** `leaving`: nobody needs the bodies here once they have gone. */
  constructor(private readonly leaving: boolean) {}

  addBodies(segment: Segment): void {
    const { parcel, from, count } = segment;
    parcel.hold?.(false);
    this.items.push(segment);
    if (parcel instanceof Bytes) this.size += parcel.place(from + count) - parcel.place(from);
    this.plain &&= isPlain(segment);
  }

  addValue(value: unknown): void {
    this.items.push({ value });
    this.plain = false;
  }

  /** Whether there would be something that a ring takes, and something else. */
  mixes(segment: Segment): boolean {
    return this.items.length > 0 && this.plain !== isPlain(segment);
  }

  /** The bodies as a ring takes them; undefined: it does not take all there is. */
  pieces(): Piece[] | undefined {
    return this.plain
      ? (this.items as Segment[]).map((item) => (item.parcel instanceof Bytes ? (item as Piece) : asText(item)))
      : undefined;
  }

  /** As values for a port. */
  values(): { values: unknown[]; transfer: Transferable[] } {
    const transfer: Transferable[] = [];
    return { values: this.items.map((item) => ("parcel" in item ? asValue(item, this.leaving, transfer) : item.value)), transfer };
  }

  /** It has gone: memory that was lent may be written over, and that of bodies which were copied is to spare. */
  over(spare?: Keeper): void {
    for (const item of this.items) {
      if (!("parcel" in item)) continue;
      const { parcel, from, count } = item;
      if (parcel.letGo) parcel.letGo(false);
      else if (this.leaving && parcel instanceof Bytes && from + count === parcel.count) spare?.keep(parcel);
    }
  }
}

/** A ring takes bytes, and texts that are short: of a conversation, which waits. Of many objects at once the port makes as short work. */
function isPlain(segment: Segment): boolean {
  const { parcel } = segment;
  return parcel instanceof Bytes || (goesAsText(segment) && textBytes(parcel) <= RING_TEXT_MAX);
}

/** About how many bytes the text of a parcel has at most. */
function textBytes(parcel: Parcel): number {
  return parcel instanceof Values ? parcel.bytes : (parcel as Text).text.length;
}
