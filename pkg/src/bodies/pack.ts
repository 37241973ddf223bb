/**
 * Parcels: bodies that were sent together, kept in the form they came in, from which each receiver gets a body of its own.
 * Bytes lie packed in one buffer, each body at a multiple of 8: a copy that is off by 4 takes several times as long.
 */

import { copiedAsJson, copiedBytes, copy, move } from "./clone";
import type { Transferable } from "../contract/platform";

/** The forms, as frames name them. */
export const VALUES = 0;
export const TEXT = 1;
export const BYTES = 2;
export const BUFFERS = 3;
export type Form = typeof VALUES | typeof TEXT | typeof BYTES | typeof BUFFERS;

/** A parcel takes no more when it has so many messages or bytes: one message that stays keeps its whole parcel. */
const MESSAGES_MAX = 1024;
export const BYTES_MAX = 64 << 10;
/** What a parcel of bytes has at least once a second body comes. */
const BYTES_MORE = 4 << 10;
const EMPTY = new Uint8Array();

/** What can be moved, and copied as well: where it is needed again it stays. */
const COPIED = new Set(["ArrayBuffer", "AudioData", "ImageBitmap", "VideoFrame"].map((name) => `[object ${name}]`));

export interface Parcel {
  readonly form: Form;
  readonly count: number;
  /** The body at a place. `lend`: bytes may be a view of memory that is only lent. */
  body(place: number, lend: boolean): unknown;
  /* Where the bodies lie in memory that is only lent: */
  /** A lease begins; `lend`: its holder looks into the memory itself. */
  hold?(lend: boolean): void;
  letGo?(lend: boolean): void;
  /** So many messages need their bodies no more. */
  gone?(count: number): void;
}

/** A parcel that is being filled. */
export interface Filling extends Parcel {
  /** Estimated bytes of the bodies. */
  readonly bytes: number;
  /** Adds a copy of the body; false: the body is of another form, or there is no more room. */
  add(body: unknown, transfer?: Transferable[]): boolean;
  remove(places: number[]): void;
}

/** Bodies as values. They are copies already, and everyone who reads one gets a copy. */
export class Values implements Filling {
  readonly form = VALUES;
  bytes = 0;
  /** JSON says the same; of values that came from elsewhere that is not known. */
  json: boolean;
  /** What the only body of the parcel took along and nobody can copy. Such a body is handed out as it is. */
  moves: Transferable[] | undefined;
  /** The only body was moved: views in it keep the whole buffers that came with them. */
  private whole = false;

  constructor(readonly values: unknown[] = []) {
    this.json = values.length === 0;
  }

  get count(): number {
    return this.values.length;
  }

  add(body: unknown, transfer?: Transferable[]): boolean {
    if (this.whole || this.count === MESSAGES_MAX || (this.count && (transfer || this.bytes >= BYTES_MAX))) return false;
    if (transfer) {
      const moved = move(body, transfer);
      this.values.push(moved.body);
      const moves = moved.transfer.filter((one) => !COPIED.has(Object.prototype.toString.call(one)));
      if (moves.length) this.moves = moves;
      this.whole = true;
    } else {
      this.values.push(copy(body));
    }
    this.bytes += copiedBytes();
    this.json &&= copiedAsJson();
    return true;
  }

  remove(places: number[]): void {
    for (const place of places.toSorted((a, b) => b - a)) this.values.splice(place, 1);
  }

  body(place: number): unknown {
    const body = this.values[place];
    try {
      if (this.moves) return body;
      return this.whole ? structuredClone(body) : copy(body);
    } catch {
      // It came through a port with what it moves.
      return body;
    }
  }
}

/** Bodies that are bytes. `lengths` is undefined while all are of one length. */
export class Bytes implements Filling {
  used = 0;
  private offsets: number[] | undefined;

  constructor(
    readonly form: typeof BYTES | typeof BUFFERS,
    public memory: Uint8Array = EMPTY,
    public count = 0,
    public length = 0,
    public lengths?: ArrayLike<number> & { push?(length: number): unknown },
  ) {}

  get bytes(): number {
    return this.used + 16 * this.count;
  }

  add(body: unknown): boolean {
    const bytes = (this.form === BYTES ? body : new Uint8Array(body as ArrayBuffer)) as Uint8Array;
    const { length } = bytes;
    const end = this.used + aligned(length);
    if (end > this.memory.length && !this.grow(end)) return false;
    this.memory.set(bytes, this.used);
    if (this.count === 0) this.length = length;
    else if (!this.lengths && length !== this.length) this.lengths = new Array<number>(this.count).fill(this.length);
    this.lengths?.push?.(length);
    this.used = end;
    this.count += 1;
    return true;
  }

