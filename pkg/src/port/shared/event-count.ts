/**
 * What a context sleeps on: one event count, in shared memory of its own, which all rings to it ring. A context can sleep
 * in one place only, and may have many ports. The algorithm is in `src/ring`.
 */

import { moduleOver, sharedMemory, type Module } from "./rings";

const BYTES = 256;

export class Bell {
  private readonly module: Module;
  private readonly words: Int32Array;

  /** `memory` undefined: a new one. */
  constructor(readonly memory = sharedMemory(BYTES)) {
    this.module = moduleOver(memory);
    this.words = new Int32Array(memory.buffer);
  }

  /** Wakes whose bell it is. False: it is about to sleep, or can't sleep on memory, and is to be called in another way. */
  ring(): boolean {
    const sleeper = this.module.raise(0);
    if (!sleeper) return true;
    if (Atomics.notify(this.words, 0) === 0) return false;
    this.module.woken(0, sleeper);
    return true;
  }

  /** Resolves when it is rung, or `some` says that there is something already; undefined where a context can't wait for memory. */
  sleep(some: () => boolean): Promise<unknown> | undefined {
    const { waitAsync } = Atomics as { waitAsync?: (words: Int32Array, index: number, value: number) => { value: unknown } };
    const count = this.module.arm(0);
    if (some()) return Promise.resolve();
    return waitAsync && Promise.resolve(waitAsync(this.words, 0, count).value);
  }

  /** Blocks this worker until it is rung, no longer than `ms`. */
  block(ms: number, some: () => boolean): void {
    const count = this.module.arm(0);
    if (!some()) Atomics.wait(this.words, 0, count, ms);
    this.module.disarm(0);
  }

  awake(): void {
    this.module.disarm(0);
  }
}
