/** What happens where a queue is full. */

import { bounded, eventually, fails, ok, quiet, same } from "../check";
import { bodies, empty, queueCase, range, take } from "./case";

export const bounds = [
  queueCase("at the bound a send waits for room, and what is leased still counts", async (world) => {
    const queue = await world.filled(2, world.policy({ capacity: { messages: 2 } }));
    let through = false;
    const third = queue.send(2).then(() => (through = true));
    const [message] = await take(queue, 1);
    await quiet();
    same(through, false, "it waits");
    await message.ack();
    await bounded(third, "the send goes through");
    same(bodies(await take(queue, 2)), [1, 2], "what came");
  }),

  queueCase("an aborted signal ends a send that waits, and it is not sent", async (world) => {
    const queue = await world.filled(1, world.policy({ capacity: { messages: 1 } }));
    const controller = new AbortController();
    const waiting = queue.send(1, { signal: controller.signal });
    await quiet();
    controller.abort(new Error("enough"));
    await fails(waiting, "Error", "enough");
    await (await take(queue, 1))[0].ack();
    ok(await empty(queue), "it was not sent");
  }),

  queueCase("at the bound a send is refused where that is the policy, a batch as a whole", async (world) => {
    const queue = await world.queue({ capacity: { messages: 2 }, overflow: "reject" });
    await queue.send(1);
    same((await fails(() => queue.sendBatch([{ body: 2 }, { body: 3 }]), "QueueFullError")).code, "ERR_QUEUE_FULL", "its code");
    await fails(() => queue.sendBatch([{ body: 2 }, { body: 3, delaySeconds: 5 }]), "QueueFullError");
    await queue.send(4);
    await fails(() => queue.send(5), "QueueFullError");
    same(bodies(await take(queue, 2)), [1, 4], "what was accepted");
  }),

  queueCase("the oldest gives way where that is the policy", async (world) => {
    const queue = await world.queue({ capacity: { messages: 2 }, overflow: "drop-oldest" });
    const told: unknown[] = [];
    queue.addEventListener("drop", ({ detail }) => void told.push(detail));
    const { id } = await queue.send(1);
    await queue.send(2);
    await queue.send(3);
    same(bodies(await take(queue, 2)), [2, 3], "what is left");
    await eventually(() => told.length === 1, "the event drop");
    same([told[0], (await queue.metrics()).dropped.overflow], [{ id, cause: "overflow" }, 1], "the event, and dropped.overflow");
  }),

  queueCase("the newest gives way where that is the policy", async (world) => {
    const queue = await world.queue({ capacity: { messages: 2 }, overflow: "drop-newest" });
    for (const body of [1, 2, 3]) await bounded(queue.send(body), "the send is answered");
    same(bodies(await take(queue, 2)), [1, 2], "what is left");
    same((await queue.metrics()).dropped.overflow, 1, "dropped.overflow");
  }),

  queueCase("a message that can never fit is refused", async (world) => {
    const queue = await world.queue<string>({ capacity: { bytes: 1000 } });
    same((await fails(() => queue.send("x".repeat(5000)), "MessageTooLargeError")).code, "ERR_MESSAGE_TOO_LARGE", "its code");
    await fails(() => queue.sendBatch(range(30).map(() => ({ body: "x".repeat(100) }))), "MessageTooLargeError");
    await queue.send("small");
    same(bodies(await take(queue, 1)), ["small"], "what fits is accepted");
  }),
];
