/** Values to bytes, as format.ts has them. */

import type { HeadersByIndex } from "../contract/store";
import { ARRAY, BIGINT, BOXED, BUFFER, BYTES_MAX, DATE, DEPTH_MAX, DOUBLE, END, ERROR, ERRORS, EXCEPTION, FALSE, FORMAT, GROWTH_MAX, LATIN1,
  MAP, NEGATIVE, NULL, OBJECT, REGEXP, RESIZABLE, SEEN, SET, SHORT_TEXT, SMALL, SPARSE, TRUE, UNDEFINED, UTF16, VIEW, VIEWS, WHOLE,
  WHOLE_VIEW, type ResizableBuffer } from "./format";
import type { Runtime } from "./runtime";

const FIRST_BYTES = 64 << 10;
/** Larger memory is not kept for the next. */
const KEPT_BYTES = 1 << 20;
const COUNT_BYTES = 8;
/** So many objects are found faster one by one than by a map. */
const FEW = 24;

/** The bodies have more bytes than memory can hold. */
export class TooLarge extends Error {
  override name = "MessageTooLargeError";
  constructor() {
    super(`bodies that are stored together may have ${BYTES_MAX} bytes`);
  }
}

export class Writer<Memory extends Uint8Array = Uint8Array<ArrayBuffer>> {
  bytes: Memory;
  length = 0;
  private readonly keys = new Map<string, number>();
  /** The first `met` are the objects of this body that were begun. */
  private readonly few: (object | undefined)[] = [];
  private readonly many = new Map<object, number>();
  private met = 0;
  private depth = 0;
  private growth = 0;

  private doubles: DataView;

  constructor(private readonly runtime: Runtime<Memory>) {
    this.bytes = runtime.memory(FIRST_BYTES);
    this.doubles = over(this.bytes);
  }

