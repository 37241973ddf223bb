/** Bad input, aborted signals, and queues as a whole: a typed error that shows the value, never a hang. */
import { promise } from "./harness.mjs";

const sweep = (name, body) => promise(name, (world) => world.run(body), { where: ["page", "worker"] });

sweep("bad names: empty, huge, half a character, not text; odd ones work", async () => {
  for (const storage of ["indexeddb", "memory"]) {
    await fails(() => openQueue("", { storage }), "RangeError", '""');
    await fails(() => openQueue("x".repeat(1 << 20), { storage }), "RangeError", "xxxx");
    await fails(() => openQueue("half \ud800", { storage }), "RangeError");
    for (const name of [undefined, null, 7, {}, Symbol("s")]) {
      const error = await fails(() => openQueue(name, { storage }), "TypeError");
      ok(error.message.includes(typeof name === "object" && name ? "{" : String(name)), `shows ${String(name)}: ${error.message}`);
    }
    const odd = [" ", "a/b", "🚀 ü", "__proto__", "constructor", "\u0000", "a\nb", "x".repeat(500), "..", "posthaste"];
    for (const name of odd) {
      const queue = await openQueue(name, { storage });
      same(queue.name, name);
      await queue.send(name);
      const [message] = await queue.receive();
      same(message.body, name);
      await message.ack();
    }
    const names = (await listQueues({ storage })).map((info) => info.name);
    same(odd.filter((name) => !names.includes(name)), [], "every one is listed");
  }
});

sweep("bad options when opening: a typed error that shows the value, and no queue is made", async () => {
  const bad = [
    ["RangeError", { visibilityTimeout: 0 }, "0"],
    ["RangeError", { visibilityTimeout: -5 }, "-5"],
    ["TypeError", { visibilityTimeout: "30" }, '"30"'],
    ["RangeError", { visibilityTimeout: NaN }, "NaN"],
    ["RangeError", { maxRetries: -1 }, "-1"],
    ["RangeError", { maxRetries: 1.5 }, "1.5"],
    ["TypeError", { maxRetries: 3n }, "3n"],
    ["TypeError", { retryDelay: "1s" }, '"1s"'],
    ["RangeError", { retryDelay: { base: -1 } }, "-1"],
    ["TypeError", { retryDelay: {} }, "base"],
    ["RangeError", { retryDelay: { base: 1, factor: 0.1 } }, "0.1"],
    ["RangeError", { retryDelay: { base: 1, jitter: 2 } }, "2"],
    ["TypeError", { deadLetterQueue: 5 }, "5"],
    ["TypeError", { deadLetterQueue: true }, "true"],
    ["RangeError", { deliveryDelay: -0.5 }, "-0.5"],
    ["RangeError", { messageRetention: -1 }, "-1"],
    ["TypeError", { deduplicationWindow: null }, "null"],
    ["TypeError", { capacity: 5 }, "5"],
    ["RangeError", { capacity: { messages: 0 } }, "0"],
    ["TypeError", { capacity: { bytes: "1 MB" } }, '"1 MB"'],
    ["TypeError", { overflow: "drop" }, '"drop"'],
    ["TypeError", { storage: "disk" }, '"disk"'],
    ["NotSupportedError", { storage: "opfs" }, '"opfs"'],
    ["TypeError", { durability: "hard" }, '"hard"'],
    ["TypeError", { signal: 5 }, "5"],
    ["TypeError", { port: {} }, "{}"],
    ["NotSupportedError", { encryptionKey: {} }, "encryptionKey"],
  ];
  for (const [name, options, shown] of bad) await fails(() => openQueue("bad", { storage: "indexeddb", ...options }), name, shown);
  await fails(() => openQueue("bad", 5), "TypeError", "5");
  same((await listQueues({ storage: "indexeddb" })).map((info) => info.name), []);
});

