/** The journal's keys in one database: the head and how it moves, parts, and the commits between. */

import { named } from "./errors";
import { COMMIT_BYTES, COMMIT_KEYS, COMMIT_KEY_BYTES, PIECE_BYTES, bornHead, headValue, pieces, shown, type Head,
  type Layout } from "./layout";
import type { Kv, KvAtomic, KvCheck, KvEntry, KvKey } from "./platform";
import { Patience, isLocked, patiently } from "./retry";

/** Parts that were written ahead of the commit that makes them someone's. */
export interface Draft {
  check: KvCheck;
  name: string;
}

type Write = (commit: KvAtomic) => void;
interface Piece {
  bytes: number;
  write: Write;
}

export class Database {
  closed = false;
  /** Commits under way, and those that failed in a way that leaves open whether they will still happen. */
  unsettled = 0;
  private birth = 0;
  /** As it was last seen. A step is tried on it without reading it again. */
  private seen: Head | undefined;

  constructor(readonly kv: Kv, readonly layout: Layout) {}

  /** Finds the journal, or makes it where there is nothing at all. */
  async prove(): Promise<void> {
    const { kv, layout } = this;
    const born = bornHead();
    let entry = await this.get(layout.head);
    if (entry.value === null) {
      const others = await this.list(layout.prefix, undefined, 1);
      // Another one may have made it meanwhile.
      if (!others.length) await this.commit(new Patience("making the journal"), () => this.moving(kv.atomic(), born, born));
      entry = await this.get(layout.head);
      if (entry.value === null)
        throw named("CorruptionError", `what is kept in Deno KV under ${shown(layout.prefix)} is no journal: give another prefix`);
    }
    this.seen = layout.headOf(entry);
    this.birth = this.seen.birth;
  }

  /** The last number that this context knows of. */
  get last(): number {
    return this.seen?.last ?? 0;
  }

  async head(): Promise<Head> {
    const head = this.layout.headOf(await this.get(this.layout.head));
    if (this.birth && head.birth !== this.birth)
      throw named("StorageLostError", `the journal in Deno KV under ${shown(this.layout.prefix)} was deleted and made anew`);
    // A commit may have been quicker.
    if (!this.seen || String(head.versionstamp) > String(this.seen.versionstamp)) this.seen = head;
    return head;
  }

  /**
   * Moves the head in one commit, together with what `change` adds; again, from the head as it is then, when others moved it
   * meanwhile. `change` says what the head becomes; undefined: nothing is to be done.
   */
  async move(what: string, change: (head: Head, commit: KvAtomic) => Head | undefined): Promise<Head | undefined> {
    const patience = new Patience(what);
    for (let head = this.seen ?? (await this.head());; head = await this.head()) {
      let next: Head | undefined;
      const versionstamp = await this.commit(patience, () => {
        const commit = this.kv.atomic();
        next = change(head, commit);
        return next && this.moving(commit, head, next);
      });
      if (!next) return undefined;
      if (versionstamp) return (this.seen = { ...next, versionstamp });
      await patience.pause();
    }
  }

  private moving(commit: KvAtomic, from: Head, to: Head): KvAtomic {
    const { head: key } = this.layout;
    commit.check({ key, versionstamp: from.versionstamp });
    commit.set(key, headValue(to));
    return commit;
  }

  /** One commit, tried again while the database is locked. undefined: what it checks was not so, or there is none. */
  async commit(patience: Patience, make: () => KvAtomic | undefined): Promise<string | undefined> {
    for (;;) {
      if (this.closed) throw new DOMException("the store was closed", "InvalidStateError");
      const commit = make();
      if (!commit) return undefined;
      this.unsettled += 1;
      try {
        const { ok, versionstamp } = await commit.commit();
        this.unsettled -= 1;
        return ok ? versionstamp : undefined;
      } catch (error) {
        if (!isLocked(error)) throw doubtful(error);
      }
      this.unsettled -= 1;
      await patience.pause();
    }
  }

  get(key: KvKey): Promise<KvEntry> {
    return patiently("reading", () => this.kv.get(key));
  }

  /** Everything from `start` up to `end`, or under `start`. */
  list(start: KvKey, end?: KvKey, limit?: number): Promise<KvEntry[]> {
    return patiently("reading", async () => {
      const found: KvEntry[] = [];
      for await (const entry of this.kv.list(end ? { start, end } : { prefix: start }, { limit })) found.push(entry);
      return found;
    });
  }

