/**
 * The file of a journal, open: the one place that writes to it. A step is written synchronously and only the disk is awaited, because a
 * thread pool would cost every send a way there and back; after 10 ms of writing the event loop gets its turn.
 */

import { appendFileSync, closeSync, existsSync, fdatasync, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync,
  statSync, truncateSync, writeSync } from "node:fs";
import path from "node:path";
import type { Append, Bodies, Tail } from "../contract/store";
import { corrupt, fileError, named, unknown } from "./errors";
import { HEADER_BYTES, HEAD_BYTES, MARK, RECORD, SNAPSHOT, birthOf, bodiesOf, checksum, frameOf, head, markFrame, recordFrame, recordFront,
  seal, snapshotFrame, snapshotFront, type Frame, type RecordFront, type Written } from "./layout";
import type { Places } from "./record-index";
import { readAt, scan, type SnapshotPlace } from "./scan";

const JOURNAL = "journal";
/** A file that is being made: it gets the journal's name when it is whole. */
const NEW = "journal.new";
/** What draining a queue has to write, and room to write anew what is left. */
const RESERVES = ["reserve.steps", "reserve.rewriting"];
/** Each is a quarter as large as the file, between these. */
const RESERVE_LEAST = 128 << 10;
const RESERVE_MOST = 8 << 20;
/** What "relaxed" steps wrote is on the disk after so long, whatever becomes of the machine. */
const SYNC_MS = 1_000;
/** Zeros that lie ready behind the end: to sync what takes their place, the system need not write down that the file has grown. */
const AHEAD = Buffer.alloc(256 << 10);
/** Most records with their bodies are no larger: one read gets all of them. */
const GLANCE_BYTES = 4 << 10;

/** Parts of a record's bodies that are gone, and the bytes they take until the file is written anew. */
interface Gone {
  parts: Set<number>;
  bytes: number;
}

export class JournalFile {
  places: Places;
  snapshotPlace: SnapshotPlace | undefined;
  /** Where the next frame goes. */
  end: number;
  /** Set when it can't be used any more: what it says goes to whoever tries. */
  fault: unknown;
  /** Everyone who has it open was told of that. */
  told = false;
  /** A step was asked to be on the disk: snapshots will be, too. */
  strict = false;
  /** The disk failed to say that it has what was written. */
  unsure = false;
  /** While the file is written anew. */
  compaction: Promise<void> | undefined;
  /** Parts of bodies that are needed no more, by the number of their record. */
  readonly gone = new Map<number, Gone>();
  private last: number;
  private synced: number;
  /** What the frames say of that, and where the last of them ends that is no mark. */
  private said: number;
  private whole: number;
  /** Where the zeros end that lie ready. */
  private ahead = 0;
  /** What failed writes left behind the end is still there. */
  private dirty = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Waits for the disk that are not over. */
  private waits = 0;
  private idle: (() => void)[] = [];

  private constructor(readonly folder: string, public fd: number, readonly birth: number) {
    const { size } = fstatSync(fd);
    const scanned = scan(fd, size, birth, this.file);
    this.places = scanned.places;
    this.snapshotPlace = scanned.snapshot;
    this.last = scanned.last;
    this.end = scanned.end;
    this.said = scanned.synced;
    this.whole = scanned.lastEnd;
    // What a process before this one left to the system.
    fdatasyncSync(fd);
    this.synced = this.end;
  }

