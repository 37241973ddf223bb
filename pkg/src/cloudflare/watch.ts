/** What happens in a queue, kept for a Worker that listens until it asks. */

import type { Onlooker } from "../engine/effects";
import type { Happening } from "./rpc";

/** Events tell what changed, not how often: the oldest go where nobody asks. */
const KEPT_MAX = 1000;

export class Watch implements Onlooker {
  readonly consuming = false;
  /** The journal need not look more often for it: it is told at once. */
  readonly listening = false;
  /** When it was asked last. */
  asked = 0;
  private kept: Happening[] = [];
  private wake: (() => void) | undefined;

  /** What happened, once something did; or when `stop` is called by `until`'s timer. */
  async happened(until: (stop: () => void) => () => void): Promise<Happening[]> {
    if (!this.kept.length) {
      let clear = (): void => undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        clear = until(resolve);
      });
      clear();
      this.wake = undefined;
    }
    const { kept } = this;
    this.kept = [];
    return kept;
  }

  private keep(happening: Happening): void {
    const last = this.kept[this.kept.length - 1];
    if (happening.what === "depth" && last?.what === "depth" && last.count > 0) this.kept.pop();
    this.kept.push(happening);
    if (this.kept.length > KEPT_MAX) this.kept.shift();
    this.wake?.();
  }

  dead(number: number, index: number, count: number, reason: string): void {
    this.keep({ what: "dead", number, index, count, reason });
  }

  dropped(number: number, index: number, count: number, cause: number): void {
    this.keep({ what: "dropped", number, index, count, cause });
  }

  depth(count: number): void {
    this.keep({ what: "depth", count });
  }

  gone(): void {}

  storage(): void {}

  error(): void {}
}
