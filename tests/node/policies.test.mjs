/** Policies: who sets them, in what order, and the wait before a retry. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileStorage } from "posthaste/node";
import { newFolder } from "./file-lab.mjs";
import { bounded, fails, freshQueue, VirtualClock } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

const STORAGES = { memory: () => ({}), "a file": () => ({ storage: fileStorage(newFolder()) }) };
const CASES = {
  "a lease": [{ visibilityTimeout: 300 }, { visibilityTimeout: 30 }],
  "a number of retries": [{ maxRetries: 1, retryDelay: 0 }, { maxRetries: 2 }],
  "dead letters of its own": [{ deadLetterQueue: "last" }, { deadLetterQueue: "another" }],
  "no dead letters": [{ deadLetterQueue: false }, { deadLetterQueue: "another" }],
};

for (const [where, place] of Object.entries(STORAGES)) {
  for (const [what, [policy, other]] of Object.entries(CASES)) {
    for (const first of ["it", "its source"]) {
      test(`a dead-letter queue may have ${what}, with ${first} opened first, in ${where}`, async () => {
        const storage = { clock: new VirtualClock(), ...place() };
        const source = () => openQueue("orders", { ...storage, deadLetterQueue: "failed" });
        const letters = () => openQueue("failed", { ...storage, ...policy });
        const opened = first === "it" ? [await letters(), await source()].reverse() : [await source(), await letters()];
        // From here on that is its policy.
        await letters().then((queue) => queue.close());
        await fails(openQueue("failed", { ...storage, ...other }), "PolicyMismatchError");
        const [orders, failed] = opened;
        await orders.send("order");
        const [message] = await bounded(orders.receive(), "the order");
        await message.deadLetter("no");
        const [letter] = await bounded(failed.receive(), "the letter");
        assert.equal(letter.body, "order");
        const [{ leaseExpiresAt }] = await failed.peek({ state: "leased" });
        assert.equal(leaseExpiresAt - storage.clock.now(), 1000 * (policy.visibilityTimeout ?? 30));
        await letter.ack();
        for (const queue of opened) await queue.close();
      });
    }
  }
}

test("who opens a keeper of dead letters without a policy leaves it one", async () => {
  const { queue: orders, clock } = await freshQueue({ deadLetterQueue: "kept letters" });
  const plain = await openQueue("kept letters", { clock });
  const again = await openQueue("kept letters", { clock, visibilityTimeout: 300 });
  await orders.send(1);
  const [message] = await orders.receive();
  await message.deadLetter("no");
  // Whoever opened it before has the policy that it was given since.
  const [letter] = await plain.receive();
  await letter.retry({ delaySeconds: 0 });
  await again.receive();
  const [{ leaseExpiresAt }] = await plain.peek({ state: "leased" });
  assert.equal(leaseExpiresAt - clock.now(), 300_000);
  await plain.close();
  await again.close();
});

test("two that open a keeper of dead letters at once with a policy agree, or one is told", async () => {
  const { clock } = await freshQueue({ name: "raced", deadLetterQueue: "raced letters" });
  const open = (visibilityTimeout) => openQueue("raced letters", { clock, visibilityTimeout });
  for (const queue of await bounded(Promise.all([open(300), open(300)]), "both")) await queue.close();
  const results = await Promise.allSettled([open(300), open(301)]);
  assert.deepEqual(results.map(({ status, reason }) => reason?.name ?? status), ["fulfilled", "PolicyMismatchError"]);
  await results[0].value.close();
});

test("the wait before a retry grows to its maximum and not beyond, whatever the jitter", async () => {
  for (const jitter of [0, 0.3, 1]) {
    const { queue, clock } = await freshQueue({ maxRetries: 200, retryDelay: { base: 1, factor: 10, max: 300, jitter } });
    await queue.send(1);
    const waits = [];
    for (let at = 0; at < 200; at += 1) {
      const [message] = await queue.receive();
      await message.retry();
      const [{ availableAt }] = await queue.peek();
      // A wait of none: it is there, since it was sent.
      const wait = Math.max(0, availableAt - clock.now());
      waits.push(wait / 1000);
      clock.time += wait;
    }
    const late = waits.slice(5);
    assert.ok(Math.max(...waits) <= 300, `${Math.max(...waits)} s with a jitter of ${jitter}`);
    assert.ok(Math.min(...late) >= 300 * (1 - jitter) - 0.001, `${Math.min(...late)} s`);
    // Few of those at the maximum wait for exactly so long: they would all come back together.
    if (jitter > 0) assert.ok(new Set(late).size > late.length / 2, "the waits are spread");
  }
});
