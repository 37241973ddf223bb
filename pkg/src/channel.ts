/** The way between client and host: a port for everything, and rings in shared memory beside it where there can be. Frames have numbers; whichever way they come, they are heard in order. */

import { Link } from "./engine";
import { Lent, type LentBytes } from "./lent";
import { Bytes, type Segment } from "./parcel";
import type { Transferable } from "./platform";
import { Rings, RingBytes, canShare, mayBlock } from "./ring";
import { turn } from "./turn";
import { asValue } from "./wire";

/** What goes along with a frame. */
export class Beside {
  private readonly items: (Segment | { value: unknown })[] = [];

  addBodies(segment: Segment): void {
    this.items.push(segment);
  }

  addValue(value: unknown): void {
    this.items.push({ value });
  }

  get empty(): boolean {
    return this.items.length === 0;
  }

  /** The bodies, where they are bytes and all there is. */
  bytes(): (Segment & { parcel: Bytes }) | undefined {
    const [item] = this.items;
    return this.items.length === 1 && "parcel" in item && item.parcel instanceof Bytes ? (item as Segment & { parcel: Bytes }) : undefined;
  }

  /** As values for a port. */
  values(): { values: unknown[]; transfer: Transferable[] } {
    const transfer: Transferable[] = [];
    return { values: this.items.map((item) => ("parcel" in item ? asValue(item, transfer) : item.value)), transfer };
  }
}

/** Who is at this end. */
export interface End {
  /** The number of the last frame heard. */
  readonly heard: number;
  readonly over: boolean;
  /** An answer is awaited. */
  readonly talking: boolean;
  /** `lent`: bodies in shared memory, for whoever takes them. */
  /** What is in shared memory makes no sense. */
  broken(error: unknown): void;
  hear(frame: Uint8Array | undefined, texts: readonly unknown[], values: readonly unknown[], lent?: Lent): void;
}

/** How long a worker that is in a conversation blocks at a time, and how long after the last word it still does. */
const BLOCK_MS = 0.5;
const TALK_MS = 3;
/** So much of the ring may be held by what nobody reads; then it is kept elsewhere. */
const HELD_MAX = 2 << 20;

export class Channel {
  private rings: Rings | undefined;
  /** Both sides look at the rings. */
  shared = false;
  private readonly lent: LentBytes[] = [];
  /** Who waits for something to come through the port. */
  private heardPort: (() => void) | undefined;

  constructor(private readonly link: Link, private readonly session: number, private readonly end: End) {}

  /** The host's offer of shared memory: it may not arrive, as it can't leave its cluster of agents. */
  offer(): void {
    if (!canShare()) return;
    this.rings = new Rings(true);
    this.link.post(this.session, undefined, [], [this.rings.memory], []);
  }

  /** The client's answer to what may be an offer. True: the memory is here. */
  accept(values: readonly unknown[]): boolean {
    const [memory] = values;
    if (this.rings || !(memory instanceof WebAssembly.Memory) || !canShare()) return false;
    this.rings = new Rings(false, memory);
    return true;
  }

  /** From now on frames may come and go by the rings. `doorbell`: the other side is to be called. */
  share(doorbell: boolean): void {
    const { rings } = this;
    if (!rings || this.shared) return;
    this.shared = true;
    if (doorbell) rings.writer.doorbell = () => this.link.post(this.session, undefined, [], [], []);
    void this.listen(rings);
  }

  /** Listens to the ring. A worker that may block does, between turns of its event loop, while it is in a conversation. */
  private async listen({ reader }: Rings): Promise<void> {
    let last = 0;
    try {
      while (!this.end.over) {
        if (this.drain()) last = performance.now();
        if (reader.isEarly(this.end.heard + 1)) {
          // It comes after something that is still on its way through the port.
          await new Promise<void>((resolve) => (this.heardPort = resolve));
        } else if (this.end.talking && mayBlock() && performance.now() - last < TALK_MS) {
          await turn();
          if (!this.end.over && !this.drain()) reader.block(BLOCK_MS);
        } else {
          const woken = reader.sleep();
          // Where one can't sleep on memory, calls come through the port.
          if (!woken) return;
          await woken;
          reader.awake();
        }
      }
    } catch (error) {
      this.end.broken(error);
    }
  }

  /** A parcel that is filled where the other side will read it; undefined: there is none. */
  open(form: Bytes["form"], length: number): RingBytes | undefined {
    return this.shared ? this.rings!.writer.open(form, length) : undefined;
  }

  post(frame: Uint8Array, texts: string[], beside: Beside): void {
    if (this.shared && !texts.length && this.postShared(frame, beside)) return;
    const { values, transfer } = beside.values();
    this.link.post(this.session, frame, texts, values, transfer);
  }

  private postShared(frame: Uint8Array, beside: Beside): boolean {
    const { writer } = this.rings!;
    if (beside.empty) return writer.put(undefined, frame);
    const bodies = beside.bytes();
    if (!bodies) return false;
    const { parcel, from, count } = bodies;
    if (parcel instanceof RingBytes && from === 0 && count === parcel.count && writer.commit(parcel, frame)) return true;
    return writer.put(parcel.memory.subarray(parcel.place(from), parcel.place(from + count)), frame);
  }

  /** What was filled in place and did not go is kept elsewhere. */
  settle(): void {
    if (this.shared) this.rings!.writer.close();
  }

  /** Something came through the port. */
  arrived(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    try {
      this.drain();
      if (frame !== undefined || values.length) this.end.hear(frame instanceof Uint8Array ? frame : undefined, texts, values);
      this.drain();
    } catch (error) {
      this.end.broken(error);
    }
    this.heardPort?.();
    this.heardPort = undefined;
  }

  /** Hears what is in the ring; answers whether there was anything. */
  private drain(): boolean {
    if (!this.shared || this.end.over) return false;
    const { reader } = this.rings!;
    let some = false;
    for (let next = reader.next(this.end.heard + 1); next && !this.end.over; next = reader.next(this.end.heard + 1)) {
      some = true;
      const lent = new Lent(next);
      this.end.hear(next.frame, [], next.bodies ? [lent] : [], lent);
      lent.end();
    }
    while (this.lent.length && reader.held > HELD_MAX) this.lent.shift()!.detach();
    return some;
  }

  /** Notes whose bodies lie in the ring: those who hold it too long are kept elsewhere. */
  readonly lentTo = (parcel: LentBytes): void => {
    this.lent.push(parcel);
    if (this.lent.length > LENT_MAX) this.lent.splice(0, this.lent.length - LENT_MAX);
  };

  close(): void {
    this.heardPort?.();
    this.rings?.reader.close();
  }
}

/** Parcels that are remembered for being kept elsewhere: a ring holds no more frames that matter. */
const LENT_MAX = 8192;
