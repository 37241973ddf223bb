/**
 * Trying again: where others write too, a commit may find that the journal has moved, and a file may be locked. Both pass.
 * Whoever tries waits a random while in between, longer each time, and gives up at last.
 */

/** The longest pause between two tries. */
const PAUSE_MAX_MS = 64;
/** Below the time after which a silent store is opened again. */
const PATIENCE_MS = 10_000;
/** How SQLite says it. Nothing was done then. */
const LOCKED = /database (?:table )?is locked|SQLITE_BUSY/;

export const isLocked = (error: unknown): boolean => LOCKED.test((error as Error)?.message ?? "");

/** One operation's tries. */
export class Patience {
  private tries = 0;
  private readonly end = performance.now() + PATIENCE_MS;

  /** `what` is tried, for the message. */
  constructor(private readonly what: string) {}

  /** Waits before the next try. Rejects with `TimeoutError` where there were enough. */
  async pause(): Promise<void> {
    this.tries += 1;
    if (performance.now() >= this.end) {
      throw new DOMException(
        `${this.what} failed ${this.tries} times in ${PATIENCE_MS / 1000} s: others write to the same database all the time`,
        "TimeoutError",
      );
    }
    const most = Math.min(PAUSE_MAX_MS, 2 ** this.tries);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * most));
  }
}

/** Does what only reads, again while the database is locked. */
export async function patiently<Result>(what: string, operation: () => Promise<Result>): Promise<Result> {
  const patience = new Patience(what);
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!isLocked(error)) throw error;
    }
    await patience.pause();
  }
}
