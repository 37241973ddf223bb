/**
 * The store in IndexedDB. What it keeps and how is in the wasm module (`src/web/indexeddb`); here is what only JavaScript moves: promises,
 * hints between contexts, and what the platform says of its storage.
 */

import { appendTo, closeIndexedDb, openIndexedDb, putSnapshot, readFrom, refusedBy, reserve, valuesIn } from "../../wasm/posthaste.js";
import { platformError } from "../contract/errors";
import { Hints } from "./hints";
import { presence } from "./presence";
import type { Append, Bodies, Store, Tail } from "../contract/store";

/** Called once: whether it went well, and the answer or the error; undefined: the store is closed. */
type Done = (good: boolean, value: any) => void;

/** Whether there is a database of that name; true where the platform can't tell. */
export async function databaseExists(name: string): Promise<boolean> {
  if (!globalThis.indexedDB) return false;
  return !indexedDB.databases || (await indexedDB.databases()).some((database) => database.name === name);
}

export class IndexedDbStore implements Store {
  readonly kind = "indexeddb";
  durability: "relaxed" | "strict" = "relaxed";
  readonly presence = presence;
  private number = -1;
  private moved: ((anew?: boolean) => void) | undefined;
  private lost: ((error: unknown) => void) | undefined;
  /** Why the store is lost. */
  private error: unknown;
  /** Made when first needed: a channel that nobody uses is one more thing that keeps a page out of the back-forward cache. */
  private hints: Hints | undefined;

  private constructor(private readonly name: string) {}

  /**
   * Opens the journal in the database `name`, and makes it where there is none. Rejects with `CorruptionError` when the database is
   * something else, `VersionError` when a newer posthaste wrote it (it is not touched then), `TimeoutError` after 10 s.
   */
  static async open(name: string): Promise<IndexedDbStore> {
    const store = new IndexedDbStore(name);
    const tell = (error: unknown): void => store.tell(error);
    try {
      const strict = await store.ask((done) => (store.number = openIndexedDb(indexedDB, name, tell, done)));
      if (strict) store.durability = "strict";
    } catch (error) {
      store.close();
      throw error;
    }
    return store;
  }

  append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number> {
    return this.ask((done) => appendTo(this.number, from, decide, strict, done));
  }

  read(from: number): Promise<Tail> {
    return this.ask((done) => readFrom(this.number, from, done));
  }

  values(keys: number[]): Promise<(Bodies | undefined)[]> {
    return this.ask((done) => valuesIn(this.number, keys, done));
  }

  async snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts: number[] = []): Promise<boolean> {
    const written = await this.ask<boolean>((done) => putSnapshot(this.number, number, floor, bytes, ranges, parts, done));
    // Makes up for a reserve that was given up. Where there is no room for it yet there may be after the next snapshot.
    if (written) await this.ask((done) => reserve(this.number, true, done)).catch(() => undefined);
    return written;
  }

  release(): Promise<boolean> {
    return this.ask((done) => reserve(this.number, false, done));
  }

  refused(bodies: unknown[]): Promise<unknown[]> {
    return this.ask((done) => refusedBy(this.number, bodies, done));
  }

  watch(moved: (anew?: boolean) => void, lost: (error: unknown) => void): void {
    if (this.error !== undefined) lost(this.error);
    [this.moved, this.lost] = [moved, lost];
    this.channel();
  }

  hint(): void {
    this.channel().hint();
  }

  /** Bytes in IndexedDB, or in all storage of the origin where that is all that is told; undefined where nothing is. */
  async usage(): Promise<number | undefined> {
    // Not in insecure contexts, nor everywhere.
    const estimate = await globalThis.navigator?.storage?.estimate?.().catch(() => undefined);
    const { usageDetails, usage } = (estimate ?? {}) as { usage?: number; usageDetails?: { indexedDB?: number } };
    return usageDetails?.indexedDB ?? usage;
  }

  close(): void {
    this.moved = this.lost = undefined;
    closeIndexedDb(this.number);
    this.hints?.close();
  }

  private ask<Answer>(work: (done: Done) => void): Promise<Answer> {
    const closed = (): Error => platformError("InvalidStateError", `the database "${this.name}" is closed`);
    return new Promise((resolve, reject) => work((good, value) => (good ? resolve(value) : reject(value ?? closed()))));
  }

  private tell(error: unknown): void {
    if (error === undefined) return this.moved?.(true);
    this.error = error;
    this.lost?.(error);
  }

  private channel(): Hints {
    return (this.hints ??= new Hints(this.name, () => this.moved?.()));
  }
}
