/** One timer, set anew as often as needed, and the time by it: clocks are set back and forth, and stand still. */

import type { Clock } from "./types";

const TIMEOUT_MAX = 2 ** 31 - 1;

/** Calls `done` after `ms` of the clock's timers, however many; Infinity: never. Answers how to call it off. */
export function after(clock: Clock, ms: number, done: () => void): () => void {
  let timer: unknown;
  const wait = (left: number): void => {
    const here = Math.min(left, TIMEOUT_MAX);
    timer = clock.setTimeout(() => (left > here ? wait(left - here) : done()), here);
  };
  if (ms < Infinity) wait(ms);
  return () => timer !== undefined && clock.clearTimeout(timer);
}

export class Alarm {
  private timer: unknown;
  /** When the timer rings at the latest, and when it should. */
  private armed = Infinity;
  private at = Infinity;
  private ring: (() => void) | undefined;
  private keepAlive = false;
  /** The present is no earlier, whatever the clock says. */
  private sure = 0;

  /** `longest`: after so long the clock is looked at again, though nothing is due: it may have been set, or the machine slept. */
  constructor(private readonly clock: Clock, private readonly longest = TIMEOUT_MAX) {}

  /** The present time. `reached`: it was that late already. From there on, what timers have waited counts where the clock does not show it. */
  now(reached = 0): number {
    this.sure = Math.max(this.sure, reached);
    const wall = this.clock.now();
    return wall > this.sure ? wall : this.sure;
  }

  /**
   * Rings at `at` (Infinity: never) instead of whenever it was set before. `keepAlive`: a program does not end before.
   * A timer that is set for earlier stays: deadlines move on all the time, and most are never reached.
   */
  set(at: number, keepAlive: boolean, ring: () => void): void {
    this.ring = ring;
    this.at = at;
    if (at < this.armed || (this.armed < Infinity && this.armed < this.now())) this.arm();
    this.keepAlive = keepAlive && at < Infinity;
    this.refer();
  }

  /** Whether a program may end before. */
  private refer(): void {
    const timer = this.timer as { ref?: () => void; unref?: () => void } | undefined;
    if (this.keepAlive) timer?.ref?.();
    else timer?.unref?.();
  }

  private arm(): void {
    this.clear();
    if (this.at === Infinity) return;
    const { sure } = this;
    const now = this.now();
    const wait = Math.min(Math.max(0, this.at - now), this.longest);
    this.armed = now + wait;
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.sure = Math.max(this.sure, sure + wait);
      const passed = this.now();
      // Of a clock that was set back, or stands, what was left to wait counts.
      this.at -= Math.max(0, this.armed - passed);
      this.armed = Infinity;
      if (this.at <= passed) this.ring?.();
      else this.arm();
    }, wait);
    this.refer();
  }

  clear(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.armed = Infinity;
  }
}
