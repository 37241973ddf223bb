/**
 * Values to bytes and back: what `structuredClone` makes, except what only the platform's own hands can hold (a Blob, a key).
 * The platforms' serialisers are not used: Bun does not read what Node wrote, nor an older Node what a newer one did.
 *
 * A value is a tag and what it asks for; numbers are varints (7 bits a byte, the lowest first) unless said otherwise:
 *
 * | tag | value |
 * |---|---|
 * | 0 to 3 | undefined, null, false, true |
 * | 4, 5 | a number that is a 31 bit integer (zigzag); any other (8 bytes, IEEE 754, little-endian) |
 * | 6 | a bigint: a string, hexadecimal, "-" before it where it is negative |
 * | 7, 8 | a string: its length, and a byte (Latin-1) or two (UTF-16, little-endian) for each unit |
 * | 9 | an object: how many properties, and each: key, value |
 * | 10, 11 | an array: its length, its elements; one with holes or more: its length, and its properties as an object has them |
 * | 12, 13 | a Date: a number; a RegExp: two strings |
 * | 14, 15 | a Map, a Set: how many, and each entry |
 * | 16, 17 | an ArrayBuffer: its length, its bytes; a view: its class (place in `VIEWS`), offset, length, and its buffer |
 * | 18 | an Error: name, message, stack, and its cause in an array (empty: none) |
 * | 19 | a Boolean, Number, String or BigInt object: what it holds |
 * | 20 | an object that came before, by the place at which it was begun among the objects of its value |
 *
 * A key is 0 and a string, or the place, from 1, at which it was met among the keys before.
 */

const UNDEFINED = 0, NULL = 1, FALSE = 2, TRUE = 3;
const INTEGER = 4, DOUBLE = 5, BIGINT = 6, LATIN1 = 7, UTF16 = 8;
const OBJECT = 9, ARRAY = 10, SPARSE = 11;
const DATE = 12, REGEXP = 13, MAP = 14, SET = 15;
const BUFFER = 16, VIEW = 17;
const ERROR = 18, BOXED = 19, SEEN = 20;

type MakeView = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;
const VIEWS: MakeView[] = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView];
const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const FIRST_BYTES = 64 << 10;
/** Larger memory is not kept for the next. */
const KEPT_BYTES = 1 << 20;
/** Below what buffers can be, everywhere. */
export const BYTES_MAX = 1 << 30;
const SHORT = 48;
const DEPTH_MAX = 1_000;

export class TooLarge extends Error {}

/** Bytes that are being written. */
export class Writer {
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  length = 0;
  private readonly keys = new Map<string, number>();
  private readonly seen = new Map<object, number>();
  private depth = 0;

  /** Makes room for so many bytes; answers where they begin. */
  room(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) {
      if (end > BYTES_MAX) throw new TooLarge();
      const grown = Buffer.allocUnsafeSlow(Math.max(end, Math.min(BYTES_MAX, 2 * this.bytes.length)));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    this.length = end;
    return at;
  }

  /** Begins anew, with the memory of what was written before unless it is much. */
  renew(): this {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return this;
  }

  /** Keys are counted from here on anew: what follows is read by itself. */
  begin(): void {
    this.keys.clear();
  }

  /** A value of its own: nothing in it is one with what is in others. Throws `DataCloneError` for what can't be written. */
  whole(value: unknown): void {
    this.seen.clear();
    this.depth = 0;
    this.value(value);
  }

  count(value: number): void {
    const at = this.room(10);
    let end = at;
    while (value >= 128) {
      this.bytes[end++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.bytes[end++] = value;
    this.length = end;
  }

  private tag(tag: number): void {
    this.bytes[this.room(1)] = tag;
  }

  private value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.tag(UNDEFINED);
      case "boolean":
        return this.tag(value ? TRUE : FALSE);
      case "string":
        return this.text(value);
      case "number":
        return this.number(value);
      case "bigint":
        this.tag(BIGINT);
        return this.text(value.toString(16));
      case "object":
        return value === null ? this.tag(NULL) : this.object(value);
      default:
        throw refusal(value);
    }
  }

  private number(value: number): void {
    const integer = value | 0;
    if (integer === value && (integer << 1) >> 1 === integer && !Object.is(value, -0)) {
      this.tag(INTEGER);
      return this.count(((integer << 1) ^ (integer >> 31)) >>> 0);
    }
    this.tag(DOUBLE);
    const at = this.room(8);
    this.bytes.writeDoubleLE(value, at);
  }

  private text(value: string): void {
    const { length } = value;
    const narrow = isLatin1(value);
    this.tag(narrow ? LATIN1 : UTF16);
    this.count(length);
    const at = this.room(narrow ? length : 2 * length);
    if (!narrow) this.bytes.write(value, at, "utf16le");
    else if (length > SHORT) this.bytes.write(value, at, "latin1");
    else for (let place = 0; place < length; place += 1) this.bytes[at + place] = value.charCodeAt(place);
  }

