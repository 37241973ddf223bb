/** Headers of messages by their place. */

import type { HeadersByIndex } from "../contract/store";

/** The headers of `count` messages from `first` on, by their place among these; undefined: none has any. */
export function headersBetween(headers: HeadersByIndex | undefined, first: number, count: number): HeadersByIndex | undefined {
  let found: HeadersByIndex | undefined;
  for (let place = 0; headers && place < count; place += 1) {
    const own = headers[first + place];
    if (own !== undefined) (found ??= {})[place] = own;
  }
  return found;
}