  /** Part `part` of `bytes` bytes; undefined: some of it is missing. */
  async part(name: string, part: number, bytes: number): Promise<Uint8Array | undefined> {
    const count = pieces(bytes);
    const { layout } = this;
    const found = count === 1
      ? [await this.get(layout.piece(name, part, 0))]
      : await this.list(layout.piece(name, part, 0), layout.piece(name, part, count));
    const values = found.flatMap(({ value }) => (value instanceof Uint8Array ? [value] : []));
    if (values.reduce((sum, { length }) => sum + length, 0) !== bytes) return undefined;
    if (values.length === 1) return values[0];
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const value of values) {
      whole.set(value, at);
      at += value.length;
    }
    return whole;
  }

  /** Whether parts of these many bytes go along with a step in one commit. */
  fits(lengths: Iterable<number>): boolean {
    let [bytes, keys] = [0, 0];
    for (const length of lengths) {
      keys += pieces(length);
      bytes += length + pieces(length) * this.layout.keyBytes;
    }
    return bytes <= COMMIT_BYTES && keys <= this.keysMax;
  }

  private get keysMax(): number {
    return Math.min(COMMIT_KEYS, Math.floor(COMMIT_KEY_BYTES / this.layout.keyBytes));
  }

  /** Writes the pieces of parts. */
  put(commit: KvAtomic, name: string, parts: Uint8Array[]): void {
    for (const { write } of this.pieces(name, parts)) write(commit);
  }

  private pieces(name: string, parts: Uint8Array[]): Piece[] {
    return parts.flatMap((part, index) =>
      Array.from({ length: pieces(part.length) }, (_, at) => {
        const bytes = part.slice(at * PIECE_BYTES, (at + 1) * PIECE_BYTES);
        return {
          bytes: bytes.length + this.layout.keyBytes,
          write: (commit) => commit.set(this.layout.piece(name, index, at), bytes),
        } satisfies Piece;
      })
    );
  }

  /** Writes parts that are too much for one commit, as a draft. */
  async draft(name: string, parts: Uint8Array[]): Promise<Draft> {
    const key = this.layout.draft(name);
    const patience = new Patience("writing parts");
    const lengths = lengthsOf(parts);
    const versionstamp = await this.commit(patience, () => {
      const commit = this.kv.atomic();
      commit.set(key, [Date.now(), lengths]);
      return commit;
    });
    const check = { key, versionstamp: versionstamp ?? null };
    for (const batch of this.batches(this.pieces(name, parts))) {
      const written = await this.commit(new Patience("writing parts"), () => {
        const commit = this.kv.atomic();
        commit.check(check);
        for (const { write } of batch) write(commit);
        return commit;
      });
      if (!written) throw new DOMException("writing parts took so long that they were cleaned away", "TimeoutError");
    }
    return { check, name };
  }

  private *batches(all: Piece[]): Generator<Piece[]> {
    let batch: Piece[] = [];
    let sum = 0;
    for (const piece of all) {
      if (batch.length === this.keysMax || (batch.length && sum + piece.bytes > COMMIT_BYTES)) {
        yield batch;
        [batch, sum] = [[], 0];
      }
      batch.push(piece);
      sum += piece.bytes;
    }
    if (batch.length) yield batch;
  }

  /** Deletes keys, in their order, in as many commits as it takes. */
  async remove(keys: Iterable<KvKey>): Promise<void> {
    const all = Array.from(keys, (key) => ({ bytes: this.layout.keyBytes, write: (commit: KvAtomic) => void commit.delete(key) }));
    for (const batch of this.batches(all)) {
      await this.commit(new Patience("cleaning up"), () => {
        const commit = this.kv.atomic();
        for (const { write } of batch) write(commit);
        return commit;
      });
    }
  }

  /** The keys of parts. */
  *partKeys(name: string, lengths: Iterable<number>): Generator<KvKey> {
    let part = 0;
    for (const length of lengths) {
      for (let at = 0; at < pieces(length); at += 1) yield this.layout.piece(name, part, at);
      part += 1;
    }
  }
}

/** A commit that failed on the way: whether it happened is not known, nor whether it still will. */
function doubtful(error: unknown): unknown {
  if (typeof error === "object" && error !== null) (error as { outcomeUnknown: boolean }).outcomeUnknown = true;
  return error;
}

export const lengthsOf = (parts: Uint8Array[]): Uint32Array => Uint32Array.from(parts, ({ length }) => length);

/** A name that no other parts have. */
export function newName(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (half) => half.toString(36)).join("");
}
