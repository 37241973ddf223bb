/**
 * The border to the module. What it answers is read where it lies in its memory: an array made for each call, there and
 * here, would cost more than everything else about it.
 */

import { memory } from "./engine";

/** Leaves numbers behind, and answers how many. */
export interface Telling {
  numbersAt(): number;
}

/** Frames are written to it, and read from it. */
export interface Framing {
  /** Where the frame lies that was made. */
  frameAt(): number;
  /** Where one of so many bytes is to be written. */
  room(length: number): number;
}

let doubles = new Float64Array();
let bytes = new Uint8Array();

/** Memory that has grown has another buffer. */
function look(): void {
  const { buffer } = memory();
  if (bytes.buffer === buffer) return;
  doubles = new Float64Array(buffer);
  bytes = new Uint8Array(buffer);
}

const NONE: readonly number[] = [];

/** The numbers that a call left, which answered `count`. */
export function numbers(from: Telling, count: number): readonly number[] {
  if (count === 0) return NONE;
  look();
  const at = from.numbersAt() / 8;
  const found = new Array<number>(count);
  for (let place = 0; place < count; place += 1) found[place] = doubles[at + place];
  return found;
}

/** The frame that was made, until the next call. */
export function frameMade(by: Framing, length: number): Uint8Array {
  look();
  const at = by.frameAt();
  return bytes.subarray(at, at + length);
}

/** As large as frames get: 65,536 rows, 131,072 lengths. */
const FRAME_MAX = 6 << 20;

/** Gives a frame to who hears it; one that is too large as an empty one, which is refused. Its length is asked once: a peer could change it. */
export function giveFrame(to: Framing, frame: Uint8Array): void {
  const given = frame.length;
  const length = given > FRAME_MAX ? 0 : given;
  const at = to.room(length);
  look();
  bytes.set(frame.subarray(0, length), at);
}
