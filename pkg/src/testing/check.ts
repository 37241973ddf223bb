/** What the cases say of what they see. No test framework is asked, so that they run wherever posthaste does. */

import { turn } from "../schedule/macrotask";

const TEXT_MAX = 300;
/** Real time: nothing here may hang. */
const PATIENCE_MS = 20_000;
const POLL_MS = 5;

/** A value as text, whatever it is. */
export function text(value: unknown): string {
  const seen = new Set<unknown>();
  const plain = (_: string, inner: unknown): unknown => {
    if (typeof inner === "bigint") return `${inner}n`;
    if (typeof inner === "function" || typeof inner === "symbol") return String(inner);
    if (typeof inner !== "object" || inner === null) return inner;
    if (seen.has(inner)) return "(again)";
    seen.add(inner);
    const kind = tag(inner);
    if (kind === "Map" || kind === "Set") return { [kind]: [...(inner as Set<unknown>)] };
    return kind === "Error" ? String(inner) : inner;
  };
  let said: string;
  try {
    said = JSON.stringify(value, plain) ?? String(value);
  } catch {
    said = Object.prototype.toString.call(value);
  }
  return said.length > TEXT_MAX ? `${said.slice(0, TEXT_MAX)}... (${said.length} characters)` : said;
}

export function ok(value: unknown, what: string): void {
  if (!value) throw new Error(`not so: ${what}`);
}

/** Deep equality over all that a structured clone keeps. By kind, not by class: clones may come from another realm. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const place = difference(actual, expected, "", new Map());
  if (place !== undefined) throw new Error(`${what}${place && ` (${place})`}: got ${text(actual)}, expected ${text(expected)}`);
}

const tag = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** Where they differ; undefined: nowhere. */
function difference(a: unknown, b: unknown, place: string, seen: Map<unknown, unknown>): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return place;
  if (seen.has(a)) return seen.get(a) === b ? undefined : place;
  seen.set(a, b);
  const kind = tag(a);
  if (kind !== tag(b)) return place;
  const [left, right] = [insides(a, kind), insides(b, kind)];
  if (left.length !== right.length) return place;
  for (let at = 0; at < left.length; at += 1) {
    if (left[at][0] !== right[at][0]) return `${place}.${left[at][0]}`;
    const found = difference(left[at][1], right[at][1], `${place}.${left[at][0]}`, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What an object is made of, by name. */
function insides(value: object, kind: string): [string, unknown][] {
  if (kind === "Date") return [["time", (value as Date).getTime()]];
  if (kind === "RegExp") return [["text", String(value)]];
  if (kind === "Error") return [["name", (value as Error).name], ["message", (value as Error).message]];
  if (kind === "Map" || kind === "Set") return [...(value as Set<unknown>)].map((entry, at) => [String(at), entry]);
  if (kind === "ArrayBuffer") return bytesOf(new Uint8Array(value as ArrayBuffer));
  if (ArrayBuffer.isView(value)) return bytesOf(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function bytesOf(bytes: Uint8Array): [string, unknown][] {
  return Array.from(bytes, (byte, at) => [`byte ${at}`, byte]);
}

/** The same bytes. */
export function sameBytes(actual: unknown, expected: Uint8Array, what: string): void {
  if (tag(actual) !== "Uint8Array") throw new Error(`${what}: got ${text(actual)}, expected a Uint8Array`);
  const { length } = actual as Uint8Array;
  if (length !== expected.length) throw new Error(`${what}: got ${length} bytes, expected ${expected.length}`);
  const at = expected.findIndex((byte, place) => (actual as Uint8Array)[place] !== byte);
  if (at >= 0) throw new Error(`${what}: byte ${at} is ${(actual as Uint8Array)[at]}, expected ${expected[at]}`);
}

/** The error that `work` fails with. Its name, and a part of its text, are checked. */
export async function fails(work: Promise<unknown> | (() => unknown), name: string, part = ""): Promise<Error & { code?: string }> {
  let value: unknown;
  try {
    value = await bounded(Promise.resolve(typeof work === "function" ? work() : work), `${name} comes`);
  } catch (error) {
    const { name: actual, message } = error as Error;
    ok(actual === name, `${name} was expected, not ${actual}: ${message}`);
    ok(message.includes(part), `the ${name} shows ${text(part)}: ${message}`);
    return error as Error;
  }
  throw new Error(`${name} was expected, but it went through with ${text(value)}`);
}

/** `promise`, or an error that says what did not come. */
export function bounded<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS / 1000} s for this: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What `look` answers once it is anything but undefined or false. For what no promise and no event tells. */
export async function eventually<Value>(
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  what: string,
): Promise<Value> {
  const end = Date.now() + PATIENCE_MS;
  for (let tries = 0;; tries += 1) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${PATIENCE_MS / 1000} s for this: ${what}`);
    await (tries < 20 ? turn() : new Promise((resolve) => setTimeout(resolve, POLL_MS)));
  }
}

const TURNS = 8;

/** Lets everything that is ready happen, and what follows from it without waiting for anything outside. */
export async function quiet(): Promise<void> {
  for (let left = TURNS; left > 0; left -= 1) await turn();
}
