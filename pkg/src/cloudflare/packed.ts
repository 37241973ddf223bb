/** Bodies, one behind the other, and each by itself again. */

import type { Packed } from "./calls";

export function pack(bodies: (Uint8Array | undefined)[]): Packed {
  const bytes = new Uint8Array(bodies.reduce((sum, body) => sum + (body?.length ?? 0), 0));
  let at = 0;
  for (const body of bodies) {
    if (!body) continue;
    bytes.set(body, at);
    at += body.length;
  }
  return { bytes, lengths: bodies.map((body) => body?.length ?? -1) };
}

/** Views: whoever keeps one makes a copy. */
export function unpack({ bytes, lengths }: Packed): (Uint8Array | undefined)[] {
  let at = 0;
  return lengths.map((length) => {
    if (length < 0) return undefined;
    at += length;
    return bytes.subarray(at - length, at);
  });
}
