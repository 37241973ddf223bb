/** One timer, set anew as often as needed. */

import type { Clock } from "./types";

const TIMEOUT_MAX = 2 ** 31 - 1;

export class Alarm {
  private timer: unknown;
  private at = Infinity;
  private ring: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  /** Rings at `at` (Infinity: never) instead of whenever it was set before. `keepAlive`: a program does not end before. */
  set(at: number, keepAlive: boolean, ring: () => void): void {
    this.ring = ring;
    if (at !== this.at || this.timer === undefined) {
      this.clear();
      this.at = at;
      if (at === Infinity) return;
      const wait = Math.min(Math.max(0, at - this.clock.now()), TIMEOUT_MAX);
      this.timer = this.clock.setTimeout(() => {
        this.timer = undefined;
        this.ring?.();
      }, wait);
    }
    const timer = this.timer as { ref?: () => void; unref?: () => void };
    if (keepAlive) timer.ref?.();
    else timer.unref?.();
  }

  clear(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }
}