  /** Opens the journal in `folder`, which is there and ours alone, and makes it where there is none. */
  static open(folder: string): JournalFile {
    const file = path.join(folder, JOURNAL);
    try {
      rmSync(path.join(folder, NEW), { force: true });
      if (!existsSync(file)) make(folder);
      const fd = openSync(file, "r+");
      try {
        return new JournalFile(folder, fd, birthOf(readAt(fd, 0, HEAD_BYTES), file));
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    } catch (error) {
      throw fileError(error, file);
    }
  }

  get file(): string {
    return path.join(this.folder, JOURNAL);
  }

  get bytes(): number {
    return this.end;
  }

  /** Throws when it can't be used any more, or (`fully`) was deleted by itself: that takes as long to see as a write. */
  check(fully: boolean): void {
    if (fully && !this.fault && fstatSync(this.fd).nlink === 0) this.fault = named("StorageLostError", `${this.file} was deleted`);
    if (this.fault) throw this.fault;
  }

  /** Writes a step; answers its number. */
  append(step: Append): number {
    const number = this.last + 1;
    const written = recordFrame(number, step);
    const at = this.write(written);
    this.last = number;
    this.places.add(number, at, written.frame.size);
    return number;
  }

  private write(written: Written): number {
    const at = this.end;
    try {
      if (this.dirty) this.cut();
      seal(written.bytes, this.birth, { ...written.frame, at, synced: this.synced });
      writeAll(this.fd, written.bytes, at);
    } catch (error) {
      this.cutBack();
      throw fileError(error, this.file);
    }
    this.end = at + written.frame.size;
    this.said = this.synced;
    if (written.frame.kind !== MARK) this.whole = this.end;
    return at;
  }

  /** Says in the file what is on the disk, where nothing said it yet: damage there is told from a step that was cut off. */
  private mark(): void {
    if (this.synced < this.whole || this.said >= this.whole) return;
    try {
      this.write(markFrame(this.last));
    } catch {
      // The disk is full: the next step says it.
    }
  }

  /** Takes back what a failed write may have left. */
  private cutBack(): void {
    this.dirty = true;
    try {
      this.cut();
    } catch {
      // Before the next write, then; or when the file is opened the next time.
    }
  }

  private cut(): void {
    ftruncateSync(this.fd, this.end);
    this.ahead = 0;
    this.dirty = false;
  }

  /** Lays zeros ready for the next steps, which will be synced one by one. Opening cuts them off, as anything that is no frame. */
  layAhead(): void {
    if (this.end < this.ahead || this.dirty) return;
    try {
      writeAll(this.fd, AHEAD, this.end);
      this.ahead = this.end + AHEAD.length;
    } catch {
      this.cutBack();
    }
  }

  /** Resolves when all that was written so far is on the disk. */
  async sync(): Promise<void> {
    const { end, fd } = this;
    this.waits += 1;
    try {
      await synced(fd);
      this.check(fd === this.fd);
      if (fd === this.fd) this.synced = Math.max(this.synced, Math.min(end, this.end));
    } catch (error) {
      // It was copied to another file, with all that was in it.
      if (fd !== this.fd) return;
      if (this.fault) throw error;
      this.unsure = true;
      this.fault = unknown(fileError(error, this.file) as Error);
      throw this.fault;
    } finally {
      this.waits -= 1;
      if (!this.waits) { for (const resolve of this.idle.splice(0)) resolve(); }
    }
  }

  /** Resolves when nobody waits for the disk; undefined: nobody does. */
  private settled(): Promise<void> | undefined {
    return this.waits ? new Promise((resolve) => this.idle.push(resolve)) : undefined;
  }

  /** Sees to it that what was written is on the disk before long. */
  syncSoon(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.fault) return;
      // Whoever comes next is told when it fails.
      this.sync().then(() => !this.fault && this.mark(), () => undefined);
    }, SYNC_MS);
    (this.timer as { unref?(): void }).unref?.();
  }

  tail(from: number): Tail {
    const { snapshotPlace, places, birth } = this;
    const tail: Tail = { numbers: [], records: [], birth };
    let first = from;
    if (snapshotPlace && (from <= 1 || from <= snapshotPlace.floor)) {
      tail.snapshot = { number: snapshotPlace.number, bytes: this.snapshotBytes(snapshotPlace) };
      first = snapshotPlace.number + 1;
    }
    for (let place = places.from(first); place < places.count; place += 1) {
      tail.numbers.push(places.number(place));
      // What is read belongs to a larger buffer; whoever gets it may move it elsewhere.
      tail.records.push(new Uint8Array(this.record(place).record));
    }
    return tail;
  }

  private snapshotBytes({ at }: SnapshotPlace): Uint8Array {
    const { frame, bytes } = this.frame(at, SNAPSHOT);
    const front = snapshotFront(bytes, frame);
    if (!front) throw this.damaged(at);
    return new Uint8Array(front.bytes);
  }

  record(place: number): RecordFront & { frame: Frame; rest: Buffer } {
    const at = this.places.at(place);
    const { frame, bytes, rest } = this.frame(at, RECORD);
    const front = recordFront(bytes, frame);
    if (!front || frame.number !== this.places.number(place)) throw this.damaged(at);
    return { ...front, frame, rest };
  }

  /** The header at that place, the front, and what was read of the rest by the way. */
  private frame(at: number, kind: number): { frame: Frame; bytes: Buffer; rest: Buffer } {
    let read = readAt(this.fd, at, Math.min(GLANCE_BYTES, this.end - at));
    const frame = frameOf(read, this.birth, at);
    if (!frame || frame.kind !== kind) throw this.damaged(at);
    const begin = HEADER_BYTES + frame.front;
    if (read.length < begin) read = readAt(this.fd, at, begin);
    const bytes = read.subarray(HEADER_BYTES, begin);
    if (checksum(bytes) !== frame.sum) throw this.damaged(at);
    return { frame, bytes, rest: read.subarray(begin) };
  }

  private damaged(at: number): Error {
    return corrupt(this.file, `at byte ${at} is what was not written there`);
  }

  /** The bodies of a part; undefined: they are gone. */
  bodies(number: number, part: number): Bodies | undefined {
    const place = this.places.find(number);
    if (place < 0) return undefined;
    const { frame, chunk, parts, rest } = this.record(place);
    const at = 2 * Math.max(0, part);
    if (part < 0 !== chunk < 0) throw this.damaged(frame.at);
    if (at >= parts.length) return part < 0 ? { bodies: [] } : undefined;
    if (parts[at] === 0 || this.gone.get(number)?.parts.has(part)) return undefined;
    let begin = 0;
    for (let before = 0; before < at; before += 2) begin += parts[before];
    const end = begin + parts[at];
    const bytes = end <= rest.length
      ? rest.subarray(begin, end)
      : readAt(this.fd, frame.at + HEADER_BYTES + frame.front + begin, end - begin);
    try {
      if (checksum(bytes) === parts[at + 1]) return bodiesOf(bytes);
    } catch {
      // The checksum was made to fit.
    }
    throw this.damaged(frame.at);
  }

  /** Writes a snapshot, and forgets the records of `ranges`: their room is taken back when the file is written anew. */
  snapshot(number: number, asked: number, bytes: Uint8Array, ranges: number[], parts: number[]): void {
    // What is gone stays gone, whatever the next snapshot would keep.
    const floor = Math.max(asked, this.snapshotPlace?.floor ?? 0);
    const written = snapshotFrame(number, { floor, ranges, bytes });
    const at = this.write(written);
    this.snapshotPlace = { at, size: written.frame.size, number, floor };
    this.last = Math.max(this.last, number);
    this.places.drop(ranges);
    for (const [number, { bytes }] of this.gone) {
      if (this.places.find(number) >= 0) continue;
      // All of it is counted as gone by now.
      this.places.less(-bytes);
      this.gone.delete(number);
    }
    for (let at = 0; at < parts.length; at += 3) this.forget(parts[at], parts[at + 1], parts[at + 2]);
  }

  /** These parts of a record's bodies are needed no more: they are left out when the file is written anew. */
  private forget(number: number, first: number, last: number): void {
    const place = this.places.find(number);
    if (place < 0) return;
    const { parts } = this.record(place);
    const gone = this.gone.get(number) ?? { parts: new Set(), bytes: 0 };
    for (let part = first; part <= last && 2 * part < parts.length; part += 1) {
      if (parts[2 * part] === 0 || gone.parts.has(part)) continue;
      gone.parts.add(part);
      gone.bytes += parts[2 * part];
      this.places.less(parts[2 * part]);
    }
    if (gone.parts.size) this.gone.set(number, gone);
  }

  /** Goes on with the file that was made in the place of this one, up to `end`; everything in it is on the disk. */
  replace(fd: number, places: Places, snapshotPlace: SnapshotPlace | undefined, end: number): void {
    renameSync(newFile(this.folder), this.file);
    syncFolder(this.folder);
    const { fd: old } = this;
    this.fd = fd;
    this.places = places;
    this.gone.clear();
    this.snapshotPlace = snapshotPlace;
    this.end = this.synced = this.whole = end;
    this.said = 0;
    this.ahead = 0;
    this.dirty = false;
    const settled = this.settled();
    if (settled) void settled.then(() => closeSync(old));
    else closeSync(old);
  }

  /** Ends it, once what is under way is over. */
  close(): Promise<void> | undefined {
    clearTimeout(this.timer);
    const sound = !this.fault;
    this.fault ??= new DOMException(`${this.file} is closed`, "InvalidStateError");
    const end = (): void => {
      try {
        if (sound && this.ahead) this.cut();
        if (sound) this.finish();
      } catch {
        // It was written; only the disk does not say that it has it.
      }
      closeSync(this.fd);
    };
    if (!this.compaction && !this.waits) return void end();
    return Promise.all([this.compaction, this.settled()]).then(end);
  }

  private finish(): void {
    fdatasyncSync(this.fd);
    this.synced = this.end;
    this.mark();
    fdatasyncSync(this.fd);
  }
}

