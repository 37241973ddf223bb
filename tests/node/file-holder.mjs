// A program that is handed messages and ends while it holds them: `file-holder.mjs <folder> <ending>`. It says "held", what it was
// handed and the attempts at it, and waits for a line; then it ends: by "exit", "fail", "throw", or by the end of the program ("end").
import { writeSync } from "node:fs";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";

const [folder, ending] = process.argv.slice(2);
const queue = await openQueue("q", { storage: fileStorage(folder), maxRetries: 3 });
queue.consume(async ({ messages }) => {
  writeSync(1, `held ${messages.map(({ body, attempts }) => `${body}:${attempts}`).join(" ")}\n`);
  await new Promise((resolve) => process.stdin.once("data", resolve));
  if (ending === "exit") process.exit();
  if (ending === "fail") process.exit(1);
  if (ending === "throw")
    queueMicrotask(() => {
      throw new Error("a handler's doing");
    });
  await new Promise(() => {});
}, { maxBatchSize: 3 });
