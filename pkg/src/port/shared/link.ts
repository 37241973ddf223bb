/** Rings in shared memory beside a port, from the offer on: frames of bodies that are bytes or text go and come by them. */

import { aligned, type Bytes } from "../../bodies/pack";
import type { LentBytes } from "../../bodies/borrowed";
import { TEXT_HEAD } from "../lent";
import type { Beside } from "../attachments";
import { Bell } from "./event-count";
import { Listener, type Ear, type Turns } from "./poller";
import { Rings, type RingFrame } from "./rings";
import { Spare } from "./spare";

/** The way beside which the rings lie. */
export interface Way {
  readonly end: {
    /** The number of the last frame heard. */
    readonly heard: number;
    readonly over: boolean;
    /** An answer is awaited. */
    readonly talking: boolean;
    /** What is in shared memory makes no sense. */
    dismiss(error: unknown): void;
  };
  /** Hears a frame from a ring. */
  hear(frame: RingFrame): void;
  /** Posts memory through the port; without any it is a call to look into the ring. */
  hand(...memories: WebAssembly.Memory[]): void;
  /** Others at this port say something now as well. */
  gather(): void;
}

/** So much of the ring may be held by what nobody reads; then it is kept elsewhere. */
const HELD_MAX = 6 << 20;
/** Of so many parcels those are forgotten that hold nothing any more. */
const LENT_MIN = 8192;
/** The host shares memory with so many clients at a time: Chromium has room for some eighty wasm memories a process, and every worker needs one. */
const OFFERS_MAX = 32;
/** Memory for texts on their way into a ring, at least. */
const TEXTS_MIN = 64 << 10;

const offers = new Set<Link>();
let encoder: TextEncoder | undefined;
/** This context's. */
let own: Listener | undefined;

/**
 * Makes rings, in memory that was offered or in new one which is offered, and hands our bell on. Undefined: there is no room for so
 * much memory, and the port alone does.
 */
export function openLink(way: Way, turns: Turns, memory?: WebAssembly.Memory, bell?: WebAssembly.Memory): Link | undefined {
  if (!memory && offers.size >= OFFERS_MAX) return undefined;
  try {
    const link = new Link(way, own ??= new Listener(turns), new Rings(!memory, memory));
    if (bell) link.ringAt(bell);
    way.hand(...(memory ? [] : [link.rings.memory]), own.bell.memory);
    if (!memory) offers.add(link);
    return link;
  } catch {
    return undefined;
  }
}

export class Link implements Ear {
  /** Both sides look at the rings. */
  shared = false;
  private readonly spare = new Spare();
  private lent: LentBytes[] = [];
  private lentMax = LENT_MIN;
  /** Memory for texts on their way into the ring. */
  private texts = new Uint8Array();

  constructor(private readonly way: Way, private readonly listener: Listener, readonly rings: Rings) {}

  /** The other side sleeps on that bell. False: it is none, or there is one already. */
  ringAt(bell: unknown): boolean {
    const { writer } = this.rings;
    if (writer.bell || !(bell instanceof WebAssembly.Memory)) return false;
    writer.bell = new Bell(bell);
    return true;
  }

  /** From now on frames may come and go by the rings. */
  share(): void {
    const { writer } = this.rings;
    if (!writer.bell || this.shared) return;
    this.shared = true;
    writer.doorbell = () => this.way.hand();
    this.listener.add(this);
  }

  get some(): boolean {
    return this.rings.reader.has(this.way.end.heard + 1);
  }

  get talking(): boolean {
    return this.way.end.talking;
  }

  /** A parcel in memory where the other side will read it, unless others `wait` to go: it would have to make way. Undefined: there is none. */
  open(make: (memory: Uint8Array) => Bytes, length: number, wait: boolean): Bytes | undefined {
    if (!this.shared) return undefined;
    const placed = wait ? undefined : this.rings.writer.open(make, length);
    const spare = placed ? undefined : this.spare.open(length);
    return placed ?? (spare && make(spare));
  }

  /** What is written in place should go before more is. */
  get crowded(): boolean {
    return this.shared && this.rings.writer.crowded;
  }

  /** False: it does not go this way, or there is no room. */
  post({ buffer, byteOffset, byteLength }: Float64Array, beside: Beside): boolean {
    const pieces = this.shared ? beside.pieces() : undefined;
    if (!pieces) return false;
    const { writer } = this.rings;
    const frame = new Uint8Array(buffer, byteOffset, byteLength);
    if (!writer.commit(pieces, frame)) {
      // What was filled in place moves out of the way first.
      writer.close();
      const bytes = pieces.map((piece) =>
        typeof piece === "string"
          ? this.encoded(piece)
          : piece.parcel.memory.subarray(piece.parcel.place(piece.from), piece.parcel.place(piece.from + piece.count))
      );
      if (!writer.put(bytes, frame)) return false;
    }
    beside.over(this.spare);
    this.listener.spoke();
    this.way.gather();
    return true;
  }

  /** A text as it lies in a ring: the length of its UTF-8, and that. Those of one frame lie one behind the other. */
  private encoded(text: string): Uint8Array {
    const most = TEXT_HEAD + 3 * text.length;
    if (this.texts.length < most) this.texts = new Uint8Array(Math.max(TEXTS_MIN, aligned(most)));
    encoder ??= new TextEncoder();
    const { written } = encoder.encodeInto(text, this.texts.subarray(TEXT_HEAD));
    new Uint32Array(this.texts.buffer, this.texts.byteOffset, 1)[0] = written;
    const taken = this.texts.subarray(0, TEXT_HEAD + written);
    this.texts = this.texts.subarray(aligned(taken.length));
    return taken;
  }

  /** Something goes through the port: who sleeps, and blocks its event loop, is to hear of it. */
  wake(): void {
    if (this.shared) this.rings.writer.bell!.ring();
  }

  /** What was filled in place and did not go is kept elsewhere. `idle`: nothing else is under way. */
  settle(idle: boolean): void {
    if (this.shared) this.rings.writer.close();
    if (idle) this.spare.clear();
  }

  /** A message came through the port. */
  resume(): void {
    if (this.shared) this.listener.resume();
  }

  /** Hears what is in the ring, up to what is still on its way through the port. */
  drain(): boolean {
    const { way, rings: { reader } } = this;
    let some = false;
    try {
      for (let next; this.shared && !way.end.over && (next = reader.next(way.end.heard + 1));) {
        some = true;
        way.hear(next);
      }
    } catch (error) {
      way.end.dismiss(error);
    }
    while (this.lent.length && reader.held > HELD_MAX) this.lent.shift()!.detach();
    return some;
  }

  /** Notes whose bodies lie in the ring: those who hold it too long are kept elsewhere. */
  lentTo(parcel: LentBytes): void {
    if (this.lent.push(parcel) < this.lentMax) return;
    this.lent = this.lent.filter(({ holds }) => holds);
    this.lentMax = Math.max(LENT_MIN, 2 * this.lent.length);
  }

  close(): void {
    offers.delete(this);
    this.listener.delete(this);
  }
}
