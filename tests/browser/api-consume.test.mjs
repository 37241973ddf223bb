/** Handlers and consumers (the rules are Cloudflare's), the iterator, streams, and closing while something waits. */
import { promise } from "./harness.mjs";

const sweep = (name, body) => promise(name, (world) => world.run(body), { where: ["page", "worker"] });

sweep("a handler that returns has acked its batch; one that throws gets it again, except what it acked", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", retryDelay: 0 });
  const seen = [];
  let failures = 0;
  queue.addEventListener("error", () => {
    failures += 1;
  });
  await queue.sendBatch(["a", "b", "c"].map((body) => ({ body })));
  const consumer = queue.consume((batch) => {
    same([batch.queue, batch.metadata.metrics.backlogCount > 0], ["jobs", true]);
    seen.push(batch.messages.map((message) => `${message.body}${message.attempts}`).join());
    if (seen.length > 1) return;
    batch.messages[1].ack();
    throw new Error("after acking b");
  });
  await until(async () => (await queue.metrics()).acked === 3, "all three acks");
  await consumer.stop();
  same(seen, ["a1,b1,c1", "a2,c2"]);
  same(failures, 1, "the error is told");
  const { retried, delivered } = await queue.metrics();
  same({ retried, delivered }, { retried: 2, delivered: 5 });
});

sweep("what a handler threw is kept with the message that failed", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", retryDelay: 3600 });
  await queue.send("bad");
  const consumer = queue.consume(async () => {
    throw new RangeError("too far");
  });
  const info = await until(async () => (await queue.peek({ state: "delayed" }))[0], "the retry");
  ok(info.lastError.includes("RangeError") && info.lastError.includes("too far"), info.lastError);
  await consumer.stop();
});

sweep("the first call on a message wins, and a call on a message beats one on the batch", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch(["ack, retry", "retry, ack", "ack, retryAll", "retryAll"].map((body) => ({ body })));
  let handled = 0;
  const consumer = queue.consume((batch) => {
    const [first, second, third] = batch.messages;
    first.ack();
    first.retry({ delaySeconds: 3600 });
    second.retry({ delaySeconds: 3600 });
    second.ack();
    third.ack();
    batch.retryAll({ delaySeconds: 7200 });
    batch.ackAll();
    handled += 1;
  });
  await until(async () => (await queue.metrics()).retried === 2, "two retries");
  await consumer.stop();
  const infos = await queue.peek();
  same(infos.map((info) => [info.body, info.state]), [["retry, ack", "delayed"], ["retryAll", "delayed"]]);
  same(infos.map((info) => Math.round((info.availableAt - Date.now()) / 3_600_000)), [1, 2], "each with its own delay");
  same([(await queue.metrics()).acked, handled], [2, 1]);
});

sweep("retryAll before a throw keeps its delay; ackAll before a throw acks", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", retryDelay: 0 });
  const handlers = [(batch) => {
    batch.ackAll();
    throw new Error("late");
  }, (batch) => {
    batch.retryAll({ delaySeconds: 3600 });
  }];
  for (const [at, handler] of handlers.entries()) {
    await queue.send(at);
    const consumer = queue.consume(handler);
    await until(async () => {
      const { acked, retried } = await queue.metrics();
      return acked + retried === at + 1;
    }, "settled");
    await consumer.stop();
  }
  const { acked, retried, delayed } = await queue.metrics();
  same({ acked, retried, delayed }, { acked: 1, retried: 1, delayed: 1 });
});

sweep("batches are as large as maxBatchSize, handled maxConcurrency at once", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch(Array.from({ length: 12 }, (_, body) => ({ body })));
  const sizes = [];
  let running = 0;
  let most = 0;
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const consumer = queue.consume(async (batch) => {
    sizes.push(batch.messages.length);
    running += 1;
    most = Math.max(most, running);
    await gate;
    running -= 1;
  }, { maxBatchSize: 4, maxConcurrency: 2 });
  await until(() => running === 2, "two at once");
  open();
  await until(async () => (await queue.metrics()).acked === 12, "all acked");
  await consumer.stop();
  same([most, Math.max(...sizes)], [2, 4]);
});

sweep("maxBatchTimeout waits for a fuller batch", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock });
  const batches = [];
  const consumer = queue.consume((batch) => {
    batches.push(batch.messages.map((message) => message.body));
  }, { maxBatchSize: 3, maxBatchTimeout: 5 });
  for (const body of [1, 2, 3]) await queue.send(body);
  await until(() => batches.length === 1, "a full batch");
  await queue.send(4);
  await until(async () => (await queue.metrics()).leased === 1, "the next is begun");
  await clock.advance(4.9);
  await queue.metrics();
  same(batches, [[1, 2, 3]]);
  await until(() => clock.advance(1).then(() => batches.length === 2), "its time is up");
  same(batches, [[1, 2, 3], [4]]);
  await consumer.stop();
});

