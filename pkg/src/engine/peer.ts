/**
 * The engine's part in a journal. What its calls leave is read where it lies in the module's memory: an array made for each,
 * there and here, would cost more than everything else about it.
 */

import { moduleMemory, Peer as Door } from "../../wasm/posthaste.js";
import { BYTES, BYTES_AT, NUMBERS_AT } from "./codes";

let doubles = new Float64Array();

/** The module's memory, as numbers. When it grows, its views have no length any more. */
function memory(): Float64Array {
  if (!doubles.length) doubles = new Float64Array((moduleMemory() as WebAssembly.Memory).buffer);
  return doubles;
}

export class Peer extends Door {
  private readonly statusPlace = this.statusAt() / 8;

  /** What the status says at that place, as it was after the last call. */
  status(place: number): number {
    return memory()[this.statusPlace + place];
  }

  /** The numbers that a call left, which answered `count`. */
  left(count: number): readonly number[] {
    const view = memory();
    const from = this.status(NUMBERS_AT) / 8;
    const found = new Array<number>(count);
    for (let at = 0; at < count; at += 1) found[at] = view[from + at];
    return found;
  }

  /** The answer to a question for numbers. */
  numbers(question: number, a = 0, index = 0, count = 0, grant = 0): readonly number[] {
    return this.left(this.look(question, a, index, count, grant));
  }

  /** A copy of the record under way, or of the snapshot or the parting that was just made. */
  bytes(): Uint8Array<ArrayBuffer> {
    const from = this.status(BYTES_AT);
    return new Uint8Array((memory().buffer as ArrayBuffer).slice(from, from + this.status(BYTES)));
  }
}
