/** What is closed is let go: a page that opens queues and serves ports all day does not grow. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

/** How many objects of each kind the page keeps after all garbage is collected: only Chromium can be asked. */
async function kept(page, kinds) {
  const session = await page.context().newCDPSession(page);
  const counts = {};
  for (const kind of kinds) {
    await page.requestGC();
    const { result: prototype } = await session.send("Runtime.evaluate", { expression: `${kind}.prototype` });
    const { objects } = await session.send("Runtime.queryObjects", { prototypeObjectId: prototype.objectId });
    const { result: length } = await session.send("Runtime.callFunctionOn", {
      functionDeclaration: "function () { return this.length; }",
      objectId: objects.objectId,
    });
    counts[kind] = length.value;
    await session.send("Runtime.releaseObject", { objectId: objects.objectId });
  }
  await session.detach();
  return counts;
}

/** Does it once, so that what is made once is there, then ten times more: nothing may be left of those. */
async function leavesNothing(page, kinds, work) {
  await page.evaluate(work);
  const before = await kept(page, kinds);
  for (let round = 0; round < 10; round += 1) await page.evaluate(work);
  const after = await kept(page, kinds);
  const more = kinds.filter((kind) => after[kind] > before[kind] + 1);
  assert.deepEqual(more, [], `kept before ${JSON.stringify(before)}, after ten rounds ${JSON.stringify(after)}`);
}

promise("clients that came, worked and were closed or terminated leave nothing with their host", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    globalThis.host = await openQueue("jobs");
  });
  await leavesNothing(page, ["Worker", "WebAssembly.Memory", "WebAssembly.Instance"], async () => {
    for (const end of ["close", "terminate"]) {
      await startWorker("w");
      const serving = host.serve(workerNamed("w"));
      await askWorker("w", async () => {
        globalThis.client = await openQueue("jobs", { port: self });
        await client.sendBatch(Array.from({ length: 100 }, () => ({ body: new Uint8Array(100) })));
      });
      const messages = await host.receive({ max: 100, borrow: true });
      await Promise.all(messages.map((message) => message.ack()));
      if (end === "close") await askWorker("w", () => client.close());
      terminateWorker("w");
      await serving.close();
    }
  });
}, { browsers: ["chromium"], isolation: [true, false] });

promise("a client that is closed, or whose host is gone, leaves nothing behind", async (world) => {
  const page = await world.page();
  await leavesNothing(page, ["Worker", "WebAssembly.Memory", "WebAssembly.Instance"], async () => {
    for (const end of ["close", "terminate"]) {
      await startWorker("w");
      await askWorker("w", async () => {
        (globalThis.host = await openQueue("jobs")).serve(self);
      });
      const client = await openQueue("jobs", { port: workerNamed("w") });
      await client.sendBatch(Array.from({ length: 100 }, () => ({ body: new Uint8Array(100) })));
      const consumer = client.consume(() => undefined, { maxBatchSize: 100, borrow: true });
      await until(() => client.backlog().metrics.backlogCount === 0, "all are acked");
      if (end === "close") await client.close();
      terminateWorker("w");
      if (end === "terminate") await fails(consumer.done, "StorageLostError");
      await client.close();
    }
  });
}, { browsers: ["chromium"], isolation: [true, false] });

promise("a queue that is closed leaves nothing behind", async (world) => {
  const page = await world.page();
  await leavesNothing(page, ["IDBDatabase", "BroadcastChannel", "AbortController"], async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const consumer = queue.consume(() => undefined, { maxBatchSize: 100 });
    await queue.sendBatch([{ body: 1 }, { body: 2 }]);
    await until(async () => (await queue.metrics()).backlogCount === 0, "all are acked");
    await consumer.stop();
    await queue.close();
  });
}, { browsers: ["chromium"] });
