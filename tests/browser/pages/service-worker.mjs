/** A service worker that is a peer: it sends what is posted to it, and takes what is asked of it. */
import { openQueue } from "/posthaste/index.js";
import "/posthaste/ports.js";

addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

const doors = {
  async "/queue/send"(request) {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const { id } = await queue.send(await request.json());
    return { id };
  },
  async "/queue/take"() {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const messages = await queue.receive({ max: 100, wait: 10 });
    await Promise.all(messages.map((message) => message.ack()));
    return messages.map((message) => message.body);
  },
  async "/queue/consume"() {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const bodies = [];
    let full;
    const enough = new Promise((resolve) => {
      full = resolve;
    });
    const consumer = queue.consume((batch) => {
      bodies.push(...batch.messages.map((message) => message.body));
      if (bodies.includes("last")) full();
    });
    await enough;
    await consumer.stop();
    return bodies;
  },
};

addEventListener("fetch", (event) => {
  const door = doors[new URL(event.request.url).pathname];
  if (door) event.respondWith(door(event.request).then((value) => Response.json(value)));
});

/** A page hands over a port at which it serves a queue. */
addEventListener("message", (event) => {
  const { queue: name, port } = event.data ?? {};
  if (!port) return;
  event.waitUntil((async () => {
    const queue = await openQueue(name, { port });
    await queue.send({ from: "the service worker" });
    const [message] = await queue.receive({ wait: 20 });
    await message.ack();
    await queue.close();
  })());
});