sweep("leases are extended while the handler runs, and not with autoExtend false", async () => {
  // One clock for both: a journal's time never goes back.
  const clock = new VirtualClock();
  for (const autoExtend of [true, false]) {
    const queue = await openQueue(`extend ${autoExtend}`, { storage: "indexeddb", clock, visibilityTimeout: 30 });
    await queue.send("long");
    let open;
    const gate = new Promise((resolve) => {
      open = resolve;
    });
    const started = [];
    const consumer = queue.consume(async (batch) => {
      started.push(...batch.messages.map((message) => message.attempts));
      await gate;
    }, { autoExtend });
    await until(() => started.length === 1, "the handler runs");
    for (let tens = 0; tens < 12; tens++) {
      await clock.advance(10);
      await queue.flush();
    }
    const others = await queue.receive();
    same(others.map((message) => message.attempts), autoExtend ? [] : [2], `autoExtend ${autoExtend}`);
    open();
    await consumer.stop();
    same((await queue.metrics()).acked, autoExtend ? 1 : 0);
    await queue.close();
  }
});

sweep("stop takes no more, waits for what runs, and gives back the rest", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch(Array.from({ length: 50 }, (_, body) => ({ body })));
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const handled = [];
  const consumer = queue.consume(async (batch) => {
    handled.push(...batch.messages.map((message) => message.body));
    await gate;
  }, { maxBatchSize: 2 });
  await until(() => handled.length === 2, "the first batch");
  let stopped = false;
  const stopping = consumer.stop().then(() => {
    stopped = true;
  });
  await queue.metrics();
  same(stopped, false, "waits for what runs");
  open();
  await bounded(stopping, "stop");
  await bounded(consumer.done, "done");
  same(handled, [0, 1]);
  const rest = [];
  while (rest.length < 48) {
    const messages = await queue.receive({ max: 48, wait: 10 });
    ok(messages.length > 0, `only ${rest.length} of 48`);
    rest.push(...messages.map((message) => [message.body, message.attempts]));
  }
  same(rest, Array.from({ length: 48 }, (_, n) => [n + 2, 1]), "the rest, not counted as delivered");
});

sweep("an aborted signal stops a consumer", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const controller = new AbortController();
  const consumer = queue.consume(() => {}, { signal: controller.signal });
  controller.abort();
  await bounded(consumer.done, "done");
  await queue.send("left alone");
  same((await queue.metrics()).ready, 1);
});

sweep("the iterator gives one at a time, acks nothing by itself, and break gives back what was taken", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch([1, 2, 3, 4].map((body) => ({ body })));
  const seen = [];
  for await (const message of queue) {
    seen.push(message.body);
    if (message.body === 3) break;
    await message.ack();
  }
  same(seen, [1, 2, 3]);
  const { acked, leased, ready } = await queue.metrics();
  same({ acked, leased, ready }, { acked: 2, leased: 0, ready: 2 });
  const back = await queue.receive({ max: 5 });
  same(back.map((message) => [message.body, message.attempts]), [[3, 1], [4, 1]], "as if never taken");
});

sweep("close ends the iterator", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const ended = (async () => {
    for await (const message of queue) await message.ack();
    return "ended";
  })();
  await queue.send(1);
  await until(async () => (await queue.metrics()).acked === 1, "one ack");
  await queue.close();
  same(await bounded(ended, "the iterator"), "ended");
});

sweep("streams: what is piped in comes out, with backpressure by the capacity", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { messages: 3 } });
  let pulled = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (pulled === 20) controller.close();
      else controller.enqueue(pulled++);
    },
  }, { highWaterMark: 0 });
  const piped = source.pipeTo(queue.writable);
  await until(async () => (await queue.metrics()).backlogCount === 3, "full");
  ok(pulled <= 6, `no more than a few pulled ahead: ${pulled}`);
  const reader = queue.readable.getReader();
  const bodies = [];
  while (bodies.length < 20) {
    const { value } = await bounded(reader.read(), "a message");
    bodies.push(value.body);
    await value.ack();
  }
  await bounded(piped, "the pipe");
  same(bodies, [...Array(20).keys()]);
  await reader.cancel();
});

sweep("close while something waits: it rejects with InvalidStateError, leases go back, and it is idempotent", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch([{ body: "held" }, { body: "ready" }]);
  await queue.receive();
  const empty = await openQueue("empty", { storage: "indexeddb" });
  const waiting = empty.receive({ wait: 3600 });
  const refused = fails(waiting, "InvalidStateError", "empty");
  await bounded(Promise.all([empty.close(), empty.close(), queue.close()]), "close");
  await refused;
  await queue.close();
  for (
    const call of [() => queue.send(1), () => queue.receive(), () => queue.metrics(), () => queue.peek(), () => queue.purge(),
      () => queue.pause(), () => queue.flush(), () => queue.cancel("1-0"), () => queue.redrive(), () => queue.sendBatch([{ body: 1 }])]
  ) {
    await fails(call, "InvalidStateError", "jobs");
  }
});

promise("await using closes the queue", async (world) => {
  if (!(await world.run(() => typeof Symbol.asyncDispose === "symbol"))) world.skip("no Symbol.asyncDispose");
  await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue[Symbol.asyncDispose]();
    await fails(queue.send(1), "InvalidStateError");
  });
}, { where: ["page", "worker"] });
