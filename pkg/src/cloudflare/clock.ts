/**
 * The clock of the journal in an object. While the object works its timers are the platform's; beyond that they are its one
 * alarm, which wakes it after it was evicted, replaced or killed. The alarm is never later than the next deadline, except
 * that while timers do the work it may lag by `GUARD_MS`: it need not be written anew for each of them.
 */

import type { Clock } from "../contract/types";
import type { ObjectStorage } from "./platform";

/** Timers so near are the platform's even when the object rests. */
const SHORT_MS = 1000;
const GUARD_MS = 10_000;
const TIMEOUT_MAX = 2 ** 31 - 1;

export class ObjectClock implements Clock {
  /** Alarms that could not be set: the next change sets them. */
  failures = 0;
  private readonly rings = new Map<number, { at: number; ring: () => void }>();
  private last = 0;
  private working = 0;
  private timer: unknown;
  private timerAt = Infinity;
  /** When the alarm is set for. */
  private alarmAt = Infinity;
  private known: Promise<void> | undefined;

  /** `rung`: called after what was due was done. */
  constructor(private readonly storage: ObjectStorage, private readonly rung: () => void) {}

  readonly now = (): number => Date.now();

  readonly setTimeout = (ring: () => void, ms: number): number => {
    this.rings.set(this.last += 1, { at: this.now() + ms, ring });
    this.arm();
    return this.last;
  };

  readonly clearTimeout = (handle: unknown): void => void this.rings.delete(handle as number);

  /** Learns when the alarm is set for, once. */
  ready(): Promise<void> {
    return (this.known ??= this.storage.getAlarm().then((at) => {
      this.alarmAt = Math.min(this.alarmAt, at ?? Infinity);
    }));
  }

  begin(): void {
    this.working += 1;
  }

  /** If the object dies of what it does now, the alarm wakes it. */
  guard(): void {
    this.setAlarm(this.now() + GUARD_MS);
  }

  end(): void {
    this.working -= 1;
    this.arm();
  }

  /** The alarm came: it is not set any more. */
  rang(): void {
    this.known = Promise.resolve();
    const { alarmAt } = this;
    this.alarmAt = Infinity;
    this.ring(alarmAt < Infinity ? alarmAt : 0);
  }

  /** The alarm went wrong: it comes again, so much later. */
  async again(ms: number): Promise<void> {
    this.alarmAt = Infinity;
    const at = this.now() + ms;
    await this.storage.setAlarm(at);
    this.alarmAt = at;
  }

  /** Sees that the alarm comes at `at`, or before. */
  setAlarm(at: number): void {
    if (at >= this.alarmAt) return;
    this.alarmAt = at;
    this.storage.setAlarm(at).catch(() => {
      this.failures += 1;
      this.alarmAt = Infinity;
    });
  }

  private arm(): void {
    let next = Infinity;
    for (const { at } of this.rings.values()) next = Math.min(next, at);
    const now = this.now();
    const timed = next < Infinity && (this.working > 0 || next - now <= SHORT_MS);
    this.setTimer(timed ? next : Infinity, now);
    if (next < Infinity) this.setAlarm(timed ? Math.max(next, now + GUARD_MS) : next);
  }

  private setTimer(at: number, now: number): void {
    if (at === this.timerAt) return;
    if (this.timerAt < Infinity) clearTimeout(this.timer as number);
    this.timerAt = at;
    if (at === Infinity) return;
    const wait = Math.min(Math.max(0, at - now), TIMEOUT_MAX);
    this.timer = setTimeout(() => {
      this.timerAt = Infinity;
      this.ring(now + wait);
    }, wait);
  }

  /** What is due. `reached`: so late it is at least, should the clock have been set back while that was awaited. */
  private ring(reached: number): void {
    const now = Math.max(this.now(), reached);
    for (const [handle, { at, ring }] of [...this.rings]) {
      if (at <= now && this.rings.delete(handle)) ring();
    }
    this.rung();
    this.arm();
  }
}
