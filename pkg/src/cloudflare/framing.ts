/** Bodies, one behind the other, and each by itself again. */

import type { Packed } from "./rpc";

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

/** Bytes of a message beside its body, key and headers in a call or answer, about. */
export const MESSAGE_BYTES = 100;

/** What a message takes in a call or an answer, about: RPC counts all of it. */
export function weight(body: Uint8Array | undefined, headers?: Readonly<Record<string, string>>, text = ""): number {
  let bytes = MESSAGE_BYTES + (body?.length ?? 0) + 2 * text.length;
  for (const name in headers) bytes += 8 + 2 * (name.length + headers[name].length);
  return bytes;
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
