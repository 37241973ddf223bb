/** The journal of memory queues: gone with the context. There are no other peers, so no records are kept, and a step waits for nothing. */

import { DEADLINE, MORE } from "../engine/codes";
import { publicError } from "../contract/errors";
import type { Delivery, Part } from "../engine/effects";
import { Journal } from "./journal";
import { Kept } from "./kept-bodies";
import { bare } from "./body-loader";
import type { Load } from "./requests";
import { soon } from "../schedule/microtask";
import { turn, turns } from "../schedule/macrotask";
import type { Clock } from "../contract/types";

/** The event loop turns after so long: timers and input must have their time. */
const SLICE_MS = 8;
/** A turn is over when nothing was done for so long. */
const SLICE_GAP_MS = 1;

export class MemoryJournal extends Journal {
  readonly kind = "memory";
  readonly durability = "none";
  private readonly kept = new Map<number, Kept>();
  /** When the event loop must turn: whoever is told may ask again in the same turn, for ever. */
  private sliceEnd = 0;
  /** When the last step was, and in which turn. */
  private sliceLast = -Infinity;
  private sliceTurn = 0;
  private readonly work = (): void => this.run();
  private readonly ring = (): void => this.kick();

  constructor(clock: Clock) {
    super(clock, true);
  }

  kick(): void {
    this.wanted = true;
    if (this.running || this.closed) return;
    this.running = true;
    soon(this.work);
  }

  private run(): void {
    let now = performance.now();
    // What comes so soon after may be the same turn, unless it is known to be another.
    if (now > this.sliceLast + SLICE_GAP_MS || turns() !== this.sliceTurn) this.sliceEnd = now + SLICE_MS;
    this.sliceTurn = turns();
    try {
      do {
        this.wanted = false;
        if (!this.decide()) continue;
        this.wanted ||= this.peer.status(MORE) > 0;
        now = performance.now();
        if (now > this.sliceEnd) {
          this.sliceLast = -Infinity;
          return void turn().then(() => this.run());
        }
      } while (this.wanted && !this.closed);
      this.sliceLast = now;
    } catch (error) {
      // A trap: what was in memory is gone with the engine.
      this.end(publicError(error));
    }
    this.running = false;
    this.rest();
  }

  protected override keep(load: Load): void {
    if (load.count) this.kept.set(this.base, new Kept(load));
  }

  protected setTimer(): void {
    // Only someone who waits keeps a program from ending.
    this.alarm.set(this.peer.status(DEADLINE), this.waiting, this.ring);
  }

  fresh(): Promise<void> {
    return Promise.resolve();
  }

  /** What was purged, or taken by others, between its delivery and this has no bodies any more: nobody here is given it. */
  override load(deliveries: Delivery[]): Part[][] {
    return this.bodies(deliveries).map((parts) => parts.filter(({ parcel }) => parcel));
  }

  bodies(places: Delivery[]): Part[][] {
    return places.map((delivery) => this.kept.get(delivery.number)?.parts(delivery) ?? [bare(delivery)]);
  }

  protected override forget(number: number, index: number, count: number): void {
    const kept = this.kept.get(number);
    kept?.forget(index, count);
    if (kept?.left === 0) this.kept.delete(number);
  }

  async usage(): Promise<undefined> {
    return undefined;
  }

  protected override end(error: unknown): void {
    super.end(error);
    this.kept.clear();
  }
}
