/** The kinds of rows that cross a port, and how bodies lie beside a frame: as `src/wire` has them. */

import { Lent, type LentBytes } from "./lent";
import { BUFFERS, BYTES, Bytes, TEXT, Text, VALUES, Values, aligned, type Form, type Parcel, type Segment } from "./parcel";
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
export const PING = 18;

/** Rows of a client's end that are not the engine's: bodies that came along, and a host's own rows from here on. */
export const ARRIVED = 20;
export const ANSWER = 32;

/** The token under which a client asks for what nobody wants there yet. */
export const AHEAD = 2 ** 32 - 1;

/** Why an order failed. */
export const UNKNOWN_OUTCOME = 1;
export const FORBIDDEN = 2;

/** Bodies of up to so many bytes each go as JSON where JSON says the same: one text is cheaper to clone than many objects. */
const TEXT_BYTES_MAX = 2 << 10;

/** Buffers of fewer bytes are cloned: to hand one over takes 30 us in Chromium. */
const TRANSFER_MIN = 8 << 10;

/** How the bodies of a segment lie beside a frame, as the wire packs it. Their lengths, where they differ, are added to `lengths`. */
export function packed({ parcel, from, count }: Segment, headers: boolean, lengths: number[]): number {
  let length = -1;
  if (parcel instanceof Bytes) {
    if (!parcel.lengths) length = parcel.length;
    else for (let at = from; at < from + count; at += 1) lengths.push(parcel.lengths[at]);
  }
  return (length + 1) * 8 + (headers ? 4 : 0) + formBeside(parcel, from, count);
}

function formBeside(parcel: Parcel, from: number, count: number): Form {
  if (parcel instanceof Bytes) return parcel.form;
  if (parcel instanceof Text) return from === 0 && count === parcel.count ? TEXT : VALUES;
  return parcel instanceof Values && parcel.json && parcel.bytes <= TEXT_BYTES_MAX * parcel.count ? TEXT : VALUES;
}

/** The bodies of a segment as one value; what moves with it is added to `transfer`. `leaving`: nobody needs them here any more. */
export function asValue({ parcel, from, count }: Segment, leaving: boolean, transfer: Transferable[]): unknown {
  if (parcel instanceof Bytes) {
    const buffer = parcel.buffer(from, count, leaving);
    if (buffer.byteLength >= TRANSFER_MIN) transfer.push(buffer);
    return buffer;
  }
  const text = formBeside(parcel, from, count) === TEXT;
  if (parcel instanceof Text && text) return parcel.text;
  if (!(parcel instanceof Values)) return Array.from({ length: count }, (_, at) => parcel.body(from + at, true));
  if (parcel.moves) transfer.push(...parcel.moves);
  const bodies = from === 0 && count === parcel.count ? parcel.values : parcel.values.slice(from, from + count);
  return text ? JSON.stringify(bodies) : bodies;
}

/** A reader of what came along with a frame. What is not as the frame says is an error. */
export class Along {
  private value = 0;
  private text = 0;
  private length = 0;
  private allLengths: Uint32Array | undefined;

  constructor(
    private readonly values: readonly unknown[],
    private readonly texts: readonly unknown[],
    private readonly lengths: () => Uint32Array,
    private readonly lentTo: (parcel: LentBytes) => void,
  ) {}

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
    if (form === BYTES || form === BUFFERS) {
      const lengths = length < 0 ? this.nextLengths(count) : undefined;
      const needed = lengths ? lengths.reduce((sum, length) => sum + aligned(length), 0) : aligned(length) * count;
      if (value instanceof Lent && needed <= value.bytes) return value.take(needed, form, count, Math.max(0, length), lengths, this.lentTo);
      if (value instanceof ArrayBuffer && needed <= value.byteLength) return new Bytes(form, new Uint8Array(value), count, Math.max(0, length), lengths);
    }
    throw new TypeError("bodies beside a frame are not what it says");
  }

  /** Estimated bytes of `count` messages that are not alike; before their bodies are asked for. */
  sizes(count: number): Uint32Array {
    return this.nextLengths(count);
  }

  private nextLengths(count: number): Uint32Array {
    const lengths = (this.allLengths ??= this.lengths()).subarray(this.length, (this.length += count));
    if (lengths.length !== count) throw new TypeError("lengths beside a frame are fewer than it says");
    return lengths;
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

/** Whether a frame is number 1 of its direction; the head says so in the same way in every version. */
export function isFirst(frame: Uint8Array): boolean {
  return frame.length > 16 && frame[8] === 1 && frame.subarray(9, 16).every((byte) => byte === 0);
}
