/** The storage is full: the send that does not fit says so, what is there can be worked off, and then there is room again. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

const quotaKiB = 5_000;
/** Firefox takes its quota from a preference, Chromium from the debugger. */
const options = { preferences: { "dom.quotaManager.temporaryStorage.fixedLimit": quotaKiB }, seconds: 120 };

async function limit(world, page, bytes) {
  if (world.kind !== "chromium") return;
  const session = await world.context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin",
    bytes === undefined ? { origin: world.origin } : { origin: world.origin, quotaSize: bytes });
}

async function smallPage(world) {
  const page = await world.page();
  // Before the first write: Chromium remembers for a while how much room it found.
  await limit(world, page, quotaKiB * 1024);
  await page.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb", maxRetries: 100 });
    globalThis.states = [];
    queue.addEventListener("storage", (event) => states.push([event.detail.state, event.detail.error?.name]));
    globalThis.noise = (size) => {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      return bytes;
    };
    /** Sends bodies of `size` until one does not fit; the ids of those that did, and the error. */
    globalThis.fill = async (size) => {
      const ids = [];
      for (;;) {
        try {
          ids.push((await bounded(queue.send(noise(size)), "a send to settle")).id);
        } catch (error) {
          return { ids, error };
        }
      }
    };
  });
  return page;
}

promise("a send that does not fit rejects with QuotaExceededError, alone, and the queue says so", async (world) => {
  const page = await smallPage(world);
  await page.evaluate(async () => {
    const { ids, error } = await fill(200_000);
    ok(ids.length > 3, `some fit: ${ids.length}`);
    ok(error instanceof DOMException, `a DOMException: ${error}`);
    same(error.name, "QuotaExceededError");
    ok(states.some(([state, name]) => state === "degraded" && name === "QuotaExceededError"), `a storage event: ${JSON.stringify(states)}`);
    const { sent, backlogCount } = await queue.metrics();
    same({ sent, backlogCount }, { sent: ids.length, backlogCount: ids.length }, "only what was confirmed counts");
    const small = await Promise.allSettled([queue.send("small"), queue.send(noise(600_000)), queue.send("small too")]);
    same(small[1].reason?.name, "QuotaExceededError", "the large one of three");
    for (const { status, reason } of [small[0], small[2]])
      ok(status === "fulfilled" || reason.name === "QuotaExceededError", `a small one: ${reason}`);
  });
}, options);

promise("with the storage full to the last byte, all that is there can be received and acked, and then there is room", async (world) => {
  const page = await smallPage(world);
  await page.evaluate(async () => {
    const sent = [];
    for (const size of [200_000, 20_000, 2_000, 200, 1, 1]) {
      const { ids, error } = await fill(size);
      sent.push(...ids);
      same(error.name, "QuotaExceededError");
    }
    const taken = [];
    while (taken.length < sent.length) {
      const messages = await bounded(queue.receive({ max: 5, wait: 10 }), "a receive while full");
      ok(messages.length > 0, `more than ${taken.length} of ${sent.length}`);
      for (const message of messages) {
        await bounded(message.ack(), "an ack while full");
        taken.push(message.id);
      }
    }
    same(taken, sent, "nothing lost, in order");
    const { backlogCount, acked } = await queue.metrics();
    same({ backlogCount, acked }, { backlogCount: 0, acked: sent.length });
    const again = await fill(200_000);
    ok(again.ids.length > 2, `room again: ${again.ids.length}`);
  });
}, options);

promise("when the quota is lifted, sends go through again and nothing is lost", async (world) => {
  const page = await smallPage(world);
  const count = await page.evaluate(async () => {
    const { ids, error } = await fill(200_000);
    same(error.name, "QuotaExceededError");
    globalThis.ids = ids;
    return ids.length;
  });
  assert.ok(count > 3);
  if (world.kind === "chromium") {
    await limit(world, page, undefined);
  } else {
    world.browser.preferences = {};
    await page.evaluate(() => queue.close());
    await world.crash();
  }
  const next = await world.page();
  await next.evaluate(async (count) => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await bounded(queue.send("after"), "a send when there is room");
    const messages = await queue.receive({ max: 1000, wait: 10 });
    same(messages.map((message) => message.body.length), [...Array(count).fill(200_000), "after".length]);
    await Promise.all(messages.map((message) => message.ack()));
  }, count);
}, { ...options, own: true });

promise("two tabs at the quota: what one drains makes room for the other's sends", async (world) => {
  const page = await smallPage(world);
  const count = await page.evaluate(async () => (await fill(200_000)).ids.length);
  const other = await world.page();
  await other.evaluate(async (count) => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    let taken = 0;
    while (taken < count) {
      const messages = await queue.receive({ max: 3, wait: 10 });
      taken += messages.length;
      await Promise.all(messages.map((message) => message.ack()));
    }
  }, count);
  await page.evaluate(async () => {
    await bounded(until(() =>
      queue.send(new Uint8Array(200_000)).then(() => true, (error) => {
        same(error.name, "QuotaExceededError");
        return false;
      }), "room again"), "room");
  });
}, options);
