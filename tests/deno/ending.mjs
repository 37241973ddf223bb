/** A program that leaves its queue open, and must end all the same: `ending.mjs <database file>`. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

const queue = await openQueue("q", { storage: kvStorage(Deno.args[0]) });
await queue.send("left behind");
console.log("sent");
