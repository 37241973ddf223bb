/** The way between client and host: a port for everything, and rings in shared memory beside it where there can be. Frames have numbers; whichever way they come, they are heard in order. */

import type { LentBytes } from "../bodies/borrowed";
import { Lent } from "./lent";
import { Bytes } from "../bodies/pack";
import { turn, turned } from "../schedule/macrotask";
import type { Beside } from "./attachments";
import type { Multiplexer, Speaker } from "./multiplexer";
import type { Link, Way } from "./shared/link";
import type { RingFrame } from "./shared/rings";

/** Who is at this end. */
export interface End {
  /** The number of the last frame heard. */
  readonly heard: number;
  readonly over: boolean;
  /** An answer is awaited. */
  readonly talking: boolean;
  /** What is in shared memory makes no sense, or what was to be posted can't be. */
  dismiss(error: unknown): void;
  /** `frame` undefined: only values came, which may be memory to share. */
  hear(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void;
  /** What was offered to this end is taken: the other side is to look into the rings. */
  sharing(): void;
}

/** Whether memory can be shared here at all. */
export function canShare(): boolean {
  return typeof SharedArrayBuffer === "function" && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

let rings: Promise<typeof import("../rings") | undefined> | undefined;

export class Channel implements Way, Speaker {
  private link: Link | undefined;
  private opening = false;

  constructor(private readonly port: Multiplexer, readonly session: number, readonly end: End) {}

  /** The host's offer of shared memory: it may not arrive, as it can't leave its cluster of agents. */
  offer(): void {
    if (canShare()) void this.openLink();
  }

  /** The client takes what may be an offer; false: it is none. */
  accept([memory, bell]: readonly unknown[]): boolean {
    if (this.opening || !canShare() || !(memory instanceof WebAssembly.Memory) || !(bell instanceof WebAssembly.Memory)) return false;
    void this.openLink(memory, bell);
    return true;
  }

  /** Where rings can't be loaded the port alone does. */
  private async openLink(memory?: WebAssembly.Memory, bell?: WebAssembly.Memory): Promise<void> {
    this.opening = true;
    const loaded = await (rings ??= import("../rings").catch(() => undefined));
    if (this.end.over) return;
    this.link = loaded?.openLink(this, { turn, turned }, memory, bell);
    if (!this.link || !memory) return;
    // This still goes through the port: the host looks into the ring from then on.
    this.end.sharing();
    this.share();
  }

  /** The host takes what may be the client's bell; false: it is none. */
  acceptBell([memory]: readonly unknown[]): boolean {
    return this.link?.ringAt(memory) === true;
  }

  /** From now on frames may come and go by the rings. */
  share(): void {
    this.link?.share();
  }

  /** Both sides look at the rings. */
  get shared(): boolean {
    return this.link?.shared === true;
  }

  /** A parcel that is filled where the other side will read it; undefined: there is none. */
  open(form: Bytes["form"], length: number, wait: boolean): Bytes | undefined {
    return this.link?.open((memory) => new Bytes(form, memory), length, wait);
  }

  /** What is written in place should go before more is. */
  get crowded(): boolean {
    return this.link?.crowded === true;
  }

  /** `frame` is only lent. */
  post(frame: Float64Array, texts: readonly string[], beside: Beside): void {
    if (!texts.length && this.link?.post(frame, beside)) return;
    const { values, transfer } = beside.values();
    beside.over();
    this.port.post(this, frame, texts, values, transfer);
  }

  hand(...memories: WebAssembly.Memory[]): void {
    this.port.post(this, undefined, [], memories, []);
  }

  gather(): void {
    this.port.gather();
  }

  posted(): void {
    this.link?.wake();
  }

  /** A frame that can't be posted leaves a gap: nothing can follow it. */
  failed(error: unknown): void {
    this.end.dismiss(error);
  }

  /** What was filled in place and did not go is kept elsewhere. `idle`: nothing else is under way. */
  settle(idle: boolean): void {
    this.link?.settle(idle);
  }

  /** Something came through the port. */
  arrived(frame: unknown, texts: readonly unknown[], values: readonly unknown[]): void {
    this.link?.drain();
    try {
      if (frame !== undefined || values.length) this.end.hear(frame, texts, values);
    } catch (error) {
      this.end.dismiss(error);
    }
    this.link?.drain();
    this.link?.resume();
  }

  hear(found: RingFrame): void {
    const lent = new Lent(found);
    this.end.hear(found.frame, [], new Array<Lent>(found.pieces).fill(lent));
    lent.end();
  }

  readonly lentTo = (parcel: LentBytes): void => this.link!.lentTo(parcel);

  close(): void {
    this.link?.close();
  }
}
