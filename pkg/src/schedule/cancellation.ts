/** A stop that many may wait for: what an `AbortSignal` does, at the price of a set entry, for waits that come by the million. */

export class Stop {
  /** Why; undefined while it has not come. */
  reason: unknown;
  private readonly waiting = new Set<(reason: unknown) => void>();

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
