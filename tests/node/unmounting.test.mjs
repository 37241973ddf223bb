// A component that opens a queue when it is mounted and closes it when it goes, over and over, while its handler is at work.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";
import { newFolder } from "./file-lab.mjs";

/** Opens the queue, waits until a handler is at work, and closes it. What that handler was given. */
async function mounted(name, storage, handle) {
  const queue = await openQueue(name, { storage, maxRetries: 3, retryDelay: 0 });
  const batch = await new Promise((resolve) => {
    queue.consume(async (batch) => {
      resolve(batch);
      await handle(batch);
    });
  });
  await queue.close();
  return batch.messages.map(({ body, attempts }) => [body, attempts]);
}

const aborted = ({ messages: [{ signal }] }) =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });

for (const [where, storage] of [["memory", "memory"], ["a folder", fileStorage(newFolder())]]) {
  test(`a handler that is told to end, and throws, has made no attempt, in ${where}: six unmounts dead-letter nothing`, async () => {
    const name = `unmounted in ${where}`;
    const queue = await openQueue(name, { storage, maxRetries: 3, retryDelay: 0 });
    await queue.sendBatch([{ body: 1 }, { body: 2 }]);
    for (let round = 0; round < 6; round += 1) assert.deepEqual(await mounted(name, storage, aborted), [[1, 1], [2, 1]]);
    const { deadLettered, ready, retried } = await queue.metrics();
    assert.deepEqual({ deadLettered, ready, retried }, { deadLettered: 0, ready: 2, retried: 0 });
    await queue.close();
  });
}

test("a handler that throws of itself is retried, and its attempt counts", async () => {
  const queue = await openQueue("thrown", { maxRetries: 3, retryDelay: 0 });
  await queue.send(1);
  const attempts = [];
  await new Promise((resolve) => {
    queue.addEventListener("deadletter", resolve);
    queue.addEventListener("error", () => {});
    queue.consume(({ messages: [message] }) => {
      attempts.push(message.attempts);
      throw new Error("its own");
    });
  });
  assert.deepEqual(attempts, [1, 2, 3, 4]);
  await queue.close();
});
