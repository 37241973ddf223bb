/**
 * Reading a file from its head to the last step that is whole.
 *
 * What follows it is a step that was cut off (the process died in the middle of a write, or the machine before everything was on
 * the disk): it was promised to nobody, and is cut off the file. But what is damaged before a place that a later frame says
 * was on the disk was damaged there: that is told, and nothing is touched.
 */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { corrupt } from "./errors";
import { HEADER_BYTES, HEAD_BYTES, MARK, SNAPSHOT, checksum, frameOf, recordFront, snapshotFront, type Frame } from "./layout";
import { Places } from "./record-index";

const WINDOW_BYTES = 256 << 10;
/** Where what is cut off is kept, should there be whole steps in it. */
const CUT = ".cut";
const CUTS_MAX = 100;

/** The file's snapshot. */
export interface SnapshotPlace {
  at: number;
  size: number;
  number: number;
  floor: number;
}

interface Scanned {
  places: Places;
  snapshot: SnapshotPlace | undefined;
  /** The last number that was given. */
  last: number;
  /** Where the next frame goes. */
  end: number;
  /** Where the last frame ends that is no mark. */
  lastEnd: number;
  /** Up to here everything was on the disk, as the frames say. */
  synced: number;
}

/** Reads into memory of its own: as much as is there, at most. */
export function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const here = readSync(fd, bytes, done, Math.min(length - done, 1 << 30), at + done);
    if (here === 0) break;
    done += here;
  }
  return bytes.subarray(0, done);
}

/** Small reads one after another, by few large ones. */
class Window {
  private bytes: Buffer = Buffer.alloc(0);
  private begin = 0;

  constructor(private readonly fd: number) {}

  read(at: number, length: number): Buffer {
    const place = at - this.begin;
    if (place >= 0 && place + length <= this.bytes.length) return this.bytes.subarray(place, place + length);
    this.bytes = readAt(this.fd, at, Math.max(length, WINDOW_BYTES));
    this.begin = at;
    return this.bytes.subarray(0, length);
  }
}

/** Parts that no frame so far says to be on the disk. */
interface Unproven {
  at: number;
  end: number;
  begin: number;
  parts: number[];
}

class Scan implements Scanned {
  readonly places = new Places();
  snapshot: SnapshotPlace | undefined;
  last = 0;
  end = HEAD_BYTES;
  lastEnd = HEAD_BYTES;
  private lastRecord = 0;
  synced = 0;
  private unproven: Unproven[] = [];
  private readonly window: Window;

  constructor(fd: number, private readonly size: number, private readonly birth: number) {
    this.window = new Window(fd);
  }

  /** Goes on until the end or the first frame that is not whole; of bodies it is not known yet. */
  run(): this {
    for (let frame = this.frame(this.end); frame && this.take(frame); frame = this.frame(this.end)) this.end += frame.size;
    return this;
  }

  private frame(at: number, end = this.size): Frame | undefined {
    const frame = frameOf(this.window.read(at, HEADER_BYTES), this.birth, at);
    return frame && at + frame.size <= end ? frame : undefined;
  }

  private front(frame: Frame): Buffer | undefined {
    const front = this.window.read(frame.at + HEADER_BYTES, frame.front);
    return checksum(front) === frame.sum ? front : undefined;
  }

  private take(frame: Frame): boolean {
    const { at, size, number, synced } = frame;
    const front = this.front(frame);
    if (!front || synced > at) return false;
    if (frame.kind === MARK) {
      if (size !== HEADER_BYTES) return false;
    } else if (frame.kind === SNAPSHOT) {
      const said = snapshotFront(front, frame);
      if (!said) return false;
      this.places.drop(said.ranges);
      this.snapshot = { at, size, number, floor: said.floor };
    } else {
      const said = recordFront(front, frame);
      // A file that was written anew begins with its snapshot.
      if (!said || number <= this.lastRecord) return false;
      this.lastRecord = number;
      this.places.add(number, at, size);
      this.unproven.push({ at, end: at + size, begin: at + HEADER_BYTES + frame.front, parts: said.parts });
    }
    this.last = Math.max(this.last, number);
    if (frame.kind !== MARK) this.lastEnd = at + size;
    if (synced > this.synced) {
      this.synced = synced;
      this.unproven = this.unproven.filter(({ end }) => end > synced);
    }
    return true;
  }

