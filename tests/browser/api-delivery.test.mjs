/** When and how often a message comes: delay, retry, lease, expiry, dead letters. Time moves only when told. */
import { promise } from "./harness.mjs";

const sweep = (name, body) => promise(name, (world) => world.run(body), { where: ["page", "worker"] });

sweep("a delayed message comes when its time has come, not before; delaySeconds 0 beats the queue's default", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, deliveryDelay: 60 });
  await queue.send("default");
  await queue.send("own", { delaySeconds: 10 });
  await queue.send("now", { delaySeconds: 0 });
  await queue.sendBatch([{ body: "batch's" }, { body: "its own", delaySeconds: 100_000 }], { delaySeconds: 20 });
  const take = async () => {
    const messages = await queue.receive({ max: 10 });
    await Promise.all(messages.map((message) => message.ack()));
    return messages.map((message) => message.body);
  };
  same(await take(), ["now"]);
  const { ready, delayed, backlogCount } = await queue.metrics();
  same({ ready, delayed, backlogCount }, { ready: 0, delayed: 4, backlogCount: 4 });
  await clock.advance(9.9);
  same(await take(), []);
  await clock.advance(0.2);
  same(await take(), ["own"]);
  await clock.advance(10);
  same(await take(), ["batch's"]);
  const waiting = queue.receive({ wait: 50 });
  await clock.advance(40);
  const [message] = await bounded(waiting, "the delayed one wakes who waits");
  same(message.body, "default");
  await message.ack();
  await clock.advance(100_000);
  same(await take(), ["its own"]);
});

sweep("retry comes again after its delay, or the queue's; attempts count up; after the last it is a dead letter", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, maxRetries: 2, retryDelay: 10 });
  const letters = [];
  queue.addEventListener("deadletter", ({ detail }) => letters.push(detail));
  const { id } = await queue.send("again", { headers: { kept: "yes" } });
  const next = async (attempts) => {
    const [message] = await queue.receive();
    same([message?.id, message?.attempts], [id, attempts]);
    return message;
  };
  await (await next(1)).retry({ delaySeconds: 5 });
  same(await queue.receive(), []);
  await clock.advance(4.9);
  same(await queue.receive(), []);
  await clock.advance(0.2);
  await (await next(2)).retry();
  await clock.advance(9.9);
  same(await queue.receive(), []);
  await clock.advance(0.2);
  await (await next(3)).retry({ delaySeconds: 0 });
  same(await queue.receive(), []);
  await until(() => letters.length === 1, "the deadletter event");
  same(letters[0].id, id);
  ok(typeof letters[0].reason === "string" && letters[0].reason.length > 0, "a reason");
  const { deadLettered, delivered, backlogCount } = await queue.metrics();
  same({ deadLettered, delivered, backlogCount }, { deadLettered: 1, delivered: 3, backlogCount: 0 });
  const dead = await openQueue("jobs-dlq", { storage: "indexeddb", clock });
  const [info] = await dead.peek();
  same([info.id, info.body, info.headers.kept, info.state], [id, "again", "yes", "dead"]);
  ok(info.reason, "the dead letter says why");
});

sweep("backoff grows by its factor up to its maximum", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", {
    storage: "indexeddb",
    clock,
    maxRetries: 10,
    retryDelay: { base: 1, factor: 2, max: 5, jitter: 0 },
  });
  await queue.send("again");
  for (const wait of [1, 2, 4, 5, 5]) {
    const [message] = await queue.receive();
    await message.retry();
    const [info] = await queue.peek();
    same([info.state, info.availableAt.getTime() - clock.now()], ["delayed", wait * 1000], `a wait of ${wait} s`);
    await clock.advance(wait);
  }
});

sweep("deadLetter goes straight to the dead-letter queue with its reason; redrive brings it back", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock });
  const ids = (await queue.sendBatch(["a", "b", "c"].map((body) => ({ body })))).ids;
  for (const message of await queue.receive({ max: 3 })) await message.deadLetter(`no ${message.body}`);
  const dead = await openQueue("jobs-dlq", { storage: "indexeddb", clock });
  same((await dead.peek()).map((info) => [info.id, info.body, info.reason]), [[ids[0], "a", "no a"], [ids[1], "b", "no b"], [ids[2], "c",
    "no c"]]);
  // It keeps what it has: no retry limit, no expiry.
  for (let time = 0; time < 6; time++) {
    const held = await dead.receive({ max: 3 });
    same(held.map((letter) => letter.id), ids);
    await Promise.all(held.map((letter) => letter.retry({ delaySeconds: 0 })));
  }
  await clock.advance(365 * 86_400);
  same(await dead.redrive({ max: 1 }), 1);
  const [first] = await queue.receive();
  same([first.id, first.body, first.attempts], [ids[0], "a", 1]);
  await first.ack();
  const other = await openQueue("other", { storage: "indexeddb", clock });
  same(await dead.redrive({ to: "other" }), 2);
  same((await other.receive({ max: 5 })).map((message) => message.body), ["b", "c"]);
  same(await dead.redrive(), 0);
  same((await dead.metrics()).backlogCount, 0);
  await fails(dead.redrive({ to: "nowhere" }), "NotFoundError", "nowhere");
});

