// In a frame of its own (opening.html): counts what opening the queue named in the address, and receiving its first
// message, read from IndexedDB. Answers its parent with the counts and the times.

import { install } from "./counts.js";

try {
  const counter = install();
  const { openQueue } = await import("posthaste");
  let openedMs, firstMs, queue, message;
  const counted = await counter.during(async () => {
    const start = performance.now();
    queue = await openQueue(new URLSearchParams(location.search).get("queue"), { storage: "indexeddb" });
    openedMs = performance.now() - start;
    [message] = await queue.receive();
    firstMs = performance.now() - start;
  });
  if (!message) throw new Error("the queue was empty");
  const waiting = (await queue.metrics()).backlogCount;
  await message.ack();
  await queue.close();
  parent.postMessage({ ...counted, openedMs, firstMs, waiting }, location.origin);
} catch (error) {
  parent.postMessage({ error: String(error?.stack ?? error) }, location.origin);
}