  /** Makes room for so many bytes; answers where they begin. `bytes` may be others from then on. */
  room(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) {
      if (end > BYTES_MAX) throw new TooLarge();
      const grown = this.runtime.memory(Math.max(end, Math.min(BYTES_MAX, 2 * this.bytes.length)));
      grown.set(this.bytes.subarray(0, at));
      this.use(grown);
    }
    this.length = end;
    return at;
  }

  /** Begins anew, with the memory of what was written before unless it is much. */
  renew(): this {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.use(this.runtime.memory(FIRST_BYTES));
    return this;
  }

  private use(memory: Memory): void {
    this.bytes = memory;
    this.doubles = over(memory);
  }

  /** Throws `DataCloneError` for what can't be written, `TooLarge`, and what getters throw. */
  bodies(bodies: readonly unknown[], headers?: HeadersByIndex): void {
    this.keys.clear();
    this.byte(FORMAT);
    this.count(bodies.length);
    for (const body of bodies) this.whole(body);
    if (headers) this.whole(headers);
  }

  /** A value of its own: nothing in it is one with what is in others. */
  private whole(value: unknown): void {
    this.depth = this.met = this.growth = 0;
    try {
      this.value(value);
    } finally {
      // Nothing of it is kept.
      this.few.fill(undefined, 0, Math.min(this.met, FEW + 1));
      if (this.met > FEW) this.many.clear();
    }
  }

  private byte(byte: number): void {
    const at = this.room(1);
    this.bytes[at] = byte;
  }

  private count(value: number): void {
    let at = this.room(COUNT_BYTES);
    const { bytes } = this;
    for (; value > 0x7fff_ffff; value = Math.floor(value / 128)) bytes[at++] = (value % 128) | 128;
    for (; value > 127; value >>>= 7) bytes[at++] = value | 128;
    bytes[at++] = value;
    this.length = at;
  }

  private value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.byte(UNDEFINED);
      case "boolean":
        return this.byte(value ? TRUE : FALSE);
      case "string":
        return this.text(value);
      case "number":
        return this.number(value);
      case "bigint":
        return this.bigint(value);
      case "object":
        return value === null ? this.byte(NULL) : this.object(value);
      default:
        throw refusal(value);
    }
  }

  private number(value: number): void {
    if (value >= 0 && value <= 127 && Number.isInteger(value) && (value !== 0 || 1 / value > 0)) return this.byte(SMALL | value);
    if (Number.isSafeInteger(value) && value !== 0) {
      this.byte(value < 0 ? NEGATIVE : WHOLE);
      return this.count(Math.abs(value));
    }
    this.byte(DOUBLE);
    const at = this.room(8);
    this.doubles.setFloat64(at, value, true);
  }

  private bigint(value: bigint): void {
    const negative = value < 0n;
    const digits = (negative ? -value : value).toString(16);
    const length = (digits.length + 1) >> 1;
    this.byte(BIGINT);
    this.count(2 * length + (negative ? 1 : 0));
    const at = this.room(length);
    for (let place = length - 1, end = digits.length; place >= 0; place -= 1, end -= 2)
      this.bytes[at + place] = parseInt(digits.slice(Math.max(0, end - 2), end), 16);
  }

  private text(value: string): void {
    const { length } = value;
    const start = this.length;
    if (length <= this.runtime.shortWrite) {
      let at = this.room(1 + length);
      const { bytes } = this;
      bytes[at++] = SHORT_TEXT | length;
      let place = 0;
      for (; place < length; place += 1) {
        const unit = value.charCodeAt(place);
        if (unit > 255) break;
        bytes[at++] = unit;
      }
      if (place === length) return;
    } else {
      this.head(LATIN1, length);
      const at = this.room(length);
      if (this.runtime.writeLatin1(this.bytes, at, value)) return;
    }
    this.length = start;
    this.byte(UTF16);
    this.count(length);
    const at = this.room(2 * length);
    this.runtime.writeUtf16(this.bytes, at, value);
  }

  private head(tag: number, length: number): void {
    if (length < SHORT_TEXT) return this.byte(SHORT_TEXT | length);
    this.byte(tag);
    this.count(length);
  }

  /** The object's place, if it was begun before; else it gets one. */
  private place(value: object): number {
    const { met } = this;
    if (met <= FEW) {
      for (let at = 0; at < met; at += 1) if (this.few[at] === value) return at;
      this.few[met] = value;
      if (met === FEW) { for (let at = 0; at <= met; at += 1) this.many.set(this.few[at]!, at); }
    } else {
      const before = this.many.get(value);
      if (before !== undefined) return before;
      this.many.set(value, met);
    }
    this.met = met + 1;
    return -1;
  }

  private object(value: object): void {
    const before = this.place(value);
    if (before >= 0) {
      this.byte(SEEN);
      return this.count(before);
    }
    if ((this.depth += 1) > DEPTH_MAX) throw refused(`a body can't be stored that is nested deeper than ${DEPTH_MAX}`);
    if (Array.isArray(value)) this.array(value);
    else if (isPlain(value)) this.properties(OBJECT, value);
    else this.special(value);
    this.depth -= 1;
  }

  private properties(tag: number, value: object): void {
    const names = Object.keys(value);
    this.byte(tag);
    if (tag === SPARSE) this.count((value as unknown[]).length);
    for (const name of names) {
      const item = (value as Record<string, unknown>)[name];
      // A getter before it may have deleted it.
      if (item === undefined && !Object.hasOwn(value, name)) continue;
      this.key(name);
      this.value(item);
    }
    this.byte(END);
  }

  private key(key: string): void {
    const place = this.keys.get(key);
    if (place !== undefined) return this.number(place);
    this.keys.set(key, this.keys.size);
    this.text(key);
  }

  private array(value: unknown[]): void {
    const { length } = value;
    // Elements come first.
    const names = Object.keys(value);
    if (names.length !== length || (length > 0 && names[length - 1] !== String(length - 1))) return this.properties(SPARSE, value);
    this.byte(ARRAY);
    this.count(length);
    // A getter in one may change the array.
    for (let at = 0; at < length; at += 1) this.value(value[at]);
  }

  /** What structuredClone knows by its kind. Each is asked as its kind is, so that none passes for what it is not. */
  private special(value: object): void {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    switch (kind) {
      case "Date":
        this.byte(DATE);
        return this.number(Date.prototype.getTime.call(value));
      case "RegExp":
        this.byte(REGEXP);
        this.text((value as RegExp).source);
        return this.text((value as RegExp).flags);
      case "Map": {
        const items: unknown[] = [];
        Map.prototype.forEach.call(value, (item, key) => items.push(key, item));
        return this.items(MAP, items.length / 2, items);
      }
      case "Set": {
        const items: unknown[] = [];
        Set.prototype.forEach.call(value, (item) => items.push(item));
        return this.items(SET, items.length, items);
      }
      case "ArrayBuffer":
        return this.buffer(value as ResizableBuffer);
      case "Error":
        return this.error(value as Error);
      case "DOMException":
        this.byte(EXCEPTION);
        this.text((value as DOMException).message);
        return this.text((value as DOMException).name);
      case "Boolean":
      case "Number":
      case "String":
      case "BigInt":
        this.byte(BOXED);
        return this.value((globalThis[kind].prototype as object).valueOf.call(value));
    }
    if (ArrayBuffer.isView(value)) return this.view(value, VIEWS.indexOf(kind));
    // An object of a class is copied as a plain one, but one of the platform's is not.
    if (!isPlain(structuredClone(value))) throw refusal(value);
    this.properties(OBJECT, value);
  }

  private items(tag: number, count: number, items: unknown[]): void {
    this.byte(tag);
    this.count(count);
    for (const item of items) this.value(item);
  }

  private buffer(buffer: ResizableBuffer): void {
    const bytes = bytesOf(buffer);
    this.byte(buffer.resizable ? RESIZABLE : BUFFER);
    this.count(bytes.length);
    if (buffer.resizable) {
      if ((this.growth += buffer.maxByteLength) > GROWTH_MAX)
        throw refused(`a body can't be stored whose resizable buffers may grow to more than ${GROWTH_MAX} bytes`);
      this.count(buffer.maxByteLength);
    }
    this.raw(bytes);
  }

  private raw(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
  }

  private view(view: ArrayBufferView, kind: number): void {
    const buffer = view.buffer as ResizableBuffer;
    if (kind < 0 || !isBuffer(buffer)) throw refusal(buffer);
    const tracking = isTracking(view, buffer);
    const { byteOffset, byteLength } = view;
    if (byteLength === buffer.byteLength && !buffer.resizable && this.place(buffer) < 0) {
      this.byte(WHOLE_VIEW);
      this.byte(kind);
      this.count(byteLength);
      return this.raw(byteLength > 0 && view instanceof Uint8Array ? view : bytesOf(buffer));
    }
    this.byte(VIEW);
    this.byte(kind);
    this.count(byteOffset);
    this.count(tracking ? 0 : 1 + ((view as Uint8Array).length ?? byteLength));
    this.value(buffer);
  }

  private error(error: Error): void {
    this.byte(ERROR);
    this.byte(Math.max(0, ERRORS.indexOf(error.name)));
    const { message, stack } = error;
    this.value(Object.hasOwn(error, "message") ? String(message) : undefined);
    this.value(stack === undefined ? undefined : String(stack));
    if (Object.hasOwn(error, "cause")) this.value(error.cause);
    else this.byte(END);
  }
}

