/**
 * A program that is killed at work: `victim.mjs <database file> <life>`. It sends and takes all the time, and says so of
 * each message: `sent <name>` and `acked <name>` once that is promised, `acking <name>` before. Without a life it takes what is
 * left, and says `left <name>`.
 */

import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

const [file, life] = Deno.args;
const queue = await openQueue("q", { storage: kvStorage(file), visibilityTimeout: 1, maxRetries: 1000, retryDelay: 0 });

async function send() {
  for (let n = 0;; n += 1) {
    const name = `${life}/${n}`;
    // Some in parts, and a few in so many that they are written ahead.
    const bytes = n % 40 === 20 ? 1_500_000 : n % 10 === 5 ? 150_000 : 10;
    await queue.send({ name, bytes: new Uint8Array(bytes) });
    console.log("sent", name);
  }
}

async function take() {
  for (;;) {
    for (const message of await queue.receive({ max: 4, wait: 5 })) {
      console.log("acking", message.body.name);
      await message.ack();
      console.log("acked", message.body.name);
    }
  }
}

async function rest() {
  for (;;) {
    const { ready, delayed, leased } = await queue.metrics();
    if (ready + delayed + leased === 0) return queue.close();
    for (const message of await queue.receive({ max: 100, wait: 2 })) {
      await message.ack();
      console.log("left", message.body.name);
    }
  }
}

await (life ? Promise.all([send(), take()]) : rest());
