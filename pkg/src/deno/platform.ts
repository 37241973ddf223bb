/**
 * What this driver asks of Deno KV. Deno's own declarations are not there where the package is compiled, nor where a program
 * gets its `Kv` elsewhere (the npm package @deno/kv): any object that has these will do.
 */

export type KvKeyPart = Uint8Array | string | number | bigint | boolean | symbol;
export type KvKey = readonly KvKeyPart[];

export interface KvEntry {
  key: KvKey;
  /** null: there is none. */
  value: unknown;
  versionstamp: string | null;
}

export interface KvCheck {
  key: KvKey;
  versionstamp: string | null;
}

export interface KvAtomic {
  check(...checks: KvCheck[]): unknown;
  set(key: KvKey, value: unknown): unknown;
  delete(key: KvKey): unknown;
  commit(): Promise<{ ok: boolean; versionstamp?: string }>;
}

/** A `Deno.Kv`. */
export interface Kv {
  get(key: KvKey): Promise<KvEntry>;
  list(
    selector: { prefix: KvKey } | { start: KvKey; end: KvKey },
    options?: { limit?: number; batchSize?: number },
  ): AsyncIterable<KvEntry>;
  atomic(): KvAtomic;
  close(): void;
}

/** A `Deno.FsFile`. */
export interface DenoFile {
  tryLock(exclusive: boolean): Promise<boolean>;
  close(): void;
}

/** The global scope, as far as it is Deno's. */
export interface DenoScope {
  Deno?: {
    openKv?(path?: string): Promise<Kv>;
    unrefTimer?(timer: number): void;
    open(path: string, options: { write: boolean; createNew?: boolean }): Promise<DenoFile>;
    remove(path: string): Promise<void>;
    FsFile?: { prototype: object };
  };
}