const over = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength);

/** Of no class: its prototype is none, or, in whatever realm, the one that all objects have. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Shared memory is none. */
function isBuffer(buffer: object): boolean {
  return buffer instanceof ArrayBuffer || Object.prototype.toString.call(buffer) === "[object ArrayBuffer]";
}

function bytesOf(buffer: ArrayBuffer): Uint8Array {
  try {
    return new Uint8Array(buffer);
  } catch {
    // It was moved elsewhere.
    throw refusal(buffer);
  }
}

/** Whether the view is as long as its buffer, however long that becomes: a buffer that becomes shorter tells. Throws for one beyond its buffer. */
function isTracking(view: ArrayBufferView, { resizable }: ResizableBuffer): boolean {
  if (!resizable) return false;
  const clone = structuredClone(view);
  if (clone.byteLength === 0) return false;
  (clone.buffer as ResizableBuffer).resize(clone.byteOffset + clone.byteLength - 1);
  try {
    structuredClone(clone);
    return true;
  } catch {
    return false;
  }
}

function refusal(value: unknown): DOMException {
  const what = typeof value === "object" ? Object.prototype.toString.call(value) : String(value).slice(0, 80);
  return refused(`${what} can't be stored: only what structuredClone makes of plain values can`);
}

function refused(message: string): DOMException {
  return new DOMException(message, "DataCloneError");
}
