// The page of that service worker: tells it something, and reads it from the queue itself.
import { openQueue } from "posthaste";

async function said() {
  await navigator.serviceWorker.register("./service-worker.js");
  const { active } = await navigator.serviceWorker.ready;
  const confirmed = new Promise((resolve) => navigator.serviceWorker.addEventListener("message", resolve, { once: true }));
  active.postMessage({ to: "Ada", on: new Date(0) });
  await confirmed;
  const queue = await openQueue("outbox", { storage: "indexeddb" });
  const [message] = await queue.receive();
  await message.ack();
  return JSON.stringify(message.body);
}

said().then((text) => (document.title = text), (error) => (document.title = String(error)));
