/** Pages that are frozen, as browsers do with tabs nobody looks at, or kept for the way back: the others go on, and so do they. */
import assert from "node:assert/strict";
import { KEEP_PAGES, promise } from "./harness.mjs";

/** A page and a window it opened, in which `globalThis.run(code, port, argument)` runs code. */
async function pageWithWindow(world) {
  const page = await world.page();
  const [other] = await Promise.all([page.waitForEvent("popup"), page.evaluate(async () => {
    const ready = event(globalThis, "message");
    globalThis.other = open("/frame.html", "_blank");
    await ready;
    globalThis.run = async (code, port, argument) => {
      const answer = event(globalThis, "message");
      other.postMessage({ code: String(code), argument }, "*", port ? [port] : []);
      const { data } = await answer;
      if (data.failure) throw new Error(data.failure);
      return data.value;
    };
    await run(() => {
      globalThis.frozen = 0;
      document.addEventListener("freeze", () => {
        frozen += 1;
      });
    });
  })]);
  // Only what nobody looks at can be frozen.
  await page.tell("Page.bringToFront");
  const state = (state) => other.tell("Page.setWebLifecycleState", { state });
  return { page, other, freeze: () => state("frozen"), resume: () => state("active") };
}

promise("a client in a page that is frozen: the others go on, its leases run out, and it goes on when it is resumed", async (world) => {
  const { page, other, freeze, resume } = await pageWithWindow(world);
  await page.evaluate(async () => {
    globalThis.clock = new VirtualClock();
    globalThis.host = await openQueue("jobs", { visibilityTimeout: 30, clock, retryDelay: 0 });
    await host.sendBatch([1, 2, 3].map((body) => ({ body })));
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    await run(async (port) => {
      globalThis.client = await openQueue("jobs", { port });
      globalThis.held = await client.receive({ max: 2, wait: 10 });
      globalThis.waiting = client.receive({ max: 100, wait: 3600 });
      waiting.catch(() => {});
    }, port2);
    await host.receive({ max: 100 }).then((messages) => Promise.all(messages.map((message) => message.ack())));
  });
  await freeze();
  await page.evaluate(async () => {
    await startWorker("w");
    host.serve(workerNamed("w"));
    const sent = askWorker("w", async () => {
      globalThis.client = await openQueue("jobs", { port: self });
      for (let n = 0; n < 2000; n++) await (n % 100 ? void client.send({ n }) : client.send({ n }));
      await client.flush();
    });
    await bounded(sent, "the sends of another client");
    // Whatever the frozen one was handed comes back when its time is up, with the two it holds.
    const seen = new Set();
    while (seen.size < 2000) {
      const messages = await host.receive({ max: 500 });
      for (const { body } of messages) seen.add(body.n ?? `held ${body}`);
      await Promise.all(messages.map((message) => message.ack()));
      if (!messages.length) await clock.advance(31);
    }
    await clock.advance(31);
    for (const message of await host.receive({ max: 500 })) {
      seen.add(message.body.n ?? `held ${message.body}`);
      await message.ack();
    }
    ok(seen.has("held 1") && seen.has("held 2"), "what the frozen page held came back");
    same((await host.metrics()).backlogCount, 0);
  });
  await resume();
  const frozen = await page.evaluate(async () => {
    const frozen = await run(async () => {
      const late = await Promise.allSettled(held.map((message) => message.ack()));
      for (const { reason } of late) if (reason?.name !== "LeaseLostError") throw new Error(`a late ack: ${reason}`);
      await client.send("resumed");
      return frozen;
    });
    await host.send("for it");
    await run(async () => {
      const got = [];
      // What it was handed while it was frozen is somebody else's by now.
      for (let messages = await waiting;; messages = await client.receive({ max: 10, wait: 10 })) {
        got.push(...messages.map(({ body }) => body));
        await Promise.allSettled(messages.map((message) => message.ack()));
        if (got.includes("for it")) return;
      }
    });
    return frozen;
  });
  assert.equal(frozen, 1, "it was frozen");
  await other.close();
}, { browsers: ["chromium"], preferences: { driven: true } });

