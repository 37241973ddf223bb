/** What `send` and `sendBatch` promise. */

import { bounded, eventually, fails, ok, same } from "../check";
import { bodies, empty, queueCase, range, take } from "./case";

export const sending = [
  queueCase("messages come in the order they were sent", async (world) => {
    const queue = await world.queue();
    const sent = [...range(5).map((body) => queue.send(body)), queue.sendBatch(range(5).map((at) => ({ body: at + 5 })))];
    await bounded(Promise.all(sent), "every send is accepted");
    same(bodies(await take(queue, 10)), range(10), "the order");
  }),

  queueCase("a receipt names the message and tells the backlog", async (world) => {
    const queue = await world.queue<string>();
    const first = await queue.send("a");
    const second = await queue.send("b");
    ok(typeof first.id === "string" && first.id !== second.id, `ids differ: ${first.id}, ${second.id}`);
    same(first.duplicate, false, "duplicate");
    same(second.metadata.metrics.backlogCount, 2, "the backlog's count");
    ok(second.metadata.metrics.backlogBytes > 0, "the backlog's bytes");
    const { ids, metadata } = await queue.sendBatch([{ body: "c" }, { body: "d" }]);
    same(metadata.metrics.backlogCount, 4, "the backlog's count after the batch");
    same((await take(queue, 4)).map(({ id }) => id), [first.id, second.id, ...ids], "the messages' ids");
  }),

  queueCase("an empty batch sends nothing; any iterable is a batch", async (world) => {
    const queue = await world.queue();
    same((await queue.sendBatch([])).ids, [], "ids of an empty batch");
    const given = function*(): Generator<{ body: number }> {
      yield { body: 1 };
      yield { body: 2 };
    };
    same((await queue.sendBatch(given())).ids.length, 2, "ids of a generator's batch");
    same(bodies(await take(queue, 2)), [1, 2], "what came");
  }),

  queueCase("many sends at once all come, each once", async (world) => {
    const queue = await world.queue();
    const receipts = await bounded(Promise.all(range(500).map((body) => queue.send(body))), "every send is accepted");
    same(new Set(receipts.map(({ id }) => id)).size, 500, "ids are different");
    same(bodies(await take(queue, 500)), range(500), "what came");
    ok(await empty(queue), "nothing comes twice");
  }),

  queueCase("bodies come back as clones of what was sent", async (world) => {
    const queue = await world.queue<unknown>();
    const given = [
      null,
      true,
      -0,
      "text",
      12n,
      new Date(7),
      new Map([[{ a: 1 }, new Set([1])]]),
      new Uint8Array([1, 2]),
      new Uint16Array([1, 2]).buffer,
      { nested: [{ deep: new Map([["k", [1n, new Date(0)]]]) }] },
      JSON.parse('{"__proto__": {"polluted": true}}'),
      "x".repeat(10_000),
    ];
    await queue.sendBatch(given.map((body) => ({ body })));
    same(bodies(await take(queue, given.length)), given, "the bodies");
  }),

  queueCase("what is sent may change afterwards, and what is received is the receiver's own", async (world) => {
    const queue = await world.queue<{ list: unknown[] }>(world.policy());
    const body: { list: unknown[] } = { list: [1, { deep: true }] };
    const sent = queue.send(body);
    body.list.push("late");
    await sent;
    const [message] = await take(queue, 1);
    same(message.body, { list: [1, { deep: true }] }, "the body");
    message.body.list.length = 0;
    await message.retry({ delaySeconds: 0 });
    same((await take(queue, 1))[0].body, { list: [1, { deep: true }] }, "what the next receiver gets");
  }),

  queueCase("a body that can't be cloned fails only its own send; in a batch, the batch", async (world) => {
    const queue = await world.queue<unknown>();
    const results = await Promise.allSettled([queue.send(1), queue.send(() => 1), queue.send(2)]);
    same(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"], "the sends");
    same((results[1] as PromiseRejectedResult).reason.name, "DataCloneError", "the failure");
    await fails(() => queue.sendBatch([{ body: 3 }, { body: 4 }, { body: Symbol("no") }]), "DataCloneError");
    same(bodies(await take(queue, 2)), [1, 2], "what came");
    ok(await empty(queue), "nothing of the batch was sent");
  }),

  queueCase("a message waits for its delay; 0 overrides the queue's", async (world) => {
    const queue = await world.queue<string>({ deliveryDelay: world.seconds(10) });
    await queue.send("default");
    await queue.send("at once", { delaySeconds: 0 });
    await queue.send("later", { delaySeconds: world.seconds(20) });
    same(bodies(await take(queue, 1)), ["at once"], "what is there at once");
    await world.notYet(queue, "nothing else is there at once");
    await world.pass(10.5);
    same(bodies(await take(queue, 1)), ["default"], "what is there after the queue's delay");
    await world.pass(10);
    same(bodies(await take(queue, 1)), ["later"], "what is there after its own");
  }),

  queueCase("in a batch a message's delay beats the batch's, the batch's the queue's", async (world) => {
    const queue = await world.queue<string>({ deliveryDelay: world.seconds(60) });
    await queue.sendBatch([{ body: "own", delaySeconds: 0 }, { body: "batch" }], { delaySeconds: world.seconds(5) });
    same(bodies(await take(queue, 1)), ["own"], "what is there at once");
    await world.notYet(queue, "nothing else is there at once");
    await world.pass(5.5);
    same(bodies(await take(queue, 1)), ["batch"], "what is there after the batch's delay");
  }),

  queueCase("a message not taken in time is dropped and counted", async (world) => {
    const queue = await world.queue<string>({ messageRetention: world.seconds(60) });
    await queue.send("short", { expirationSeconds: world.seconds(5) });
    await queue.send("long");
    await world.pass(6);
    same(bodies(await queue.receive({ max: 5, visibilityTimeout: world.seconds(1) })), ["long"], "what is left after 6");
    await world.pass(61);
    ok(await empty(queue), "nothing is left after the retention");
    same((await queue.metrics()).dropped.expired, 2, "dropped.expired");
  }),

  queueCase("a second message with the same key is the first one, for a while", async (world) => {
    const queue = await world.queue<string>({ deduplicationWindow: world.seconds(10) });
    const first = await queue.send("a", { idempotencyKey: "k" });
    const [second, third] = await Promise.all([queue.send("b", { idempotencyKey: "k" }), queue.send("c", { idempotencyKey: "other" })]);
    same([second.id, second.duplicate, third.duplicate], [first.id, true, false], "the receipts");
    same(bodies(await take(queue, 2)), ["a", "c"], "what came");
    same((await queue.metrics()).duplicates, 1, "duplicates");
    await world.pass(11);
    same((await queue.send("d", { idempotencyKey: "k" })).duplicate, false, "when the window is over");
  }),

  queueCase("headers travel with their message", async (world) => {
    const queue = await world.queue();
    await Promise.all([queue.send(1), queue.send(2, { headers: { trace: "abc" } })]);
    await queue.sendBatch([{ body: 3 }, { body: 4, headers: { a: "1", b: "2" } }]);
    same((await take(queue, 4)).map(({ headers }) => ({ ...headers })), [{}, { trace: "abc" }, {}, { a: "1", b: "2" }], "the headers");
  }),

  queueCase("content types carry what they do at Cloudflare", async (world) => {
    const queue = await world.queue<unknown>();
    await queue.send({ when: new Date(0), gone: undefined }, { contentType: "json" });
    await queue.send("text", { contentType: "text" });
    await queue.send(new Map([[1, 2]]), { contentType: "v8" });
    same(bodies(await take(queue, 3)), [{ when: "1970-01-01T00:00:00.000Z" }, "text", new Map([[1, 2]])], "the bodies");
    await fails(() => queue.send(5, { contentType: "text" }), "TypeError", "5");
    await fails(() => queue.send("a", { contentType: "xml" as "text" }), "TypeError", "xml");
  }),

  queueCase("bad input is refused by value, and the queue goes on", async (world) => {
    const queue = await world.queue();
    await fails(() => queue.send(1, { delaySeconds: -1 }), "RangeError", "-1");
    await fails(() => queue.send(1, { delaySeconds: "1" as unknown as number }), "TypeError", '"1"');
    await fails(() => queue.send(1, { headers: { a: 1 as unknown as string } }), "TypeError", "1");
    await fails(() => queue.sendBatch(5 as unknown as []), "TypeError", "5");
    await fails(() => queue.sendBatch([5 as unknown as { body: number }]), "TypeError", "5");
    await fails(() => queue.receive({ max: 0 }), "RangeError", "0");
    await fails(() => queue.receive({ wait: "1" as unknown as number }), "TypeError", '"1"');
    await fails(() => queue.cancel(5 as unknown as string), "TypeError", "5");
    await fails(() => queue.consume(5 as never), "TypeError", "5");
    await fails(() => queue.consume(() => undefined, { maxBatchSize: 0 }), "RangeError", "0");
    same((await queue.metrics()).sent, 0, "nothing was sent");
    await queue.send(7);
    same(bodies(await take(queue, 1)), [7], "the queue goes on");
  }),

  queueCase("a policy that is not the queue's is refused, and named", async (world) => {
    await world.queue({ maxRetries: 5, visibilityTimeout: world.seconds(60) });
    const error = await fails(() => world.queue({ maxRetries: 6 }), "PolicyMismatchError", "6");
    same(error.code, "ERR_POLICY_MISMATCH", "its code");
    await world.queue();
    await world.queue({ maxRetries: 5 });
  }),

  queueCase("everyone who opens a name has the same queue", async (world) => {
    const queue = await world.queue<string>();
    const again = await world.queue<string>();
    const other = await world.queue<string>({}, `${world.name} other`);
    await queue.send("mine");
    await other.send("theirs");
    same([queue.name, bodies(await take(again, 1))], [world.name, ["mine"]], "what another opener gets");
    await eventually(async () => (await queue.metrics()).leased === 1, "the lease is seen by all");
    same(bodies(await take(other, 1)), ["theirs"], "what another queue has");
  }),
];
