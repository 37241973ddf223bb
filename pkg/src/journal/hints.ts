/** Hints: a broadcast that the journal moved. May be lost, means nothing by itself; a peer that hears one looks earlier. */

/** Peers look no more often than this, however fast the journal grows. */
const PAUSE_MS = 10;

export class Hints {
  /** Undefined where the platform has no broadcasts: polls find what hints would have told. */
  private channel: BroadcastChannel | undefined;
  private last = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(database: string, heard: () => void) {
    try {
      this.channel = new BroadcastChannel(`posthaste:${database}`);
      this.channel.onmessage = heard;
    } catch {
      // A frame in a sandbox may not have one.
    }
  }

  /** At once if the last was long ago, else once for all that come meanwhile. */
  hint(): void {
    if (this.timer !== undefined) return;
    const since = Date.now() - this.last;
    // Below 0: the clock was set back.
    if (since < 0 || since >= PAUSE_MS) return this.send();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.send();
    }, PAUSE_MS - since);
  }

  close(): void {
    clearTimeout(this.timer);
    this.channel?.close();
    this.channel = undefined;
  }

  private send(): void {
    this.last = Date.now();
    this.channel?.postMessage(null);
  }
}
