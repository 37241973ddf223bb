/** What opening and closing promise, and what bad input gets. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { deleteQueue, entry, listQueues, openQueue, openTopic, PosthasteError, slimEntry, wasmFile } from "./posthaste.mjs";
import { bodies, bounded, fails, freshQueue, quiet, stateOf, VirtualClock } from "./lab.mjs";

const node = (code) => promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], { timeout: 20_000 });

test("a queue says what it is", async () => {
  const { queue } = await freshQueue({ name: "named 名前 \u0000 \u{1F4EE}" });
  assert.equal(queue.name, "named 名前 \u0000 \u{1F4EE}");
  assert.deepEqual({ ...queue.mode }, { storage: "memory", durability: "none", transport: "local" });
  assert.ok(queue instanceof EventTarget);
});

test("names are texts of a sensible length", async () => {
  await fails(openQueue(""), "RangeError", '""');
  await fails(openQueue("x".repeat(513)), "RangeError", "513");
  const huge = await fails(openQueue("y".repeat(1_000_000)), "RangeError", "yyy");
  assert.ok(huge.message.length < 500, "the value is shown, not all of it");
  await fails(openQueue("lone \uD800 surrogate"), "RangeError");
  for (const name of [undefined, null, 5, {}, Symbol("s"), () => {}]) await fails(openQueue(name), "TypeError");
  await (await openQueue("x".repeat(512))).close();
});

test("options out of range or of the wrong type are refused by value", async () => {
  const bad = [
    [{ storage: "localstorage" }, "TypeError", "localstorage"],
    [{ durability: "eternal" }, "TypeError", "eternal"],
    [{ visibilityTimeout: 0 }, "RangeError", "0"],
    [{ visibilityTimeout: "30" }, "TypeError", '"30"'],
    [{ maxRetries: -1 }, "RangeError", "-1"],
    [{ maxRetries: 1.5 }, "RangeError", "1.5"],
    [{ retryDelay: -5 }, "RangeError", "-5"],
    [{ retryDelay: { base: -1 } }, "RangeError", "-1"],
    [{ retryDelay: { base: 1, factor: 0.5 } }, "RangeError", "0.5"],
    [{ retryDelay: { base: 1, jitter: 2 } }, "RangeError", "2"],
    [{ retryDelay: {} }, "TypeError", "base"],
    [{ deadLetterQueue: 5 }, "TypeError", "5"],
    [{ deadLetterQueue: "" }, "RangeError"],
    [{ deliveryDelay: NaN }, "RangeError", "NaN"],
    [{ messageRetention: 0 }, "RangeError", "0"],
    [{ deduplicationWindow: -1 }, "RangeError", "-1"],
    [{ capacity: { messages: 0 } }, "RangeError", "0"],
    [{ capacity: { bytes: "big" } }, "TypeError", '"big"'],
    [{ capacity: 5 }, "TypeError", "5"],
    [{ overflow: "explode" }, "TypeError", "explode"],
    [{ schema: {} }, "TypeError"],
    [{ clock: {} }, "TypeError"],
    [{ clock: null }, "TypeError", "not null"],
    [{ signal: 5 }, "TypeError", "5"],
    [5, "TypeError", "5"],
  ];
  for (const [options, name, part] of bad) await fails(openQueue("bad", options), name, part);
  assert.ok(!(await listQueues()).some(({ name }) => name === "bad"), "nothing was made");
});

test("a queue can't be its own dead-letter queue", async () => {
  await fails(openQueue("ouroboros", { deadLetterQueue: "ouroboros" }), "RangeError", "ouroboros");
});

test("a later opener may leave the policy out, or must agree", async () => {
  const { clock } = await freshQueue({
    name: "kept policy",
    visibilityTimeout: 12,
    maxRetries: 5,
    retryDelay: 2.5,
    capacity: { messages: 7 },
  });
  const open = (options) => openQueue("kept policy", { ...options, clock });
  await open({});
  await open({ visibilityTimeout: 12, maxRetries: 5, retryDelay: 2.5, capacity: { messages: 7 }, deadLetterQueue: "kept policy-dlq" });
  const mismatch = await fails(open({ visibilityTimeout: 13 }), "PolicyMismatchError", "12");
  assert.match(mismatch.message, /visibilityTimeout/);
  assert.match(mismatch.message, /13/);
  assert.equal(mismatch.code, "ERR_POLICY_MISMATCH");
  assert.ok(mismatch instanceof PosthasteError);
  await fails(open({ maxRetries: 6 }), "PolicyMismatchError", "maxRetries");
  await fails(open({ retryDelay: { base: 2.5 } }), "PolicyMismatchError", "retryDelay");
  await fails(open({ deadLetterQueue: false }), "PolicyMismatchError", "deadLetterQueue");
  await fails(open({ capacity: { messages: 8 } }), "PolicyMismatchError", "8");
  await fails(open({ overflow: "reject" }), "PolicyMismatchError", "reject");
  await fails(open({ messageRetention: 5 }), "PolicyMismatchError", "messageRetention");
});

test("what later parts bring is refused, not pretended", async () => {
  await fails(openTopic("t"), "NotSupportedError");
  await fails(openQueue("q", { storage: "opfs" }), "NotSupportedError", "opfs");
  await fails(openQueue("q", { encryptionKey: {} }), "NotSupportedError", "encryptionKey");
  const { queue } = await freshQueue();
  assert.throws(() => queue.stage({}, 1), { name: "NotSupportedError" });
});

test("durable storage is refused where there is none", async () => {
  await fails(openQueue("q", { storage: "indexeddb" }), "NotSupportedError", "indexeddb");
});

test("an aborted signal keeps a queue from being opened", async () => {
  const why = new Error("no more");
  assert.equal(await openQueue("never", { signal: AbortSignal.abort(why) }).catch((reason) => reason), why);
});

test("everyone who opens a name has the same queue", async () => {
  const { queue, clock } = await freshQueue({ name: "common" });
  const { queue: other } = await freshQueue({ name: "common", clock });
  await queue.send(1);
  assert.deepEqual(bodies(await other.receive()), [1]);
  await queue.close();
  await other.send(2);
  assert.deepEqual(bodies(await other.receive()), [2], "one closes, the other goes on");
});

test("a closed memory queue keeps its messages", async () => {
  const clock = new VirtualClock();
  const first = await openQueue("lasting", { clock });
  await first.send("kept");
  await first.close();
  const second = await openQueue("lasting", { clock });
  assert.deepEqual(bodies(await second.receive()), ["kept"]);
  await second.close();
});

test("close gives back leases", async () => {
  const { queue, clock } = await freshQueue({ name: "returned" });
  const { queue: other } = await freshQueue({ name: "returned", clock });
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  const [first, second] = await queue.receive({ max: 2 });
  await first.ack();
  const { signal } = second;
  await bounded(queue.close(), "close");
  assert.equal(signal.aborted, true);
  const [again] = await other.receive({ max: 2 });
  assert.deepEqual([again.body, again.attempts], [2, 1]);
});

test("what was under way at close ends: sends are accepted, receives and full sends refused", async () => {
  const { queue, clock } = await freshQueue({ name: "closing", capacity: { messages: 2 } });
  const waiting = queue.receive({ wait: 60 });
  await quiet();
  await queue.pause();
  const sent = queue.send(1);
  const second = queue.send(2);
  const third = queue.send(3);
  third.catch(() => {});
  waiting.catch(() => {});
  await bounded(queue.close(), "close");
  await bounded(Promise.all([sent, second]), "the sends");
  await fails(third, "InvalidStateError");
  assert.notEqual(await stateOf(waiting), "pending");
  const { queue: other } = await freshQueue({ name: "closing", clock });
  assert.equal((await other.metrics()).backlogCount, 2);
});

test("a closed queue refuses everything", async () => {
  const { queue } = await freshQueue();
  await queue.send(1);
  const [message] = await queue.receive();
  await Promise.all([queue.close(), queue.close()]);
  const calls = [
    () => queue.send(1),
    () => queue.sendBatch([{ body: 1 }]),
    () => queue.receive(),
    () => queue.receive({ wait: 5 }),
    () => queue.metrics(),
    () => queue.peek(),
    () => queue.cancel("1-0"),
    () => queue.purge(),
    () => queue.pause(),
    () => queue.resume(),
    () => queue.redrive(),
    () => queue.flush(),
    () => message.ack(),
    () => message.extend(5),
  ];
  for (const call of calls) await fails(call(), "InvalidStateError", "closed");
  assert.throws(() => queue.consume(() => {}), { name: "InvalidStateError" });
  await bounded(queue.close(), "close is idempotent");
});

test("close stops consumers", async () => {
  const { queue } = await freshQueue();
  const consumer = queue.consume(() => {});
  await queue.close();
  await bounded(consumer.done, "done");
});

test("await using closes, where the platform has it", { skip: Symbol.asyncDispose ? false : "no Symbol.asyncDispose" }, async () => {
  const { queue } = await freshQueue();
  await queue[Symbol.asyncDispose]();
  await fails(queue.send(1), "InvalidStateError");
});

test("flush resolves when what was accepted is committed", async () => {
  const { queue } = await freshQueue();
  void queue.send(1);
  await bounded(queue.flush(), "flush");
  assert.equal((await queue.metrics()).sent, 1);
});

test("importing touches nothing of a browser, and starts nothing", async () => {
  const hidden = ["WebAssembly", "indexedDB", "navigator", "BroadcastChannel", "DecompressionStream", "document", "window", "fetch"];
  const code = `for (const name of ${JSON.stringify(hidden)}) delete globalThis[name];
    const { openQueue } = await import(${JSON.stringify(entry)}); console.log(typeof openQueue);`;
  assert.equal((await node(code)).stdout.trim(), "function");
});

test("without WebAssembly opening fails with one clear error", async () => {
  const code = `delete globalThis.WebAssembly; const { openQueue } = await import(${JSON.stringify(entry)});
    await openQueue("q").catch((error) => console.log(error.name, error.message));`;
  assert.match((await node(code)).stdout, /NotSupportedError .*WebAssembly/);
});

test("an open queue does not keep a program from ending", async () => {
  const code = `const { openQueue } = await import(${JSON.stringify(entry)});
    const queue = await openQueue("q"); await queue.send(1, { delaySeconds: 3600 }); queue.addEventListener("depth", () => {}); console.log("sent");`;
  assert.equal((await node(code)).stdout.trim(), "sent");
});

test("a message that is waited for keeps the program going", async () => {
  const code = `const { openQueue } = await import(${JSON.stringify(entry)});
    const queue = await openQueue("q"); await queue.send("late", { delaySeconds: 0.05 });
    const [message] = await queue.receive({ wait: 5 }); console.log(message.body);`;
  assert.equal((await node(code)).stdout.trim(), "late");
});

test("the slim entry takes the module from its caller, in any form", async () => {
  const forms = ["bytes", "new WebAssembly.Module(bytes)", "new Response(bytes, { headers: { 'content-type': 'application/wasm' } })",
    "Promise.resolve(new Response(bytes, { headers: { 'content-type': 'application/wasm' } }))"];
  for (const form of forms) {
    const code = `import { readFile } from "node:fs/promises";
      const { init, openQueue } = await import(${JSON.stringify(slimEntry)});
      const bytes = await readFile(new URL(${JSON.stringify(wasmFile)}));
      await openQueue("q").catch((error) => console.log(error.name));
      await init(${form}); await init(${form});
      const queue = await openQueue("q"); await queue.send(1); console.log((await queue.receive())[0].body);`;
    assert.equal((await node(code)).stdout, "InvalidStateError\n1\n", form);
  }
});

test("the slim entry refuses what is no module", async () => {
  const code = `const { init } = await import(${JSON.stringify(slimEntry)});
    await init(5).catch((error) => console.log(error.name)); await init(new Uint8Array([1, 2])).catch((error) => console.log(error.name));
    const { readFile } = await import("node:fs/promises"); await init(await readFile(new URL(${
    JSON.stringify(wasmFile)
  }))); console.log("ready");`;
  assert.equal((await node(code)).stdout, "TypeError\nCompileError\nready\n");
});

test("the wasm of both entries is the same", async () => {
  const text = (await readFile(new URL(entry), "utf8")).match(/[A-Za-z0-9+/]{1000,}={0,2}/)[0];
  const stream = new Blob([Buffer.from(text, "base64")]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  assert.deepEqual(Buffer.from(await new Response(stream).arrayBuffer()), await readFile(new URL(wasmFile)));
});

test("a memory queue with a clock of its own is deleted by its name, and one that is empty goes when it is closed", async () => {
  const { virtualClock } = await import("posthaste/testing");
  const listed = async () => (await listQueues()).filter(({ name }) => name === "own clock").map(({ backlogCount }) => backlogCount);
  const [first, second] = [virtualClock(), virtualClock()];
  const empty = await openQueue("own clock", { clock: first });
  assert.deepEqual(await listed(), [0]);
  await empty.close();
  assert.deepEqual(await listed(), [], "nobody would ever ask for it again");
  for (const clock of [first, second]) {
    const queue = await openQueue("own clock", { clock });
    await queue.send("kept");
    await queue.close();
  }
  assert.deepEqual(await listed(), [1, 1], "what holds messages stays");
  const again = await openQueue("own clock", { clock: first });
  assert.deepEqual((await again.peek()).map(({ body }) => body), ["kept"]);
  await again.close();
  await deleteQueue("own clock");
  assert.deepEqual(await listed(), []);
  await fails(deleteQueue("own clock"), "NotFoundError", "own clock");
});

test("a storage that is open by a clock of its own lists its queues once, and they are deleted there", async () => {
  const { memoryStorage, virtualClock } = await import("posthaste/testing");
  const storage = memoryStorage();
  const queue = await openQueue("once", { storage, clock: virtualClock() });
  assert.deepEqual((await listQueues({ storage })).map(({ name }) => name), ["once", "once-dlq"]);
  await deleteQueue("once", { storage });
  await fails(queue.send(1), "NotFoundError", "deleted");
  await queue.close();
});