sweep("a named dead-letter queue gets them; with false they are dropped, counted, and told", async () => {
  const clock = new VirtualClock();
  const named = await openQueue("named", { storage: "indexeddb", clock, maxRetries: 0, deadLetterQueue: "graveyard" });
  await named.send("x");
  await (await named.receive())[0].retry();
  const graveyard = await openQueue("graveyard", { storage: "indexeddb", clock });
  same((await graveyard.receive()).map((message) => message.body), ["x"]);
  const none = await openQueue("none", { storage: "indexeddb", clock, maxRetries: 0, deadLetterQueue: false });
  const drops = [];
  none.addEventListener("drop", ({ detail }) => drops.push(detail));
  const { id } = await none.send("y");
  await (await none.receive())[0].retry();
  await until(() => drops.length === 1, "the drop event");
  same(drops, [{ id, cause: "noDeadLetterQueue" }]);
  same((await none.metrics()).dropped, { expired: 0, overflow: 0, purged: 0, noDeadLetterQueue: 1 });
});

sweep("a lease that runs out: the message comes again, and its first holder learns LeaseLostError", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, visibilityTimeout: 30 });
  await queue.send("slow");
  const [first] = await queue.receive();
  ok(!first.signal.aborted, "held");
  await clock.advance(29);
  same(await queue.receive(), []);
  await clock.advance(2);
  const [second] = await queue.receive();
  same([second.id, second.attempts], [first.id, 2]);
  await until(() => first.signal.aborted, "the first holder's signal");
  same(first.signal.reason.name, "LeaseLostError");
  const error = await fails(first.ack(), "LeaseLostError", first.id);
  ok(error instanceof LeaseLostError && typeof error.code === "string", "typed");
  await second.ack();
  await fails(second.extend(10), "InvalidStateError");
  const { acked, backlogCount } = await queue.metrics();
  same({ acked, backlogCount }, { acked: 1, backlogCount: 0 });
});

sweep("every way to settle after the lease is gone is LeaseLostError and harms no one", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, visibilityTimeout: 30, maxRetries: 10 });
  const ways = { ack: [], retry: [], deadLetter: ["late"], extend: [30] };
  for (const [way, options] of Object.entries(ways)) {
    await queue.send(way);
    const [late] = await queue.receive();
    await clock.advance(31);
    const [current] = await queue.receive();
    await fails(late[way](...options), "LeaseLostError", late.id);
    same([current.id, current.body, current.attempts], [late.id, way, 2]);
    await current.ack();
  }
  const { acked, deadLettered, backlogCount } = await queue.metrics();
  same({ acked, deadLettered, backlogCount }, { acked: 4, deadLettered: 0, backlogCount: 0 });
});

sweep("extend keeps the lease that much longer from now; a receive may name its own lease", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, visibilityTimeout: 30 });
  await queue.sendBatch([{ body: "extended" }, { body: "short" }]);
  const [message] = await queue.receive();
  const [short] = await queue.receive({ visibilityTimeout: 5 });
  await clock.advance(6);
  const [again] = await queue.receive();
  same([again.id, again.attempts], [short.id, 2]);
  await again.ack();
  await clock.advance(19);
  await message.extend(30);
  await clock.advance(29);
  same(await queue.receive(), [], "still held");
  await message.ack();
  same((await queue.metrics()).acked, 2);
});

sweep("an expired message is dropped, counted and told; one that was taken in time is not", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, messageRetention: 100 });
  const drops = [];
  queue.addEventListener("drop", ({ detail }) => drops.push(detail));
  await queue.send("taken", { expirationSeconds: 10 });
  const [taken] = await queue.receive();
  const { id } = await queue.send("expires", { expirationSeconds: 10 });
  const old = await queue.send("retention");
  await clock.advance(11);
  await taken.ack();
  same((await queue.receive({ max: 5 })).map((message) => message.body), ["retention"]);
  await until(() => drops.length === 1, "the drop event");
  await clock.advance(90);
  same(await queue.receive(), []);
  await until(() => drops.length === 2, "the other drop event");
  same(drops, [{ id, cause: "expired" }, { id: old.id, cause: "expired" }]);
  const { dropped, acked, backlogCount } = await queue.metrics();
  same({ dropped, acked, backlogCount }, {
    dropped: { expired: 2, overflow: 0, purged: 0, noDeadLetterQueue: 0 },
    acked: 1,
    backlogCount: 0,
  });
});

sweep("a repeated idempotency key within its window is the first message", async () => {
  const clock = new VirtualClock();
  const queue = await openQueue("jobs", { storage: "indexeddb", clock, deduplicationWindow: 60 });
  const first = await queue.send("first", { idempotencyKey: "k" });
  const [again, other] = await Promise.all([queue.send("second", { idempotencyKey: "k" }), queue.send("other", { idempotencyKey: "l" })]);
  same([first.duplicate, again.duplicate, again.id, other.duplicate], [false, true, first.id, false]);
  const [message] = await queue.receive();
  await message.ack();
  same((await queue.send("third", { idempotencyKey: "k" })).duplicate, true, "acked, yet within the window");
  await clock.advance(61);
  const late = await queue.send("fourth", { idempotencyKey: "k" });
  same([late.duplicate, late.id === first.id], [false, false]);
  same((await queue.receive({ max: 5 })).map((received) => received.body), ["other", "fourth"]);
  same((await queue.metrics()).duplicates, 2);
});
