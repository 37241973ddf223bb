/** A queue's bounds, its counts, and looking into it and emptying it. */
import { promise } from "./harness.mjs";

const sweep = (name, body) => promise(name, (world) => world.run(body), { where: ["page", "worker"] });

sweep("overflow wait: a send waits for room, in order, and can be called off", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { messages: 2 } });
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  const settled = [];
  const third = queue.send(3).then(() => settled.push(3));
  const calledOff = new AbortController();
  const fourth = queue.send(4, { signal: calledOff.signal });
  const fifth = queue.send(5).then(() => settled.push(5));
  same((await queue.metrics()).backlogCount, 2);
  same(settled, [], "both wait");
  calledOff.abort(new Error("never mind"));
  await fails(fourth, "Error", "never mind");
  await (await queue.receive())[0].ack();
  await bounded(third, "the third send");
  same(settled, [3]);
  await (await queue.receive())[0].ack();
  await bounded(fifth, "the fifth send");
  same((await queue.receive({ max: 5 })).map((message) => message.body), [3, 5]);
});

sweep("overflow reject: QueueFullError for what does not fit, and what fits goes in", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { messages: 2 }, overflow: "reject" });
  const outcomes = await Promise.allSettled([1, 2, 3].map((body) => queue.send(body)));
  same(outcomes.map((outcome) => outcome.status), ["fulfilled", "fulfilled", "rejected"]);
  ok(outcomes[2].reason instanceof QueueFullError && typeof outcomes[2].reason.code === "string", `typed: ${outcomes[2].reason}`);
  await (await queue.receive())[0].ack();
  await fails(queue.sendBatch([{ body: 4 }, { body: 5 }]), "QueueFullError");
  same((await queue.metrics()).backlogCount, 1, "a batch is all or nothing");
  await queue.send(6);
  same((await queue.receive({ max: 5 })).map((message) => message.body), [2, 6]);
});

sweep("overflow drop-oldest: the oldest make room, counted and told", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { messages: 3 }, overflow: "drop-oldest" });
  const drops = [];
  queue.addEventListener("drop", ({ detail }) => drops.push(detail));
  const receipts = [];
  for (let n = 1; n <= 5; n++) receipts.push(await queue.send(n));
  await until(() => drops.length === 2, "two drop events");
  same(drops, [0, 1].map((n) => ({ id: receipts[n].id, cause: "overflow" })));
  same((await queue.receive({ max: 5 })).map((message) => message.body), [3, 4, 5]);
  const { dropped, sent } = await queue.metrics();
  same([dropped.overflow, sent], [2, 5]);
});

sweep("overflow drop-newest: the newest is dropped, counted and told, and its send still resolves", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { messages: 3 }, overflow: "drop-newest" });
  const drops = [];
  queue.addEventListener("drop", ({ detail }) => drops.push(detail.cause));
  for (let n = 1; n <= 5; n++) await bounded(queue.send(n), `send ${n}`);
  await until(() => drops.length === 2, "two drop events");
  same(drops, ["overflow", "overflow"]);
  same((await queue.receive({ max: 5 })).map((message) => message.body), [1, 2, 3]);
  same((await queue.metrics()).dropped.overflow, 2);
});

sweep("a bound in bytes counts what bodies take; a message larger than it can never fit", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", capacity: { bytes: 100_000 }, overflow: "reject" });
  for (let n = 0; n < 4; n++) await queue.send(new Uint8Array(20_000));
  await fails(queue.send(new Uint8Array(30_000)), "QueueFullError");
  const error = await fails(queue.send(new Uint8Array(200_000)), "MessageTooLargeError");
  ok(error instanceof MessageTooLargeError, "typed");
  const { backlogBytes, backlogCount } = await queue.metrics();
  ok(backlogBytes >= 80_000 && backlogBytes < 90_000, `${backlogBytes} bytes`);
  same(backlogCount, 4);
});

