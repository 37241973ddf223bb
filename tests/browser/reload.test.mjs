/** What was sent stays when the page that sent it reloads, closes or crashes. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

const ready = (page) => page.waitForFunction(() => globalThis.ready === true);

promise("messages survive a reload, in order, and acked ones do not come back", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    same(queue.mode, { storage: "indexeddb", durability: "relaxed", transport: "local" }, "mode");
    await queue.send("first");
    await queue.sendBatch([{ body: "second" }, { body: "third" }]);
    await Promise.all(["fourth", "fifth"].map((body) => queue.send(body)));
    const [message] = await queue.receive();
    same(message.body, "first");
    await message.ack();
  });
  await page.reload();
  await ready(page);
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const messages = await queue.receive({ max: 10 });
    same(messages.map((message) => message.body), ["second", "third", "fourth", "fifth"]);
    await Promise.all(messages.map((message) => message.ack()));
  });
  await page.reload();
  await ready(page);
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    same(await queue.receive({ max: 10 }), []);
    const { backlogCount, acked, sent } = await queue.metrics();
    same({ backlogCount, acked, sent }, { backlogCount: 0, acked: 5, sent: 5 }, "metrics");
  });
});

promise("what a receiver kept across a reload: id, timestamp, headers, attempts", async (world) => {
  const page = await world.page();
  const before = await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const { id } = await queue.send({ n: 1 }, { headers: { kind: "photo", "x-odd": 'ü, "quoted"' } });
    const [info] = await queue.peek();
    return { id, timestamp: info.timestamp.getTime() };
  });
  await page.reload();
  await ready(page);
  await page.evaluate(async (before) => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const [message] = await queue.receive();
    same({ id: message.id, timestamp: message.timestamp.getTime() }, before);
    same({ ...message.headers }, { kind: "photo", "x-odd": 'ü, "quoted"' }, "headers");
    same([message.attempts, message.priority, message.body], [1, 0, { n: 1 }]);
    await message.ack();
  }, before);
});

// WebKit aborts what a page writes as it goes; that it left in good order is noted all the same.
promise("a page that reloads while it holds messages has them again at once, in order, without an attempt, however often",
  async (world) => {
    const page = await world.page();
    const hold = async () => {
      // No lease runs out by this clock.
      globalThis.queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 3, clock: new VirtualClock() });
      const messages = await queue.receive({ max: 3 });
      return messages.map((message) => [message.body, message.attempts]);
    };
    await page.evaluate(async () => {
      const queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 3, clock: new VirtualClock() });
      await queue.sendBatch([1, 2, 3, 4].map((body) => ({ body })));
      await queue.close();
    });
    for (let round = 0; round < 6; round++) {
      assert.deepEqual(await page.evaluate(hold), [1, 2, 3].map((body) => [body, 1]));
      await page.reload();
      await ready(page);
    }
    await page.evaluate(async () => {
      const queue = await openQueue("jobs", { storage: "indexeddb" });
      same((await queue.receive({ max: 10 })).map(({ body }) => body), [1, 2, 3, 4]);
      same((await queue.metrics()).deadLettered, 0);
    });
  });

promise("a frame that is taken out of its page while a handler is at work: another consumer goes on at once, without an attempt",
  async (world) => {
    const page = await world.page();
    await page.evaluate(async () => {
      const ready = event(globalThis, "message");
      const frame = Object.assign(document.createElement("iframe"), { src: "/frame.html" });
      document.body.append(frame);
      await ready;
      const queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 3, clock: new VirtualClock() });
      await queue.send("work");
      const held = event(globalThis, "message");
      frame.contentWindow.postMessage({
        code: String(async () => {
          const queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 3, clock: new VirtualClock() });
          await new Promise((resolve) =>
            queue.consume(() => {
              resolve();
              return new Promise(() => {});
            })
          );
        }),
      }, "*");
      const { data } = await held;
      same(data.failure, undefined, "the frame's consumer");
      const waiting = queue.receive({ wait: 60 });
      frame.remove();
      const [message] = await bounded(waiting, "what the frame's handler had");
      same([message.body, message.attempts], ["work", 1]);
    });
  });

promise("a send that resolved before its tab was closed is there after", async (world) => {
  for (const durability of ["relaxed", "strict"]) {
    const page = await world.page();
    const ids = await page.evaluate(async (durability) => {
      const queue = await openQueue("jobs", { storage: "indexeddb", durability });
      const receipts = await Promise.all(Array.from({ length: 300 }, (_, n) => queue.send({ durability, n })));
      return receipts.map((receipt) => receipt.id);
    }, durability);
    await page.close();
    const next = await world.page();
    const found = await next.evaluate(async () => {
      const queue = await openQueue("jobs", { storage: "indexeddb" });
      const messages = await queue.receive({ max: 1000 });
      const ids = messages.map((message) => message.id);
      same(messages.map((message) => message.body.n), messages.map((_, n) => n), "order");
      await Promise.all(messages.map((message) => message.ack()));
      return ids;
    });
    assert.deepEqual(found, ids);
    await next.close();
  }
});

promise("a send that resolved before its tab crashed is there after", async (world) => {
  const page = await world.page();
  const ids = await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const receipts = await Promise.all(Array.from({ length: 300 }, (_, n) => queue.send({ n })));
    return receipts.map((receipt) => receipt.id);
  });
  await world.crashTab(page);
  const next = await world.page();
  const found = await next.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    return (await queue.receive({ max: 1000 })).map((message) => message.id);
  });
  assert.deepEqual(found, ids);
}, { browsers: ["chromium"] });
