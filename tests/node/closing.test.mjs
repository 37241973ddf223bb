/** Who closes, deletes or leaves while something is under way: what handlers say still counts, and nobody keeps a message for ever. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { deleteQueue, openQueue } from "posthaste";
import { bounded, freshQueue, quiet } from "./lab.mjs";

/** Resolves when the message's signal aborts. */
const aborted = ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve));

for (
  const [word, expected] of [["ack", { acked: 1, retried: 0, deadLettered: 0 }], ["retry", { acked: 0, retried: 1, deadLettered: 0 }], [
    "deadLetter",
    { acked: 0, retried: 0, deadLettered: 1 },
  ]]
) {
  test(`a handler that is told that its queue closes says ${word}, and that counts`, async () => {
    const { queue, clock } = await freshQueue({ retryDelay: 60 });
    const other = await openQueue(queue.name, { clock });
    const begun = new Promise((resolve) => {
      queue.consume(async ({ messages: [message] }) => {
        resolve();
        await aborted(message);
        await message[word]();
      });
    });
    await queue.send("work");
    await bounded(begun, "the handler");
    await bounded(queue.close(), "the close");
    const { acked, retried, deadLettered } = await other.metrics();
    assert.deepEqual({ acked, retried, deadLettered }, expected);
  });
}

test("a lease that its receiver made long is not cut while the handler works on", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 30 });
  queue.consume(async ({ messages: [message] }) => {
    await message.extend(3600);
    await new Promise((resolve) => clock.setTimeout(resolve, 100_000));
  });
  await queue.send("long");
  await clock.advance(50);
  const [{ leaseExpiresAt }] = await queue.peek();
  assert.ok(leaseExpiresAt - clock.now() > 3_000_000, `${leaseExpiresAt - clock.now()} ms are left`);
  await clock.advance(100);
  assert.equal((await queue.metrics()).acked, 1);
});

test("a handler that is told that its queue closes can have more time, though nothing extends its lease by itself", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 5 });
  const other = await openQueue(queue.name, { clock });
  const words = [];
  queue.consume(async ({ messages: [message] }) => {
    await aborted(message);
    words.push(await message.extend(20).then(() => "extended", ({ name }) => name));
    await new Promise((resolve) => clock.setTimeout(resolve, 15_000));
  }, { autoExtend: false });
  await queue.send("work");
  await quiet();
  const closing = queue.close();
  await clock.advance(10);
  assert.deepEqual({ words, taken: (await other.receive()).length }, { words: ["extended"], taken: 0 });
  await clock.advance(10);
  await bounded(closing, "the close");
  assert.equal((await other.metrics()).acked, 1);
});

test("a handler that has its queue deleted can stop its consumer", async () => {
  const { queue } = await freshQueue();
  const stopped = new Promise((resolve, reject) => {
    const consumer = queue.consume(async () => {
      await deleteQueue(queue.name, { force: true });
      await quiet();
      consumer.stop().then(resolve, reject);
    });
  });
  await queue.send("the last");
  await bounded(stopped, "the end of the consumer");
});

test("a loop that is left while its next message is looked at gives it back", async () => {
  let look;
  const looked = new Promise((resolve) => (look = resolve));
  let go;
  const gone = new Promise((resolve) => (go = resolve));
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value) {
        if (value === "given") {
          look();
          await gone;
        }
        return { value };
      },
    },
  };
  const { queue, clock } = await freshQueue({ visibilityTimeout: 3600 });
  await queue.send("given");
  const checked = await openQueue(queue.name, { clock, schema });
  const iterator = checked[Symbol.asyncIterator]();
  const next = iterator.next();
  await bounded(looked, "the schema");
  const left = iterator.return();
  go();
  assert.deepEqual(await bounded(next, "what was asked for"), { done: true, value: undefined });
  await bounded(left, "the end of the loop");
  const [message] = await bounded(queue.receive({ wait: 60 }), "the message");
  assert.deepEqual([message.body, message.attempts], ["given", 1]);
});
