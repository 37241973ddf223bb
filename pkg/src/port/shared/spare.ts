/** Memory of bodies that have gone, for others that wait to go: new memory costs several times what the copy into it does. */

import { BYTES_MAX, aligned, type Bytes } from "../../bodies/pack";

/** So much is kept. */
const KEPT_MAX = 8 << 20;

export class Spare {
  private readonly kept: Uint8Array[] = [];
  private bytes = 0;

  /** Such memory, for bodies of at least `length` bytes; undefined: there is none. */
  open(length: number): Uint8Array | undefined {
    const memory = this.kept.pop();
    if (!memory) return undefined;
    this.bytes -= memory.length;
    // What is too little for one will be for the next.
    return memory.length < aligned(length) ? undefined : memory;
  }

  /** Keeps the memory of a parcel that nobody needs any more, where it is its own and large enough for others. Its bodies are gone then. */
  keep(parcel: Bytes): void {
    const { memory } = parcel;
    if (!(memory.buffer instanceof ArrayBuffer) || memory.length < BYTES_MAX) return;
    parcel.memory = new Uint8Array();
    if (this.bytes + memory.length > KEPT_MAX) return;
    this.kept.push(memory);
    this.bytes += memory.length;
  }

  clear(): void {
    this.kept.length = 0;
    this.bytes = 0;
  }
}
