// A store of the caller's own, given as `storage`: what openQueue asks of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageTooLargeError, deleteQueue, listQueues, openQueue } from "posthaste";
import { queueCases } from "posthaste/testing";

/** What a body is refused with, undefined: it can be kept. */
function refusal(body) {
  try {
    structuredClone(body);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A journal in an array, with no copies and no cleaning away: as little as a store can do. */
function arrayDriver() {
  const rows = [];
  const driver = { kind: "array", open, opened: 0, closed: 0, refused: refusal };
  const tail = (from) => {
    const since = rows.map((row, at) => ({ ...row, number: at + 1 })).slice(Math.max(0, from - 1));
    return { numbers: since.map(({ number }) => number), records: since.map(({ record }) => record), birth: 7 };
  };
  const part = ({ bodies, headers, chunk }, at) =>
    structuredClone(at < 0 ? { bodies, headers } : { bodies: bodies.slice(at << chunk, (at + 1) << chunk) });
  async function open() {
    driver.opened += 1;
    return {
      kind: "array",
      durability: "relaxed",
      append: async (from, decide) => {
        const step = decide(from === 0 ? undefined : tail(from));
        const refused = step?.bodies.map(driver.refused).find((error) => error);
        if (refused) throw refused;
        return step ? rows.push(structuredClone(step)) : 0;
      },
      read: async (from) => tail(from),
      values: async (keys) => keys.flatMap((key, at) => (at % 2 ? [] : [part(rows[key - 1], keys[at + 1])])),
      snapshot: async () => false,
      watch: () => {},
      hint: () => {},
      usage: async () => undefined,
      refused: async (bodies) => bodies.map(driver.refused),
      release: async () => false,
      close: () => void (driver.closed += 1),
    };
  }
  return driver;
}

test("a driver is opened once for all its queues, and closed with the last of them", async () => {
  const storage = arrayDriver();
  const [a, b] = [await openQueue("a", { storage }), await openQueue("b", { storage })];
  assert.deepEqual({ ...a.mode }, { storage: "array", durability: "relaxed", transport: "local" });
  await a.send({ n: 1 });
  await b.sendBatch([{ body: 2 }, { body: 3, headers: { h: "x" } }]);
  assert.deepEqual(
    (await listQueues({ storage })).map(({ name, backlogCount }) => [name, backlogCount]).filter(([name]) => !name.endsWith("-dlq")),
    [["a", 1], ["b", 2]],
  );
  const [message] = await a.receive();
  assert.deepEqual(message.body, { n: 1 });
  await message.ack();
  await a.close();
  assert.deepEqual([storage.opened, storage.closed], [1, 0]);
  await b.close();
  assert.deepEqual([storage.opened, storage.closed], [1, 1]);

  const again = await openQueue("b", { storage });
  const messages = await again.receive({ max: 10 });
  assert.deepEqual(messages.map(({ body, headers }) => [body, { ...headers }]), [[2, {}], [3, { h: "x" }]]);
  await again.close();
  await deleteQueue("a", { storage });
  assert.equal((await listQueues({ storage })).some(({ name }) => name === "a"), false);
});

test("a body that a store refuses fails its own send with the store's error, and no other", async () => {
  const storage = arrayDriver();
  storage.refused = (
    body,
  ) => (body === "huge" ? Object.assign(new Error("4 bytes are more than 3"), { name: "MessageTooLargeError" }) : undefined);
  const queue = await openQueue("q", { storage });
  const sent = await Promise.allSettled([queue.send("a"), queue.send("huge"), queue.send("b")]);
  assert.deepEqual(sent.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  const tooLarge = (error) => error instanceof MessageTooLargeError && error.message.includes("4 bytes");
  assert.ok(tooLarge(sent[1].reason));
  await assert.rejects(queue.sendBatch([{ body: "c" }, { body: "huge" }]),
    (error) => tooLarge(error) && error.message.startsWith("message 1 of the batch"));
  assert.deepEqual((await queue.receive({ max: 10 })).map(({ body }) => body), ["a", "b"]);
  await queue.close();
});

for (const one of queueCases) {
  test(`a queue on the smallest driver: ${one.name}`, () => {
    const storage = arrayDriver();
    return one.run((name, options) => openQueue(name, { ...options, storage }));
  });
}
