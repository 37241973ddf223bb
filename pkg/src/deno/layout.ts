/**
 * What lies where in the database, under a prefix. Version 2; formats change inside records.
 *
 * | key | value |
 * |---|---|
 * | `"head"` | `[2, birth, last, number, floor, name, bytes]`: the last record's number; the snapshot's number (0: none), name and bytes; records up to the floor may be missing |
 * | `"record", n` | `[record, bodies?]`, from 1: a record, and the bodies that go with it; or `[record, bodies, name, lengths]` where something of it lies in parts |
 * | `"part", name, p, i` | bytes: piece `i` of part `p`. Of a record: part 0 is the record itself, 1 the bodies that go with it, 2 on the chunks of bodies apart; `lengths` has the bytes of each (0: not in parts). A snapshot is part 0 |
 * | `"draft", name` | `[time, lengths]`: parts that are being written, and belong to nothing yet |
 * | `"doomed", n` | `[name, bytes, ranges, parts]`: the snapshot that snapshot `n` replaced, records to delete (pairs of a first and a last number), and chunks of records that stay (triples: the record, the first and the last chunk) |
 *
 * Every step changes the head, and checks that it is as it was read. Whatever is read here may have been written by anyone:
 * nothing counts before it is checked.
 */

import { named } from "./errors";
import type { KvEntry, KvKey } from "./platform";

const FORMAT = 2;
/** Numbers stay below 2^44: the engine packs them with an index. */
const NUMBER_END = 2 ** 44;
const BIRTH_END = 2 ** 53;
/** What a value of bytes alone may have. */
export const PIECE_BYTES = 65_536;
/** What a record's value may have beside the few bytes around it. */
export const ROW_BYTES_MAX = 65_000;
/** Of one commit, keys and values: 819 200 in all. The rest is for the head and the record. */
export const COMMIT_BYTES = 720_000;
/** Of one commit: 1000, and 80 KiB of keys. */
export const COMMIT_KEYS = 900;
export const COMMIT_KEY_BYTES = 72_000;
/** Of all parts of a record, or of a snapshot. */
export const PARTS_BYTES_MAX = 2 ** 30;
/** A key takes up to so many bytes after the prefix. */
const KEY_BYTES = 64;
/** Zeros in it take two bytes each: it may come to twice this, of the 2 KiB a key may have. */
export const PREFIX_BYTES_MAX = 512;

export const RECORD = 0;
export const OWN_BODIES = 1;
export const FIRST_CHUNK = 2;

export interface Head {
  birth: number;
  last: number;
  number: number;
  floor: number;
  name: string;
  bytes: number;
  versionstamp: string | null;
}

/** A record's value. */
export interface Row {
  record: Uint8Array | undefined;
  bodies: Uint8Array | undefined;
  name: string;
  /** Bytes of each part. */
  lengths: Uint32Array;
}

export class Layout {
  readonly head: KvKey;
  /** The most a key may take. */
  readonly keyBytes: number;

  constructor(readonly prefix: KvKey) {
    this.head = [...prefix, "head"];
    this.keyBytes = 2 * prefixBytes(prefix) + KEY_BYTES;
  }

  record = (number: number): KvKey => [...this.prefix, "record", number];
  piece = (name: string, part: number, at: number): KvKey => [...this.prefix, "part", name, part, at];
  drafts = (): KvKey => [...this.prefix, "draft"];
  draft = (name: string): KvKey => [...this.drafts(), name];
  allDoomed = (): KvKey => [...this.prefix, "doomed"];
  doomed = (number: number): KvKey => [...this.allDoomed(), number];

  /** Says where something is damaged. */
  corrupt(key: KvKey): Error {
    return named("CorruptionError", `what is kept in Deno KV under ${shown(key)} is nothing that posthaste wrote`);
  }

  /** A head as it was read. */
  headOf({ value, versionstamp }: KvEntry): Head {
    if (value === null) throw named("StorageLostError", `the journal in Deno KV under ${shown(this.prefix)} was deleted`);
    const [format, birth, last, number, floor, name, bytes] = Array.isArray(value) ? (value as unknown[]) : [];
    if ((format as number) > FORMAT)
      throw named("VersionError", `the journal in Deno KV under ${shown(this.prefix)} was written by a newer posthaste`);
    if (format === 1)
      throw named("VersionError",
        `the journal in Deno KV under ${shown(this.prefix)} was written by a posthaste from before its first release`);
    const good = format === FORMAT && isInteger(birth, BIRTH_END) && birth > 0 && isInteger(last, NUMBER_END) && isInteger(number, last + 1)
      && isInteger(floor, number + 1) && typeof name === "string" && isInteger(bytes, PARTS_BYTES_MAX + 1) && bytes > 0 === number > 0;
    if (!good) throw this.corrupt(this.head);
    return { birth, last, number, floor, name, bytes, versionstamp };
  }

  /** A record's value as it was read. */
  rowOf({ key, value }: KvEntry): Row {
    const [record, bodies, name = "", lengths = new Uint32Array()] = Array.isArray(value) ? (value as unknown[]) : [];
    const good = isBytesOr(record) && isBytesOr(bodies) && typeof name === "string" && areLengths(lengths);
    if (!good || (!record && !lengths[RECORD])) throw this.corrupt(key);
    return { record, bodies, name, lengths };
  }

  /** The number in a record's key. */
  numberOf(key: KvKey): number {
    const number = key[key.length - 1];
    if (key.length !== this.prefix.length + 2 || !isInteger(number, NUMBER_END) || number < 1) throw this.corrupt(key);
    return number;
  }
}

export function headValue({ birth, last, number, floor, name, bytes }: Head): unknown[] {
  return [FORMAT, birth, last, number, floor, name, bytes];
}

export function bornHead(): Head {
  return { birth: 1 + Math.floor(Math.random() * (BIRTH_END - 1)), last: 0, number: 0, floor: 0, name: "", bytes: 0, versionstamp: null };
}

export function rowValue({ record, bodies, name, lengths }: Row): unknown[] {
  if (name) return [record, bodies, name, lengths];
  return bodies ? [record, bodies] : [record];
}

/** An estimate, from below where there are zeros in it. */
export function prefixBytes(prefix: KvKey): number {
  const each = prefix.map((part) => (part instanceof Uint8Array ? part.length : new TextEncoder().encode(String(part)).length) + 2);
  return each.reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of parts, as they were read. */
export function areLengths(value: unknown): value is Uint32Array {
  return value instanceof Uint32Array && value.reduce((sum, bytes) => sum + bytes, 0) <= PARTS_BYTES_MAX;
}

export const pieces = (bytes: number): number => Math.ceil(bytes / PIECE_BYTES);

/** A key for a message. */
export function shown(key: KvKey): string {
  return `[${key.map((part) => (typeof part === "string" ? JSON.stringify(part) : String(part))).join(", ")}]`;
}

function isInteger(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
}

function isBytesOr(value: unknown): value is Uint8Array | undefined {
  return value === undefined || value instanceof Uint8Array;
}
