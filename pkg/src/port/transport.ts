/** The way between client and host: a port for everything, and rings in shared memory beside it where there can be. Frames have numbers; whichever way they come, they are heard in order. */

import { Bell } from "./shared/event-count";
import { Lent, type LentBytes } from "../bodies/borrowed";
import { listener, type Ear } from "./shared/poller";
import { ownCopy, type Bytes } from "../bodies/pack";
import { Rings, canShare } from "./shared/rings";
import { Spare } from "../bodies/buffer-pool";
import type { Beside } from "./attachments";
import type { Multiplexer } from "./multiplexer";

/** Who is at this end. */
export interface End {
  /** The number of the last frame heard. */
  readonly heard: number;
  readonly over: boolean;
  /** An answer is awaited. */
  readonly talking: boolean;
  /** What is in shared memory makes no sense. */
  broken(error: unknown): void;
  /** `frame` undefined: only values came, which may be memory to share. */
  hear(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void;
}

/** So much of the ring may be held by what nobody reads; then it is kept elsewhere. */
const HELD_MAX = 6 << 20;

/** The host shares memory with so many clients at a time: Chromium has room for some eighty wasm memories a process, and every worker needs one. */
const OFFERS_MAX = 32;
const offers = new Set<Channel>();

export class Channel implements Ear {
  private rings: Rings | undefined;
  /** Both sides look at the rings. */
  shared = false;
  readonly spare = new Spare();
  private lent: LentBytes[] = [];
  private lentMax = LENT_MIN;

  constructor(private readonly port: Multiplexer, private readonly session: number, private readonly end: End) {}

  /** The host's offer of shared memory: it may not arrive, as it can't leave its cluster of agents. */
  offer(): void {
    if (canShare() && offers.size < OFFERS_MAX && this.prepare()) offers.add(this);
  }

  /** The client takes what may be an offer. Undefined: it is none; false: there is no room for it. */
  accept([memory, bell]: readonly unknown[]): boolean | undefined {
    if (this.rings || !canShare() || !(memory instanceof WebAssembly.Memory) || !(bell instanceof WebAssembly.Memory)) return undefined;
    return this.prepare(memory, bell);
  }

  /**
   * Makes rings, in memory that was offered or in new one which is offered, and hands our bell on. False: there is no room for
   * so much memory, and the port alone does.
   */
  private prepare(memory?: WebAssembly.Memory, bell?: WebAssembly.Memory): boolean {
    try {
      const rings = new Rings(!memory, memory);
      if (bell) rings.writer.bell = new Bell(bell);
      this.hand(...(memory ? [] : [rings.memory]), listener().bell.memory);
      this.rings = rings;
      return true;
    } catch {
      return false;
    }
  }

  /** The host takes what may be the client's bell; false: it is none. */
  acceptBell([memory]: readonly unknown[]): boolean {
    if (!this.rings || this.rings.writer.bell || !(memory instanceof WebAssembly.Memory)) return false;
    this.rings.writer.bell = new Bell(memory);
    return true;
  }

  /** A frame that can't be posted leaves a gap: nothing can follow it. */
  private readonly failed = (error: unknown): void => this.end.broken(error);

  private hand(...memories: WebAssembly.Memory[]): void {
    this.port.post(this.session, undefined, [], memories, [], this.failed);
  }

  /** From now on frames may come and go by the rings. */
  share(): void {
    const { rings } = this;
    if (!rings?.writer.bell || this.shared) return;
    this.shared = true;
    rings.writer.doorbell = () => this.port.post(this.session, undefined, [], [], [], this.failed);
    listener().add(this);
  }

  get some(): boolean {
    return this.rings!.reader.has(this.end.heard + 1);
  }

  get talking(): boolean {
    return this.end.talking;
  }

  /** A parcel that is filled where the other side will read it, unless others `wait` to go: it would have to make way. Undefined: there is none. */
  open(form: Bytes["form"], length: number, wait: boolean): Bytes | undefined {
    if (!this.shared) return undefined;
    return (wait ? undefined : this.rings!.writer.open(form, length)) ?? this.spare.open(form, length);
  }

  /** What is written in place should go before more is. */
  get crowded(): boolean {
    return this.shared && this.rings!.writer.crowded;
  }

  /** `frame` is only lent. */
  post(frame: Float64Array, texts: readonly string[], beside: Beside): void {
    if (this.shared && !texts.length && this.postShared(frame, beside)) {
      beside.over(this.spare);
      listener().spoke();
      return this.port.gather();
    }
    const { values, transfer } = beside.values();
    beside.over();
    this.port.post(this.session, frame.slice(), texts, values, transfer, this.failed);
  }

  private postShared({ buffer, byteOffset, byteLength }: Float64Array, beside: Beside): boolean {
    const { writer } = this.rings!;
    const frame = new Uint8Array(buffer, byteOffset, byteLength);
    const bodies = beside.bytes();
    if (!bodies) return false;
    if (writer.commit(bodies, frame)) return true;
    // What was filled in place moves out of the way first.
    writer.close();
    return writer.put(bodies.map(({ parcel, from, count }) => parcel.memory.subarray(parcel.place(from), parcel.place(from + count))),
      frame);
  }

  /** What was filled in place and did not go is kept elsewhere. */
  settle(): void {
    if (this.shared) this.rings!.writer.close();
  }

  /** Something came through the port. */
  arrived(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    this.drain();
    try {
      if (frame !== undefined || values.length) this.end.hear(frame, texts, values);
    } catch (error) {
      this.end.broken(error);
    }
    this.drain();
    if (this.shared) listener().resume();
  }

  /** Hears what is in the ring, up to what is still on its way through the port. */
  drain(): boolean {
    if (!this.shared || this.end.over) return false;
    const { reader } = this.rings!;
    let some = false;
    try {
      for (let next = reader.next(this.end.heard + 1); next && !this.end.over; next = reader.next(this.end.heard + 1)) {
        some = true;
        const lent = new Lent(next);
        this.end.hear(new Float64Array(ownCopy(next.frame, 0, next.frame.length).buffer), [], new Array<Lent>(next.pieces).fill(lent));
        lent.end();
      }
    } catch (error) {
      this.end.broken(error);
    }
    while (this.lent.length && reader.held > HELD_MAX) this.lent.shift()!.detach();
    return some;
  }

  /** Notes whose bodies lie in the ring: those who hold it too long are kept elsewhere. */
  readonly lentTo = (parcel: LentBytes): void => {
    if (this.lent.push(parcel) < this.lentMax) return;
    this.lent = this.lent.filter(({ holds }) => holds);
    this.lentMax = Math.max(LENT_MIN, 2 * this.lent.length);
  };

  close(): void {
    offers.delete(this);
    if (this.shared) listener().delete(this);
  }
}

/** Of so many parcels those are forgotten that hold nothing any more. */
const LENT_MIN = 8192;
