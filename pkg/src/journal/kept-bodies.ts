/** The bodies of one record in memory, each until nobody needs it: what stays must not keep what it was sent with. */

import type { Load } from "./requests";
import type { Part } from "../engine/effects";
import { picked, type Parcel, type Segment } from "../bodies/pack";
import type { HeadersByIndex } from "../contract/store";

/** Neighbouring messages whose bodies lie in one parcel. */
class Piece {
  parcel: Parcel | undefined;
  left: number;
  readonly count: number;
  /** The place of the first body in the parcel, or, once one is gone, of each: -1 where it is. */
  private readonly from: number;
  private places: Int32Array | undefined;
  /** Bodies in the parcel, as far as they are of this piece. */
  private packed: number;

  /** `first`: the index of the first message. */
  constructor({ parcel, from, count }: Segment, readonly first: number) {
    this.parcel = parcel;
    this.from = from;
    this.count = this.left = this.packed = count;
  }

  /** Where the body of that message lies. The bodies of neighbours that are all needed lie side by side. */
  place(index: number): number {
    return this.places ? this.places[index - this.first] : this.from + index - this.first;
  }

  /** How many of these messages from `index` on are alike: all have their bodies, or none has. */
  run(index: number, most: number): number {
    const { places } = this;
    if (!places) return most;
    const at = index - this.first;
    let run = 1;
    while (run < most && places[at + run] < 0 === places[at] < 0) run += 1;
    return run;
  }

  forget(index: number, count: number): void {
    const { parcel } = this;
    parcel?.gone?.(count);
    this.left -= count;
    if (this.left <= 0) {
      this.parcel = this.places = undefined;
      return;
    }
    // Memory that is lent is written over as a whole.
    if (!parcel || parcel.gone) return;
    this.places ??= Int32Array.from({ length: this.count }, (_, at) => this.from + at);
    this.places.fill(-1, index - this.first, index - this.first + count);
    // Whenever half of them are gone: each body is copied once for each that went.
    if (2 * this.left <= this.packed) this.pack(parcel, this.places);
  }

  private pack(parcel: Parcel, places: Int32Array): void {
    const stay = Array.from(places).filter((place) => place >= 0);
    this.parcel = picked(parcel, stay);
    this.packed = stay.length;
    let next = 0;
    for (let at = 0; at < places.length; at += 1) if (places[at] >= 0) places[at] = next++;
  }
}

export class Kept {
  /** Messages that still need their bodies. */
  left: number;
  private readonly pieces: readonly Piece[];
  private readonly headers: HeadersByIndex | undefined;

  constructor({ segments, headers, count }: Load) {
    this.left = count;
    this.headers = headers;
    let first = 0;
    // No larger than it must be: it stays as long as the bodies.
    this.pieces = segments.map((segment) => {
      const piece = new Piece(segment, first);
      first += segment.count;
      return piece;
    });
  }

  /** A delivery, cut where parcels end, and where bodies are gone: those parts have no parcel. */
  parts({ number, index, count }: { number: number; index: number; count: number }): Part[] {
    return this.each(index, count, (piece, first, here) => {
      const parts: Part[] = [];
      for (let from = first; from < first + here;) {
        const offset = piece.place(from);
        const run = piece.run(from, first + here - from);
        const headers = this.headers && Object.fromEntries(Array.from({ length: run }, (_, at) => [offset + at, this.headers![from + at]]));
        parts.push({ number, index: from, count: run, parcel: offset < 0 ? undefined : piece.parcel, offset, headers });
        from += run;
      }
      return parts;
    }).flat();
  }

  /** Nobody needs the bodies of these messages any more. */
  forget(index: number, count: number): void {
    this.left -= count;
    this.each(index, count, (piece, from, here) => piece.forget(from, here));
    for (let at = index; this.headers && at < index + count; at += 1) delete this.headers[at];
  }

  private each<T>(index: number, count: number, work: (piece: Piece, from: number, count: number) => T): T[] {
    const { pieces } = this;
    let [low, high] = [0, pieces.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (pieces[middle].first + pieces[middle].count <= index) low = middle + 1;
      else high = middle;
    }
    const done: T[] = [];
    for (let from = index; low < pieces.length && from < index + count; low += 1) {
      const end = Math.min(index + count, pieces[low].first + pieces[low].count);
      done.push(work(pieces[low], from, end - from));
      from = end;
    }
    return done;
  }
}
