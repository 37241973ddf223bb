/**
 * How bodies lie beside a frame: those of a send or delivery as one value, which a row names by one number: the form (0 to 3), 4 more
 * where an object of headers follows, and 8 times one more than the length of each where all are bytes of one length.
 */

import type { LentBytes } from "../bodies/borrowed";
import { BUFFERS, BYTES, Bytes, TEXT, VALUES, Values, aligned, ownCopy, type Form, type Parcel, type Segment } from "../bodies/pack";
import { Text } from "../bodies/text";
import { Lent } from "./lent";
import { checkedHeaders } from "../contract/options";
import type { Transferable } from "../contract/platform";
import type { HeadersByIndex } from "../contract/store";
import type { Draft } from "./frame";

/** Bodies of up to so many bytes each go as JSON where JSON says the same: one text is cheaper to clone than many objects. */
const TEXT_BYTES_MAX = 2 << 10;

/** Buffers of fewer bytes are cloned: to hand one over takes 30 us in Chromium. */
const TRANSFER_MIN = 8 << 10;

/** How the bodies of a segment lie beside a frame, as a row has it. Their lengths, where they differ, go with the frame. */
export function packed(segment: Segment, headers: boolean, draft: Draft): number {
  const { parcel, from, count } = segment;
  const form = parcel instanceof Bytes ? parcel.form : goesAsText(segment) ? TEXT : VALUES;
  let length = -1;
  if (parcel instanceof Bytes) {
    if (!parcel.lengths) length = parcel.length;
    else for (let at = from; at < from + count; at += 1) draft.length(parcel.lengths[at]);
  }
  return (length + 1) * 8 + (headers ? 4 : 0) + form;
}

/** Whether bodies that are no bytes go as JSON. */
export function goesAsText({ parcel, from, count }: Segment): boolean {
  if (parcel instanceof Text) return from === 0 && count === parcel.count;
  return parcel instanceof Values && parcel.json && parcel.bytes <= TEXT_BYTES_MAX * parcel.count;
}

/** The bodies of a segment that goes as JSON. */
export function asText({ parcel, from, count }: Segment): string {
  return parcel instanceof Text ? parcel.text : JSON.stringify(neighbours(parcel as Values, from, count));
}

function neighbours({ values }: Values, from: number, count: number): unknown[] {
  return from === 0 && count === values.length ? values : values.slice(from, from + count);
}

/** The bodies of a segment as one value; what moves with it is added to `transfer`. `leaving`: nobody needs them here any more. */
export function asValue(segment: Segment, leaving: boolean, transfer: Transferable[]): unknown {
  const { parcel, from, count } = segment;
  if (parcel instanceof Bytes) {
    const { memory, used } = parcel;
    const { buffer: own, byteOffset } = memory;
    // This memory itself, where it is theirs alone and they are leaving.
    const alone = leaving && count === parcel.count && byteOffset === 0 && own instanceof ArrayBuffer && own.byteLength <= 2 * used;
    const buffer = alone ? own : ownCopy(memory, parcel.place(from), parcel.place(from + count)).buffer;
    if (buffer.byteLength >= TRANSFER_MIN) transfer.push(buffer);
    return buffer;
  }
  if (goesAsText(segment)) return asText(segment);
  if (!(parcel instanceof Values)) return Array.from({ length: count }, (_, at) => parcel.body(from + at, true));
  if (parcel.moves) transfer.push(...parcel.moves);
  return neighbours(parcel, from, count);
}

/** A reader of what came along with a frame. What is not as the frame says is an error. */
export class Along {
  private value = 0;
  private text = 0;
  private length = 0;

  constructor(
    private readonly values: readonly unknown[],
    private readonly texts: readonly unknown[],
    private readonly lengths: Float64Array,
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
    const text = value instanceof Lent && form === TEXT ? value.text() : value;
    if (form === TEXT && typeof text === "string") return new Text(text, count);
    if (form === BYTES || form === BUFFERS) {
      const lengths = length < 0 ? this.nextLengths(count) : undefined;
      const needed = lengths ? lengths.reduce((sum, length) => sum + aligned(length), 0) : aligned(length) * count;
      if (value instanceof Lent && needed <= value.bytes) return value.take(needed, form, count, Math.max(0, length), lengths, this.lentTo);
      if (value instanceof ArrayBuffer && needed <= value.byteLength)
        return new Bytes(form, new Uint8Array(value), count, Math.max(0, length), lengths);
    }
    throw new TypeError("bodies beside a frame are not what it says");
  }

  /** Estimated bytes of `count` messages that are not alike; before their bodies are asked for. */
  sizes(count: number): Float64Array {
    return this.nextLengths(count);
  }

  private nextLengths(count: number): Float64Array {
    const lengths = this.lengths.subarray(this.length, this.length += count);
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
