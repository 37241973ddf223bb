/**
 * Bodies as bytes: SQLite keeps nothing else, and no runtime says how its structured clones are written. What a structured
 * clone may hold (primitives, plain objects, arrays, Map, Set, Date, RegExp, errors, buffers and their views, cycles) goes
 * in and comes out; a view comes out with a buffer of its own.
 *
 * Format 1: a byte 1, then one value: a tag (below) and what belongs to it. Counts and lengths are varints (seven bits a
 * byte, the lowest first), numbers are little-endian. Objects are numbered as they begin, so that a later place can refer
 * to one. Never changes; a new format gets a new first byte.
 */

import { CorruptionError } from "posthaste";
import { platformError, show } from "../errors";

const FORMAT = 1;
const DEPTH_MAX = 1000;
/** A buffer that grew beyond is not kept for the next body. */
const KEPT_MAX = 1 << 20;
const FIRST = 4096;
/** Strings up to here are written and read letter by letter: that is faster. */
const SHORT = 48;

const [UNDEFINED, NULL, FALSE, TRUE, WHOLE, NEGATIVE, DOUBLE, UTF8, UTF16, BIGINT, DATE, ARRAY, HOLE, OBJECT, MAP, SET, BUFFER, VIEW, REGEXP, ERROR, BOXED, SAME] =
  Array.from({ length: 22 }, (_, tag) => tag);
/** Views by their number in the format. */
const VIEWS = [Uint8Array, Int8Array, Uint8ClampedArray, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array, BigUint64Array, BigInt64Array, DataView] as const;
/** Errors by their number in the format. */
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const;

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

let bytes = new Uint8Array(FIRST);
let view = new DataView(bytes.buffer);
let end = 0;
let seen = new Map<object, number>();

/** Throws `DataCloneError` for what a structured clone can't hold either. */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  end = 0;
  seen.clear();
  byte(FORMAT);
  put(value, 0);
  const made = bytes.slice(0, end);
  if (bytes.length > KEPT_MAX) grown(FIRST, false);
  if (seen.size > FIRST) seen = new Map();
  return made;
}

function grown(length: number, keep: boolean): void {
  const larger = new Uint8Array(length);
  if (keep) larger.set(bytes.subarray(0, end));
  bytes = larger;
  view = new DataView(bytes.buffer);
}

function room(count: number): void {
  if (end + count > bytes.length) grown(Math.max(end + count, 2 * bytes.length), true);
}

function byte(value: number): void {
  room(1);
  bytes[end++] = value;
}

function varint(value: number): void {
  room(8);
  while (value > 127) {
    bytes[end++] = (value % 128) | 128;
    value = Math.floor(value / 128);
  }
  bytes[end++] = value;
}

function double(value: number): void {
  room(8);
  view.setFloat64(end, value, true);
  end += 8;
}

function raw(from: Uint8Array): void {
  varint(from.length);
  room(from.length);
  bytes.set(from, end);
  end += from.length;
}

function text(value: string): void {
  const { length } = value;
  room(3 * length + 16);
  const start = end;
  if (length <= SHORT) {
    bytes[end++] = UTF8;
    bytes[end++] = length;
    let at = 0;
    for (; at < length; at += 1) {
      const code = value.charCodeAt(at);
      if (code > 127) break;
      bytes[end++] = code;
    }
    if (at === length) return;
    end = start;
  }
  const encoded = encoder.encode(value);
  // Half a character becomes U+FFFD there: such a text is written as it is.
  if (!(value as unknown as { isWellFormed(): boolean }).isWellFormed()) {
    byte(UTF16);
    const units = new Uint8Array(2 * length);
    const out = new DataView(units.buffer);
    for (let at = 0; at < length; at += 1) out.setUint16(2 * at, value.charCodeAt(at), true);
    return raw(units);
  }
  byte(UTF8);
  raw(encoded);
}

function put(value: unknown, depth: number): void {
  switch (typeof value) {
    case "undefined":
      return byte(UNDEFINED);
    case "boolean":
      return byte(value ? TRUE : FALSE);
    case "number":
      return number(value);
    case "string":
      return text(value);
    case "bigint":
      byte(BIGINT);
      return text(value.toString());
    case "object":
      return value === null ? byte(NULL) : object(value, depth);
    default:
      throw platformError("DataCloneError", `${show(value)} could not be cloned`);
  }
}

