/** What a step costs in IndexedDB, counted: transactions, requests, and the bodies that are read. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

promise("one awaited send is one transaction with one request", async (world) => {
  const counts = await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.send("warm");
    const counts = countIndexedDb();
    for (let n = 0; n < 20; n++) await queue.send({ n });
    return counts;
  });
  assert.deepEqual([counts.readwrite, counts.readonly, counts.requests], [20, 0, { put: 20 }]);
}, { where: ["page", "worker"] });

promise("10,000 concurrent sends of a 100-byte object resolve in a few dozen commits", async (world) => {
  const counts = await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const body = { id: 12345678, name: "posthaste", text: "x".repeat(60), flag: true };
    const counts = countIndexedDb();
    const receipts = await Promise.all(Array.from({ length: 10_000 }, () => queue.send(body)));
    same(new Set(receipts.map((receipt) => receipt.id)).size, 10_000, "each has its own id");
    same((await queue.metrics()).backlogCount, 10_000);
    const { readwrite, requests } = counts;
    return { readwrite, put: requests.put };
  });
  assert.ok(counts.readwrite <= 36, `${counts.readwrite} commits`);
  assert.ok(counts.put <= 200, `${counts.put} values`);
}, { where: ["page", "worker"] });

promise("sends that come one by one while a step is under way share the next", async (world) => {
  const counts = await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.send("warm");
    const counts = countIndexedDb();
    const sends = [];
    for (let n = 0; n < 1000; n++) {
      sends.push(queue.send(n));
      await turn();
    }
    await Promise.all(sends);
    const { readwrite } = counts;
    same((await queue.receive({ max: 2000 })).map((message) => message.body), ["warm", ...Array(1000).keys()], "in order");
    return { readwrite };
  });
  // How many depends on how long a commit takes beside a turn of the event loop: in WebKit hardly longer.
  assert.ok(counts.readwrite <= 900, `${counts.readwrite} commits`);
}, { where: ["page", "worker"] });

promise("receiving and acking in batches of 100 costs two steps a batch at most", async (world) => {
  const { readwrite } = await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.sendBatch(Array.from({ length: 1000 }, (_, body) => ({ body })));
    const counts = countIndexedDb();
    for (let acked = 0; acked < 1000;) {
      const messages = await queue.receive({ max: 100, wait: 10 });
      acked += messages.length;
      await Promise.all(messages.map((message) => message.ack()));
    }
    return counts;
  });
  assert.ok(readwrite <= 24, `${readwrite} commits`);
});

promise("opening a queue of 100,000 messages and receiving the first does not read the other bodies", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    for (let part = 0; part < 10; part++) {
      await Promise.all(Array.from({ length: 10_000 }, (_, n) => queue.send({ marked: "body", n: part * 10_000 + n })));
    }
    await queue.close();
  });
  await page.close();
  const next = await world.page();
  const { bodies, ms } = await next.evaluate(async () => {
    const counts = countIndexedDb();
    const start = performance.now();
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const [first] = await queue.receive();
    const ms = performance.now() - start;
    same(first.body, { marked: "body", n: 0 });
    await first.ack();
    same((await queue.metrics()).backlogCount, 99_999);
    let bodies = 0;
    const seen = new Set();
    const visit = (value) => {
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
      seen.add(value);
      if (value.marked === "body") bodies += 1;
      else Object.values(value).forEach(visit);
    };
    visit(counts.read);
    return { bodies, ms };
  });
  assert.ok(bodies >= 1 && bodies <= 256, `${bodies} bodies were read, in ${ms} ms`);
}, { seconds: 120 });
