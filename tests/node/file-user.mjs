// A program that uses a queue in a folder until it is killed: `file-user.mjs <folder> <relaxed|strict> <what>`.
// It says "ready", waits for a line, and says what happened, each line as soon as it is so:
// "sent n", "got n", "acking n" before it is acked, "acked n"; "empty" when there was nothing to receive any more.
import { writeSync } from "node:fs";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";

const [folder, durability, what, first] = process.argv.slice(2);
// Not through a stream: what is said is said when the process is killed right after.
const say = (text) => writeSync(1, `${text}\n`);
const open = () => openQueue("q", { storage: fileStorage(folder), durability, visibilityTimeout: 0.2, retryDelay: 0, maxRetries: 10_000 });
const told = () => new Promise((resolve) => process.stdin.once("data", resolve));

const work = {
  /** Opens, says how that went, and closes when told. */
  async open() {
    try {
      const queue = await open();
      say("open");
      await told();
      await queue.close();
    } catch (error) {
      say(`${error.name}: ${error.message}`);
    }
  },
  /** Opens, and ends without closing. */
  async leave() {
    await open();
    say("left");
  },
  /** Sends, receives and acks, all at once, for ever. */
  async busy() {
    const queue = await open();
    let next = Number(first);
    const send = async () => {
      for (;;) {
        const n = next++;
        await queue.send({ n, text: "x".repeat((n * 37) % 3000) });
        say(`sent ${n}`);
      }
    };
    const take = async () => {
      for (;;) {
        for (const message of await queue.receive({ max: 3, wait: 60 })) {
          say(`got ${message.body.n}`);
          // Every fifth is left for later.
          if (message.body.n % 5 === 0 && message.attempts < 3) continue;
          say(`acking ${message.body.n}`);
          message.ack().then(() => say(`acked ${message.body.n}`), () => {});
        }
      }
    };
    await Promise.all([send(), send(), take()]);
  },
  /** Receives all there is, with what others had under lease. */
  async drain() {
    const queue = await open();
    while ((await queue.metrics()).backlogCount > 0) {
      for (const message of await queue.receive({ max: 100, wait: 60, visibilityTimeout: 60 })) {
        say(`got ${message.body.n}`);
        say(`acking ${message.body.n}`);
        await message.ack();
        say(`acked ${message.body.n}`);
      }
    }
    say("empty");
    await queue.close();
  },
};
say("ready");
await told();
await work[what]();
process.exit();
