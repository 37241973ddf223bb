/** Pushing to the queue handler of a Worker: both ways, failures, and the alarm that drives it. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Heard, start, workers } from "./lab.mjs";

for (const events of [true, false]) {
  describe(events ? "by the platform's queue events" : "by calls of the handler", () => {
    const heard = new Heard();
    let lab;
    before(async () => {
      lab = await start(undefined, await workers({ seen: heard.hear, events }));
    });
    after(() => lab?.dispose());
    const send = (...orders) => lab.ask("send", "pushed", orders.map((order) => ({ order })));
    const settled = async (wanted) => {
      // The word of the last batch may still be on its way to the journal.
      for (;;) {
        const metrics = await lab.ask("metrics", "pushed");
        if (metrics.backlogCount === wanted && metrics.leased === 0) return metrics;
      }
    };

    test("what is sent is handled, in batches, and acked", async () => {
      const orders = Array.from({ length: 25 }, (_, at) => `tea ${at}`);
      await send(...orders);
      const reports = await heard.of(({ order }) => order.startsWith("tea"), 25);
      assert.deepEqual(reports.map(({ order }) => order).sort(), orders.sort());
      assert.ok(reports.every(({ queue, attempts, size }) => queue === "pushed" && attempts === 1 && size <= 10));
      const { acked, retried } = await settled(0);
      assert.deepEqual([acked, retried], [25, 0]);
    });

    test("a retry comes again after its delay, and what was acked does not", async () => {
      await send("later", "now");
      const reports = await heard.of(({ order }) => order === "later" || order === "now", 3);
      assert.deepEqual(reports.map(({ order, attempts }) => `${order} ${attempts}`).sort(), ["later 1", "later 2", "now 1"]);
      await settled(0);
    });

    test("a batch that fails is retried, except what was acked; after the last retry it is a dead letter", async () => {
      await send("good", "bad", "after");
      // maxRetries is 2. What comes after the failure is not reached, and goes the way of the batch.
      const reports = await heard.of(({ order }) => order === "bad", 3);
      assert.deepEqual(reports.map(({ attempts }) => attempts), [1, 2, 3]);
      await settled(0);
      assert.equal(heard.reports.filter(({ order }) => order === "good").length, 1);
      const letters = await lab.ask("peek", "pushed-dlq");
      assert.ok(letters.some(({ body }) => body.order === "bad"));
      assert.match(letters[0].lastError ?? "", events ? /exception/ : /nobody can fill/);
    });

    test("a delayed message wakes its object", async () => {
      await lab.ask("sendOne", "pushed", { order: "delayed" }, { delaySeconds: 1 });
      await lab.ask("object", "pushed", "replace").catch(() => undefined);
      // Nobody asks the object for anything: its alarm does.
      await heard.of(({ order }) => order === "delayed", 1);
    });

    test("a batch waits to be fuller", async () => {
      const send = (order) => lab.ask("sendOne", "slow", { order });
      await send("full 1");
      await send("full 2");
      await send("full 3");
      const reports = await heard.of(({ order }) => order.startsWith("full"), 3);
      assert.deepEqual(reports.map(({ size }) => size), [3, 3, 3]);
    });
  });
}

test("alarms that fail are set again, and not lost after six", async (t) => {
  const heard = new Heard();
  const lab = await start(t, await workers({ seen: heard.hear }));
  await lab.ask("sendFlaky", "pushed", { order: "before" });
  await heard.of(({ order }) => order === "before", 1);
  await lab.ask("sendFlaky", "pushed", { order: "delayed" });
  await lab.ask("flaky", "pushed", "replace").catch(() => undefined);
  await lab.ask("fail", true);
  const waits = [];
  for (let at = 0; at < 7; at += 1) waits.push(await lab.ask("flaky", "pushed", "ring"));
  assert.ok(waits.every((ms, at) => ms > 0 && (at === 0 || ms > waits[at - 1])),
    `after each there is an alarm, later each time: ${waits} ms`);
  await lab.ask("fail", false);
  // The next is the platform's own, and what waited meanwhile is handled.
  await lab.ask("sendFlaky", "pushed", { order: "after" });
  await heard.of(({ order }) => order === "after", 1);
});
