/** One timer, set anew as often as needed. */

import type { Clock } from "./types";

const TIMEOUT_MAX = 2 ** 31 - 1;

export class Alarm {
  private timer: unknown;
  /** When the timer rings, and when it should. */
  private armed = Infinity;
  private at = Infinity;
  private ring: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  /**
   * Rings at `at` (Infinity: never) instead of whenever it was set before. `keepAlive`: a program does not end before.
   * A timer that is set for earlier stays: deadlines move on all the time, and most are never reached.
   */
  set(at: number, keepAlive: boolean, ring: () => void): void {
    this.ring = ring;
    this.at = at;
    if (at < this.armed) this.arm();
    const timer = this.timer as { ref?: () => void; unref?: () => void } | undefined;
    if (keepAlive && at < Infinity) timer?.ref?.();
    else timer?.unref?.();
  }

  private arm(): void {
    this.clear();
    this.armed = this.at;
    const wait = Math.min(Math.max(0, this.at - this.clock.now()), TIMEOUT_MAX);
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.armed = Infinity;
      if (this.at <= this.clock.now()) this.ring?.();
      else if (this.at < Infinity) this.arm();
    }, wait);
  }

  clear(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.armed = Infinity;
  }
}
