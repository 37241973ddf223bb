/** `posthaste/node`: queues in a folder, for Node and Bun. Brings no engine: `openQueue` is that of "posthaste". */

import { realpathSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import type { StorageDriver } from "../contract/store";
import { Folder } from "./folder";
import { FileStore } from "./store";

export type { StorageDriver } from "../contract/store";

/** A `URL`, by what it must have: not everyone's declarations have that class. */
export interface FileUrl {
  readonly protocol: string;
  readonly href: string;
}

const drivers = new Map<string, StorageDriver>();

/**
 * Keeps queues in the folder `path` (a path, or a `file:` URL), which is made where it is new:
 * `openQueue(name, { storage: fileStorage("./queues") })`. All calls with the same folder give the same storage,
 * links to it included.
 *
 * One process at a time has a folder: in another, opening rejects with `NoModificationAllowedError`, which names the pid. So it does
 * in other threads: `queue.serve` a port to them. `durability: "relaxed"` survives the death of the process, and is on the
 * disk within a second; "strict" is on the disk (fsync) before `send` resolves and before a message is handed out.
 *
 * What is kept: whatever `structuredClone` takes, except objects of the platform's own (a Blob, a key). Opening rejects
 * with `CorruptionError` for a file that is damaged or no journal, `VersionError` for one of a newer posthaste,
 * `NotAllowedError` where the folder or the file may not be written. A file that something else cut short can't be told from one that
 * never was longer: it opens with the steps that are there, and the console says how many bytes of one that is not whole go. On a full
 * disk `send` rejects with `QuotaExceededError`; the queue goes on. Throws `TypeError` for what is no path.
 */
export function fileStorage(path: string | FileUrl): StorageDriver {
  const folder = real(resolved(path));
  const known = drivers.get(folder);
  if (known) return known;
  const driver: StorageDriver = {
    kind: "file",
    open: () => {
      const { crc32 } = zlib as { crc32?: unknown };
      if (!crc32) return Promise.reject(new DOMException("posthaste/node needs Node 20.15 or newer", "NotSupportedError"));
      const at = Folder.at(folder);
      return at.open((file) => new FileStore(at, file));
    },
  };
  drivers.set(folder, driver);
  return driver;
}

/** Where that is, whichever links lead there; of what is not made yet, as far as there is something. */
function real(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    const above = path.dirname(folder);
    return above === folder ? folder : path.join(real(above), path.basename(folder));
  }
}

function resolved(given: string | FileUrl): string {
  if (typeof given === "object" && given?.protocol === "file:") return path.resolve(fileURLToPath(given.href));
  if (typeof given === "string" && given !== "" && !given.includes("\0")) return path.resolve(given);
  throw new TypeError(
    `the path of fileStorage must be a folder's, as text or a file: URL, not ${
      typeof given === "string" ? JSON.stringify(given) : String(given)
    }`,
  );
}
