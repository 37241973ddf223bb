/** One timer, set anew as often as needed, and the time by it: clocks are set back and forth, and stand still. */

import { systemClock } from "../contract/options";
import type { Clock } from "../contract/types";

const TIMEOUT_MAX = 2 ** 31 - 1;
/** By so much less than what has passed shows a clock that was set back. */
const SET_BACK_MS = 100;

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
  /** Beside the system's clock, one that is never set: what it showed when the present was `sure`. */
  private readonly steady: (() => number) | undefined;
  private steadyAt = 0;

  /** `longest`: after so long the clock is looked at again, though nothing is due: it may have been set, or the machine slept. */
  constructor(private readonly clock: Clock, private readonly longest = TIMEOUT_MAX) {
    if (clock === systemClock && typeof performance === "object") this.steady = () => performance.now();
  }

  /**
   * The present time. `reached`: it was that late already. A clock that was set back goes on from there: by the steady clock, or where
   * there is none, by what timers have waited.
   */
  now(reached = 0): number {
    const wall = this.clock.now();
    const steady = this.steady?.() ?? 0;
    const passed = this.sure + steady - this.steadyAt;
    // The two differ a little all the time: the system's clock is slowed and hastened, and rounded.
    const present = Math.max(wall, reached, passed > wall + SET_BACK_MS ? Math.floor(passed) : this.sure);
    if (this.steady) [this.sure, this.steadyAt] = [present, steady];
    else this.sure = Math.max(this.sure, reached);
    return present;
  }

  /**
   * Rings at `at` (Infinity: never) instead of whenever it was set before. `keepAlive`: a program does not end before.
   * A timer that is set for earlier stays: deadlines move on all the time, and most are never reached.
   */
  set(at: number, keepAlive: boolean, ring: () => void): void {
    this.ring = ring;
    this.at = at;
    const keeps = keepAlive && at < Infinity;
    const other = keeps !== this.keepAlive;
    this.keepAlive = keeps;
    if (at < this.armed || (this.armed < Infinity && this.armed < this.now())) this.arm();
    else if (other) this.refer();
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
      if (!this.steady) this.sure = Math.max(this.sure, sure + wait);
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
