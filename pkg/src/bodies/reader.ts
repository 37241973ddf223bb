/** Bytes to the values that a `Writer` made them of. Whoever wrote the bytes: nothing counts before it is checked, and nothing is made that is larger than they are. */

import type { Bodies, HeadersByIndex } from "../contract/store";
import { ARRAY, BIGINT, BOXED, BUFFER, DATE, DEPTH_MAX, DOUBLE, END, ERROR, ERRORS, EXCEPTION, FALSE, FORMAT, GROWTH_MAX, LATIN1, MAP,
  NEGATIVE, NULL, OBJECT, REGEXP, RESIZABLE, SEEN, SET, SHORT_TEXT, SMALL, SPARSE, TRUE, UNDEFINED, UTF16, VIEW, VIEWS, WHOLE,
  WHOLE_VIEW } from "./format";
import type { Runtime } from "./runtime";

type MakeView = new (buffer: ArrayBuffer, offset?: number, length?: number) => ArrayBufferView;
type MakeBuffer = new (length: number, options?: { maxByteLength: number }) => ArrayBuffer;
type MakeError = new (message?: string) => Error;

/** An array whose length is no promise of elements gets no memory for them if one is set far out first. */
const FAR = 2 ** 32 - 2;

/** What is wrong with the bytes; the runtime says it. */
class Odd extends Error {}

/** Throws the runtime's error for bytes that no `Writer` wrote. */
export function readBodies<Memory extends Uint8Array>(bytes: Memory, runtime: Runtime<Memory>): Bodies {
  const reader = new Reader(bytes, runtime);
  try {
    return reader.bodies();
  } catch (error) {
    // Of what is made here, a RegExp may have no sense, a view no place, a buffer no room.
    throw runtime.corrupt(`bodies are not what posthaste wrote: at byte ${reader.at} of ${bytes.length}`,
      error instanceof Odd ? undefined : error);
  }
}

class Reader<Memory extends Uint8Array> {
  at = 0;
  private readonly keys: string[] = [];
  /** Objects of this body in the order in which they were begun. One that is not made yet has `undefined`. */
  private met: unknown[] = [];
  private depth = 0;
  private growth = 0;
  /** Of all arrays. */
  private elements = 0;
  private doubles: DataView | undefined;

  constructor(private readonly bytes: Memory, private readonly runtime: Runtime<Memory>) {}

  bodies(): Bodies {
    if (this.byte() !== FORMAT) throw new Odd();
    const bodies: unknown[] = [];
    for (let left = this.count(1); left > 0; left -= 1) bodies.push(this.whole());
    if (this.at === this.bytes.length) return { bodies };
    const headers = this.whole();
    if (this.at !== this.bytes.length || !areHeaders(headers)) throw new Odd();
    return { bodies, headers };
  }

  private whole(): unknown {
    if (this.met.length > 0) this.met = [];
    this.growth = 0;
    return this.value();
  }

  private byte(): number {
    if (this.at === this.bytes.length) throw new Odd();
    return this.bytes[this.at++];
  }

  /** A number; how many there are of things that take at least so many bytes each. */
  private count(least = 0): number {
    let byte = this.byte();
    let value = byte & 127;
    for (let scale = 128; byte > 127; scale *= 128) {
      byte = this.byte();
      value += (byte & 127) * scale;
      if (scale > 2 ** 49 || value > Number.MAX_SAFE_INTEGER) throw new Odd();
    }
    if (value * least > this.bytes.length - this.at) throw new Odd();
    return value;
  }

  /** Passes over so many bytes; answers where they begin. */
  private pass(count: number): number {
    const { at } = this;
    if (count > this.bytes.length - at) throw new Odd();
    this.at = at + count;
    return at;
  }

