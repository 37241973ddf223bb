/**
 * A message is a copy of what was sent. Plain objects, and the platform's common ones among them, are copied by hand,
 * several times faster than `structuredClone`; anything else goes through it. Views keep the bytes they show, and not their
 * whole buffers. Sizes are estimated, as no platform tells them.
 */

import type { Transferable } from "../contract/platform";
import { trimmed, weight } from "./weight";

const DEPTH_MAX = 16;
const SHARED_MAX = 64;

class NotPlain extends Error {}
const NOT_PLAIN = new NotPlain();

let bytes = 0;
let asJson = true;
/** Objects that were met in this copy: the first `met` of these. */
const seen = new Array<object | undefined>(SHARED_MAX);
let met = 0;
let copies = 0;

/** Bytes of the last value that `copyBody` or `copy` was given, about. */
export function copiedBytes(): number {
  return bytes;
}

/** Whether JSON would have made the same copy of it. */
export function copiedAsJson(): boolean {
  return asJson;
}

/** The body with what it moves, in this context's hands. Throws `DataCloneError` for what can't be. */
export function move(body: unknown, transfer: Transferable[]): { body: unknown; transfer: Transferable[] } {
  const moved = structuredClone({ body, transfer }, { transfer });
  return { body: measured(trimmed(moved.body, moved.transfer)), transfer: moved.transfer };
}

/** A copy as `structuredClone` makes it. Throws `DataCloneError` for what can't be cloned. */
export function copy(body: unknown): unknown {
  bytes = 0;
  asJson = true;
  met = 0;
  const mine = (copies += 1);
  try {
    const made = plain(body, 0);
    // A getter in the body may have sent another.
    return mine === copies ? made : measured(made);
  } catch (error) {
    if (error !== NOT_PLAIN) throw error;
    return measured(trimmed(structuredClone(body), []));
  } finally {
    while (met > 0) seen[--met] = undefined;
  }
}

function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      bytes += value.length + 2;
      return value;
    case "number":
      bytes += 8;
      // Not NaN, not infinite, not -0.
      asJson &&= value - value === 0 && (value !== 0 || 1 / value > 0);
      return value;
    case "undefined":
      asJson = false;
      return value;
    case "boolean":
      bytes += 1;
      return value;
    case "object":
      if (value === null) {
        bytes += 1;
        return value;
      }
      return plainObject(value, depth);
    case "bigint":
      asJson = false;
      bytes += 16;
      return value;
    default:
      // Functions and symbols: structuredClone says so.
      throw NOT_PLAIN;
  }
}

function plainObject(value: object, depth: number): unknown {
  // An object met twice must stay one object: structuredClone sees to that.
  if (depth === DEPTH_MAX || met === SHARED_MAX || wasMet(value)) throw NOT_PLAIN;
  seen[met++] = value;
  bytes += 8;
  if (Array.isArray(value)) {
    const length = value.length;
    const made: unknown[] = new Array(length);
    // Holes, or properties beside the items: these come last.
    const keys = Object.keys(value);
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) throw NOT_PLAIN;
    for (let at = 0; at < length; at += 1) made[at] = plain(value[at], depth + 1);
    return made;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return common(value, prototype, depth);
  const made: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    // An accessor may do anything, and a key of this name is no plain one.
    if (key === "__proto__") throw NOT_PLAIN;
    bytes += key.length + 2;
    made[key] = plain((value as Record<string, unknown>)[key], depth + 1);
  }
  return made;
}

function wasMet(value: object): boolean {
  for (let at = 0; at < met; at += 1) if (seen[at] === value) return true;
  return false;
}

/** Objects of the platform that a clone has too. What they are by their prototype alone, their own methods refuse. */
function common(value: object, prototype: unknown, depth: number): unknown {
  asJson = false;
  try {
    if (ArrayBuffer.isView(value)) return viewed(value);
    switch (prototype) {
      case Date.prototype:
        return new Date(Date.prototype.getTime.call(value));
      case Map.prototype: {
        const made = new Map<unknown, unknown>();
        Map.prototype.forEach.call(value, (item, key) => made.set(plain(key, depth + 1), plain(item, depth + 1)));
        return made;
      }
      case Set.prototype: {
        const made = new Set<unknown>();
        Set.prototype.forEach.call(value, (item) => made.add(plain(item, depth + 1)));
        return made;
      }
    }
  } catch {
    // As structuredClone says it.
  }
  throw NOT_PLAIN;
}

const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag)!.get!;

/** The bytes that a view shows, in a buffer of its own. */
function viewed(value: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = value;
  // What is shared stays shared, be it memory or the buffer of several views.
  if (!(buffer instanceof ArrayBuffer) || (buffer as { resizable?: boolean }).resizable || met === SHARED_MAX || wasMet(buffer))
    throw NOT_PLAIN;
  seen[met++] = buffer;
  bytes += byteLength + 16;
  const kind = kindOf.call(value) as "Uint8Array" | undefined;
  if (kind === undefined) return new DataView(buffer.slice(byteOffset, byteOffset + byteLength));
  return new globalThis[kind](value as Uint8Array);
}

function measured<T>(value: T): T {
  asJson = false;
  bytes = weight(value);
  return value;
}
