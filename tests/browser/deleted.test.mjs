/** The database is deleted while queues are open on it: they say so, nothing hangs, and they go on with a new one. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

/** Deletes all that this origin has stored, the ways a user or a site can. */
const ways = {
  async "indexedDB.deleteDatabase in another tab"(world) {
    const other = await world.page();
    await other.evaluate(async () => {
      const request = indexedDB.deleteDatabase("posthaste");
      await event(request, "success");
    });
  },
  async "Clear-Site-Data"(world) {
    const other = await world.page();
    await other.evaluate(() => fetch("/clear-site-data"));
  },
  async "the browser's own Clear data"(world) {
    const session = await world.context.newCDPSession([...world.pages][0]);
    await session.send("Storage.clearDataForOrigin", { origin: world.origin, storageTypes: "indexeddb" });
  },
};

for (const [way, clear] of Object.entries(ways)) {
  const browsers = way.startsWith("the browser") ? ["chromium"] : undefined;

  promise(`deleted by ${way}: what waits rejects with StorageLostError, the queue says so and works again`, async (world) => {
    const page = await world.page();
    await page.evaluate(async () => {
      globalThis.queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 7 });
      globalThis.states = [];
      queue.addEventListener("storage", (event) => states.push(event.detail.state));
      await queue.send("gone with it");
      const [held] = await queue.receive();
      globalThis.held = held;
      globalThis.waiting = queue.receive({ wait: 3600 });
      // Attached now, so that it is nobody's unhandled rejection when it comes.
      globalThis.outcome = waiting.then(() => "came back", (error) => error);
      await queue.send("not due yet", { delaySeconds: 3600 });
    });
    await clear(world);
    await page.evaluate(async () => {
      const error = await bounded(outcome, "the waiting receive");
      ok(error instanceof StorageLostError, `it is a StorageLostError: ${error}`);
      same([error.name, typeof error.code], ["StorageLostError", "string"]);
      await until(() => states.includes("lost"), "a storage event that says lost");
      await fails(held.ack(), "LeaseLostError");
      await bounded(queue.send("after"), "a send after it");
      const [message] = await bounded(queue.receive({ wait: 10 }), "a receive after it");
      same([message.body, message.attempts], ["after", 1]);
      await message.ack();
      const { sent, acked, backlogCount } = await queue.metrics();
      same({ sent, acked, backlogCount }, { sent: 1, acked: 1, backlogCount: 0 }, "the new queue's metrics");
    });
  }, { browsers });

  promise(`deleted by ${way}: a consumer and a second tab go on with the new database together`, async (world) => {
    const [one, two] = [await world.page(), await world.page()];
    await Promise.all([one, two].map((page) =>
      page.evaluate(async () => {
        globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
        globalThis.handled = [];
        globalThis.lost = event(queue, "storage");
        globalThis.consumer = queue.consume((batch) => {
          handled.push(...batch.messages.map((message) => message.body));
        });
        await queue.send("before");
      })
    ));
    await one.evaluate(() => until(async () => (await queue.metrics()).acked === 2, "two acks"));
    await clear(world);
    await Promise.all([one, two].map((page) => page.evaluate(() => lost)));
    await two.evaluate(() => queue.send("from two"));
    await one.evaluate(() => queue.send("from one"));
    await one.evaluate(() => until(async () => (await queue.metrics()).acked === 2, "two acks"));
    const handled = await Promise.all([one, two].map((page) => page.evaluate(() => handled.filter((body) => body !== "before"))));
    assert.deepEqual(handled.flat().sort(), ["from one", "from two"]);
    await Promise.all([one, two].map((page) => page.evaluate(() => queue.close())));
  }, { browsers });

  promise(`deleted by ${way} in the middle of sends: every send settles, and what resolved last is there`, async (world) => {
    const page = await world.page();
    await page.evaluate(async () => {
      globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
      globalThis.lost = event(queue, "storage");
      globalThis.stopped = false;
      globalThis.unsettled = 0;
      globalThis.failures = [];
      globalThis.churning = (async () => {
        for (let n = 0; !stopped; n++) {
          unsettled += 1;
          const sent = queue.send(n).then(() => {}, (error) => {
            failures.push(error.name);
          }).finally(() => {
            unsettled -= 1;
          });
          if (n % 5 === 4) await sent;
        }
      })();
    });
    await clear(world);
    await page.evaluate(async () => {
      // Until it hears of that, what it sends may be what is lost.
      await lost;
      stopped = true;
      await bounded(churning, "the last send");
      await until(() => unsettled === 0, "every send to settle");
      same(failures.filter((name) => name !== "StorageLostError"), [], "other errors than StorageLostError");
      const { id } = await queue.send("last");
      const { backlogCount } = await queue.metrics();
      const ids = (await queue.peek({ max: backlogCount })).map((info) => info.id);
      same(ids.at(-1), id, "the last one is there");
    });
  }, { browsers });
}
