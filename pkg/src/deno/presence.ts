/**
 * Presence beside a database in a file: a peer holds the lock of a file of its name, which the system lets go of when its process
 * dies, however it does. Elsewhere nobody can tell, and leases run out.
 */

import type { Presence } from "../contract/store";
import type { DenoFile, DenoScope } from "./platform";
import { letEnd } from "./timer";

const LOOK_MS = 200;

interface Watched {
  file: DenoFile;
  path: string;
  gone: () => void;
}

export class FilePresence implements Presence {
  readonly fleeting = false;
  private readonly watched = new Set<Watched>();
  private timer: unknown;

  /** `database`: the path of its file. */
  constructor(private readonly database: string) {}

  private path(peer: number): string {
    return `${this.database}-peer-${peer}`;
  }

  async show(peer: number): Promise<(() => void) | undefined> {
    const path = this.path(peer);
    // A program that may not write there can't be seen.
    const file = await deno().open(path, { write: true, createNew: true }).catch(() => undefined);
    if (!file) return undefined;
    if (await isFree(file).catch(() => false)) return () => remove(file, path);
    remove(file, path);
    return undefined;
  }

  async lives(peer: number): Promise<boolean> {
    const path = this.path(peer);
    try {
      const file = await deno().open(path, { write: true });
      if (await isFree(file)) return remove(file, path);
      file.close();
      return true;
    } catch (error) {
      // Whoever sees that one is dead takes its file away.
      return (error as Error)?.name !== "NotFound";
    }
  }

  watch(peer: number, gone: () => void): () => void {
    const path = this.path(peer);
    let watched: Watched | undefined;
    let over = false;
    deno().open(path, { write: true }).then(
      (file) => {
        if (over) return file.close();
        this.watched.add(watched = { file, path, gone });
        this.set();
      },
      (error: unknown) => {
        if (!over && (error as Error)?.name === "NotFound") gone();
      },
    );
    return () => {
      over = true;
      if (watched && this.watched.delete(watched)) watched.file.close();
    };
  }

  private set(): void {
    if (this.timer !== undefined || !this.watched.size) return;
    this.timer = setTimeout(() => void this.look(), LOOK_MS);
    letEnd(this.timer);
  }

  private async look(): Promise<void> {
    for (const watched of [...this.watched]) {
      const free = await isFree(watched.file).catch(() => false);
      if (!free || !this.watched.delete(watched)) continue;
      remove(watched.file, watched.path);
      watched.gone();
    }
    this.timer = undefined;
    this.set();
  }

  /** A program that ends can't wait for a commit: close the queue before. */
  onLeave(): () => void {
    return () => undefined;
  }
}

const deno = (): NonNullable<DenoScope["Deno"]> => (globalThis as DenoScope).Deno!;

/** Takes the lock of a file, if nobody has it. */
const isFree = (file: DenoFile): Promise<boolean> => file.tryLock(true);

/** With its lock. Always false. */
function remove(file: DenoFile, path: string): false {
  file.close();
  deno().remove(path).catch(() => undefined);
  return false;
}

/** Whether files can be locked here (Deno 2.5 and later). */
export function hasLocks(): boolean {
  return "tryLock" in (deno().FsFile?.prototype ?? {});
}
