/** Listens to all rings to this context at once. A worker that may block does, between turns of its event loop, while it is in a conversation. */

import { Bell } from "./bell";
import { turn } from "./turn";

/** One ring that is listened to. */
export interface Ear {
  /** Something can be heard. */
  readonly some: boolean;
  /** An answer is awaited. */
  readonly talking: boolean;
  /** Hears what there is; answers whether there was anything. */
  drain(): boolean;
}

/** How long a worker that is in a conversation blocks at a time, and how long after the last word it still does. */
const BLOCK_MS = 0.5;
const TALK_MS = 3;

class Listener {
  readonly bell = new Bell();
  private readonly ears = new Set<Ear>();
  private listening = false;

  add(ear: Ear): void {
    this.ears.add(ear);
    if (!this.listening) void this.listen();
  }

  delete(ear: Ear): void {
    // The last one ends the sleep too.
    if (this.ears.delete(ear)) this.bell.ring();
  }

  private readonly some = (): boolean => {
    if (!this.ears.size) return true;
    for (const ear of this.ears) if (ear.some) return true;
    return false;
  };

  private drain(): boolean {
    let some = false;
    for (const ear of this.ears) some = ear.drain() || some;
    return some;
  }

  private get talking(): boolean {
    for (const ear of this.ears) if (ear.talking) return true;
    return false;
  }

  private async listen(): Promise<void> {
    this.listening = true;
    let last = 0;
    while (this.ears.size) {
      if (this.drain()) last = performance.now();
      if (mayBlock() && this.talking && performance.now() - last < TALK_MS) {
        await turn();
        if (!this.drain()) this.bell.block(BLOCK_MS, this.some);
        continue;
      }
      const woken = this.bell.sleep(this.some);
      // Where one can't sleep on memory, calls come through the port.
      if (!woken) break;
      await woken;
      this.bell.awake();
    }
    this.listening = false;
  }
}

let own: Listener | undefined;

/** This context's. */
export function listener(): Listener {
  return (own ??= new Listener());
}

/** Whether this context may block: a worker of its own, where nobody looks at a page meanwhile. */
function mayBlock(): boolean {
  const scope = globalThis as { DedicatedWorkerGlobalScope?: new () => unknown };
  return typeof scope.DedicatedWorkerGlobalScope === "function" && globalThis instanceof scope.DedicatedWorkerGlobalScope;
}
