/**
 * The border to the module. What it answers is read where it lies in its memory, before the next call: an array made for
 * each, there and here, would cost more than everything else about it.
 */

import { frameAt, frameRoom, memory, numbersAt } from "./engine";

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
export function numbers(count: number): readonly number[] {
  if (count === 0) return NONE;
  look();
  const at = numbersAt() / 8;
  const found = new Array<number>(count);
  for (let place = 0; place < count; place += 1) found[place] = doubles[at + place];
  return found;
}

/** The frame that a call made, which answered its `length`; until the next. */
export function frameMade(length: number): Uint8Array {
  look();
  const at = frameAt();
  return bytes.subarray(at, at + length);
}

/** As large as frames get: 65,536 rows, 2,359,296 lengths. */
const FRAME_MAX = 15 << 20;

/** Writes a frame for who hears it next; one that is too large as an empty one, which is refused. Its length is asked once: a peer could change it. */
export function giveFrame(frame: Uint8Array): void {
  const given = frame.length;
  const length = given > FRAME_MAX ? 0 : given;
  const at = frameRoom(length);
  look();
  bytes.set(frame.subarray(0, length), at);
}
