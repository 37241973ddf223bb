/**
 * What lies where in the file `journal`. Version 2; formats of records and snapshots change inside them.
 *
 * Numbers are little-endian; "number" is a double that holds an integer below 2^53. First the head, 32 bytes:
 *
 * | at | |
 * |---|---|
 * | 0 | "posthaste queue\n" |
 * | 16 | u32: version, 2 |
 * | 20 | number: birth, random, not 0; another file has another |
 * | 28 | u32: CRC-32 of the bytes before |
 *
 * Then frames, each at a multiple of 8, filled up with zeros to one. A frame is a header, a front and a rest:
 *
 * | at | |
 * |---|---|
 * | 0 | u32: kind: 1 a record, 2 a snapshot, 3 a mark |
 * | 4 | u32: bytes of the front |
 * | 8 | number: bytes of the rest |
 * | 16 | number: the record's number, or that of the last record in the snapshot |
 * | 24 | number: synced, the end of what was known to be on the disk when this was written |
 * | 32 | u32: CRC-32 of the front |
 * | 36 | u32: CRC-32 of the header so far, begun with birth and place: what a body holds is no frame, whatever it is |
 * | 40 | the front |
 *
 * Front of a record: u32 chunk + 1 (0: the bodies are one part; else a part has 2^chunk of them), u32 how many parts, for
 * each part u32 its bytes and u32 its CRC-32, then the record. Its rest is the parts, bodies with their headers
 * (bodies/format.ts); a part of no bytes is gone. All of a step is in one frame, so that it is there as a whole or not at all.
 *
 * Front of a snapshot: number floor, u32 how many ranges, for each range the numbers of its first and last record, then the
 * snapshot. The last snapshot counts; records in the ranges of any are gone.
 *
 * A mark has neither front nor rest: it says up to where the file was on the disk when nothing more came.
 *
 * Whatever is read here may have been written by anyone: nothing counts before it is checked.
 */

import zlib from "node:zlib";
import { BYTES_MAX } from "../bodies/format";
import { readBodies } from "../bodies/reader";
import { TooLarge, Writer } from "../bodies/writer";
import { headersBetween } from "../bodies/headers";
import type { Append, Bodies } from "../contract/store";
import { buffers } from "./buffers";
import { corrupt, named } from "./errors";

const MAGIC = "posthaste queue\n";
const VERSION = 2;
export const HEAD_BYTES = 32;
export const HEADER_BYTES = 40;
const ALIGNMENT = 8;
const KINDS = 3;
export const RECORD = 1;
export const SNAPSHOT = 2;
export const MARK = 3;
/** Numbers stay below 2^44: the engine packs them with an index. */
const NUMBER_END = 2 ** 44;
const CHUNK_MAX = 20;

export const checksum = (bytes: Uint8Array, seed = 0): number => zlib.crc32(bytes, seed);
export const aligned = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;
const isInteger = (value: number, end: number): boolean => value >= 0 && value < end && Number.isInteger(value);

export function head(birth: number): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt32LE(VERSION, 16);
  bytes.writeDoubleLE(birth, 20);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** The birth, out of the head of `file`. Throws for what is no journal, and for one of another version. */
export function birthOf(bytes: Buffer, file: string): number {
  if (bytes.length < HEAD_BYTES || bytes.toString("latin1", 0, 16) !== MAGIC) throw corrupt(file, "it does not begin as a journal does");
  const version = bytes.readUInt32LE(16);
  if (version > VERSION)
    throw named("VersionError", `${file} is of version ${version}; this posthaste knows ${VERSION}: a newer one wrote it`);
  if (version > 0 && version < VERSION)
    throw named("VersionError",
      `${file} is of version ${version}; this posthaste knows ${VERSION}: one from before its first release wrote it`);
  const birth = bytes.readDoubleLE(20);
  const good = version === VERSION && birth > 0 && isInteger(birth, 2 ** 53) && bytes.readUInt32LE(28) === checksum(bytes.subarray(0, 28));
  if (!good) throw corrupt(file, "its head is not what was written");
  return birth;
}

