/**
 * Bodies as bytes. Deno KV clones values by itself, but says nothing of their size before it refuses them, and only bytes can
 * be split. They are what V8's serializer makes, as `node:v8` gives it: with Map, Date, bigint, typed arrays and the like.
 */

// @ts-ignore Node's modules are declared where Node's declarations are.
import { Deserializer, Serializer } from "node:v8";
import { cannotClone } from "./errors";
import type { Bodies, HeadersByIndex } from "../store";

/** What V8 clones itself. What else a structured clone may hold (a Blob, a key) lives in the process, and would be stored empty. */
const PROTOTYPES = new Set<unknown>([
  null,
  ...[Object, Array, Map, Set, Date, RegExp, Boolean, Number, String, BigInt, ArrayBuffer, DataView].map(({ prototype }) => prototype),
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(({ prototype }) => prototype),
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array].map(({ prototype }) => prototype),
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array].map(({ prototype }) => prototype),
  (globalThis as { Float16Array?: { prototype: unknown } }).Float16Array?.prototype,
]);

/** Throws `DataCloneError` for what the bytes could not hold. */
export function encode({ bodies, headers }: Bodies): Uint8Array {
  for (const body of bodies) check(body);
  const serializer = new Serializer();
  try {
    serializer.writeHeader();
    serializer.writeValue(headers ? [bodies, headers] : [bodies]);
  } catch (error) {
    throw cannotClone((error as Error).message);
  }
  // Bytes of their own, and no Node Buffer, which slices in another way.
  return new Uint8Array(serializer.releaseBuffer());
}

/** undefined: the bytes are no bodies. */
export function decode(bytes: Uint8Array): Bodies | undefined {
  try {
    const deserializer = new Deserializer(bytes);
    deserializer.readHeader();
    const value: unknown = deserializer.readValue();
    if (!Array.isArray(value) || !Array.isArray(value[0])) return undefined;
    const [bodies, headers] = value as [unknown[], HeadersByIndex?];
    if (headers === undefined) return { bodies };
    return typeof headers === "object" && headers !== null ? { bodies, headers } : undefined;
  } catch {
    return undefined;
  }
}

function check(body: unknown): void {
  if (!isObject(body)) return;
  const seen = new Set<object>([body]);
  // What is added to a set while one goes through it comes too.
  for (const value of seen) {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!PROTOTYPES.has(prototype)) throw cannotClone(`a ${value.constructor?.name ?? "strange object"} is nothing that Deno KV keeps`);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) continue;
    for (const inner of Object.values(value)) if (isObject(inner)) seen.add(inner);
    if (value instanceof Map) for (const inner of [...value.keys(), ...value.values()]) if (isObject(inner)) seen.add(inner);
    if (value instanceof Set) for (const inner of value) if (isObject(inner)) seen.add(inner);
    if (value instanceof Error && isObject(value.cause)) seen.add(value.cause);
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
