/** What a store does: keep a journal. IndexedDB and the runtimes' stores are this; nothing else touches bodies at rest. */

export type Headers = Readonly<Record<string, string>>;
/** Headers of the messages that have some, by index. */
export type HeadersByIndex = Record<number, Headers>;

/** What others wrote. */
export interface Tail {
  /** Set when records were cleaned away: the replica is replaced by this first. */
  snapshot?: { number: number; bytes: Uint8Array };
  /** Ascending. */
  numbers: number[];
  /** As many as `numbers`. */
  records: Uint8Array[];
  /** A random mark that the store got when it was made. A change means that it was lost and made anew. */
  birth: number;
}

/** One step to be written. */
export interface Append {
  record: Uint8Array;
  bodies: unknown[];
  headers?: HeadersByIndex;
  /** -1: bodies go with the record; else apart, 2^chunk messages a value. */
  chunk: number;
}

/** Bodies of neighbouring messages, and their headers by place among them. */
export interface Bodies {
  bodies: unknown[];
  headers?: HeadersByIndex;
}

export interface Store {
  readonly kind: string;
  /** The most it can give. */
  readonly durability: "relaxed" | "strict";
  /**
   * One atomic step. `from` 0: `decide` is called with an empty tail; else with everything from number `from` on, read
   * in the same step. It answers synchronously, undefined to write nothing. Resolves after the commit with the record's
   * number, 0 when nothing was written. Rejects when it was certainly not committed; an error with `outcomeUnknown`
   * when that can't be known.
   */
  append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number>;
  /** Everything from number `from` on. */
  read(from: number): Promise<Tail>;
  /** Values that hold bodies, by pairs of record number and part (-1: with the record, else the chunk). */
  values(keys: number[]): Promise<(Bodies | undefined)[]>;
  /** Writes a snapshot and deletes what it makes superfluous, unless a newer one is there. */
  snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[]): Promise<boolean>;
  watch(moved: () => void, lost: (error: unknown) => void): void;
  hint(): void;
  usage(): Promise<number | undefined>;
  /** Which bodies the store can't hold. */
  refused(bodies: unknown[]): Promise<number[]>;
  /** Gives up the room that is kept for steps in a full storage; false: there is none left. */
  release(): Promise<boolean>;
  close(): void;
}
