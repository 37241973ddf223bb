/** Writing the file anew without what is gone, while steps go on: they are copied too, before the new file takes its place. */

import { closeSync, fdatasyncSync, openSync, readSync, rmSync } from "node:fs";
import { corrupt, fileError } from "./errors";
import { newFile, synced, writeAll, type JournalFile } from "./file";
import { HEADER_BYTES, HEAD_BYTES, aligned, checksum, frameOf, frontWithout, head, seal } from "./layout";
import { Places } from "./record-index";
import { readAt, type SnapshotPlace } from "./scan";

/** Copied at a time, between steps. */
const SLICE_BYTES = 1 << 20;
/** Rounds of copying what came meanwhile. The last one holds steps up. */
const ROUNDS = 3;
/** Smaller files are left alone. */
const LEAST_BYTES = 64 << 10;

/** Whether more than half of the file is of no use any more. */
export function isWanted(file: JournalFile): boolean {
  const useful = HEAD_BYTES + file.places.live + (file.snapshotPlace?.size ?? 0);
  return file.bytes > LEAST_BYTES && file.bytes > 2 * useful;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Copy {
  readonly fd: number;
  readonly places = new Places();
  snapshotPlace: SnapshotPlace | undefined;
  end = HEAD_BYTES;
  private copied = 0;
  private readonly bytes = Buffer.allocUnsafeSlow(SLICE_BYTES);

  constructor(private readonly from: JournalFile) {
    this.fd = openSync(newFile(from.folder), "w+");
  }

  begin(): void {
    const { from } = this;
    writeAll(this.fd, head(from.birth), 0);
    if (from.snapshotPlace) this.snapshotPlace = { ...from.snapshotPlace, at: this.frame(from.snapshotPlace.at, from.snapshotPlace.size) };
  }

  get behind(): boolean {
    return this.copied < this.from.places.count;
  }

  /** Copies a slice. */
  some(): void {
    const { places } = this.from;
    const stop = this.end + SLICE_BYTES;
    for (; this.behind && this.end < stop; this.copied += 1) {
      const number = places.number(this.copied);
      const at = this.end;
      const gone = this.from.gone.get(number);
      if (gone) this.without(this.copied, gone.parts);
      else this.frame(places.at(this.copied), places.size(this.copied));
      this.places.add(number, at, this.end - at);
    }
  }

  /** Copies a record without the parts of its bodies that are gone; the others go as they are, with their checksums. */
  private without(place: number, gone: Set<number>): void {
    const { from, end: to } = this;
    const said = from.record(place);
    const { frame, parts } = said;
    const front = frontWithout(said, (part) => gone.has(part));
    let [rest, at] = [0, frame.at + HEADER_BYTES + frame.front];
    for (let part = 0; part < parts.length / 2; part += 1) {
      const size = parts[2 * part];
      if (!gone.has(part)) {
        const bytes = readAt(from.fd, at, size);
        if (bytes.length < size) throw corrupt(from.file, `it ends before byte ${at + size}`);
        writeAll(this.fd, bytes, to + HEADER_BYTES + front.length + rest);
        rest += size;
      }
      at += size;
    }
    const header = Buffer.alloc(HEADER_BYTES);
    seal(header, from.birth, { ...frame, front: front.length, rest, at: to, synced: to, sum: checksum(front) });
    writeAll(this.fd, header, to);
    writeAll(this.fd, front, to + HEADER_BYTES);
    const end = to + HEADER_BYTES + front.length + rest;
    this.end = to + aligned(end - to);
    writeAll(this.fd, Buffer.alloc(this.end - end), end);
  }

  /** Copies a frame to the end; answers where it lies now. Bodies go as they are, with their checksums. */
  private frame(at: number, size: number): number {
    const to = this.end;
    for (let done = 0; done < size;) {
      const bytes = this.bytes.subarray(0, Math.min(this.bytes.length, size - done));
      if (readSync(this.from.fd, bytes, 0, bytes.length, at + done) < bytes.length)
        throw corrupt(this.from.file, `it ends before byte ${at + size}`);
      if (done === 0) {
        const frame = frameOf(bytes, this.from.birth, at);
        if (!frame || frame.size !== size) throw corrupt(this.from.file, `at byte ${at} is what was not written there`);
        // All before it is on the disk when this file is the journal.
        seal(bytes.subarray(0, HEADER_BYTES), this.from.birth, { ...frame, at: to, synced: to });
      }
      writeAll(this.fd, bytes, to + done);
      done += bytes.length;
    }
    this.end = to + size;
    return to;
  }
}

/** Resolves when that is done. Rejects when it can't be: the file is then as it was. */
export async function compact(file: JournalFile): Promise<void> {
  let copy: Copy | undefined;
  try {
    copy = new Copy(file);
    copy.begin();
    for (let round = 1; round <= ROUNDS && (round === 1 || copy.behind); round += 1) {
      while (copy.behind) {
        copy.some();
        await turn();
        if (file.fault) throw file.fault;
      }
      await synced(copy.fd);
      if (file.fault) throw file.fault;
    }
    if (copy.behind) {
      while (copy.behind) copy.some();
      fdatasyncSync(copy.fd);
    }
    // Who deleted it did not want it back.
    file.check(true);
    file.replace(copy.fd, copy.places, copy.snapshotPlace, copy.end);
  } catch (error) {
    if (copy) closeSync(copy.fd);
    rmSync(newFile(file.folder), { force: true });
    throw fileError(error, file.file);
  }
}
