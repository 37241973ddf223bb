/** Sends the time, as often as it is told, with pauses in which the other process comes to rest: `sending.mjs <database file> <count>`. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

const queue = await openQueue("q", { storage: kvStorage(Deno.args[0]) });
for (let left = Number(Deno.args[1]); left > 0; left -= 1) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  await queue.send(Date.now());
}
await queue.close();
