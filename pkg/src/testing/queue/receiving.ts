/** What a lease promises: receiving, settling, losing. */

import { bounded, eventually, fails, ok, quiet, same } from "../check";
import { bodies, empty, queueCase, take } from "./case";

export const receiving = [
  queueCase("receive takes one message, or as many as it may", async (world) => {
    const queue = await world.filled(5, world.policy());
    same(bodies(await queue.receive()), [0], "one by default");
    same(bodies(await queue.receive({ max: 3 })), [1, 2, 3], "three");
    same(bodies(await queue.receive({ max: 3 })), [4], "what is left");
    same(await queue.receive({ max: 3 }), [], "nothing is left");
  }),

  queueCase("a message tells what it is", async (world) => {
    const queue = await world.queue<string>();
    const { id } = await queue.send("body");
    const sent = world.time.clock?.now();
    await world.pass(1);
    const [message] = await take(queue, 1);
    same([message.id, message.body, message.attempts, message.priority, message.groupId], [id, "body", 1, 0, undefined], "what it says");
    ok(Object.prototype.toString.call(message.timestamp) === "[object Date]", "timestamp is a Date");
    if (sent !== undefined) same(message.timestamp.getTime(), sent, "timestamp is when it was sent");
    same(message.signal.aborted, false, "its signal");
  }),

  queueCase("what is leased is nobody else's until the lease is over", async (world) => {
    const queue = await world.filled(1, { visibilityTimeout: world.seconds(10) });
    await take(queue, 1);
    await world.notYet(queue, "it is leased");
    if (world.exact) {
      await world.pass(9.5);
      ok(await empty(queue), "it is leased to the end");
    }
    await world.pass(world.exact ? 1 : 11);
    const [again] = await take(queue, 1);
    same([again.body, again.attempts], [0, 2], "the second attempt");
  }),

  queueCase("a receiver may ask for a lease of its own length", async (world) => {
    const queue = await world.filled(1, { visibilityTimeout: world.seconds(600) });
    await queue.receive({ visibilityTimeout: world.seconds(2) });
    await world.pass(2.5);
    same((await take(queue, 1))[0].attempts, 2, "the second attempt");
  }),

  queueCase("a receiver waits as long as it says, and no longer than it must", async (world) => {
    const queue = await world.queue<string>();
    let over = false;
    const nothing = queue.receive({ wait: world.seconds(5) }).finally(() => (over = true));
    await quiet();
    if (world.exact) same(over, false, "it waits");
    const end = eventually(() => over, "the empty answer");
    for (let units = 0; units < 30 && !over; units += 1) {
      await world.pass(1);
      await eventually(async () => (await queue.metrics()) && true, "the queue answers");
    }
    await end;
    same(await nothing, [], "the answer");
    const something = queue.receive({ wait: world.seconds(600), max: 10 });
    await quiet();
    await queue.send("here");
    same(bodies(await bounded(something, "the message")), ["here"], "what came");
  }),

  queueCase("a delayed message wakes who waits for it", async (world) => {
    const queue = await world.queue<string>();
    await queue.send("later", { delaySeconds: world.seconds(5) });
    const waiting = queue.receive({ wait: world.seconds(600) });
    await quiet();
    await world.pass(6);
    same(bodies(await bounded(waiting, "the message")), ["later"], "what came");
  }),

  queueCase("an aborted signal ends a wait with its reason, and no message is lost", async (world) => {
    const queue = await world.queue();
    const controller = new AbortController();
    const waiting = queue.receive({ wait: world.seconds(600), signal: controller.signal });
    await quiet();
    controller.abort(new Error("enough"));
    await fails(waiting, "Error", "enough");
    await fails(() => queue.receive({ signal: controller.signal }), "Error", "enough");
    await queue.send(1);
    same(bodies(await take(queue, 1)), [1], "what came");
  }),

  queueCase("an acked message is gone", async (world) => {
    const queue = await world.filled(2, { visibilityTimeout: world.seconds(10) });
    await Promise.all((await take(queue, 2)).map((message) => message.ack()));
    await world.pass(30);
    ok(await empty(queue), "nothing comes again");
    const { acked, backlogCount, leased } = await queue.metrics();
    same([acked, backlogCount, leased], [2, 0, 0], "acked, backlogCount, leased");
  }),

  queueCase("a retried message comes back after the delay named, or the queue's", async (world) => {
    const queue = await world.filled(2, { ...world.policy(), retryDelay: world.seconds(7) });
    const [first, second] = await take(queue, 2);
    await Promise.all([first.retry(), second.retry({ delaySeconds: world.seconds(2) })]);
    await world.notYet(queue, "nothing is there at once");
    await world.pass(2.5);
    same(bodies(await take(queue, 1)), [1], "after its own delay");
    await world.pass(5);
    const [again] = await take(queue, 1);
    same([again.body, again.attempts], [0, 2], "after the queue's");
    same((await queue.metrics()).retried, 2, "retried");
  }),

  queueCase("the wait before a retry grows, up to its bound", async (world) => {
    const [base, max] = [world.seconds(1), world.seconds(5)];
    const queue = await world.filled(1, { ...world.policy(), retryDelay: { base, factor: 3, max, jitter: 0 }, maxRetries: 10 });
    for (const units of [1, 3, 5, 5]) {
      await (await take(queue, 1))[0].retry();
      if (world.exact) {
        await world.pass(units - 0.1);
        ok(await empty(queue), `it waits for ${units}`);
        await world.pass(0.2);
      } else {
        await world.pass(units + 1);
      }
    }
    same((await take(queue, 1))[0].attempts, 5, "the fifth attempt");
  }),

  queueCase("an extended lease ends later", async (world) => {
    const queue = await world.filled(1, { visibilityTimeout: world.seconds(10) });
    const [message] = await take(queue, 1);
    await world.pass(6);
    await message.extend(world.seconds(20));
    await world.pass(8);
    ok(await empty(queue), "the lease goes on");
    await message.ack();
    await world.pass(30);
    ok(await empty(queue), "it was acked in time");
  }),

  queueCase("settling after the lease is gone says so, and harms nobody", async (world) => {
    const queue = await world.filled(1, { visibilityTimeout: world.seconds(10) });
    const [late] = await take(queue, 1);
    await world.pass(11);
    const [current] = await take(queue, 1);
    same((await fails(() => late.ack(), "LeaseLostError")).code, "ERR_LEASE_LOST", "its code");
    await fails(() => late.extend(5), "LeaseLostError");
    await eventually(() => late.signal.aborted, "the signal of a message that was lost aborts");
    await current.ack();
    same((await queue.metrics()).acked, 1, "acked");
  }),

  queueCase("settling twice in the same way is settling once; in another way, the first stands", async (world) => {
    const queue = await world.filled(2, world.policy());
    const [first, second] = await take(queue, 2);
    await Promise.all([first.ack(), first.ack()]);
    await first.ack();
    await second.retry({ delaySeconds: world.seconds(600) });
    await second.ack().catch(() => undefined);
    const { acked, retried, delayed } = await queue.metrics();
    same([acked, retried, delayed], [1, 1, 1], "acked, retried, delayed");
  }),

  queueCase("a purge takes leases away", async (world) => {
    const queue = await world.filled(1, world.policy());
    const [message] = await take(queue, 1);
    await queue.purge();
    await fails(() => message.ack(), "LeaseLostError");
    await eventually(() => message.signal.aborted, "its signal aborts");
  }),

  queueCase("closing gives leases back", async (world) => {
    const queue = await world.filled(2, world.policy());
    const again = await world.queue();
    await take(queue, 2);
    await queue.close();
    same(bodies(await take(again, 2)), [0, 1], "what another gets");
    await fails(() => queue.send(1), "InvalidStateError", world.name);
    await fails(() => queue.receive(), "InvalidStateError", world.name);
  }),

  queueCase("for await takes one message at a time and acks nothing by itself", async (world) => {
    const queue = await world.filled(3, world.policy());
    const seen: number[] = [];
    for await (const message of queue) {
      seen.push(message.body);
      if (message.body < 2) await message.ack();
      else break;
    }
    same(seen, [0, 1, 2], "what the loop saw");
    const [again] = await take(queue, 1);
    same([again.body, (await queue.metrics()).acked], [2, 2], "break gives back what was not settled");
  }),

  queueCase("one by one or many at a time, everything is received once", async (world) => {
    const queue = await world.filled(100, world.policy());
    const seen: unknown[] = [];
    for (const max of [1, 1, 1, 7, 40, 1, 49]) {
      const messages = await take(queue, max);
      seen.push(...bodies(messages));
      await Promise.all(messages.map((message) => message.ack()));
    }
    same(seen, Array.from({ length: 100 }, (_, at) => at), "what came");
    const { acked, delivered, backlogCount } = await queue.metrics();
    same([acked, delivered, backlogCount], [100, 100, 0], "acked, delivered, backlogCount");
  }),
];
