/**
 * The border to the module. What it answers is read where it lies in its memory, before the next call: an array made for
 * each, there and here, would cost more than everything else about it.
 */

import { memory, numbersAt } from "./load";

let doubles = new Float64Array();

/** Memory that has grown has another buffer. */
function look(): void {
  const { buffer } = memory();
  if (doubles.buffer !== buffer) doubles = new Float64Array(buffer);
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
