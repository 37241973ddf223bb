/** Memory of bodies that have gone, for others that wait to go: new memory costs several times what the copy into it does. */

import { Bytes, aligned } from "./parcel";

/** So much is kept. */
const KEPT_MAX = 8 << 20;

export class Spare {
  private kept: Uint8Array[] = [];
  private bytes = 0;

  /** A parcel that is filled in such memory, for bodies of at least `length` bytes; undefined: there is none. */
  open(form: Bytes["form"], length: number): Bytes | undefined {
    const memory = this.kept.at(-1);
    if (!memory || memory.length < aligned(length)) return undefined;
    this.kept.pop();
    this.bytes -= memory.length;
    return new Bytes(form, memory);
  }

  /** Keeps the memory of a parcel that nobody needs any more. */
  keep(parcel: Bytes): void {
    const memory = parcel.taken();
    if (!memory || this.bytes + memory.length > KEPT_MAX) return;
    this.kept.push(memory);
    this.bytes += memory.length;
  }

  clear(): void {
    this.kept = [];
    this.bytes = 0;
  }
}
