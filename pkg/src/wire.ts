/** The kinds of rows that cross a port, and how bodies lie beside a frame: as `src/wire` has them. */

import { VALUES, aligned, BYTES, Bytes, TEXT, Text, Values, type Form, type Parcel, type Segment } from "./parcel";
import { checkedHeaders } from "./options";
import type { Transferable } from "./platform";
import type { HeadersByIndex } from "./store";

/** What a client says. */
export const SEND = 1;
export const UNSEND = 2;
export const RECEIVE = 3;
export const UNRECEIVE = 4;
export const SETTLE = 5;
export const LISTEN = 6;
export const SHARED = 7;
export const BYE = 8;
export const HELLO = 10;
export const POLICY = 11;
export const METRICS = 16;
export const PEEK = 17;
export const CANCEL = 18;
export const PURGE = 19;
export const PAUSE = 20;
export const REDRIVE = 21;
export const FLUSH = 22;

/** What a host says. */
export const SENT = 1;
export const REFUSED = 2;
export const DUPLICATE = 3;
export const DELIVERED = 4;
export const RECEIVED = 5;
export const LOST = 6;
export const DONE = 7;
export const VALUE = 8;
export const FAILED = 9;
export const LEASE_LOST = 10;
export const BACKLOG = 11;
export const DEAD = 12;
export const DROPPED = 13;
export const STORAGE = 14;
export const GONE = 15;
export const CLOSED = 16;
export const WELCOME = 17;

/** Rows of a client's end that are not the engine's: bodies that came along, and a host's own rows from here on. */
export const ARRIVED = 20;
export const ANSWER = 32;

/** Why an order failed. */
export const UNKNOWN_OUTCOME = 1;
export const FORBIDDEN = 2;

/** Bodies of up to so many bytes each go as JSON where JSON says the same: one text is cheaper to clone than many objects. */
const TEXT_BYTES_MAX = 2 << 10;

/** What goes along with a frame. */
export interface Beside {
  values: unknown[];
  transfer: Transferable[];
}

/** Puts the bodies of a segment beside a frame; answers how they lie, as the wire packs it. Their lengths, where they differ, are added to `lengths`. */
export function putBeside({ parcel, from, count }: Segment, headers: HeadersByIndex | undefined, beside: Beside, lengths: number[]): number {
  const flags = headers ? 4 : 0;
  const [form, length] = putBodies(parcel, from, count, beside, lengths);
  if (headers) beside.values.push(headers);
  return (length + 1) * 8 + flags + form;
}

function putBodies(parcel: Parcel, from: number, count: number, beside: Beside, lengths: number[]): [form: Form, length: number] {
  if (parcel instanceof Bytes) return putBytes(parcel, from, count, beside, lengths);
  if (parcel instanceof Text && from === 0 && count === parcel.count) {
    beside.values.push(parcel.text);
    return [TEXT, -1];
  }
  if (!(parcel instanceof Values)) {
    beside.values.push(Array.from({ length: count }, (_, at) => parcel.body(from + at, true)));
    return [VALUES, -1];
  }
  const bodies = from === 0 && count === parcel.count ? parcel.values : parcel.values.slice(from, from + count);
  if (parcel.moves) beside.transfer.push(...parcel.moves);
  const text = parcel.json && parcel.bytes <= TEXT_BYTES_MAX * parcel.count;
  beside.values.push(text ? JSON.stringify(bodies) : bodies);
  return [text ? TEXT : VALUES, -1];
}

function putBytes(parcel: Bytes, from: number, count: number, { values, transfer }: Beside, lengths: number[]): [form: Form, length: number] {
  const [start, end] = [parcel.place(from), parcel.place(from + count)];
  const buffer = parcel.memory.slice(start, end).buffer;
  values.push(buffer);
  transfer.push(buffer);
  if (!parcel.lengths) return [parcel.form, parcel.length];
  for (let at = from; at < from + count; at += 1) lengths.push(parcel.lengths[at]);
  return [parcel.form, -1];
}

/** A reader of what came along with a frame. What is not as the frame says is an error. */
export class Along {
  private value = 0;
  private text = 0;
  private length = 0;

  constructor(private readonly values: unknown[], private readonly texts: unknown[], private readonly lengths: () => Uint32Array) {}

  nextText(): string {
    const text = this.texts[this.text++];
    if (typeof text !== "string") throw new TypeError("a text is missing beside a frame");
    return text;
  }

  nextValue(): unknown {
    return this.values[this.value++];
  }

  skip(texts: number, values: number): void {
    this.text += texts;
    this.value += values;
  }

  /** The bodies of `count` messages that lie as `packed` says, and their headers. */
  bodies(count: number, packed: number): { parcel: Parcel; headers: HeadersByIndex | undefined } {
    const parcel = this.parcel(count, (packed & 3) as Form, Math.floor(packed / 8) - 1);
    return { parcel, headers: packed & 4 ? headersBeside(this.nextValue(), count) : undefined };
  }

  private parcel(count: number, form: Form, length: number): Parcel {
    const value = this.nextValue();
    if (form === VALUES && Array.isArray(value) && value.length === count) return new Values(value);
    if (form === TEXT && typeof value === "string") return new Text(value, count);
    if (form >= BYTES && form !== TEXT && (value instanceof ArrayBuffer || ArrayBuffer.isView(value))) return this.bytes(value, count, form as typeof BYTES, length);
    throw new TypeError("bodies beside a frame are not what it says");
  }

  private bytes(value: ArrayBuffer | ArrayBufferView, count: number, form: typeof BYTES, length: number): Parcel {
    const memory = value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const lengths = length < 0 ? this.lengths().subarray(this.length, (this.length += count)) : undefined;
    const needed = lengths ? lengths.reduce((sum, length) => sum + aligned(length), 0) : aligned(length) * count;
    if ((lengths && lengths.length !== count) || needed > memory.length) throw new TypeError("bodies beside a frame are shorter than it says");
    return new Bytes(form, memory, count, Math.max(0, length), lengths);
  }
}

/** Headers as they came, checked; none of them brings a prototype along. */
function headersBeside(value: unknown, count: number): HeadersByIndex {
  if (typeof value !== "object" || value === null) throw new TypeError("headers beside a frame are missing");
  const headers: HeadersByIndex = Object.create(null) as HeadersByIndex;
  for (const [place, own] of Object.entries(value)) {
    if (!(Number(place) < count)) throw new TypeError("headers beside a frame are of no message");
    const checked = checkedHeaders(own as Record<string, string>);
    if (checked) headers[Number(place)] = checked;
  }
  return headers;
}