  private object(value: object): void {
    const before = this.seen.get(value);
    if (before !== undefined) {
      this.tag(SEEN);
      return this.count(before);
    }
    this.seen.set(value, this.seen.size);
    if ((this.depth += 1) > DEPTH_MAX) throw new DOMException(`a body can't be stored that is nested deeper than ${DEPTH_MAX}`, "DataCloneError");
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      this.tag(OBJECT);
      this.properties(value);
    } else if (Array.isArray(value)) {
      this.array(value);
    } else {
      this.special(value);
    }
    this.depth -= 1;
  }

  private properties(value: object): void {
    const keys = Object.keys(value);
    this.count(keys.length);
    for (const key of keys) {
      this.key(key);
      this.value((value as Record<string, unknown>)[key]);
    }
  }

  private key(key: string): void {
    const place = this.keys.get(key);
    this.count(place ?? 0);
    if (place !== undefined) return;
    this.keys.set(key, this.keys.size + 1);
    this.text(key);
  }

  private array(value: unknown[]): void {
    // Its elements come first.
    const keys = Object.keys(value);
    const dense = keys.length === value.length && (!keys.length || keys[keys.length - 1] === String(value.length - 1));
    this.tag(dense ? ARRAY : SPARSE);
    this.count(value.length);
    if (dense) for (const element of value) this.value(element);
    else this.properties(value);
  }

  /** What structuredClone knows by its kind. */
  private special(value: object): void {
    if (value instanceof Date) {
      this.tag(DATE);
      this.number(value.getTime());
    } else if (value instanceof RegExp) {
      this.tag(REGEXP);
      this.text(value.source);
      this.text(value.flags);
    } else if (value instanceof Map) {
      this.tag(MAP);
      this.count(value.size);
      for (const [key, element] of value) {
        this.value(key);
        this.value(element);
      }
    } else if (value instanceof Set) {
      this.tag(SET);
      this.count(value.size);
      for (const element of value) this.value(element);
    } else if (value instanceof ArrayBuffer) {
      this.tag(BUFFER);
      this.raw(new Uint8Array(value));
    } else if (ArrayBuffer.isView(value)) {
      this.view(value);
    } else if (value instanceof Error && !(value instanceof DOMException)) {
      this.error(value);
    } else {
      const held = unboxed(value);
      if (held === undefined) throw refusal(value);
      this.tag(BOXED);
      this.value(held);
    }
  }

  private raw(bytes: Uint8Array): void {
    this.count(bytes.length);
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
  }

  private view(view: ArrayBufferView): void {
    const place = VIEWS.findIndex((kind) => view instanceof kind);
    if (place < 0 || !(view.buffer instanceof ArrayBuffer)) throw refusal(view.buffer);
    this.tag(VIEW);
    this.count(place);
    this.count(view.byteOffset);
    this.count((view as Uint8Array).length ?? view.byteLength);
    this.value(view.buffer);
  }

  private error(error: Error): void {
    this.tag(ERROR);
    this.text(Object.hasOwn(ERRORS, error.name) ? error.name : "Error");
    this.text(String(error.message));
    this.text(String(error.stack ?? ""));
    const causes = Object.hasOwn(error, "cause") ? [error.cause] : [];
    this.count(causes.length);
    for (const cause of causes) this.value(cause);
  }
}

function isLatin1(value: string): boolean {
  if (value.length > SHORT) return !/[^\0-\xff]/.test(value);
  for (let at = 0; at < value.length; at += 1) if (value.charCodeAt(at) > 255) return false;
  return true;
}

function unboxed(value: object): unknown {
  if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) return value.valueOf();
  return undefined;
}

function refusal(value: unknown): DOMException {
  const what = typeof value === "object" ? value?.constructor?.name ?? "an object of its own kind" : `a ${typeof value}`;
  return new DOMException(`${what} can't be written to a file`, "DataCloneError");
}

/** Reads what a `Writer` wrote. Whatever else the bytes are: throws a `RangeError`, and makes nothing larger than they are. */
export class Reader {
  private at = 0;
  private readonly keys: string[] = [];
  private seen: unknown[] = [];
  private depth = 0;

  constructor(private readonly bytes: Buffer) {}

  get ended(): boolean {
    return this.at === this.bytes.length;
  }

  whole(): unknown {
    this.seen = [];
    this.depth = 0;
    return this.value();
  }

