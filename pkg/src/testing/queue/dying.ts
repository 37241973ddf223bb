/** Dead letters: how messages become some, what they keep, and how they come back. */

import { eventually, fails, ok, same } from "../check";
import { bodies, empty, queueCase, take, type Numbers, type World } from "./case";

/** A queue whose `count` messages were all dead-lettered with a reason, and its dead-letter queue. */
async function died(world: World, count: number): Promise<{ queue: Numbers; letters: Numbers }> {
  const queue = await world.filled(count, world.policy());
  const letters = await world.queue({}, `${world.name}-dlq`);
  await Promise.all((await take(queue, count)).map((message) => message.deadLetter(`reason ${message.body}`)));
  await eventually(async () => (await letters.metrics()).backlogCount === count, "the letters arrive");
  return { queue, letters };
}

export const dying = [
  queueCase("after the last retry a message is a dead letter, with its id and body", async (world) => {
    const queue = await world.filled(1, world.policy({ maxRetries: 2 }));
    const told: { id: string; reason: string }[] = [];
    queue.addEventListener("deadletter", ({ detail }) => void told.push(detail));
    let id = "";
    for (const attempt of [1, 2, 3]) {
      const [message] = await take(queue, 1);
      same(message.attempts, attempt, "the attempt");
      ({ id } = message);
      await message.retry();
    }
    ok(await empty(queue), "it is not delivered again");
    same((await queue.metrics()).deadLettered, 1, "deadLettered");
    await eventually(() => told.length === 1, "the event deadletter");
    same(told[0].id, id, "the event's id");
    const [letter] = await take(await world.queue({}, `${world.name}-dlq`), 1);
    same([letter.id, letter.body, letter.attempts], [id, 0, 1], "the letter");
  }),

  queueCase("lost leases count as attempts, and lead to the dead letters too", async (world) => {
    const queue = await world.filled(1, { visibilityTimeout: world.seconds(5), maxRetries: 1, retryDelay: 0 });
    for (const attempt of [1, 2]) {
      same((await take(queue, 1))[0].attempts, attempt, "the attempt");
      await world.pass(6);
    }
    ok(await empty(queue), "it is not delivered again");
    await eventually(async () => (await queue.metrics()).deadLettered === 1, "it is a dead letter");
  }),

  queueCase("a queue without a dead-letter queue drops, counts and tells", async (world) => {
    const queue = await world.filled(1, world.policy({ maxRetries: 0, deadLetterQueue: false }));
    const told: unknown[] = [];
    queue.addEventListener("drop", ({ detail }) => void told.push(detail));
    const [message] = await take(queue, 1);
    await message.retry();
    await eventually(() => told.length === 1, "the event drop");
    same(told[0], { id: message.id, cause: "noDeadLetterQueue" }, "the event");
    same((await queue.metrics()).dropped.noDeadLetterQueue, 1, "dropped.noDeadLetterQueue");
  }),

  queueCase("a dead letter keeps its reason, and goes where the policy says", async (world) => {
    const queue = await world.filled(1, world.policy({ deadLetterQueue: `${world.name} morgue` }));
    await (await take(queue, 1))[0].deadLetter("no such customer");
    const morgue = await world.queue({}, `${world.name} morgue`);
    const letter = await eventually(async () => (await morgue.peek())[0], "the letter");
    same([letter.body, letter.state, letter.reason], [0, "dead", "no such customer"], "the letter");
  }),

  queueCase("dead letters can be moved back to where they came from", async (world) => {
    const { queue, letters } = await died(world, 3);
    same(await letters.redrive({ max: 1 }), 1, "one of them");
    same(await queue.redrive(), 2, "asked of the queue itself, the rest");
    const again = await take(queue, 3);
    same(again.map(({ body, attempts }) => [body, attempts]), [[0, 1], [1, 1], [2, 1]], "what comes back");
    same((await queue.metrics()).deadLettered, 0, "deadLettered");
    same(await queue.redrive(), 0, "there are no more");
  }),

  queueCase("dead letters can be moved to another queue, and only to one that is there", async (world) => {
    const { queue } = await died(world, 2);
    const other = await world.queue({}, `${world.name} other`);
    await fails(() => queue.redrive({ to: `${world.name} nowhere` }), "NotFoundError", "nowhere");
    await fails(() => queue.redrive({ max: 0 }), "RangeError", "0");
    same(await queue.redrive({ to: other.name }), 2, "how many moved");
    same(bodies(await take(other, 2)), [0, 1], "what the other has");
  }),

  queueCase("a dead-letter queue made by default keeps what it has, however often it is tried", async (world) => {
    const { letters } = await died(world, 1);
    for (let attempt = 1; attempt < 8; attempt += 1) {
      const [letter] = await take(letters, 1);
      same(letter.attempts, attempt, "the attempt");
      await letter.retry({ delaySeconds: 0 });
    }
    same((await letters.metrics()).backlogCount, 1, "it is still there");
  }),
];
