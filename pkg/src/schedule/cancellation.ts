/**
 * Stops that many may wait for: what an `AbortSignal` does, at the price of a set entry, for waits that come by the million. A signal is
 * one, too: it has one listener of this package at a time, however many calls it was given to, and none once they are over.
 */

export class Stop {
  /** Why; undefined while it has not come. */
  reason: unknown;
  protected readonly waiting = new Set<(reason: unknown) => void>();

  get come(): boolean {
    return this.reason !== undefined;
  }

  /** Comes once; `reason` is an error. */
  now(reason: unknown): void {
    if (this.come) return;
    this.reason = reason;
    for (const told of [...this.waiting]) told(reason);
    this.waiting.clear();
  }

  throwIfCome(): void {
    if (this.come) throw this.reason;
  }

  add(told: (reason: unknown) => void): void {
    this.waiting.add(told);
  }

  delete(told: (reason: unknown) => void): void {
    this.waiting.delete(told);
  }
}

class SignalStop extends Stop {
  private readonly heard = (): void => this.now(this.signal.reason);

  constructor(private readonly signal: AbortSignal) {
    super();
  }

  override add(told: (reason: unknown) => void): void {
    // Added twice it is one.
    this.signal.addEventListener("abort", this.heard, { once: true });
    super.add(told);
  }

  override delete(told: (reason: unknown) => void): void {
    super.delete(told);
    if (!this.waiting.size) this.signal.removeEventListener("abort", this.heard);
  }
}

const stops = new WeakMap<AbortSignal, Stop>();

export function stopOf(signal: AbortSignal): Stop {
  const stop = stops.get(signal) ?? new SignalStop(signal);
  stops.set(signal, stop);
  if (signal.aborted) stop.now(signal.reason);
  return stop;
}

/** Calls `aborted` with the signal's reason when it aborts, unless the function that is returned was called before. */
export function onAbort(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const stop = stopOf(signal);
  stop.add(aborted);
  return () => stop.delete(aborted);
}

/** What `work` ends with, or the signal's reason where that comes first. */
export function abortable<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  return signal ? unless([stopOf(signal)], work) : work;
}

/** What `work` ends with, or the reason of the first of these stops that comes before. */
export function unless<T>(stops: readonly Stop[], work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = (): void => stops.forEach((stop) => stop.delete(stopped));
    const stopped = (reason: unknown): void => {
      over();
      reject(reason);
    };
    for (const stop of stops) stop.add(stopped);
    for (const stop of stops) if (stop.come) stopped(stop.reason);
    void work.then(resolve, reject).finally(over);
  });
}