promise("the host's page is frozen: its clients wait, nothing fails, and all is done when it is resumed", async (world) => {
  const { page, other, freeze, resume } = await pageWithWindow(world);
  await page.evaluate(async () => {
    const { port1, port2 } = new MessageChannel();
    await run(async (port) => {
      (globalThis.host = await openQueue("jobs")).serve(port);
    }, port1);
    globalThis.client = await openQueue("jobs", { port: port2 });
    await client.send(0);
  });
  await freeze();
  await page.evaluate(async () => {
    globalThis.settled = 0;
    globalThis.sends = Promise.all(Array.from({ length: 1000 }, (_, n) =>
      client.send(n + 1).finally(() => {
        settled += 1;
      })));
    globalThis.received = client.receive({ max: 5, wait: 60 });
    globalThis.metrics = client.metrics();
    for (let n = 0; n < 200; n++) await turn();
    same(settled, 0, "nobody answers");
  });
  await resume();
  await page.evaluate(async () => {
    await bounded(sends, "the sends");
    same((await received).map(({ body }) => body), [0]);
    ok((await metrics).sent > 0, "metrics");
    same((await client.metrics()).sent, 1001);
  });
  assert.equal(await page.evaluate(() => run(() => frozen)), 1, "it was frozen");
  await other.close();
}, { browsers: ["chromium"], preferences: { driven: true } });

promise("a page with open queues is left and come back to, kept as it was or loaded anew: its queues work", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    globalThis.stored = await openQueue("stored", { storage: "indexeddb" });
    globalThis.memory = await openQueue("memory");
    globalThis.handled = [];
    await stored.send("before");
    stored.consume(({ messages }) => {
      handled.push(...messages.map(({ body }) => body));
    });
    await until(() => handled.length === 1, "the consumer");
    memory.receive({ wait: 3600 }).then(([message]) => {
      globalThis.late = message.body;
      return message.ack();
    }, () => {});
  });
  await page.goto(new URL("/?elsewhere", world.origin).href);
  await page.waitForFunction(() => globalThis.ready === true);
  await page.evaluate(async () => {
    const queue = await openQueue("stored", { storage: "indexeddb" });
    await queue.send("while it was away");
    await queue.close();
  });
  await page.evaluate(() => {
    history.back();
  });
  await page.waitForFunction(() => globalThis.ready === true && location.search === "");
  const kept = await page.evaluate(async () => {
    const kept = globalThis.stored !== undefined;
    globalThis.stored ??= await openQueue("stored", { storage: "indexeddb" });
    globalThis.memory ??= await openQueue("memory");
    globalThis.handled ??= [];
    if (!kept)
      stored.consume(({ messages }) => {
        handled.push(...messages.map(({ body }) => body));
      });
    await stored.send("after");
    await bounded(until(() => handled.includes("while it was away") && handled.includes("after"), "what was sent"), "what was sent");
    same(handled.filter((body) => body === "before").length, kept ? 1 : 0);
    if (!kept)
      memory.receive({ wait: 20 }).then(([message]) => {
        globalThis.late = message.body;
        return message.ack();
      });
    await memory.send("still");
    await until(() => globalThis.late === "still", "the receive that waits");
    await Promise.all([stored.close(), memory.close()]);
    return kept;
  });
  world.note(`the page was ${kept ? "kept" : "loaded anew"}`);
}, { preferences: KEEP_PAGES });

promise("a page whose worker serves it is left and come back to: its client works, or says that its host is gone", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    await startWorker("w");
    await askWorker("w", async () => {
      (globalThis.host = await openQueue("jobs")).serve(self);
    });
    globalThis.client = await openQueue("jobs", { port: workerNamed("w") });
    await client.send(1);
    globalThis.outcome = client.receive({ wait: 3600, max: 2 }).then((messages) => messages.length, (error) => error.name);
  });
  await page.goto(new URL("/?elsewhere", world.origin).href);
  await page.waitForFunction(() => globalThis.ready === true);
  await page.evaluate(() => {
    history.back();
  });
  await page.waitForFunction(() => globalThis.ready === true && location.search === "");
  const kept = await page.evaluate(async () => {
    if (!globalThis.client) return false;
    same(await bounded(outcome, "the receive"), 1);
    const sent = await bounded(client.send(2).then(() => "sent", (error) => error.name), "a send");
    ok(["sent", "StorageLostError"].includes(sent), sent);
    return true;
  });
  world.note(`the page was ${kept ? "kept" : "loaded anew"}`);
}, { preferences: KEEP_PAGES });
