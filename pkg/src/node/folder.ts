/** The folders whose journals are open in this process: one file and one lock for all who open it here. */

import { mkdirSync } from "node:fs";
import { compact } from "./compact";
import { fileError, named } from "./errors";
import { JournalFile } from "./file";
import { Lock } from "./lock";
import { FolderPresence } from "./presence";

/** Someone who has the journal open. */
export interface User {
  readonly file: JournalFile;
  moved(): void;
  lost(error: unknown): void;
}

const folders = new Map<string, Folder>();

export class Folder {
  readonly presence = new FolderPresence();
  private readonly users = new Set<User>();
  private lock: Lock | undefined;
  private file: JournalFile | undefined;
  /** Openings and endings, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private opening = false;

  private constructor(readonly path: string) {}

  /** The folder at that absolute path. */
  static at(path: string): Folder {
    const folder = folders.get(path) ?? new Folder(path);
    folders.set(path, folder);
    return folder;
  }

  /** Rejects when another process has it, when it can't be written, and for what is there and no journal. */
  open<Opened extends User>(make: (file: JournalFile) => Opened): Promise<Opened> {
    const opened = this.turn.then(async () => {
      this.opening = true;
      try {
        const user = make(await this.journal());
        this.users.add(user);
        return user;
      } finally {
        this.opening = false;
        this.rest();
      }
    });
    this.turn = opened.catch(() => undefined);
    return opened;
  }

  private async journal(): Promise<JournalFile> {
    try {
      mkdirSync(this.path, { recursive: true });
      if (this.lock?.holds === false) this.fail(this.taken());
      this.lock ??= await Lock.take(this.path);
    } catch (error) {
      throw fileError(error, this.path);
    }
    const { file: old } = this;
    if (old && !this.broken(old)) return old;
    this.file = undefined;
    await old?.close();
    const file = (this.file = JournalFile.open(this.path));
    // The system may have forgotten what it failed to write, though it can still be read. From here it goes to the disk again.
    if (old?.unsure) await compact(file);
    return file;
  }

  private broken(file: JournalFile): boolean {
    try {
      file.check(true);
      return false;
    } catch {
      return true;
    }
  }

  /** The file, ready to be used. Throws what is wrong with it, and tells everyone once. */
  use(file: JournalFile, fully = false): JournalFile {
    const sound = !file.told;
    try {
      file.check(fully);
      if (this.lock?.holds !== true) throw this.fail(this.taken());
      return file;
    } catch (error) {
      file.told = true;
      if (sound) { for (const user of this.users) if (user.file === file) queueMicrotask(() => user.lost(error)); }
      throw error;
    }
  }

  private taken(): Error {
    return named("StorageLostError",
      `the lock in ${this.path} was taken away: the folder was deleted or moved, or another process took this one for dead`);
  }

  private fail(error: Error): Error {
    this.lock?.release();
    this.lock = undefined;
    if (this.file) this.file.fault ??= error;
    return error;
  }

  /** Tells the others here that there is something new. */
  hint(from: User): void {
    for (const user of this.users) if (user !== from) queueMicrotask(() => user.moved());
  }

  leave(user: User): void {
    if (this.users.delete(user)) this.rest();
  }

  /** Without users the folder is anyone's. */
  private rest(): void {
    if (this.users.size || this.opening) return;
    const { file, lock } = this;
    this.file = this.lock = undefined;
    const closing = file?.close();
    if (!closing) return lock?.release();
    // Whoever comes next waits for that.
    this.turn = Promise.all([this.turn, closing.then(() => lock?.release())]);
  }
}
