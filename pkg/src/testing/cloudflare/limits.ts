/** Cloudflare's defaults and limits (developers.cloudflare.com/queues: limits, configuration, JavaScript APIs), and what is checked by them. */

import { text } from "../check";

/** KB are 1000 bytes there. */
export const MESSAGE_BYTES_MAX = 128_000;
/** What a message takes beside its body. */
export const METADATA_BYTES = 100;
export const BATCH_MESSAGES_MAX = 100;
export const BATCH_BYTES_MAX = 256_000;
export const DELAY_MAX = 86_400;
const RETENTION = 4 * 86_400;
export const WALL_MS = 15 * 60_000;

export const PRODUCTION = { maxBatchTimeout: 5, messageRetention: RETENTION };
export const AT_ONCE = { maxBatchTimeout: 0, messageRetention: Infinity };

export function within(what: string, value: unknown, min: number, max: number, whole = false): number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${text(value)}`);
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw new RangeError(`${what} must be ${whole ? "a whole number" : "a number"} from ${min} to ${max}, not ${value}`);
  }
  return value;
}

/** `undefined` stays undefined. */
export const delay = (
  value: unknown,
): number | undefined => (value === undefined ? undefined : within("delaySeconds", value, 0, DELAY_MAX));

/** A body as it is kept: what it will be for its consumer, and how large it is. */
export interface Content {
  read: () => unknown;
  bytes: number;
}

const utf8 = new TextEncoder();

/** "json" is the default since compatibility date 2024-03-18. */
export function content(body: unknown, type: unknown = "json"): Content {
  if (type === "text") {
    if (typeof body !== "string") throw new TypeError(`contentType "text" needs a string, not ${text(body)}`);
    return { read: () => body, bytes: utf8.encode(body).length };
  }
  if (type === "bytes") {
    const view = ArrayBuffer.isView(body);
    if (!view && Object.prototype.toString.call(body) !== "[object ArrayBuffer]")
      throw new TypeError(`contentType "bytes" needs an ArrayBuffer or a view, not ${text(body)}`);
    const kept = view ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice() : new Uint8Array(body as ArrayBuffer).slice();
    return { read: () => kept.slice().buffer, bytes: kept.length };
  }
  if (type === "v8") {
    const kept = structuredClone(body);
    return { read: () => structuredClone(kept), bytes: about(kept, new Set()) };
  }
  if (type !== "json") throw new TypeError(`contentType must be "text", "bytes", "json" or "v8", not ${text(type)}`);
  const json = JSON.stringify(body) as string | undefined;
  if (json === undefined) throw new TypeError(`contentType "json" can't carry ${text(body)}`);
  return { read: () => JSON.parse(json) as unknown, bytes: utf8.encode(json).length };
}

/** Nearly what the serialisation of V8 takes, which only V8 knows. */
function about(value: unknown, seen: Set<unknown>): number {
  if (typeof value === "string") return 3 + value.length * (/^[\0-\xff]*$/.test(value) ? 1 : 2);
  if (typeof value !== "object" || value === null) return 9;
  if (seen.has(value)) return 2;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return 8 + value.byteLength;
  if (value instanceof ArrayBuffer) return 4 + value.byteLength;
  if (value instanceof Map || value instanceof Set)
    return 4 + [...(value as Set<unknown>)].reduce<number>((sum, one) => sum + about(one, seen), 0);
  return 4 + Object.entries(value).reduce((sum, [name, inner]) => sum + name.length + 3 + about(inner, seen), 0);
}
