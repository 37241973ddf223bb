/** Tabs that open the same queue are peers: they share the work, and none is in the way of another. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

promise("two tabs with several consumers each handle and ack every one of 500 messages exactly once", async (world) => {
  const tabs = [await world.page(), await world.page()];
  await Promise.all(tabs.map((tab) =>
    tab.evaluate(async () => {
      globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
      globalThis.handled = [];
      globalThis.consumers = [1, 2, 3].map(() =>
        queue.consume(async (batch) => {
          for (const message of batch.messages) {
            if (message.attempts !== 1) throw new Error(`message ${message.id} came again`);
            handled.push(message.body);
          }
          await turn();
        }, { maxBatchSize: 5, maxConcurrency: 2 })
      );
    })
  ));
  await Promise.all(tabs.map((tab, number) =>
    tab.evaluate(async (number) => {
      for (let part = 0; part < 10; part++) {
        await Promise.all(Array.from({ length: 25 }, (_, n) => queue.send(number * 250 + part * 25 + n)));
      }
    }, number)
  ));
  const handled = await Promise.all(tabs.map((tab) =>
    tab.evaluate(async () => {
      await until(async () => (await queue.metrics()).acked >= 500, "500 acks");
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      return handled;
    })
  ));
  assert.deepEqual(handled.flat().sort((a, b) => a - b), Array.from({ length: 500 }, (_, n) => n));
  const metrics = await tabs[0].evaluate(() => queue.metrics());
  const { sent, delivered, acked, retried, ready, leased, backlogCount } = metrics;
  assert.deepEqual({ sent, delivered, acked, retried, ready, leased, backlogCount }, {
    sent: 500,
    delivered: 500,
    acked: 500,
    retried: 0,
    ready: 0,
    leased: 0,
    backlogCount: 0,
  });
  await Promise.all(tabs.map((tab) => tab.evaluate(() => queue.close())));
});

promise("a slow tab leaves the work to a free one", async (world) => {
  const [slow, free] = [await world.page(), await world.page()];
  await slow.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    globalThis.open = undefined;
    globalThis.held = [];
    globalThis.gate = new Promise((resolve) => {
      globalThis.open = resolve;
    });
    globalThis.consumer = queue.consume(async (batch) => {
      held.push(...batch.messages.map((message) => message.body));
      await gate;
    }, { maxBatchSize: 1 });
    await queue.sendBatch(Array.from({ length: 100 }, (_, body) => ({ body })));
    await until(() => held.length === 1, "the slow tab holds one");
  });
  const done = await free.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    const done = [];
    const consumer = queue.consume((batch) => {
      done.push(...batch.messages.map((message) => message.body));
    });
    await until(() => done.length === 99, "the free tab does the others");
    await consumer.stop();
    return done;
  });
  const held = await slow.evaluate(async () => {
    open();
    await consumer.stop();
    return held;
  });
  assert.equal(held.length, 1);
  assert.deepEqual([...held, ...done].sort((a, b) => a - b), Array.from({ length: 100 }, (_, n) => n));
});

promise("what one tab sends is received in the order it was sent, whatever others send", async (world) => {
  const tabs = [await world.page(), await world.page()];
  await Promise.all(tabs.map((tab, number) =>
    tab.evaluate(async (number) => {
      const queue = await openQueue("jobs", { storage: "indexeddb" });
      const from = `tab ${number}`;
      let n = 0;
      for (let round = 0; round < 20; round++) {
        await queue.send({ from, n: n++ });
        await Promise.all([queue.send({ from, n: n++ }), queue.send({ from, n: n++ }),
          queue.sendBatch([{ body: { from, n: n++ } }, { body: { from, n: n++ } }]), queue.send({ from, n: n++ })]);
      }
    }, number)
  ));
  const received = await tabs[0].evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const bodies = [];
    while (bodies.length < 240) {
      const messages = await queue.receive({ max: 7, wait: 10 });
      ok(messages.length > 0, `more than ${bodies.length} of 240`);
      bodies.push(...messages.map((message) => message.body));
      await Promise.all(messages.map((message) => message.ack()));
    }
    return bodies;
  });
  for (const from of ["tab 0", "tab 1"]) {
    assert.deepEqual(received.filter((body) => body.from === from).map((body) => body.n), Array.from({ length: 120 }, (_, n) => n));
  }
});

promise("pause in one tab stops the other, sends go on, and resume starts it again", async (world) => {
  const [worker, boss] = [await world.page(), await world.page()];
  await worker.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    globalThis.handled = [];
    globalThis.consumer = queue.consume((batch) => {
      handled.push(...batch.messages.map((message) => message.body));
    });
    await queue.send("before");
    await until(() => handled.length === 1, "before the pause");
  });
  await boss.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.pause();
  });
  await worker.evaluate(async () => {
    await queue.send("during");
    same(await queue.receive(), [], "received while paused");
    const { ready, leased, delivered } = await queue.metrics();
    same({ ready, leased, delivered }, { ready: 1, leased: 0, delivered: 1 }, "metrics while paused");
    same(handled, ["before"]);
  });
  await boss.evaluate(() => queue.resume());
  await worker.evaluate(async () => {
    await until(() => handled.length === 2, "after the resume");
    same(handled, ["before", "during"]);
    await consumer.stop();
  });
});

promise("a send in one tab wakes a receiver that waits in another: no poll needed", async (world) => {
  const [receiver, sender] = [await world.page(), await world.page()];
  // The receiver's clock stands still, so no poll of its own ever comes.
  await receiver.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb", clock: new VirtualClock() });
    globalThis.waiting = queue.receive({ wait: 3600 });
    same((await queue.metrics()).ready, 0);
  });
  await sender.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb", clock: new VirtualClock() });
    await queue.send("wake up");
  });
  assert.deepEqual(await receiver.evaluate(async () => (await bounded(waiting, "the hint")).map((message) => message.body)), ["wake up"]);
});

promise("when the hint is lost, the poll finds the message", async (world) => {
  const [receiver, sender] = [await world.page(), await world.page()];
  await receiver.evaluate(async () => {
    globalThis.clock = new VirtualClock();
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb", clock });
    globalThis.arrived = undefined;
    queue.receive({ wait: 3600 }).then((messages) => {
      globalThis.arrived = messages;
    });
    same((await queue.metrics()).ready, 0);
  });
  await sender.evaluate(async () => {
    BroadcastChannel.prototype.postMessage = () => {};
    const queue = await openQueue("jobs", { storage: "indexeddb", clock: new VirtualClock() });
    await queue.send("quiet");
  });
  await receiver.evaluate(async () => {
    same(arrived, undefined, "nothing said so");
    await clock.advance(10);
    await until(() => arrived, "the poll");
    same(arrived.map((message) => message.body), ["quiet"]);
  });
});

promise("deleteQueue is refused while another tab consumes the queue", async (world) => {
  const [consuming, deleting] = [await world.page(), await world.page()];
  await consuming.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    globalThis.consumer = queue.consume(() => {});
    await queue.send(1);
    await until(async () => (await queue.metrics()).acked === 1, "the consumer works");
  });
  await deleting.evaluate(() => fails(() => deleteQueue("jobs", { storage: "indexeddb" }), "InvalidStateError", "jobs"));
  await consuming.evaluate(() => queue.close());
  await deleting.evaluate(async () => {
    await deleteQueue("jobs", { storage: "indexeddb" });
    same((await listQueues({ storage: "indexeddb" })).some((info) => info.name === "jobs"), false);
  });
});
