/** Looking at a queue, and taking care of it. */

import { bounded, eventually, ok, quiet, same } from "../check";
import { bodies, empty, queueCase, take } from "./case";

export const looking = [
  queueCase("every message is counted in the state it is in", async (world) => {
    const queue = await world.filled(4, world.policy());
    await queue.send(9, { delaySeconds: world.seconds(600) });
    const [acked, retried] = await take(queue, 3);
    await acked.ack();
    await retried.retry({ delaySeconds: world.seconds(600) });
    const { ready, delayed, leased, sent, delivered, backlogCount, retried: again, acked: done, dropped, oldestMessageTimestamp } =
      await queue.metrics();
    same({ ready, delayed, leased, sent, delivered, backlogCount, again, done }, {
      ready: 1,
      delayed: 2,
      leased: 1,
      sent: 5,
      delivered: 3,
      backlogCount: 4,
      again: 1,
      done: 1,
    }, "the counts");
    same(dropped, { expired: 0, overflow: 0, purged: 0, noDeadLetterQueue: 0 }, "dropped");
    ok(oldestMessageTimestamp !== undefined, "there is an oldest message");
  }),

  queueCase("an empty queue has no backlog and no oldest message", async (world) => {
    const { oldestMessageTimestamp, backlogCount, backlogBytes } = await (await world.queue()).metrics();
    same([oldestMessageTimestamp, backlogCount, backlogBytes], [undefined, 0, 0], "what it tells");
  }),

  queueCase("peek looks without taking, oldest first", async (world) => {
    const queue = await world.queue<unknown>(world.policy());
    await queue.sendBatch([{ body: 0 }, { body: 1 }, { body: { deep: [2] } }]);
    const [leased] = await take(queue, 1);
    await queue.send({ later: true }, { delaySeconds: world.seconds(20), headers: { a: "b" } });
    const infos = await queue.peek({ max: 10 });
    same(infos.map(({ body, state }) => [body, state]), [[0, "leased"], [1, "ready"], [{ deep: [2] }, "ready"], [{ later: true },
      "delayed"]], "what is seen");
    same([infos[0].id, { ...infos[3].headers }], [leased.id, { a: "b" }], "id and headers");
    ok(infos[0].leaseExpiresAt !== undefined, "a lease has an end");
    ok(infos[3].availableAt.getTime() - infos[3].timestamp.getTime() > 0, "a delayed message is available later than it was sent");
    (infos[2].body as { deep: number[] }).deep.push(3);
    same(bodies(await queue.peek({ max: 1, state: "ready" })), [1], "one that is ready");
    same(bodies(await take(queue, 2)), [1, { deep: [2] }], "what is received is what was sent");
  }),

  queueCase("a message that no one has received can be taken back", async (world) => {
    const queue = await world.queue(world.policy());
    const first = await queue.send(1);
    const later = await queue.send(2, { delaySeconds: world.seconds(600) });
    same([await queue.cancel(first.id), await queue.cancel(later.id), await queue.cancel(first.id)], [true, true, false],
      "cancelled, cancelled, and gone already");
    const third = await queue.send(3);
    same(bodies(await take(queue, 1)), [3], "what is left");
    same(await queue.cancel(third.id), false, "too late");
  }),

  queueCase("a purge empties the queue, and counts", async (world) => {
    const queue = await world.filled(3, world.policy());
    await take(queue, 1);
    await queue.send(4, { delaySeconds: world.seconds(600) });
    same(await queue.purge(), 4, "how many it took");
    const { backlogCount, dropped } = await queue.metrics();
    same([backlogCount, dropped.purged], [0, 4], "backlogCount, dropped.purged");
    same(await queue.purge(), 0, "there are no more");
  }),

  queueCase("a paused queue takes and does not give, for everyone", async (world) => {
    const queue = await world.queue();
    const second = await world.queue();
    await queue.pause();
    await queue.send(1);
    await eventually(async () => (await second.metrics()).backlogCount === 1, "the message is seen");
    ok(await empty(second), "it is not given");
    const waiting = second.receive({ wait: world.seconds(600) });
    await quiet();
    await queue.resume();
    same(bodies(await bounded(waiting, "the message")), [1], "what came");
  }),

  queueCase("drain tells that the queue went empty, depth that it changed", async (world) => {
    const queue = await world.queue(world.policy());
    let [depths, drains] = [0, 0];
    queue.addEventListener("depth", () => void (depths += 1));
    queue.addEventListener("drain", () => void (drains += 1));
    await queue.sendBatch([{ body: 1 }, { body: 2 }]);
    await eventually(() => depths > 0, "the event depth");
    same(drains, 0, "not empty");
    await Promise.all((await take(queue, 2)).map((message) => message.ack()));
    await eventually(() => drains === 1, "the event drain");
  }),

  queueCase("flush resolves when what was accepted is committed", async (world) => {
    const queue = await world.queue();
    const sent = queue.send(1);
    await bounded(queue.flush(), "flush");
    await bounded(sent, "the send");
    same((await queue.metrics()).sent, 1, "sent");
  }),
];
