/**
 * Noticing that others wrote. Deno's own ways to be told (`kv.watch`, `BroadcastChannel`) keep a program from ending, and the
 * first does not see other processes: so the head is looked at, soon after something has moved, and ever more rarely.
 */

import type { Database } from "./database";
import { letEnd } from "./timer";

export class Looking {
  private timer: unknown;
  private pause: number;
  /** A look is under way. */
  private busy = false;

  /** `pauseMin`, `pauseMax`: the shortest and the longest time between two looks, in milliseconds. */
  constructor(
    private readonly database: Database,
    private readonly moved: () => void,
    private readonly pauseMin: number,
    private readonly pauseMax: number,
  ) {
    this.pause = pauseMin;
    this.set();
  }

  /** Something has moved: more may soon. */
  soon(): void {
    if (this.pause === this.pauseMin) return;
    this.pause = this.pauseMin;
    if (!this.busy) this.set();
  }

  close(): void {
    clearTimeout(this.timer as number);
  }

  private set(): void {
    this.close();
    this.timer = setTimeout(() => void this.look(), this.pause);
    letEnd(this.timer);
  }

  private async look(): Promise<void> {
    const { database } = this;
    const { last } = database;
    this.pause = Math.min(2 * this.pause, this.pauseMax);
    this.busy = true;
    try {
      if ((await database.head()).last > last && !database.closed) {
        this.pause = this.pauseMin;
        this.moved();
      }
    } catch {
      // Whoever needs the journal will meet it.
    }
    this.busy = false;
    if (!database.closed) this.set();
  }
}
