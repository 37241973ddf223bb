/** Compiles with Deno's own declarations: its Kv is one that `kvStorage` takes. */

import { openQueue, type Queue } from "posthaste";
import { kvStorage, type Kv, type KvStorageOptions } from "posthaste/deno";

const kv: Deno.Kv = await Deno.openKv(":memory:");
const taken: Kv = kv;
const key: Deno.KvKey = ["app", new Uint8Array(1), 1, 1n, true];
const options: KvStorageOptions = { prefix: key };
const queue: Queue<{ n: number }> = await openQueue<{ n: number }>("q", { storage: kvStorage(taken, options) });
await queue.send({ n: 1 });
// @ts-expect-error: no database
kvStorage({ get: 1 });
// @ts-expect-error: no prefix
kvStorage("file.db", { prefix: "app" });
await queue.close();
kv.close();