sweep("metrics add up: everything sent is somewhere", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, maxRetries: 1, retryDelay: 0 });
  await queue.sendBatch(Array.from({ length: 20 }, (_, body) => ({ body })));
  await queue.send("delayed", { delaySeconds: 1000 });
  await queue.send("expiring", { expirationSeconds: 1 });
  await queue.send("once", { idempotencyKey: "k" });
  await queue.send("twice", { idempotencyKey: "k" });
  const { id } = await queue.send("cancelled");
  same(await queue.cancel(id), true);
  const messages = await queue.receive({ max: 10 });
  await Promise.all(messages.slice(0, 4).map((message) => message.ack()));
  await Promise.all(messages.slice(4, 6).map((message) => message.deadLetter("bad")));
  await messages[6].retry({ delaySeconds: 0 });
  await clock.advance(2);
  const { ready, delayed, leased, deadLettered, sent, delivered, acked, retried, duplicates, dropped, backlogCount,
    oldestMessageTimestamp } = await queue.metrics();
  same({ delayed, leased, deadLettered, delivered, acked, retried, duplicates }, {
    delayed: 1,
    leased: 3,
    deadLettered: 2,
    delivered: 10,
    acked: 4,
    retried: 1,
    duplicates: 1,
  });
  same(backlogCount, ready + delayed + leased, "backlog");
  same(dropped.expired, 1);
  const ended = Object.values(dropped).reduce((sum, count) => sum + count, 0) + acked + deadLettered;
  ok(sent === backlogCount + ended || sent === backlogCount + ended + 1,
    `sent ${sent} = in it ${backlogCount} + ended ${ended} (and the cancelled one)`);
  ok(oldestMessageTimestamp instanceof Date, "oldest");
});

sweep("the receipt tells the backlog after the send", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const { metadata: { metrics } } = await queue.send("x".repeat(1000));
  same(metrics.backlogCount, 1);
  ok(metrics.backlogBytes >= 1000 && metrics.oldestMessageTimestamp instanceof Date, JSON.stringify(metrics));
  same((await queue.sendBatch([{ body: 1 }, { body: 2 }])).metadata.metrics.backlogCount, 3);
  same((await queue.sendBatch([])).ids, []);
});

sweep("cancel takes back what no one has received; peek looks without taking, oldest first, by state", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock });
  const { ids } = await queue.sendBatch([1, 2, 3, 4].map((body) => ({ body })));
  await queue.send("later", { delaySeconds: 60 });
  const [held] = await queue.receive();
  same(await queue.cancel(ids[0]), false, "received");
  same(await queue.cancel(ids[2]), true);
  same(await queue.cancel(ids[2]), false, "cancelled before");
  same(await queue.cancel("999999-0"), false, "unknown");
  const all = await queue.peek();
  same(all.map((info) => [info.body, info.state]), [[1, "leased"], [2, "ready"], [4, "ready"], ["later", "delayed"]]);
  same([all[0].id, all[0].attempts, typeof all[0].leasedBy, all[0].leaseExpiresAt.getTime() - clock.now()], [ids[0], 1, "string", 30_000]);
  same(all[3].availableAt.getTime() - clock.now(), 60_000);
  same((await queue.peek({ state: "ready" })).map((info) => info.body), [2, 4]);
  same((await queue.peek({ max: 2 })).length, 2);
  same((await queue.metrics()).delivered, 1, "peek takes nothing");
  await held.ack();
  same((await queue.receive({ max: 5 })).map((message) => message.body), [2, 4]);
});

sweep("purge empties the queue, counted; who holds one of its messages learns LeaseLostError", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch([1, 2, 3].map((body) => ({ body })));
  const [held] = await queue.receive();
  same(await queue.purge(), 3);
  await fails(held.ack(), "LeaseLostError");
  const { backlogCount, dropped } = await queue.metrics();
  same([backlogCount, dropped.purged], [0, 3]);
  same(await queue.purge(), 0);
  await queue.send("after");
  same((await queue.receive()).map((message) => message.body), ["after"]);
});

sweep("drain and depth events tell when the backlog changes and ends", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const depth = event(queue, "depth");
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  await depth;
  const drain = event(queue, "drain");
  let drained = false;
  drain.then(() => {
    drained = true;
  });
  await (await queue.receive())[0].ack();
  await queue.metrics();
  same(drained, false, "one is left");
  await (await queue.receive())[0].ack();
  await drain;
});
