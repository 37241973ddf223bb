/** Opening journals in Deno KV. */

import type { StorageDriver, Store } from "../contract/store";
import { Database } from "./database";
import type { DenoScope, Kv } from "./platform";
import type { Layout } from "./layout";
import { patiently } from "./retry";
import { FilePresence, hasLocks } from "./presence";
import { KvStore } from "./store";

/** The shortest and the longest time between two looks for what others wrote: in a file, and where each look may cost money. */
const LOCAL_PAUSES_MS = [10, 100] as const;
const PAUSES_MS = [100, 1000] as const;
const REMOTE = /^https?:/;
const IN_MEMORY = ":memory:";

export class KvDriver implements StorageDriver {
  readonly kind = "deno-kv";
  private databases: Database[] = [];

  /** `from`: a database, or the path of one; undefined: the one that Deno gives the program. */
  constructor(private readonly from: Kv | string | undefined, private readonly layout: Layout) {}

  async open(): Promise<Store> {
    const { from } = this;
    const own = typeof from !== "object";
    const kv = own ? await openKv(from) : from;
    const database = new Database(kv, this.layout);
    try {
      await database.prove();
      await this.settle(database);
    } catch (error) {
      if (own) kv.close();
      throw error;
    }
    this.databases.push(database);
    const isFile = typeof from === "string" && !REMOTE.test(from);
    const presence = isFile && from !== IN_MEMORY && hasLocks() ? new FilePresence(from) : undefined;
    return new KvStore(database, own, isFile ? LOCAL_PAUSES_MS : PAUSES_MS, presence);
  }

  /**
   * A commit of an earlier store may still be under way somewhere. Once the head has another versionstamp it can't succeed
   * any more, and the tail tells whether it did.
   */
  private async settle(database: Database): Promise<void> {
    if (this.databases.some(({ unsettled }) => unsettled > 0)) await database.move("opening the journal again", (head) => head);
    this.databases = this.databases.filter(({ closed }) => !closed);
  }
}

async function openKv(path: string | undefined): Promise<Kv> {
  const deno = (globalThis as DenoScope).Deno;
  if (!deno) throw new DOMException("kvStorage() opens a database in Deno alone: elsewhere give it a Kv", "NotSupportedError");
  if (!deno.openKv)
    throw new DOMException('Deno.openKv is missing: run with --unstable-kv, or with "unstable": ["kv"] in deno.json', "NotSupportedError");
  return patiently("opening the database", () => deno.openKv!(path));
}
