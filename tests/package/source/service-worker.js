// A service worker: keeps what pages tell it in IndexedDB, and says so when that is done.
import { openQueue } from "posthaste";

async function kept(data) {
  const queue = await openQueue("outbox", { storage: "indexeddb" });
  const { id } = await queue.send(data);
  await queue.close();
  return id;
}

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => event.waitUntil(kept(event.data).then((id) => event.source.postMessage(id))));