  /** Up to what a parcel may have; a single body may be larger. In shared memory there is no more room than was reserved. */
  private grow(end: number): boolean {
    if (!(this.memory.buffer instanceof ArrayBuffer) || (this.count && end > BYTES_MAX)) return false;
    const memory = new Uint8Array(this.count ? Math.min(BYTES_MAX, Math.max(BYTES_MORE, 4 * end)) : end);
    memory.set(this.memory.subarray(0, this.used));
    this.memory = memory;
    return true;
  }

  /** Bytes can be stored anywhere. */
  remove(): void {}

  /** Where a body lies; of the one after the last: where they end. */
  place(at: number): number {
    return this.lengths ? this.offset(at) : at * aligned(this.length);
  }

  body(place: number, lend: boolean): unknown {
    const at = this.place(place);
    const end = at + (this.lengths ? this.lengths[place] : this.length);
    if (lend && this.form === BYTES) return new Uint8Array(this.memory.buffer, this.memory.byteOffset + at, end - at);
    const own = ownCopy(this.memory, at, end);
    return this.form === BYTES ? own : own.buffer;
  }

  private offset(place: number): number {
    const { lengths, count } = this;
    // It may have grown since.
    if (this.offsets?.length !== count + 1) {
      const offsets = [0];
      for (let at = 0; at < count; at += 1) offsets.push(offsets[at] + aligned(lengths![at]));
      this.offsets = offsets;
    }
    return this.offsets[place];
  }
}

/** What a body takes in a parcel of bytes. */
export function aligned(length: number): number {
  return (length + 7) & ~7;
}

/** In a buffer of its own. Shared memory is set, not sliced: Firefox slices that byte by byte. */
export function ownCopy(memory: Uint8Array, from: number, to: number): Uint8Array<ArrayBuffer> {
  if (memory.buffer instanceof ArrayBuffer) return memory.slice(from, to) as Uint8Array<ArrayBuffer>;
  const own = new Uint8Array(to - from);
  own.set(memory.subarray(from, to));
  return own;
}

/** The form that suits a body. */
export function formOf(body: unknown): Form {
  if (typeof body !== "object" || body === null) return VALUES;
  // Shared memory is copied too: to ask for the buffer of a small array would make it one of its own.
  if (body instanceof Uint8Array && body.constructor === Uint8Array) return BYTES;
  return body instanceof ArrayBuffer && body.constructor === ArrayBuffer ? BUFFERS : VALUES;
}

/** A new parcel for bodies of that form. `packed` false: whoever gets it keeps values only. */
export function parcelFor(form: Form, packed: boolean): Filling {
  return packed && (form === BYTES || form === BUFFERS) ? new Bytes(form) : new Values();
}

/** Neighbouring bodies of a parcel. */
export interface Segment {
  readonly parcel: Parcel;
  readonly from: number;
  readonly count: number;
}

/** The bodies at these places alone, for whoever comes later: who reads the parcel now goes on with it. */
export function picked(parcel: Parcel, places: number[]): Parcel {
  if (parcel instanceof Bytes) return pickedBytes(parcel, places);
  const some = new Values(places.map((place) => (parcel instanceof Values ? parcel.values[place] : parcel.body(place, false))));
  some.json = parcel instanceof Values ? parcel.json : parcel.form === TEXT;
  return some;
}

function pickedBytes(parcel: Bytes, places: number[]): Bytes {
  const lengths = places.map((place) => (parcel.lengths ? parcel.lengths[place] : parcel.length));
  const memory = new Uint8Array(lengths.reduce((sum, length) => sum + aligned(length), 0));
  const some = new Bytes(parcel.form, memory, places.length, lengths[0]);
  if (parcel.lengths) some.lengths = lengths;
  places.forEach((place, at) => {
    const from = parcel.place(place);
    memory.set(parcel.memory.subarray(from, from + lengths[at]), some.place(at));
  });
  some.used = memory.length;
  return some;
}

/** The bodies of these, one by one, as values that go to a store. */
export function valuesOf(segments: Segment[]): unknown[] {
  const values: unknown[] = [];
  for (const { parcel, from, count } of segments) {
    for (let at = from; at < from + count; at += 1) values.push(parcel instanceof Values ? parcel.values[at] : parcel.body(at, false));
  }
  return values;
}