sweep("bad options of calls: a typed error that shows the value, and the queue goes on", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const bad = [
    ["TypeError", () => queue.send(1, 5), "5"],
    ["TypeError", () => queue.send(1, { delaySeconds: "1" }), '"1"'],
    ["RangeError", () => queue.send(1, { delaySeconds: -1 }), "-1"],
    ["RangeError", () => queue.send(1, { expirationSeconds: -2 }), "-2"],
    ["TypeError", () => queue.send(1, { idempotencyKey: 7 }), "7"],
    ["RangeError", () => queue.send(1, { idempotencyKey: "" }), '""'],
    ["TypeError", () => queue.send(1, { headers: "no" }), '"no"'],
    ["TypeError", () => queue.send(1, { headers: { a: 1 } }), "1"],
    ["TypeError", () => queue.send(1, { contentType: "xml" }), '"xml"'],
    ["TypeError", () => queue.send(1, { contentType: "text" }), "1"],
    ["TypeError", () => queue.send(1, { signal: {} }), "{}"],
    ["NotSupportedError", () => queue.send(1, { groupId: "g" }), "groupId"],
    ["NotSupportedError", () => queue.send(1, { priority: 5 }), "priority"],
    ["TypeError", () => queue.sendBatch(5), "5"],
    ["TypeError", () => queue.sendBatch([5]), "5"],
    ["RangeError", () => queue.sendBatch([{ body: 1 }, { body: 2, delaySeconds: -1 }]), "1"],
    ["RangeError", () => queue.receive({ max: 0 }), "0"],
    ["RangeError", () => queue.receive({ max: 1.5 }), "1.5"],
    ["TypeError", () => queue.receive({ wait: "1" }), '"1"'],
    ["RangeError", () => queue.receive({ visibilityTimeout: 0 }), "0"],
    ["TypeError", () => queue.receive({ borrow: "yes" }), '"yes"'],
    ["TypeError", () => queue.peek({ state: "gone" }), '"gone"'],
    ["RangeError", () => queue.peek({ max: -1 }), "-1"],
    ["TypeError", () => queue.cancel(5), "5"],
    ["RangeError", () => queue.redrive({ max: 0 }), "0"],
    ["TypeError", () => queue.consume(5), "5"],
    ["RangeError", () => queue.consume(() => {}, { maxBatchSize: 0 }), "0"],
    ["RangeError", () => queue.consume(() => {}, { maxConcurrency: -1 }), "-1"],
    ["NotSupportedError", () => queue.consume(() => {}, { rateLimit: 5 }), "rateLimit"],
    ["NotSupportedError", () => queue.request(1), "request"],
    ["TypeError", () => queue.serve(5), "5"],
    ["NotSupportedError", () => queue.stage(), "stage"],
    ["NotSupportedError", () => openTopic("t"), "openTopic"],
  ];
  for (const [name, call, shown] of bad) await fails(async () => call(), name, shown);
  await queue.send("fine");
  const [message] = await queue.receive({ max: 5 });
  same(message.body, "fine");
  const settling = [["TypeError", () => message.retry({ delaySeconds: "1" })], ["RangeError", () => message.extend(-1)], ["TypeError",
    () => message.extend("1")], ["TypeError", () => message.deadLetter(5)], ["NotSupportedError", () => message.reply(1)], [
    "NotSupportedError",
    () => message.ackIn(),
  ]];
  for (const [name, call] of settling) await fails(async () => call(), name);
  await message.ack();
  const { sent, acked } = await queue.metrics();
  same({ sent, acked }, { sent: 1, acked: 1 });
});

sweep("settling twice: the same again is the same promise's news, another is InvalidStateError, and the first stands", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  const [first, second] = await queue.receive({ max: 2 });
  await Promise.all([first.ack(), first.ack()]);
  await first.ack();
  await fails(first.retry(), "InvalidStateError", first.id);
  await fails(first.deadLetter(), "InvalidStateError", first.id);
  await second.retry({ delaySeconds: 3600 });
  await fails(second.ack(), "InvalidStateError", second.id);
  const { acked, retried, delayed } = await queue.metrics();
  same({ acked, retried, delayed }, { acked: 1, retried: 1, delayed: 1 });
});

