/** Leases that wait in our hands, or are worked on: they are extended until they are let go, though timers may be late. */

import type { Clock } from "../contract/types";

/** Hidden pages get their timers once a minute. */
const HIDDEN_MS = 120_000;
/** So late is no timer that is not held back. */
const THROTTLED_MS = 5000;
const MARGIN_MAX_MS = 300_000;

/** What has leases: asked to extend those that end earlier, for so long from `now`. */
export interface Kept {
  /** When the first of them ended as they were given. */
  readonly until: number;
  extend(ms: number, now: number): void;
}

/** All leases of a journal or port: told which of them are kept, and until when. */
interface Leases {
  readonly keepers: Set<Keeper>;
  now(): number;
  keptUntil(end: number): void;
}

/** A page, as far as it matters here. */
interface Page {
  readonly hidden: boolean;
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const page = (): Page | undefined => (globalThis as { document?: Page }).document;

/** Of one queue. */
export class Keeper {
  private readonly kept = new Set<Kept>();
  private timer: unknown;
  private due = 0;
  /** How late timers were of late. */
  private late = 0;
  /** None of them ends before. */
  end = Infinity;

  constructor(private readonly clock: Clock, private readonly leases: Leases, private readonly leaseMs: () => number) {}

  /** How much longer than the queue's own a lease must be to outlive timers that are late. 0: they are on time. */
  get margin(): number {
    const slow = page()?.hidden || this.late >= THROTTLED_MS;
    return Math.min(MARGIN_MAX_MS, Math.max(2 * this.late, slow ? HIDDEN_MS : 0));
  }

  add(kept: Kept): void {
    this.kept.add(kept);
    this.end = Math.min(this.end, kept.until);
    this.leases.keptUntil(this.end);
    if (this.kept.size > 1) return;
    this.leases.keepers.add(this);
    page()?.addEventListener("visibilitychange", this.look);
    this.arm();
  }

  delete(kept: Kept): void {
    if (!this.kept.delete(kept) || this.kept.size > 0) return;
    this.end = Infinity;
    this.leases.keepers.delete(this);
    page()?.removeEventListener("visibilitychange", this.look);
    this.clock.clearTimeout(this.timer);
  }

  /** The page is hidden, or shown again: its timers will be late, or were. */
  private readonly look = (): void => this.extend();

  private arm(): void {
    const wait = Math.min(Math.max(1, this.leaseMs() / 3), 2 ** 31 - 1);
    this.due = this.clock.now() + wait;
    this.timer = this.clock.setTimeout(() => {
      const late = this.clock.now() - this.due;
      this.late = Math.max(0, late > wait / 2 ? late : this.late / 2);
      if (this.late < 1) this.late = 0;
      this.arm();
      this.extend();
    }, wait);
    // Work keeps a program from ending, not the lease under which it is done.
    (this.timer as { unref?: () => void } | undefined)?.unref?.();
  }

  /** It is `now`, and timers may have been too late, or clocks set: what is over is extended before others may take it. */
  reach(now: number): boolean {
    if (now < this.end) return false;
    this.extend(now);
    return true;
  }

  private extend(now = this.leases.now()): void {
    const ms = this.leaseMs() + this.margin;
    this.end = now + ms;
    for (const kept of [...this.kept]) kept.extend(ms, now);
  }
}
