/** Bodies in shared memory that came with a frame. */

import { LentBytes } from "../bodies/borrowed";
import { aligned, ownCopy, type Bytes } from "../bodies/pack";

/** What comes before the bytes of a text. */
export const TEXT_HEAD = 8;

let decoder: TextDecoder | undefined;

/** Their memory. */
interface Loan {
  readonly bodies: Uint8Array;
  /** Nobody needs them there any more; called once. */
  done(): void;
}

/** They are taken piece after piece. */
export class Lent {
  private taken = 0;
  /** Pieces that are still needed, and one until all were taken that will be. */
  private needed = 1;

  constructor(private readonly frame: Loan) {}

  /** The next piece, of so many bytes. */
  take(
    bytes: number,
    form: Bytes["form"],
    count: number,
    length: number,
    lengths: ArrayLike<number> | undefined,
    lentTo: (parcel: LentBytes) => void,
  ): LentBytes {
    const memory = this.frame.bodies.subarray(this.taken, this.taken += bytes);
    this.needed += 1;
    const parcel = new LentBytes(form, memory, count, length, lengths, () => this.end());
    lentTo(parcel);
    return parcel;
  }

  /** The next piece, which is a text: its length comes before it. Undefined: it is none. */
  text(): string | undefined {
    const { bodies } = this.frame;
    const from = this.taken + TEXT_HEAD;
    const length = this.bytes < TEXT_HEAD ? Infinity : new Uint32Array(bodies.buffer, bodies.byteOffset + this.taken, 1)[0];
    if (length > this.bytes - TEXT_HEAD) return undefined;
    this.taken += aligned(TEXT_HEAD + length);
    return (decoder ??= new TextDecoder()).decode(ownCopy(bodies, from, from + length));
  }

  /** Bytes that were not taken. */
  get bytes(): number {
    return this.frame.bodies.length - this.taken;
  }

  /** Another piece is done with; or nobody takes more. */
  end(): void {
    this.needed -= 1;
    if (this.needed === 0) this.frame.done();
  }
}
