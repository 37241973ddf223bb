/** What goes along with a frame: bodies, as parcels until it is known how they go, and values. */

import { Bytes, type Parcel, type Segment } from "../bodies/pack";
import type { Transferable } from "../contract/platform";
import { PIECES_MAX } from "./shared/rings";
import type { Spare } from "../bodies/buffer-pool";
import { asValue } from "./bodies";

export type BytesSegment = Segment & { parcel: Bytes };

export class Beside {
  private readonly items: (Segment | { value: unknown })[] = [];
  /** Bytes of the bodies that are bytes. */
  size = 0;
  private onlyBytes = true;

  /** `leaving`: nobody needs the bodies here once they have gone. */
  constructor(private readonly leaving: boolean) {}

  addBodies(segment: Segment): void {
    const { parcel, from, count } = segment;
    parcel.hold?.(false);
    this.items.push(segment);
    if (parcel instanceof Bytes) this.size += parcel.place(from + count) - parcel.place(from);
    else this.onlyBytes = false;
  }

  addValue(value: unknown): void {
    this.items.push({ value });
    this.onlyBytes = false;
  }

  /** Whether there would be bytes and something else. */
  mixes(parcel: Parcel): boolean {
    return this.items.length > 0 && this.onlyBytes !== parcel instanceof Bytes;
  }

  /** The bodies, where they are bytes and all there is. */
  bytes(): BytesSegment[] | undefined {
    return this.onlyBytes && this.items.length <= PIECES_MAX ? (this.items as BytesSegment[]) : undefined;
  }

  /** As values for a port. */
  values(): { values: unknown[]; transfer: Transferable[] } {
    const transfer: Transferable[] = [];
    return { values: this.items.map((item) => ("parcel" in item ? asValue(item, this.leaving, transfer) : item.value)), transfer };
  }

  /** It has gone: memory that was lent may be written over, and that of bodies which were copied is to spare. */
  over(spare?: Spare): void {
    for (const item of this.items) {
      if (!("parcel" in item)) continue;
      const { parcel, from, count } = item;
      if (parcel.letGo) parcel.letGo(false);
      else if (this.leaving && parcel instanceof Bytes && from + count === parcel.count) spare?.keep(parcel);
    }
  }
}
