/** Waits for a message of another process, says how long it was on its way in milliseconds: `waiting.mjs <database file> <count>`. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

const queue = await openQueue("q", { storage: kvStorage(Deno.args[0]) });
console.log("open");
for (let left = Number(Deno.args[1]); left > 0; left -= 1) {
  const [message] = await queue.receive({ wait: 30 });
  console.log(Date.now() - message.body);
  await message.ack();
}
await queue.close();
