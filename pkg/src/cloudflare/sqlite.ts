/**
 * The journal in a Durable Object's SQLite. A value may have 2 MB there: what is larger lies in pieces.
 *
 * | table | row |
 * |---|---|
 * | `posthaste_header` | one: `format` 2, `birth`, and the snapshot's `number` (0: none) and `floor` |
 * | `posthaste_records` | `number`, the `record`, and the `bodies` that go with it, if it all fits into a row |
 * | `posthaste_pieces` | piece `piece` of the bytes of part `part` of record `number`: its chunks from 0 on, -1: the bodies that go with it, -2: the record itself; the snapshot is part 0 of number 0 |
 *
 * Bodies lie there with their headers (bodies/format.ts). Whatever is read here may have been written by anyone.
 */

import { CorruptionError } from "posthaste";
import { platformError } from "../contract/errors";
import { headersBetween } from "../bodies/headers";
import type { Append, Bodies, StorageDriver, Store, Tail } from "../contract/store";
import { encode, read, write } from "./bodies";
import type { ObjectStorage } from "./platform";

const FORMAT = 2;
/** Of the 2 MB that a row may have (developers.cloudflare.com/durable-objects/platform/limits). */
const PIECE_MAX = 1_900_000;
const WITH_RECORD = -1;
const RECORD = -2;

const TABLES = [
  "CREATE TABLE IF NOT EXISTS posthaste_header (id INTEGER PRIMARY KEY, format INTEGER, birth INTEGER, number INTEGER, floor INTEGER)",
  "CREATE TABLE IF NOT EXISTS posthaste_records (number INTEGER PRIMARY KEY, record BLOB, bodies BLOB)",
  "CREATE TABLE IF NOT EXISTS posthaste_pieces (number INTEGER, part INTEGER, piece INTEGER, bytes BLOB, PRIMARY KEY (number, part, piece))",
];
/** Numbers are never given twice: those that were cleaned away are all up to the snapshot's. */
const INSERT = `INSERT INTO posthaste_records SELECT 1 + MAX(IFNULL((SELECT MAX(number) FROM posthaste_records), 0), number), ?, ?
  FROM posthaste_header RETURNING number`;

interface Header {
  birth: number;
  number: number;
  floor: number;
}

/** Keeps queues in the SQLite storage of the Durable Object that calls it: `openQueue(name, { storage: sqliteStorage(ctx.storage) })`. */
export function sqliteStorage(storage: ObjectStorage): StorageDriver {
  if (typeof storage?.transactionSync !== "function" || !storage.sql) {
    throw new TypeError("storage must be the ctx.storage of a Durable Object with SQLite (new_sqlite_classes in its migration)");
  }
  return { kind: "sqlite", open: async () => new SqliteStore(storage) };
}