  private value(): unknown {
    const tag = this.byte();
    if (tag >= SMALL) return tag - SMALL;
    if (tag >= SHORT_TEXT) return this.latin1(tag - SHORT_TEXT);
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case WHOLE:
        return this.count();
      case NEGATIVE:
        return -this.count();
      case DOUBLE:
        return this.double();
      case BIGINT:
        return this.bigint();
      case LATIN1:
      case UTF16:
        return this.long(tag);
      case SEEN: {
        const made = this.met[this.count()];
        if (made === undefined) throw new Odd();
        return made;
      }
      default:
        return this.object(tag);
    }
  }

  private double(): number {
    const at = this.pass(8);
    const { bytes } = this;
    this.doubles ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.doubles.getFloat64(at, true);
  }

  private bigint(): bigint {
    const count = this.count();
    const length = Math.floor(count / 2);
    const at = this.pass(length);
    const digits = Array.from(this.bytes.subarray(at, at + length), (byte) => byte.toString(16).padStart(2, "0"));
    const value = BigInt(`0x0${digits.join("")}`);
    return count % 2 ? -value : value;
  }

  private latin1(length: number): string {
    const start = this.pass(length);
    const end = start + length;
    if (length > this.runtime.shortRead) return this.runtime.readLatin1(this.bytes, start, end);
    let text = "";
    for (let at = start; at < end; at += 1) text += String.fromCharCode(this.bytes[at]);
    return text;
  }

  private long(tag: number): string {
    if (tag === LATIN1) return this.latin1(this.count(1));
    if (tag !== UTF16) throw new Odd();
    const bytes = 2 * this.count(2);
    const start = this.pass(bytes);
    return this.runtime.readUtf16(this.bytes, start, start + bytes);
  }

  private text(tag = this.byte()): string {
    return tag >= SHORT_TEXT && tag < SMALL ? this.latin1(tag - SHORT_TEXT) : this.long(tag);
  }

  private textOrNone(): string | undefined {
    const tag = this.byte();
    return tag === UNDEFINED ? undefined : this.text(tag);
  }

  private object(tag: number): unknown {
    if ((this.depth += 1) > DEPTH_MAX) throw new Odd();
    const made = this.made(tag);
    this.depth -= 1;
    return made;
  }

  /** It is known to what is in it before that is read: it may be in itself. */
  private begun<Made>(made: Made): Made {
    this.met.push(made);
    return made;
  }

  private made(tag: number): unknown {
    switch (tag) {
      case OBJECT:
        return this.properties(this.begun({}));
      case ARRAY: {
        const length = this.count(1);
        // Each element has bytes of its own, so that arrays in arrays can't all ask for the same.
        if ((this.elements += length) > this.bytes.length) throw new Odd();
        const array = this.begun(new Array<unknown>(length));
        for (let at = 0; at < length; at += 1) array[at] = this.value();
        return array;
      }
      case SPARSE:
        return this.sparse();
      case DATE: {
        const time = this.value();
        if (typeof time !== "number") throw new Odd();
        return this.begun(new Date(time));
      }
      case REGEXP:
        return this.begun(new RegExp(this.text(), this.text()));
      case MAP: {
        const map = this.begun(new Map<unknown, unknown>());
        for (let left = this.count(2); left > 0; left -= 1) map.set(this.value(), this.value());
        return map;
      }
      case SET: {
        const set = this.begun(new Set<unknown>());
        for (let left = this.count(1); left > 0; left -= 1) set.add(this.value());
        return set;
      }
      case BUFFER:
        return this.begun(this.buffer());
      case RESIZABLE:
        return this.begun(this.resizable());
      case WHOLE_VIEW: {
        const kind = this.kind();
        const place = this.met.push(undefined) - 1;
        return (this.met[place] = new kind(this.begun(this.buffer())));
      }
      case VIEW:
        return this.view();
      case ERROR:
        return this.error();
      case EXCEPTION:
        return this.begun(new DOMException(this.text(), this.text()));
      case BOXED:
        return this.boxed();
      default:
        throw new Odd();
    }
  }

  private properties(made: object): object {
    for (let key = this.key(); key !== undefined; key = this.key()) {
      const value = this.value();
      // Assigned, this one would become the prototype.
      if (key === "__proto__") Object.defineProperty(made, key, { value, writable: true, enumerable: true, configurable: true });
      else (made as Record<string, unknown>)[key] = value;
    }
    return made;
  }

  /** Undefined: the end. */
  private key(): string | undefined {
    const tag = this.byte();
    if (tag === END) return undefined;
    if (tag < SMALL && tag !== WHOLE) {
      const key = this.text(tag);
      this.keys.push(key);
      return key;
    }
    const place = tag === WHOLE ? this.count() : tag - SMALL;
    if (place >= this.keys.length) throw new Odd();
    return this.keys[place];
  }

  private sparse(): unknown {
    const length = this.count();
    if (length > FAR + 1) throw new Odd();
    const array = this.begun<unknown[]>([]);
    array[FAR] = undefined;
    delete array[FAR];
    array.length = length;
    for (let key = this.key(); key !== undefined; key = this.key()) {
      if (key === "length") throw new Odd();
      const value = this.value();
      Object.defineProperty(array, key, { value, writable: true, enumerable: true, configurable: true });
    }
    if (array.length !== length) throw new Odd();
    return array;
  }

  private buffer(length = this.count(1), most?: number): ArrayBuffer {
    const at = this.pass(length);
    const buffer = new (ArrayBuffer as MakeBuffer)(length, most === undefined ? undefined : { maxByteLength: most });
    new Uint8Array(buffer).set(this.bytes.subarray(at, at + length));
    return buffer;
  }

  private resizable(): ArrayBuffer {
    const [length, most] = [this.count(1), this.count()];
    if (most < length || (this.growth += most) > GROWTH_MAX) throw new Odd();
    return this.buffer(length, most);
  }

  /** The class of a view. This runtime may not have it. */
  private kind(): MakeView {
    const name = VIEWS[this.byte()];
    const kind = name && (globalThis as Record<string, unknown>)[name];
    if (!kind) throw new Odd();
    return kind as MakeView;
  }

  private view(): unknown {
    const kind = this.kind();
    const place = this.met.push(undefined) - 1;
    const [offset, length] = [this.count(), this.count()];
    const buffer = this.value();
    if (!(buffer instanceof ArrayBuffer)) throw new Odd();
    return (this.met[place] = length > 0 ? new kind(buffer, offset, length - 1) : new kind(buffer, offset));
  }

  private error(): unknown {
    const name = ERRORS[this.byte()];
    const kind = name && ((globalThis as Record<string, unknown>)[name] as MakeError | undefined);
    if (!kind) throw new Odd();
    const message = this.textOrNone();
    const error = this.begun(message === undefined ? new kind() : new kind(message));
    Object.defineProperty(error, "stack", { value: this.textOrNone(), writable: true, configurable: true });
    if (this.bytes[this.at] === END) this.at += 1;
    else Object.defineProperty(error, "cause", { value: this.value(), writable: true, configurable: true });
    return error;
  }

  private boxed(): unknown {
    const place = this.met.push(undefined) - 1;
    const held = this.value();
    if (held === null || held === undefined || typeof held === "object") throw new Odd();
    return (this.met[place] = Object(held));
  }
}

function areHeaders(value: unknown): value is HeadersByIndex {
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  return isObject(value) &&
    Object.values(value).every((own) => isObject(own) && Object.values(own).every((text) => typeof text === "string"));
}
