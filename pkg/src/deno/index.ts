/** Queues in Deno KV: `openQueue(name, { storage: kvStorage() })`. */

import type { StorageDriver } from "../contract/store";
import { KvDriver } from "./driver";
import type { Kv, KvKey } from "./platform";
import { Layout, PREFIX_BYTES_MAX, prefixBytes } from "./layout";

export type { Kv, KvAtomic, KvCheck, KvEntry, KvKey, KvKeyPart } from "./platform";

export interface KvStorageOptions {
  /** The journal's keys are those that begin with these parts; up to 512 bytes. Default `["posthaste"]`. */
  prefix?: KvKey;
}

const PREFIX: KvKey = ["posthaste"];
const PARTS = ["string", "number", "bigint", "boolean"];

/** Databases by object or path ("": Deno's own), and in each the drivers by prefix. */
const byObject = new WeakMap<Kv, Map<string, KvDriver>>();
const byPath = new Map<string, Map<string, KvDriver>>();

/**
 * Keeps queues in a Deno KV database: `kv`, or the one at a path or address, or (undefined) the one that `Deno.openKv()` gives.
 * The same database and prefix are the same storage, whose queues share one journal; other isolates and processes that open
 * it are peers. Needs `--unstable-kv` where it opens the database itself. A database that was given is not closed.
 *
 * Sends of more than 64 MiB reject with `MessageTooLargeError`; bodies may hold what V8 clones (Map, Date, bigint, typed arrays,
 * errors), and with anything else (a Blob) reject with `DataCloneError`. Another process is noticed after up to 0.1 s in a file
 * that was given by its path, else after up to 1 s.
 *
 * Throws `TypeError` for what is no database and no prefix. Opening a queue rejects with `NotSupportedError` where there is no
 * Deno KV, `CorruptionError` where the keys hold something else, `VersionError` where a newer posthaste wrote them.
 */
export function kvStorage(kv?: Kv | string, options: KvStorageOptions = {}): StorageDriver {
  if (kv !== undefined && typeof kv !== "string" && typeof (kv as Kv | null)?.atomic !== "function") {
    throw new TypeError(`kv must be a Deno.Kv, or the path of one, not ${String(kv)}`);
  }
  if (typeof options !== "object" || options === null) throw new TypeError(`options must be an object, not ${String(options)}`);
  const prefix = checked(options.prefix ?? PREFIX);
  const drivers = driversOf(kv);
  const name = JSON.stringify(prefix,
    (_, part: unknown) => (typeof part === "bigint" ? { bigint: String(part) } : part instanceof Uint8Array ? { bytes: [...part] } : part));
  const known = drivers.get(name) ?? new KvDriver(kv, new Layout(prefix));
  drivers.set(name, known);
  return known;
}

function driversOf(kv: Kv | string | undefined): Map<string, KvDriver> {
  const found = typeof kv === "object" ? byObject.get(kv) : byPath.get(kv ?? "");
  if (found) return found;
  const made = new Map<string, KvDriver>();
  if (typeof kv === "object") byObject.set(kv, made);
  else byPath.set(kv ?? "", made);
  return made;
}

function checked(prefix: KvKey): KvKey {
  const good = Array.isArray(prefix) && prefix.length > 0 &&
    prefix.every((part) => PARTS.includes(typeof part) || part instanceof Uint8Array);
  if (!good)
    throw new TypeError(`prefix must be a list of strings, numbers, bigints, booleans or bytes, and not empty, not ${String(prefix)}`);
  const bytes = prefixBytes(prefix);
  if (bytes > PREFIX_BYTES_MAX) throw new TypeError(`prefix takes ${bytes} bytes, and may take ${PREFIX_BYTES_MAX}`);
  return [...prefix];
}
