/** What the cases of serializers share: a body there and back, and the comparison with what structuredClone makes of it. */

import { ok, same, text } from "../check";
import type { Serializer, SerializerCase } from "../types";

export const serializerCase = (name: string, body: (serializer: Serializer) => void | Promise<void>): SerializerCase => ({
  name,
  run: async (serializer) => body(serializer),
});

/** One body, written and read. */
export function trip({ read, write }: Serializer, body: unknown): unknown {
  const { bodies, headers } = read(write({ bodies: [body] }));
  same([bodies.length, headers], [1, undefined], "one body, and no headers");
  return bodies[0];
}

/** The name and the text of what `work` throws. */
export function thrown(work: () => unknown): { name: string; message: string } {
  let value: unknown;
  try {
    value = work();
  } catch (error) {
    return error as Error;
  }
  throw new Error(`an error was expected, but it went through with ${text(value)}`);
}

/** Throws unless the two are alike in all that a clone has: kinds, order, holes, what is one object in several places, and bytes that views share. */
export function alike(actual: unknown, expected: unknown, what: string): void {
  const place = difference(actual, expected, "", new Map(), new Map());
  if (place !== undefined) throw new Error(`${what}, at ${place || "its root"}: got ${text(actual)}, expected ${text(expected)}`);
}

const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

function difference(a: unknown, b: unknown, place: string, there: Map<unknown, unknown>, back: Map<unknown, unknown>): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b) ? undefined : place;
  if (there.has(a) || back.has(b)) return there.get(a) === b && back.get(b) === a ? undefined : `${place} (another object)`;
  there.set(a, b);
  back.set(b, a);
  const kind = kindOf(a);
  if (kind !== kindOf(b) || Array.isArray(a) !== Array.isArray(b)) return `${place} (${kind} and ${kindOf(b)})`;
  const [left, right] = [insides(a, b, kind), insides(b, b, kind)];
  if (left.length !== right.length) return `${place} (${left.length} and ${right.length} parts)`;
  for (let at = 0; at < left.length; at += 1) {
    const inner = `${place}.${String(left[at][0])}`;
    if (left[at][0] !== right[at][0]) return `${inner} (not ${String(right[at][0])})`;
    const found = difference(left[at][1], right[at][1], inner, there, back);
    if (found !== undefined) return found;
  }
  return undefined;
}

const NAMES = ["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"];

type Inside = [name: unknown, value: unknown];
type Buffers = ArrayBuffer & { resizable?: boolean; maxByteLength?: number };

/** What an object is made of, in order. `expected`: of what the platform's clone does not have, nothing is asked. */
function insides(value: object, expected: object, kind: string): Inside[] {
  switch (kind) {
    case "Date":
      return [["time", (value as Date).getTime()]];
    case "RegExp":
      return [["text", String(value)], ["lastIndex", (value as RegExp).lastIndex]];
    case "Map":
      return [...(value as Map<unknown, unknown>)].flatMap(([key, item], at): Inside[] => [[`key ${at}`, key], [`value ${at}`, item]]);
    case "Set":
      return [...(value as Set<unknown>)].map((item, at): Inside => [at, item]);
    case "ArrayBuffer": {
      const { resizable, maxByteLength } = value as Buffers;
      return [["resizable", resizable], ["maxByteLength", maxByteLength], ["bytes", String(new Uint8Array(value as ArrayBuffer))]];
    }
    case "Error": {
      const { name, message, stack } = value as Error;
      // workerd keeps more of a name than the standard says.
      const said: Inside[] = [["name", value === expected && !NAMES.includes(name) ? "Error" : name], ["message", message], ["stack",
        stack]];
      return Object.hasOwn(expected, "cause") ? [...said, ["cause", (value as Error).cause]] : said;
    }
    case "DOMException":
      return [["name", (value as DOMException).name], ["message", (value as DOMException).message]];
    case "Boolean":
    case "Number":
    case "String":
    case "BigInt":
      return [["held", value.valueOf()]];
  }
  if (ArrayBuffer.isView(value)) return [["offset", value.byteOffset], ["bytes", value.byteLength], ["buffer", value.buffer]];
  const prototype: unknown = Object.getPrototypeOf(value);
  ok(Array.isArray(value) || prototype === Object.prototype || prototype === Object.getPrototypeOf(expected), `${kind} is a plain object`);
  const own = Object.entries(value) as Inside[];
  return Array.isArray(value) ? [["length", value.length], ...own] : own;
}

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function unhex(digits: string): Uint8Array {
  return Uint8Array.from(digits.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
