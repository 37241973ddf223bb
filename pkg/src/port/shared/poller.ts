/** Listens to all rings to this context at once. A worker that may block does, between turns of its event loop, while it is in a conversation. */

import { Bell } from "./event-count";

/** Turns of the event loop, which those who load this count. */
export interface Turns {
  /** One turn: timers and input get their time. */
  turn(): Promise<void>;
  /** One has begun. */
  turned(): void;
}

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
/** Where words come this fast, it looks again and again for so long after the last one: to be woken takes as long. */
const FAST_MS = 1;
const POLL_MS = 0.15;
/** Looks between two at the clock. */
const LOOKS = 8;
/** However much there is to hear, the event loop turns after so long. */
const TURN_MS = 2;

export class Listener {
  readonly bell = new Bell();
  private readonly ears = new Set<Ear>();
  private listening = false;
  /** When something was said or heard last. */
  private last = 0;
  /** When something was heard last, and how long after what was heard before. */
  private heardAt = 0;
  private gap = Infinity;

  constructor(private readonly turns: Turns) {}

  add(ear: Ear): void {
    this.ears.add(ear);
    this.resume();
  }

  /** A call came through a port: where one can't sleep on memory, nothing else tells of what is in the rings. */
  resume(): void {
    if (!this.listening && this.ears.size) void this.listen();
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

  /** Something goes to who may answer. */
  spoke(): void {
    this.last = performance.now();
  }

  private heard(): void {
    const now = performance.now();
    this.gap = now - this.heardAt;
    this.heardAt = this.last = now;
  }

  /** Looks again and again, between whatever else there is to do in this turn. True: there is something. */
  private async poll(): Promise<boolean> {
    if (this.gap > FAST_MS || !manyCores()) return false;
    do {
      for (let look = 0; look < LOOKS; look += 1) {
        if (this.some()) return true;
        await undefined;
      }
    } while (performance.now() < this.last + POLL_MS);
    return false;
  }

  private async listen(): Promise<void> {
    this.listening = true;
    const { turn, turned } = this.turns;
    let turnedAt = 0;
    while (this.ears.size) {
      if (this.drain()) this.heard();
      // Whoever heard something gets to work on it, however much more there is.
      await undefined;
      const now = performance.now();
      if (now - turnedAt > TURN_MS) {
        await turn();
        turnedAt = performance.now();
      }
      const talks = this.talking && now - this.last < TALK_MS;
      if (talks ? await this.poll() : this.some()) continue;
      if (talks && mayBlock()) {
        await turn();
        if (!this.some()) {
          this.bell.block(BLOCK_MS, this.some);
          // What woke it may be in the port.
          if (!this.some()) await turn();
        }
      } else {
        const woken = this.bell.sleep(this.some);
        // Where one can't sleep on memory, a call comes through the port: it is armed for that.
        if (!woken) break;
        await woken;
        turned();
        this.bell.awake();
      }
      turnedAt = performance.now();
    }
    this.listening = false;
  }
}

/** Whether this context may block: a worker of its own, where nobody looks at a page meanwhile. */
function mayBlock(): boolean {
  const scope = globalThis as { DedicatedWorkerGlobalScope?: new () => unknown };
  return typeof scope.DedicatedWorkerGlobalScope === "function" && globalThis instanceof scope.DedicatedWorkerGlobalScope;
}

/** Whether another context can run while this one looks. */
function manyCores(): boolean {
  return ((globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1) > 1;
}
