/**
 * What a store does: keep a journal, records under numbers that only grow. IndexedDB and the runtimes' stores are this;
 * nothing else touches bodies at rest. `posthaste/testing` has the suite that every store passes.
 *
 * Errors by name: `QuotaExceededError` (no room), `DataCloneError` and `MessageTooLargeError` (a body it can't hold),
 * `CorruptionError` and `VersionError` (what is there can't be read: final), anything else (the store is opened again).
 */

export type Headers = Readonly<Record<string, string>>;
/** Headers of the messages that have some, by their place in the step. */
export type HeadersByIndex = Record<number, Headers>;

/** What others wrote. */
export interface Tail {
  /** Set when records from the number asked for on were cleaned away: it stands for all up to its number. */
  snapshot?: { number: number; bytes: Uint8Array };
  /** Of the records after the snapshot, or from the number asked for on. Ascending. */
  numbers: number[];
  /** As many as `numbers`. */
  records: Uint8Array[];
  /**
   * A random number but 0, that the store got when it was made. A change means that it was lost and made anew: no write that was under
   * way then may land in it.
   */
  birth: number;
}

/** One step to be written: a record, and the bodies of the messages it sends. */
export interface Append {
  record: Uint8Array;
  bodies: unknown[];
  headers?: HeadersByIndex;
  /** -1: bodies go with the record; else apart, 2^chunk messages a value, so that few are read for few that are handed out. */
  chunk: number;
}

/** Bodies of neighbouring messages, and their headers by place among them. */
export interface Bodies {
  bodies: unknown[];
  headers?: HeadersByIndex;
}

/** How the peers of a store know of each other whether they live. Without it leases run out. */
export interface Presence {
  /** The platform ends contexts of this kind when it likes: that is nobody's failure. */
  readonly fleeting: boolean;
  /** Has others see, until the answer is called, that the peer of that name lives. Undefined: nobody can see it. */
  show(peer: number): Promise<(() => void) | undefined>;
  /** Whether that peer, which was seen, lives; true where that can't be known. */
  lives(peer: number): Promise<boolean>;
  /** Calls `gone` once it does not live any more. Answers how to call that off. */
  watch(peer: number, gone: () => void): () => void;
  /** Notes at once, as far as that can be done, that these leave in good order: what else a context writes as it goes may not be written. */
  note?(peers: number[]): void;
  /** Whether that peer, which does not live any more, was noted. */
  noted?(peer: number): boolean;
  /** `leave` is called when this context ends in good order, `back` if it goes on after all. Answers how to call that off. */
  onLeave(leave: () => void, back: () => void): () => void;
}

export interface Store {
  /** As `queue.mode.storage` says it. */
  readonly kind: string;
  /** The most it can give. */
  readonly durability: "relaxed" | "strict";
  readonly presence?: Presence;
  /**
   * One atomic step. `from` 0: `decide` is called with an empty tail; else with everything from number `from` on, read
   * in the same step. It answers synchronously, undefined to write nothing, and is asked once: where the step has to be made
   * again, what it answered is written as it is, wherever that lands then. Resolves after the commit with the record's
   * number, 0 when nothing was written. Rejects when it was certainly not committed; an error with `outcomeUnknown`
   * when that can't be known.
   */
  append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number>;
  /** Everything from number `from` on. */
  read(from: number): Promise<Tail>;
  /** Values that hold bodies, by pairs of record number and part (-1: with the record, else the chunk); undefined: gone. */
  values(keys: number[]): Promise<(Bodies | undefined)[]>;
  /**
   * In one atomic step: writes a snapshot that stands for all records up to `number`, and deletes the records of `ranges`
   * with their bodies: pairs of a first and a last number, none above `floor`. Whoever reads from a number up to `floor`
   * gets the snapshot from then on; records that remain there have bodies that are still wanted. False: nothing was done,
   * a snapshot as new is there. `parts`, triples: of a record that remains, the first and last part of its bodies (where they lie
   * apart) that nobody will ask for again; they may go then or later, or be more than there are.
   */
  snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts?: number[]): Promise<boolean>;
  /**
   * `moved` is called when others may have written (a hint, never needed), and, with true, before any step goes on in what was opened
   * again: that may be an older copy. `lost` is called when the store is gone.
   */
  watch(moved: (anew?: boolean) => void, lost: (error: unknown) => void): void;
  /** Tells others that the journal moved. */
  hint(): void;
  /** Bytes used, where that is known. */
  usage(): Promise<number | undefined>;
  /** For each body the error that the store refuses it with, or undefined. */
  refused(bodies: unknown[]): Promise<unknown[]>;
  /** Gives up the room that is kept for steps in a full storage; false: there is none left. */
  release(): Promise<boolean>;
  close(): void;
}

/** Opens a store: what `storage` of `openQueue` takes where it is no name. The queues of one driver share one journal. */
export interface StorageDriver {
  /** As `queue.mode.storage` says it. */
  readonly kind: string;
  /** Called when the first queue is opened, and again when the store was lost or failed. */
  open(): Promise<Store>;
}