function number(value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    byte(value < 0 ? NEGATIVE : WHOLE);
    return varint(Math.abs(value));
  }
  byte(DOUBLE);
  double(value);
}

function object(value: object, depth: number): void {
  const known = seen.get(value);
  if (known !== undefined) {
    byte(SAME);
    return varint(known);
  }
  if (depth > DEPTH_MAX) throw platformError("DataCloneError", `the body could not be cloned: it is nested more than ${DEPTH_MAX} deep`);
  seen.set(value, seen.size);
  if (Array.isArray(value)) return array(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return entries(value as Record<string, unknown>, depth);
  if (value instanceof Date) {
    byte(DATE);
    return double(value.getTime());
  }
  if (value instanceof ArrayBuffer) {
    byte(BUFFER);
    return raw(new Uint8Array(value));
  }
  if (ArrayBuffer.isView(value)) return ofView(value);
  uncommon(value, depth);
}

function ofView(value: ArrayBufferView): void {
  byte(VIEW);
  byte(VIEWS.findIndex((kind) => value instanceof kind));
  raw(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
}

function array(value: unknown[], depth: number): void {
  byte(ARRAY);
  varint(value.length);
  for (let at = 0; at < value.length; at += 1) {
    if (value[at] === undefined && !(at in value)) byte(HOLE);
    else put(value[at], depth + 1);
  }
}

function entries(value: Record<string, unknown>, depth: number): void {
  const keys = Object.keys(value);
  byte(OBJECT);
  varint(keys.length);
  for (const key of keys) {
    text(key);
    put(value[key], depth + 1);
  }
}

function uncommon(value: object, depth: number): void {
  if (value instanceof Map) {
    byte(MAP);
    varint(value.size);
    for (const [key, item] of value) {
      put(key, depth + 1);
      put(item, depth + 1);
    }
  } else if (value instanceof Set) {
    byte(SET);
    varint(value.size);
    for (const item of value) put(item, depth + 1);
  } else if (value instanceof RegExp) {
    byte(REGEXP);
    text(value.source);
    text(value.flags);
  } else if (value instanceof Error) {
    byte(ERROR);
    byte(Math.max(0, ERRORS.findIndex(({ name }) => name === value.name)));
    text(String(value.message));
    put(typeof value.stack === "string" ? value.stack : undefined, depth + 1);
    put("cause" in value ? value.cause : undefined, depth + 1);
  } else if (value instanceof Boolean || value instanceof Number || value instanceof String) {
    byte(BOXED);
    put(value.valueOf(), depth + 1);
  } else if (Object.prototype.toString.call(value) === "[object Object]") {
    entries(value as Record<string, unknown>, depth);
  } else {
    throw platformError("DataCloneError", `${Object.prototype.toString.call(value)} could not be cloned`);
  }
}

/** Throws `CorruptionError` for what `encode` did not write. */
export function decode(from: Uint8Array): unknown {
  const reader = new Reader(from);
  if (from[0] !== FORMAT) throw reader.corrupt();
  reader.at = 1;
  const value = reader.value(0);
  if (reader.at !== from.length) throw reader.corrupt();
  return value;
}

class Reader {
  at = 0;
  private readonly view: DataView;
  private readonly objects: object[] = [];

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  corrupt(): CorruptionError {
    return new CorruptionError(`a body is not what posthaste wrote: at byte ${this.at} of ${this.bytes.length}`);
  }

  private skip(count: number): number {
    const { at } = this;
    if (!(at + count <= this.bytes.length)) throw this.corrupt();
    this.at = at + count;
    return at;
  }

  private varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const next = this.bytes[this.skip(1)];
      value += (next & 127) * unit;
      if (next < 128) return value;
      if (unit >= 2 ** 49) throw this.corrupt();
    }
  }

  /** Of things that take a byte each at least. */
  private count(): number {
    const count = this.varint();
    if (count > this.bytes.length - this.at) throw this.corrupt();
    return count;
  }

  private double(): number {
    return this.view.getFloat64(this.skip(8), true);
  }

  private raw(): Uint8Array<ArrayBuffer> {
    const length = this.count();
    const start = this.skip(length);
    return this.bytes.slice(start, start + length) as Uint8Array<ArrayBuffer>;
  }

  private text(): string {
    const tag = this.bytes[this.skip(1)];
    if (tag !== UTF8 && tag !== UTF16) throw this.corrupt();
    return this.letters(tag);
  }

  private letters(tag: number): string {
    const length = this.count();
    const start = this.skip(length);
    if (tag === UTF16) {
      let made = "";
      for (let at = start; at + 1 < start + length; at += 2) made += String.fromCharCode(this.view.getUint16(at, true));
      return made;
    }
    if (length <= SHORT) {
      let made = "";
      let at = start;
      for (; at < start + length && this.bytes[at] < 128; at += 1) made += String.fromCharCode(this.bytes[at]);
      if (at === start + length) return made;
    }
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw this.corrupt();
    }
  }

  value(depth: number): unknown {
    if (depth > DEPTH_MAX + 1) throw this.corrupt();
    const tag = this.bytes[this.skip(1)];
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
      case TRUE:
        return tag === TRUE;
      case WHOLE:
        return this.varint();
      case NEGATIVE:
        return -this.varint();
      case DOUBLE:
        return this.double();
      case UTF8:
      case UTF16:
        return this.letters(tag);
      case BIGINT:
        return this.bigint();
      case SAME:
        return this.objects[this.varint()] ?? this.fail();
      default:
        return this.object(tag, depth);
    }
  }

  private fail(): never {
    throw this.corrupt();
  }

  private bigint(): bigint {
    const digits = this.text();
    return /^-?\d+$/.test(digits) ? BigInt(digits) : this.fail();
  }

  private known<T extends object>(made: T): T {
    this.objects.push(made);
    return made;
  }

  private object(tag: number, depth: number): object {
    switch (tag) {
      case ARRAY:
        return this.array(depth);
      case OBJECT:
        return this.entries(depth);
      case DATE:
        return this.known(new Date(this.double()));
      case BUFFER:
        return this.known(this.raw().buffer);
      case VIEW:
        return this.known(this.ofView());
      case MAP: {
        const made = this.known(new Map<unknown, unknown>());
        for (let left = this.count(); left > 0; left -= 1) {
          const key = this.value(depth + 1);
          made.set(key, this.value(depth + 1));
        }
        return made;
      }
      case SET: {
        const made = this.known(new Set<unknown>());
        for (let left = this.count(); left > 0; left -= 1) made.add(this.value(depth + 1));
        return made;
      }
      default:
        return this.uncommon(tag, depth);
    }
  }

  private array(depth: number): unknown[] {
    const length = this.count();
    const made = this.known(new Array<unknown>(length));
    for (let at = 0; at < length; at += 1) {
      if (this.bytes[this.at] === HOLE) this.at += 1;
      else made[at] = this.value(depth + 1);
    }
    return made;
  }

  private entries(depth: number): object {
    const made = this.known({} as Record<string, unknown>);
    for (let left = this.count(); left > 0; left -= 1) {
      const key = this.text();
      const value = this.value(depth + 1);
      if (key === "__proto__") Object.defineProperty(made, key, { value, configurable: true, enumerable: true, writable: true });
      else made[key] = value;
    }
    return made;
  }

  private ofView(): ArrayBufferView {
    const kind = VIEWS[this.bytes[this.skip(1)]];
    const { buffer } = this.raw();
    if (!kind) return this.fail();
    if ("BYTES_PER_ELEMENT" in kind && buffer.byteLength % kind.BYTES_PER_ELEMENT) return this.fail();
    return new (kind as new (buffer: ArrayBuffer) => ArrayBufferView)(buffer);
  }

  private uncommon(tag: number, depth: number): object {
    if (tag === REGEXP) {
      const [source, flags] = [this.text(), this.text()];
      try {
        return this.known(new RegExp(source, flags));
      } catch {
        return this.fail();
      }
    }
    if (tag === BOXED) {
      const place = this.objects.push(this) - 1;
      return (this.objects[place] = Object(this.value(depth + 1)) as object);
    }
    if (tag !== ERROR) return this.fail();
    const kind = ERRORS[this.bytes[this.skip(1)]] ?? this.fail();
    const made = this.known(new kind(this.text()));
    const stack = this.value(depth + 1);
    const cause = this.value(depth + 1);
    Object.defineProperty(made, "stack", { value: stack, configurable: true, writable: true });
    if (cause !== undefined) Object.defineProperty(made, "cause", { value: cause, configurable: true, writable: true });
    return made;
  }
}
