/** A store on a journal's file, as the contract (store.ts of the package) has it. */

import type { Append, Bodies, Presence, Store, Tail } from "../contract/store";
import { compact, isWanted } from "./compact";
import { release, reserve, reserved, type JournalFile } from "./file";
import type { Folder, User } from "./folder";
import { refusalOf } from "./layout";

const KIND = "file";
const TURN_MS = 10;

export class FileStore implements Store, User {
  readonly kind = KIND;
  readonly durability = "strict";
  /** The turn of the event loop that steps are written in. */
  private turn: Promise<void> | undefined;
  private turnBegan = 0;
  private onMoved: (() => void) | undefined;
  private onLost: ((error: unknown) => void) | undefined;

  constructor(private readonly folder: Folder, readonly file: JournalFile) {}

  get presence(): Presence {
    return this.folder.presence;
  }

  async append(from: number, decide: (tail: Tail | undefined) => Append | undefined, strict: boolean): Promise<number> {
    const file = this.folder.use(this.file, strict);
    const step = decide(from > 0 ? file.tail(from) : undefined);
    if (!step) return 0;
    const number = await this.write(() => file.append(step));
    if (strict) {
      file.strict = true;
      file.layAhead();
      await file.sync();
    } else {
      file.syncSoon();
      await this.breath();
    }
    return number;
  }

  /** A step is written at once: whoever sends and sends would keep timers and sockets waiting. */
  private async breath(): Promise<void> {
    if (!this.turn) {
      this.turnBegan = performance.now();
      this.turn = new Promise((resolve) =>
        setImmediate(() => {
          this.turn = undefined;
          resolve();
        })
      );
    } else if (performance.now() - this.turnBegan > TURN_MS) {
      await this.turn;
    }
  }

  /** Writes; where there is no room, once more after what is gone has made some. */
  private async write<Answer>(work: () => Answer): Promise<Answer> {
    try {
      return work();
    } catch (error) {
      const { file } = this;
      if ((error as Error).name !== "QuotaExceededError" || !isWanted(file)) throw error;
      file.compaction ??= this.compact();
      await file.compaction;
      this.folder.use(file);
      return work();
    }
  }

  async read(from: number): Promise<Tail> {
    return this.folder.use(this.file, true).tail(from);
  }

  async values(keys: number[]): Promise<(Bodies | undefined)[]> {
    const file = this.folder.use(this.file);
    const found: (Bodies | undefined)[] = [];
    for (let at = 0; at < keys.length; at += 2) found.push(file.bodies(keys[at], keys[at + 1]));
    return found;
  }

  async snapshot(number: number, floor: number, bytes: Uint8Array, ranges: number[], parts: number[] = []): Promise<boolean> {
    await this.file.compaction;
    const file = this.folder.use(this.file, true);
    if ((file.snapshotPlace?.number ?? 0) >= number) return false;
    const write = (): void => file.snapshot(number, floor, bytes, ranges, parts);
    try {
      await this.write(write);
    } catch (error) {
      if ((error as Error).name !== "QuotaExceededError" || !release(this.folder.path, true)) throw error;
      write();
    }
    if (file.strict) await file.sync();
    else file.syncSoon();
    if (isWanted(file)) file.compaction ??= this.compact();
    else reserve(this.folder.path, file.bytes);
    return true;
  }

  /** Takes back the room of what is gone, and makes up for a reserve that was given up. When it fails, the file is as it was. */
  private async compact(): Promise<void> {
    const { file } = this;
    const { path } = this.folder;
    try {
      await compact(file).catch((error: Error) => {
        if (error.name !== "QuotaExceededError" || !release(path, true)) throw error;
        return compact(file);
      });
    } catch {
      // The next snapshot tries again.
    } finally {
      file.compaction = undefined;
      if (!file.fault) reserve(path, file.bytes);
    }
  }

  watch(moved: () => void, lost: (error: unknown) => void): void {
    this.onMoved = moved;
    this.onLost = lost;
  }

  moved(): void {
    this.onMoved?.();
  }

  lost(error: unknown): void {
    this.onLost?.(error);
  }

  hint(): void {
    this.folder.hint(this);
  }

  async usage(): Promise<number> {
    return this.file.bytes + reserved(this.folder.path);
  }

  async refused(bodies: unknown[]): Promise<unknown[]> {
    return bodies.map(refusalOf);
  }

  async release(): Promise<boolean> {
    return release(this.folder.path, false);
  }

  close(): void {
    this.onMoved = this.onLost = undefined;
    this.folder.leave(this);
  }
}