  /** How many there are of things that take at least so many bytes each. */
  count(least = 0): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.at === this.bytes.length || scale > 2 ** 49) throw odd();
      const byte = this.bytes[this.at++];
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (value * least > this.bytes.length - this.at) throw odd();
    return value;
  }

  /** Passes over so many bytes; answers where they begin. */
  private pass(count: number): number {
    const { at } = this;
    if (count > this.bytes.length - at) throw odd();
    this.at = at + count;
    return at;
  }

  private value(): unknown {
    const tag = this.bytes[this.pass(1)];
    switch (tag) {
      case UNDEFINED: return undefined;
      case NULL: return null;
      case FALSE: return false;
      case TRUE: return true;
      case INTEGER: {
        const value = this.count();
        return (value >>> 1) ^ -(value & 1);
      }
      case DOUBLE: return this.bytes.readDoubleLE(this.pass(8));
      case BIGINT: return bigint(this.text());
      case LATIN1:
      case UTF16: return this.characters(tag === LATIN1);
      case SEEN: {
        const place = this.count();
        if (place >= this.seen.length) throw odd();
        return this.seen[place];
      }
      default: return this.object(tag);
    }
  }

  private characters(narrow: boolean): string {
    const length = this.count(narrow ? 1 : 2);
    const at = this.pass(narrow ? length : 2 * length);
    if (!narrow) return this.bytes.toString("utf16le", at, at + 2 * length);
    if (length > SHORT) return this.bytes.toString("latin1", at, at + length);
    let text = "";
    for (let place = at; place < at + length; place += 1) text += String.fromCharCode(this.bytes[place]);
    return text;
  }

  private text(): string {
    const tag = this.bytes[this.pass(1)];
    if (tag !== LATIN1 && tag !== UTF16) throw odd();
    return this.characters(tag === LATIN1);
  }

  private number(): number {
    const value = this.value();
    if (typeof value !== "number") throw odd();
    return value;
  }

  private object(tag: number): unknown {
    if ((this.depth += 1) > DEPTH_MAX) throw odd();
    const made = this.made(tag);
    this.depth -= 1;
    return made;
  }

  /** It is known to what is in it before that is read: it may be in itself. */
  private met<Made>(made: Made): Made {
    this.seen.push(made);
    return made;
  }

  private made(tag: number): unknown {
    switch (tag) {
      case OBJECT: return this.properties(this.met({}), this.count(2));
      case ARRAY: return this.array();
      case SPARSE: return this.sparse();
      case DATE: return this.met(new Date(this.number()));
      case REGEXP: return this.met(new RegExp(this.text(), this.text()));
      case MAP: {
        const map = this.met(new Map<unknown, unknown>());
        for (let left = this.count(2); left > 0; left -= 1) map.set(this.value(), this.value());
        return map;
      }
      case SET: {
        const set = this.met(new Set<unknown>());
        for (let left = this.count(1); left > 0; left -= 1) set.add(this.value());
        return set;
      }
      case BUFFER: {
        const length = this.count(1);
        const at = this.pass(length);
        const buffer = new ArrayBuffer(length);
        new Uint8Array(buffer).set(this.bytes.subarray(at, at + length));
        return this.met(buffer);
      }
      case VIEW: return this.view();
      case ERROR: return this.error();
      case BOXED: return this.boxed();
      default: throw odd();
    }
  }

  private properties(made: object, count: number): unknown {
    for (; count > 0; count -= 1) {
      const key = this.key();
      const value = this.value();
      // Assigned, this one would become the prototype.
      if (key === "__proto__") Object.defineProperty(made, key, { value, writable: true, enumerable: true, configurable: true });
      else (made as Record<string, unknown>)[key] = value;
    }
    return made;
  }

  private key(): string {
    const place = this.count();
    if (place > this.keys.length) throw odd();
    if (place > 0) return this.keys[place - 1];
    const key = this.text();
    this.keys.push(key);
    return key;
  }

  private array(): unknown[] {
    const array = this.met(new Array<unknown>(this.count(1)));
    for (let at = 0; at < array.length; at += 1) array[at] = this.value();
    return array;
  }

  private sparse(): unknown {
    const array = this.met<unknown[]>([]);
    const length = this.count();
    if (length >= 2 ** 32) throw odd();
    array.length = length;
    this.properties(array, this.count(2));
    if (array.length !== length) throw odd();
    return array;
  }

  private view(): unknown {
    // Its own place comes before its buffer's.
    const place = this.seen.push(undefined) - 1;
    const [kind, offset, length] = [this.count(), this.count(), this.count()];
    const buffer = this.value();
    if (kind >= VIEWS.length || !(buffer instanceof ArrayBuffer)) throw odd();
    return (this.seen[place] = new VIEWS[kind](buffer, offset, length));
  }

  private error(): unknown {
    const place = this.seen.push(undefined) - 1;
    const name = this.text();
    if (!Object.hasOwn(ERRORS, name)) throw odd();
    const error = (this.seen[place] = new ERRORS[name as keyof typeof ERRORS](this.text()));
    Object.defineProperty(error, "stack", { value: this.text(), writable: true, configurable: true });
    if (this.count() > 0) Object.defineProperty(error, "cause", { value: this.value(), writable: true, configurable: true });
    return error;
  }

  private boxed(): unknown {
    const place = this.seen.push(undefined) - 1;
    const held = this.value();
    if (held === null || held === undefined || typeof held === "object") throw odd();
    return (this.seen[place] = Object(held));
  }
}

function bigint(text: string): bigint {
  const [, sign, digits] = /^(-?)([0-9a-f]+)$/.exec(text) ?? [];
  if (digits === undefined) throw odd();
  const value = BigInt(`0x${digits}`);
  return sign ? -value : value;
}

function odd(): RangeError {
  return new RangeError("bytes that are no value");
}
