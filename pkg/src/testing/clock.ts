/** Time that moves only when told, and time as the suites ask for it. */

import { turn } from "../schedule/macrotask";
import { quiet } from "./check";
import type { Time, VirtualClock } from "./types";

/** Where a clock stands that was not told: some day in 2027. */
const START_MS = 1_800_000_000_000;
const REAL_UNIT = 0.1;

interface Timer {
  at: number;
  callback: () => void;
}

class Virtual implements VirtualClock {
  private readonly timers = new Map<number, Timer>();
  private last = 0;

  constructor(private time: number) {}

  readonly now = (): number => this.time;

  readonly setTimeout = (callback: () => void, ms: number): unknown => {
    const handle = ++this.last;
    this.timers.set(handle, { at: this.time + Math.max(0, ms), callback });
    // Time need not move for what is due already.
    if (!(ms > 0)) void turn().then(() => this.ring(handle));
    return handle;
  };

  readonly clearTimeout = (handle: unknown): void => void this.timers.delete(handle as number);

  get pending(): number {
    return this.timers.size;
  }

  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`a clock moves on by 0 or more milliseconds, not ${String(ms)}`);
    const end = this.time + ms;
    await quiet();
    while (await this.next(end));
    this.time = Math.max(this.time, end);
    await quiet();
  }

  async tick(): Promise<boolean> {
    await quiet();
    return this.next(Infinity);
  }

  /** The first timer that is due by `end` happens, at its time. */
  private async next(end: number): Promise<boolean> {
    let first: number | undefined;
    for (const [handle, { at }] of this.timers) {
      if (at <= end && (first === undefined || at < this.timers.get(first)!.at)) first = handle;
    }
    if (first === undefined) return false;
    this.time = Math.max(this.time, this.timers.get(first)!.at);
    this.ring(first);
    await quiet();
    return true;
  }

  private ring(handle: number): void {
    const timer = this.timers.get(handle);
    this.timers.delete(handle);
    timer?.callback();
  }
}

/** A clock for `openQueue(name, { clock })` that stands at `startMs` (default: the same in every run) until it is moved. */
export function virtualClock(startMs: number = START_MS): VirtualClock {
  if (!(startMs >= 0 && startMs < Infinity)) throw new RangeError(`a clock starts at 0 or more milliseconds, not ${String(startMs)}`);
  return new Virtual(startMs);
}

/** Time by a virtual clock: cases take no longer than their work. */
export function virtualTime(clock: VirtualClock = virtualClock()): Time {
  return { clock, unit: 1, pass: (units) => clock.advance(units * 1000) };
}

/** The time on the wall, for queues that can't be given a clock: `unit` seconds (default 0.1) are what cases take for one. */
export function realTime(unit: number = REAL_UNIT): Time {
  if (!(unit > 0 && unit < Infinity)) throw new RangeError(`a unit is more than 0 seconds, not ${String(unit)}`);
  return { clock: undefined, unit, pass: (units) => new Promise((resolve) => void setTimeout(resolve, units * unit * 1000)) };
}