sweep("a signal aborted before: nothing happens and its reason comes; aborted while waiting: the wait ends", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const aborted = AbortSignal.abort();
  for (
    const call of [() => queue.send(1, { signal: aborted }), () => queue.sendBatch([{ body: 1 }], { signal: aborted }),
      () => queue.receive({ wait: 5, signal: aborted }), () => queue.flush({ signal: aborted }),
      () => openQueue("new", { storage: "indexeddb", signal: aborted })]
  ) {
    await fails(call, "AbortError");
  }
  await fails(queue.send(1, { signal: AbortSignal.abort(new EvalError("mine")) }), "EvalError", "mine");
  same((await queue.metrics()).sent, 0);
  same((await listQueues({ storage: "indexeddb" })).some((info) => info.name === "new"), false);
  const controller = new AbortController();
  const waiting = queue.receive({ wait: 3600, signal: controller.signal });
  const refused = fails(waiting, "AbortError");
  await queue.metrics();
  controller.abort();
  await refused;
  await queue.send("after");
  const [message] = await queue.receive();
  same([message.body, message.attempts], ["after", 1], "the wait that was called off took nothing");
});

sweep("a receive that waits in vain resolves with nothing when its time is up", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock });
  const waiting = queue.receive({ wait: 5 });
  await queue.metrics();
  await clock.advance(5.1);
  same(await bounded(waiting, "the receive"), []);
});

sweep("the first opener's policy stays: others may leave it out, and learn when they disagree", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb", visibilityTimeout: 45, maxRetries: 7 });
  await openQueue("jobs", { storage: "indexeddb" });
  await openQueue("jobs", { storage: "indexeddb", maxRetries: 7 });
  const error = await fails(() => openQueue("jobs", { storage: "indexeddb", maxRetries: 8 }), "PolicyMismatchError", "8");
  ok(error instanceof PolicyMismatchError && error.message.includes("7") && typeof error.code === "string", error.message);
  await fails(() => openQueue("jobs", { storage: "indexeddb", deadLetterQueue: "elsewhere" }), "PolicyMismatchError", "elsewhere");
  await queue.send("goes on");
});

sweep("listQueues tells names, storage and depth; deleteQueue deletes with everything in it", async () => {
  same(await listQueues({ storage: "indexeddb" }), []);
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  await openQueue("empty", { storage: "indexeddb" });
  const listed = await listQueues({ storage: "indexeddb" });
  const found = (name) => listed.find((info) => info.name === name);
  same([found("jobs"), found("empty")], [{ name: "jobs", kind: "queue", storage: "indexeddb", backlogCount: 2 }, {
    name: "empty",
    kind: "queue",
    storage: "indexeddb",
    backlogCount: 0,
  }]);
  await queue.close();
  await deleteQueue("jobs", { storage: "indexeddb" });
  ok(!(await listQueues({ storage: "indexeddb" })).some((info) => info.name === "jobs"), "gone");
  await fails(() => deleteQueue("jobs", { storage: "indexeddb" }), "NotFoundError", "jobs");
  const again = await openQueue("jobs", { storage: "indexeddb", maxRetries: 9 });
  same([(await again.metrics()).backlogCount, await again.receive()], [0, []]);
});

sweep("deleteQueue is refused while the queue is consumed, and forced when asked: its users learn NotFoundError", async () => {
  const queue = await openQueue("jobs", { storage: "indexeddb" });
  const consumer = queue.consume(() => {});
  await queue.send(1);
  await until(async () => (await queue.metrics()).acked === 1, "the consumer works");
  await fails(() => deleteQueue("jobs", { storage: "indexeddb" }), "InvalidStateError", "jobs");
  const told = event(queue, "error");
  await deleteQueue("jobs", { storage: "indexeddb", force: true });
  same((await told).error.name, "NotFoundError");
  await bounded(consumer.done.catch(() => {}), "the consumer ends");
  for (const call of [() => queue.send(2), () => queue.receive(), () => queue.metrics()]) {
    const error = await bounded(call().then(() => undefined, (error) => error), "an answer");
    ok(["NotFoundError", "InvalidStateError"].includes(error?.name), `typed: ${error}`);
  }
});