class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly durability = "strict";

  constructor(private readonly storage: ObjectStorage) {
    this.atomic(() => {
      for (const table of TABLES) this.sql(table);
      const birth = Math.floor(Math.random() * 2 ** 52) + 1;
      this.sql("INSERT OR IGNORE INTO posthaste_header VALUES (0, ?, ?, 0, 0)", FORMAT, birth);
      this.header();
    });
  }

  /** Rows by the names of their columns: in quotes wherever they are read, so that no bundle shortens them. */
  private sql(query: string, ...bindings: unknown[]): ReturnType<ReturnType<ObjectStorage["sql"]["exec"]>["toArray"]> {
    return this.storage.sql.exec(query, ...bindings).toArray();
  }

  /** All or nothing: without it, what was written before an error stays. */
  private atomic<T>(step: () => T): T {
    try {
      return this.storage.transactionSync(step);
    } catch (error) {
      const { message } = error as Error;
      if (/SQLITE_FULL|database or disk is full|maximum DB size/i.test(message))
        throw platformError("QuotaExceededError", `the object's storage is full: ${message}`);
      throw error;
    }
  }

  async append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number> {
    const number = this.atomic(() => {
      const step = decide(from === 0 ? undefined : this.tail(from));
      return step ? this.write(step) : 0;
    });
    // Answers of the object wait for that anyhow.
    if (strict && number) await this.storage.sync();
    return number;
  }

  private write({ record, bodies, headers, chunk }: Append): number {
    const together = bodies.length && chunk < 0 ? write({ bodies, headers }) : undefined;
    const fits = record.length + (together?.length ?? 0) <= PIECE_MAX;
    const [row] = this.sql(INSERT, fits ? record : null, fits ? together ?? null : null);
    const number = row["number"] as number;
    if (!fits) {
      this.put(number, RECORD, record);
      if (together) this.put(number, WITH_RECORD, together);
    }
    const size = 2 ** chunk;
    for (let first = 0, part = 0; chunk >= 0 && first < bodies.length; first += size, part += 1) {
      this.put(number, part, write({
        bodies: bodies.slice(first, first + size),
        headers: headersBetween(headers, first, Math.min(size, bodies.length - first)),
      }));
    }
    return number;
  }

  private put(number: number, part: number, bytes: Uint8Array): void {
    for (let from = 0, piece = 0; piece === 0 || from < bytes.length; from += PIECE_MAX, piece += 1) {
      this.sql("INSERT INTO posthaste_pieces VALUES (?, ?, ?, ?)", number, part, piece, bytes.slice(from, from + PIECE_MAX));
    }
  }

  /** The bytes of a part in one; undefined: there are none. */
  private pieces(number: number, part: number): Uint8Array | undefined {
    const rows = this.sql("SELECT piece, bytes FROM posthaste_pieces WHERE number = ? AND part = ? ORDER BY piece", number, part);
    if (!rows.length) return undefined;
    const pieces = rows.map((row, at) => (row["piece"] === at ? bytesOf(row["bytes"], number) : corrupt(number)));
    if (pieces.length === 1) return pieces[0];
    const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let from = 0;
    for (const piece of pieces) {
      whole.set(piece, from);
      from += piece.length;
    }
    return whole;
  }

  private header(): Header {
    const [row] = this.sql("SELECT format, birth, number, floor FROM posthaste_header WHERE id = 0");
    if (row && Number(row["format"]) > FORMAT) throw platformError("VersionError", "the object's storage was written by a newer posthaste");
    if (row?.["format"] === 1)
      throw platformError("VersionError", "the object's storage was written by a posthaste from before its first release");
    const [birth, number, floor] = ["birth", "number", "floor"].map((name) => Number(row?.[name] ?? NaN));
    const good = row?.["format"] === FORMAT && [birth, number, floor].every((value) => Number.isSafeInteger(value) && value >= 0) &&
      birth > 0 && floor <= number;
    if (!good) throw new CorruptionError("the header of the journal in the object's storage is not what posthaste wrote");
    return { birth, number, floor };
  }

  private tail(from: number): Tail {
    const { birth, number: upTo, floor } = this.header();
    const tail: Tail = { numbers: [], records: [], birth };
    let first = from;
    if (upTo > 0 && (from <= 1 || from <= floor)) {
      tail.snapshot = { number: upTo, bytes: this.pieces(0, 0) ?? corrupt(0) };
      first = upTo + 1;
    }
    for (const row of this.sql("SELECT number, record FROM posthaste_records WHERE number >= ? ORDER BY number", first)) {
      const number = row["number"] as number;
      tail.numbers.push(number);
      tail.records.push(row["record"] === null ? this.pieces(number, RECORD) ?? corrupt(number) : bytesOf(row["record"], number));
    }
    return tail;
  }

  async read(from: number): Promise<Tail> {
    return this.tail(from);
  }

  async values(keys: number[]): Promise<(Bodies | undefined)[]> {
    const found: (Bodies | undefined)[] = [];
    for (let at = 0; at < keys.length; at += 2) found.push(this.value(keys[at], keys[at + 1]));
    return found;
  }

  private value(number: number, part: number): Bodies | undefined {
    const [row] = part === WITH_RECORD ? this.sql("SELECT bodies FROM posthaste_records WHERE number = ?", number) : [];
    const bytes = row?.["bodies"] ? bytesOf(row["bodies"], number) : this.pieces(number, part);
    if (!bytes) return undefined;
    try {
      return read(bytes);
    } catch {
      // As if it were gone: its messages become dead letters and say so, and the others go on.
      return undefined;
    }
  }

  async snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts: number[] = []): Promise<boolean> {
    return this.atomic(() => {
      const header = this.header();
      if (header.number >= number) return false;
      this.sql("DELETE FROM posthaste_pieces WHERE number = 0");
      this.put(0, 0, bytes);
      this.sql("UPDATE posthaste_header SET number = ?, floor = ? WHERE id = 0", number, Math.max(floor, header.floor));
      for (let at = 0; at < ranges.length; at += 2) {
        for (const table of ["records", "pieces"])
          this.sql(`DELETE FROM posthaste_${table} WHERE number BETWEEN ? AND ?`, ranges[at], ranges[at + 1]);
      }
      for (let at = 0; at < parts.length; at += 3) {
        this.sql("DELETE FROM posthaste_pieces WHERE number = ? AND part BETWEEN ? AND ?", parts[at], parts[at + 1], parts[at + 2]);
      }
      return true;
    });
  }

  /** Nobody else writes here: the platform sees to it that there is one object of a name. */
  watch(): void {}

  hint(): void {}

  async usage(): Promise<number> {
    return this.storage.sql.databaseSize;
  }

  async refused(bodies: unknown[]): Promise<unknown[]> {
    return bodies.map((body) => {
      try {
        encode(body);
        return undefined;
      } catch (error) {
        return error;
      }
    });
  }

  async release(): Promise<boolean> {
    return false;
  }

  close(): void {}
}

function bytesOf(value: unknown, number: number): Uint8Array {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : corrupt(number);
}

function corrupt(number: number): never {
  throw new CorruptionError(
    number
      ? `record ${number} in the object's storage is not what posthaste wrote`
      : "the snapshot in the object's storage is not what posthaste wrote",
  );
}
