/** A journal in Deno KV, open in this context: what `Store` asks, each done by the file named after it. */

import type { Append, Bodies, Presence, Store, Tail } from "../contract/store";
import { append, refusal } from "./append";
import { replace } from "./snapshots";
import type { Database } from "./database";
import { Looking } from "./poll";
import { readTail, readValues } from "./reading";

export class KvStore implements Store {
  readonly kind = "deno-kv";
  /** Deno's SQLite does not flush at a commit, and nobody can ask for it. */
  readonly durability = "relaxed";
  private looking: Looking | undefined;

  /** `own`: the connection is closed with the store. `pauses`: the shortest and the longest between two looks for what others wrote, in milliseconds. */
  constructor(
    private readonly database: Database,
    private readonly own: boolean,
    private readonly pauses: readonly [number, number],
    readonly presence: Presence | undefined,
  ) {}

  async append(from: number, decide: (tail: Tail | undefined) => Append | undefined): Promise<number> {
    // Whoever moves the head after this reading comes before the step: what was decided once stands as far as it can there.
    const step = decide(from > 0 ? await readTail(this.database, from) : undefined);
    return step ? append(this.database, step) : 0;
  }

  read(from: number): Promise<Tail> {
    return readTail(this.database, from);
  }

  values(keys: number[]): Promise<(Bodies | undefined)[]> {
    return readValues(this.database, keys);
  }

  snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts: number[] = []): Promise<boolean> {
    return replace(this.database, number, floor, bytes, ranges, parts);
  }

  watch(moved: () => void): void {
    this.looking = new Looking(this.database, moved, ...this.pauses);
  }

  hint(): void {
    this.looking?.soon();
  }

  async usage(): Promise<undefined> {
    return undefined;
  }

  async refused(bodies: unknown[]): Promise<unknown[]> {
    return bodies.map(refusal);
  }

  async release(): Promise<boolean> {
    return false;
  }

  close(): void {
    if (this.database.closed) return;
    this.looking?.close();
    this.database.closed = true;
    if (this.own) this.database.kv.close();
  }
}
