/** A peer among others: `competing.mjs <database file> <its name> <messages to send> <messages of all>`; what it got, as JSON. */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

const [file, peer, own, all] = Deno.args;
const queue = await openQueue("q", { storage: kvStorage(file), visibilityTimeout: 300 });
const tally = await openQueue("tally", { storage: kvStorage(file) });
console.log("open");
const got = [];
const sending = (async () => {
  for (let n = 0; n < Number(own); n += 1) await queue.send([peer, n]);
})();
// Each peer ends when the acks of all are there: the tally has a message for each.
while ((await tally.metrics()).sent < Number(all)) {
  for (const message of await queue.receive({ max: 5, wait: 0.2 })) {
    got.push(message.body);
    await message.ack();
    await tally.send(1);
  }
}
await sending;
const { acked, delivered } = await queue.metrics();
console.log(JSON.stringify({ got, acked, delivered }));
await tally.close();
await queue.close();
