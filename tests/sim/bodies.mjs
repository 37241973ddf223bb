/** Bodies of messages: each carries the number of its message, and the rest of it can be made again to compare. */

import { isDeepStrictEqual } from "node:util";

export const KINDS = ["number", "text", "object", "bytes", "view", "buffer", "map", "pool", "tree"];

/** The number of the message. */
const BYTES_MIN = 4;

function filled(uid, size) {
  const bytes = new Uint8Array(Math.max(BYTES_MIN, size));
  for (let at = BYTES_MIN; at < bytes.length; at += 1) bytes[at] = uid + at;
  new DataView(bytes.buffer).setUint32(0, uid, true);
  return bytes;
}

/** The body of message `uid`; `size` is what it is about, where the kind has one. */
export function bodyOf(uid, kind, size = 0) {
  switch (kind) {
    case "text":
      return `t${uid}:${"x".repeat(size)}`;
    case "object":
      return { u: uid, list: [1, "two", null, { deep: true }], text: "y".repeat(size) };
    case "bytes":
      return filled(uid, size);
    case "view": {
      const own = filled(uid, size);
      const pool = new Uint8Array(own.length + 1024);
      pool.fill(0xee);
      pool.set(own, 512);
      return pool.subarray(512, 512 + own.length);
    }
    case "buffer":
      return filled(uid, size).buffer;
    case "pool":
      return { u: uid, data: bodyOf(uid, "view", size) };
    case "map":
      return { u: uid, map: new Map([["a", new Date(uid)], ["b", new Set([uid, 2n])]]), of: [undefined, NaN, -0] };
    case "tree": {
      const root = { u: uid, name: "root", children: [] };
      for (let at = 0; at < 4; at += 1) root.children.push({ at, parent: root, text: "z".repeat(size) });
      return root;
    }
    default:
      return uid;
  }
}

/** Whose body it is; undefined: nobody's. */
export function uidOf(body) {
  switch (typeof body) {
    case "number":
      return body;
    case "string":
      return Number(body.slice(1, body.indexOf(":")));
    case "object":
      if ((body instanceof Uint8Array || body instanceof ArrayBuffer) && body.byteLength < BYTES_MIN) return undefined;
      if (body instanceof Uint8Array) return new DataView(body.buffer, body.byteOffset).getUint32(0, true);
      if (body instanceof ArrayBuffer) return new DataView(body).getUint32(0, true);
      return body?.u;
    default:
      return undefined;
  }
}

/** Whether `body` is what was sent as message `uid`, and has nothing with it that was not. */
export function sameBody(body, uid, kind, size) {
  switch (kind) {
    case "number":
      return body === uid;
    case "text":
      return body === bodyOf(uid, kind, size);
    case "bytes":
    case "view":
      return body instanceof Uint8Array && sameBytes(body, filled(uid, size));
    case "buffer":
      return body instanceof ArrayBuffer && sameBytes(new Uint8Array(body), filled(uid, size));
    case "pool":
      // What lies beside the view where it came from is nobody's business.
      return sameBytes(body.data, filled(uid, size)) && body.data.buffer.byteLength === body.data.byteLength;
    case "object":
      return body.list?.length === 4 && body.list[3].deep === true && body.list[1] === "two" && body.text === "y".repeat(size);
    default:
      return isDeepStrictEqual(body, bodyOf(uid, kind, size));
  }
}

function sameBytes(one, other) {
  const [a, b] = [one, other].map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length));
  return a.equals(b);
}