/** A header that was checked. */
export interface Frame {
  kind: number;
  /** Where it begins in the file, and what it takes there. */
  at: number;
  size: number;
  front: number;
  rest: number;
  number: number;
  synced: number;
  sum: number;
}

function seed(birth: number, at: number): number {
  return ((birth % 2 ** 32) ^ (at / ALIGNMENT)) >>> 0;
}

/** Writes the header of a frame that is to lie at `frame.at`. */
export function seal(bytes: Buffer, birth: number, { kind, front, rest, number, synced, sum, at }: Omit<Frame, "size">): void {
  bytes.writeUInt32LE(kind, 0);
  bytes.writeUInt32LE(front, 4);
  bytes.writeDoubleLE(rest, 8);
  bytes.writeDoubleLE(number, 16);
  bytes.writeDoubleLE(synced, 24);
  bytes.writeUInt32LE(sum, 32);
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 36), seed(birth, at)), 36);
}

/** The frame whose header these bytes, from `at` of the file, are; undefined: they are none. */
export function frameOf(bytes: Buffer, birth: number, at: number): Frame | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const kind = bytes.readUInt32LE(0);
  if (kind === 0 || kind > KINDS || bytes.readUInt32LE(36) !== checksum(bytes.subarray(0, 36), seed(birth, at))) return undefined;
  const [front, rest] = [bytes.readUInt32LE(4), bytes.readDoubleLE(8)];
  const [number, synced] = [bytes.readDoubleLE(16), bytes.readDoubleLE(24)];
  if (!isInteger(rest, 2 ** 48) || !isInteger(number, NUMBER_END) || !isInteger(synced, 2 ** 53)) return undefined;
  return { kind, at, size: aligned(HEADER_BYTES + front + rest), front, rest, number, synced, sum: bytes.readUInt32LE(32) };
}

/** What a record's front says. */
export interface RecordFront {
  record: Buffer;
  /** As in the store's contract. */
  chunk: number;
  /** Pairs: bytes of the part, its checksum. */
  parts: number[];
}

/** Undefined: it is none. */
export function recordFront(bytes: Buffer, { rest }: Frame): RecordFront | undefined {
  if (bytes.length < 8) return undefined;
  const [chunk, count] = [bytes.readUInt32LE(0) - 1, bytes.readUInt32LE(4)];
  const begin = 8 + 8 * count;
  if (chunk > CHUNK_MAX || begin > bytes.length) return undefined;
  const parts: number[] = [];
  let sum = 0;
  for (let at = 8; at < begin; at += 8) {
    const length = bytes.readUInt32LE(at);
    parts.push(length, bytes.readUInt32LE(at + 4));
    sum += length;
  }
  return sum === rest ? { record: bytes.subarray(begin), chunk, parts } : undefined;
}

/** The front of a record without these parts of its bodies: they are of no bytes then. */
export function frontWithout({ record, chunk, parts }: RecordFront, gone: (part: number) => boolean): Buffer {
  const bytes = Buffer.alloc(8 + 4 * parts.length + record.length);
  bytes.writeUInt32LE(chunk + 1, 0);
  bytes.writeUInt32LE(parts.length / 2, 4);
  for (let at = 0; at < parts.length; at += 2) {
    if (gone(at / 2)) continue;
    bytes.writeUInt32LE(parts[at], 8 + 4 * at);
    bytes.writeUInt32LE(parts[at + 1], 12 + 4 * at);
  }
  bytes.set(record, 8 + 4 * parts.length);
  return bytes;
}

export function markFrame(number: number): Written {
  return { bytes: Buffer.alloc(HEADER_BYTES), frame: { kind: MARK, size: HEADER_BYTES, front: 0, rest: 0, number, sum: 0 } };
}

interface SnapshotFront {
  floor: number;
  ranges: number[];
  bytes: Buffer;
}