/** Keeps room in the folder for a full disk. `bytes`: the file's. */
export function reserve(folder: string, bytes: number): void {
  const wanted = Math.min(RESERVE_MOST, Math.max(RESERVE_LEAST, Math.floor(bytes / 4)));
  for (const name of RESERVES) {
    const file = path.join(folder, name);
    const size = sizeOf(file);
    try {
      if (size > 2 * wanted) truncateSync(file, wanted);
      else if (size < wanted / 2) appendFileSync(file, noise(wanted - size));
    } catch {
      // As much as there was room for.
    }
  }
}

/** Gives the room for steps up, or (`all`) all of it; false: it was. */
export function release(folder: string, all: boolean): boolean {
  const kept = RESERVES.slice(0, all ? 2 : 1).map((name) => path.join(folder, name)).filter((file) => sizeOf(file) > 0);
  for (const file of kept) rmSync(file, { force: true });
  return kept.length > 0;
}

export const reserved = (folder: string): number => RESERVES.reduce((sum, name) => sum + sizeOf(path.join(folder, name)), 0);
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Resolves when what was written to the file is on the disk. */
export const synced = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));

export function newFile(folder: string): string {
  return path.join(folder, NEW);
}

/** A journal appears as a whole or not at all. */
function make(folder: string): void {
  const fd = openSync(newFile(folder), "w+");
  try {
    writeAll(fd, head(1 + Math.floor(Math.random() * (2 ** 53 - 1))), 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(newFile(folder), path.join(folder, JOURNAL));
  syncFolder(folder);
  reserve(folder, 0);
}

export function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30), at + done);
}

/** What names there are in a folder is on the disk by itself. */
function syncFolder(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, "r");
    fsyncSync(fd);
  } catch {
    // Not every system can.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Bytes that no disk can make smaller. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1 << 16) crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + (1 << 16))));
  return bytes;
}
