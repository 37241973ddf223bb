/** Presence in a folder: one process at a time has it, so whoever has it knows that all peers who are not in it are gone. */

import type { Presence } from "../contract/store";

/** Who wants to know when this process ends in good order. */
const leaving = new Set<() => void>();
let listens = false;

function listen(): void {
  if (listens) return;
  listens = true;
  // Before anyone gives up a lock. A process that says that it failed may have failed by what it was handed.
  process.prependListener("exit", (code) => {
    if (code === 0) { for (const leave of [...leaving]) leave(); }
  });
}

export class FolderPresence implements Presence {
  readonly fleeting = false;
  private readonly living = new Set<number>();

  async show(peer: number): Promise<() => void> {
    this.living.add(peer);
    return () => void this.living.delete(peer);
  }

  async lives(peer: number): Promise<boolean> {
    return this.living.has(peer);
  }

  /** Peers of one process end with it, or give back what they hold. */
  watch(): () => void {
    return () => undefined;
  }

  onLeave(leave: () => void): () => void {
    listen();
    leaving.add(leave);
    return () => void leaving.delete(leave);
  }
}