/** Undefined: it is none. */
export function snapshotFront(bytes: Buffer, { rest, number }: Frame): SnapshotFront | undefined {
  if (bytes.length < 12 || rest !== 0) return undefined;
  const [floor, count] = [bytes.readDoubleLE(0), bytes.readUInt32LE(8)];
  const begin = 12 + 16 * count;
  if (!isInteger(floor, number + 1) || begin > bytes.length) return undefined;
  const ranges: number[] = [];
  for (let at = 12; at < begin; at += 8) ranges.push(bytes.readDoubleLE(at));
  return ranges.every((end) => isInteger(end, floor + 1)) ? { floor, ranges, bytes: bytes.subarray(begin) } : undefined;
}

/** A frame that is ready to be written, but for its header. Its bytes are good until the next one is made. */
export interface Written {
  bytes: Buffer;
  frame: Omit<Frame, "at" | "synced">;
}

const writer = new Writer(buffers);

/** Throws `DataCloneError` for a body that can't be written, `MessageTooLargeError` for bodies that are too many bytes. */
export function recordFrame(number: number, step: Append): Written {
  const { record, bodies, chunk } = step;
  const apart = chunk >= 0 ? 2 ** Math.min(chunk, CHUNK_MAX) : Math.max(1, bodies.length);
  const count = Math.ceil(bodies.length / apart);
  const front = 8 + 8 * count + record.length;
  const parts: number[] = [];
  try {
    writer.renew().room(HEADER_BYTES + front);
    for (let first = 0; first < bodies.length; first += apart) {
      const { length } = writer;
      writer.bodies(bodies.slice(first, first + apart), headersBetween(step.headers, first, Math.min(apart, bodies.length - first)));
      parts.push(length, writer.length);
    }
    const end = writer.length;
    writer.room(aligned(end) - end);
    writer.bytes.fill(0, end, writer.length);
    return framed(RECORD, number, front, end - HEADER_BYTES - front, (to) => {
      to.writeUInt32LE(chunk >= 0 ? Math.min(chunk, CHUNK_MAX) + 1 : 0, 0);
      to.writeUInt32LE(count, 4);
      for (let at = 0; at < parts.length; at += 2) {
        to.writeUInt32LE(parts[at + 1] - parts[at], 8 + 4 * at);
        to.writeUInt32LE(checksum(writer.bytes.subarray(parts[at], parts[at + 1])), 12 + 4 * at);
      }
      to.set(record, 8 + 8 * count);
    });
  } catch (error) {
    throw error instanceof TooLarge ? tooLarge(bodies.length) : error;
  }
}

export function snapshotFrame(number: number, { floor, ranges, bytes }: { floor: number; ranges: number[]; bytes: Uint8Array }): Written {
  const begin = 12 + 8 * ranges.length;
  const front = begin + bytes.length;
  writer.renew().room(aligned(HEADER_BYTES + front));
  writer.bytes.fill(0, HEADER_BYTES + front, writer.length);
  return framed(SNAPSHOT, number, front, 0, (to) => {
    to.writeDoubleLE(floor, 0);
    to.writeUInt32LE(ranges.length / 2, 8);
    ranges.forEach((end, at) => to.writeDoubleLE(end, 12 + 8 * at));
    to.set(bytes, begin);
  });
}

function framed(kind: number, number: number, front: number, rest: number, fill: (front: Buffer) => void): Written {
  const bytes = writer.bytes.subarray(0, writer.length);
  const begun = bytes.subarray(HEADER_BYTES, HEADER_BYTES + front);
  fill(begun);
  return { bytes, frame: { kind, size: bytes.length, front, rest, number, sum: checksum(begun) } };
}

/** Why the file can't hold the body, if it can't. */
export function refusalOf(body: unknown): unknown {
  try {
    writer.renew().bodies([body]);
    return undefined;
  } catch (error) {
    return error instanceof TooLarge ? tooLarge(1) : error;
  }
}

function tooLarge(bodies: number): Error {
  const what = bodies === 1 ? "a body of" : `${bodies} bodies that are sent together, of`;
  return named("MessageTooLargeError", `${what} more than ${BYTES_MAX} bytes can't be stored`);
}

/** Throws `CorruptionError` for bytes that are no part. */
export const bodiesOf = (bytes: Buffer): Bodies => readBodies(bytes, buffers);