  /** Where the first frame is whose bodies are not whole. Those that were on the disk are only checked when they are read. */
  torn(): number | undefined {
    return this.unproven.find(({ begin, parts }) => !this.whole(begin, parts))?.at;
  }

  private whole(at: number, parts: number[]): boolean {
    for (let place = 0; place < parts.length; place += 2) {
      if (checksum(this.window.read(at, parts[place])) !== parts[place + 1]) return false;
      at += parts[place];
    }
    return true;
  }

  /** How many frames there are after the end, wherever they begin, and the furthest that one there says was on the disk. */
  beyond(size: number): { found: number; synced: number } {
    let [found, furthest] = [0, 0];
    for (let at = this.end + 8; at + HEADER_BYTES <= size; at += 8) {
      const frame = this.frame(at, size);
      if (!frame || !this.front(frame)) continue;
      [found, furthest] = [found + 1, Math.max(furthest, frame.synced)];
    }
    return { found, synced: furthest };
  }
}

/** Finds what is in the file, and cuts off what is not whole. Throws `CorruptionError` where that was not the last to be written. */
export function scan(fd: number, size: number, birth: number, file: string): Scanned {
  let scanned = new Scan(fd, size, birth).run();
  const torn = scanned.torn();
  if (torn !== undefined) scanned = new Scan(fd, torn, birth).run();
  const { end } = scanned;
  if (end === size) return scanned;
  const { found, synced } = scanned.beyond(size);
  if (synced > end) throw corrupt(file, `at byte ${end} is what was not written there, and more that was comes after it`);
  if (found) {
    const kept = unused(file + CUT);
    keep(fd, end, size, kept);
    tell(
      `${file} is damaged at byte ${end}, in what was not yet on the disk when its process or the machine ended. That and the ${found} steps behind it, with the messages in them, were cut off, and are kept in ${kept}.`,
    );
  } else {
    const bytes = writtenEnd(fd, end, size) - end;
    if (bytes) tell(`${file} ends at byte ${end} with ${bytes} bytes of a step that is not whole: they were cut off.`);
  }
  ftruncateSync(fd, end);
  fsyncSync(fd);
  return scanned;
}

/** Where the last byte ends that is not one of the zeros that are laid ready. */
function writtenEnd(fd: number, from: number, to: number): number {
  let end = from;
  for (let at = from; at < to; at += WINDOW_BYTES) {
    const last = readAt(fd, at, Math.min(WINDOW_BYTES, to - at)).findLastIndex((byte) => byte !== 0);
    if (last >= 0) end = at + last + 1;
  }
  return end;
}

/** Nobody has opened a queue yet who could be told otherwise. */
function tell(says: string): void {
  (globalThis as { console?: Console }).console?.error(`posthaste: ${says}`);
}

/** A name that nothing has yet, so that what was cut off before stays; the last of many is used again. */
function unused(name: string): string {
  for (let at = 1; at < CUTS_MAX; at += 1) if (!existsSync(`${name}.${at}`)) return `${name}.${at}`;
  return `${name}.${CUTS_MAX}`;
}

/** Copies what will be cut off into a file beside. */
function keep(fd: number, from: number, to: number, file: string): void {
  const copy = openSync(file, "w");
  try {
    for (let at = from; at < to; at += WINDOW_BYTES) writeSync(copy, readAt(fd, at, Math.min(WINDOW_BYTES, to - at)));
    fsyncSync(copy);
  } finally {
    closeSync(copy);
  }
}
