/** A service worker is a peer like any other: it sends for pages that may be gone, and works off what they sent. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

async function controlledPage(world) {
  const page = await world.page();
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/service-worker.mjs", { type: "module" });
    await until(() => navigator.serviceWorker.controller, "the service worker controls the page");
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    globalThis.ask = async (path, body) =>
      (await bounded(fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }), path)).json();
  });
  return page;
}

promise("what a service worker sends on a fetch event wakes the page that waits for it", async (world) => {
  const page = await controlledPage(world);
  await page.evaluate(async () => {
    const waiting = queue.receive({ wait: 20 });
    const { id } = await ask("/queue/send", { n: 1 });
    const [message] = await waiting;
    same([message.id, message.body], [id, { n: 1 }]);
    await message.ack();
  });
});

promise("a service worker receives and acks what the page sent", async (world) => {
  const page = await controlledPage(world);
  await page.evaluate(async () => {
    await queue.sendBatch([{ body: "a" }, { body: new Map([["b", 2]]) }]);
    same((await ask("/queue/take")).length, 2);
    const { backlogCount, acked } = await queue.metrics();
    same({ backlogCount, acked }, { backlogCount: 0, acked: 2 });
    same(await queue.receive(), []);
  });
});

promise("a consumer in a service worker works while the page goes on sending, each message once", async (world) => {
  const page = await controlledPage(world);
  const taken = await page.evaluate(async () => {
    const taken = ask("/queue/consume");
    for (let n = 0; n < 100; n++) {
      const sent = queue.send(n);
      if (n % 10 === 9) await sent;
    }
    await queue.send("last");
    return taken;
  });
  assert.deepEqual(taken, [...Array(100).keys(), "last"]);
});

promise("what a page sent through the service worker is there after the page is gone", async (world) => {
  const page = await controlledPage(world);
  await page.evaluate(() => ask("/queue/send", "kept"));
  await page.close();
  const next = await world.page();
  await next.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const [message] = await queue.receive({ wait: 10 });
    same([message.body, message.attempts], ["kept", 1]);
    await message.ack();
  });
});

promise("a service worker that can't load ports says which line to import", async (world) => {
  const page = await world.page();
  const { name, message } = await page.evaluate(async () => {
    await navigator.serviceWorker.register("/portless-service-worker.mjs", { type: "module" });
    await until(() => navigator.serviceWorker.controller, "the service worker controls the page");
    const { port1, port2 } = new MessageChannel();
    const said = new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
    navigator.serviceWorker.controller.postMessage({ port: port2 }, [port2]);
    return bounded(said, "an error");
  });
  assert.equal(name, "NotSupportedError");
  assert.match(message, /import "posthaste\/ports"/);
});
