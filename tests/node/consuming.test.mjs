/** What a consumer promises: Cloudflare's rules for handlers, and a stop that stops. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodies, bounded, fails, freshQueue, heard, quiet, range } from "./lab.mjs";

/** Sends bodies, lets `handler` have them until the consumer is idle, and stops it. */
const handled = async (given, handler, options = {}, policy = {}) => {
  const { queue, clock } = await freshQueue({ retryDelay: 0, ...policy });
  await queue.sendBatch(given.map((body) => ({ body })));
  const consumer = queue.consume(handler, options);
  await quiet();
  await bounded(consumer.stop(), "the consumer stops");
  return { queue, clock, consumer };
};

/** Calls only for the first batch; later ones are held for ever by doing nothing to them. */
const once = (first) => {
  let calls = 0;
  return (batch) => (calls++ === 0 ? first(batch) : batch.retryAll({ delaySeconds: 1000 }));
};

test("a handler that returns has acked", async () => {
  const { queue } = await handled([1, 2], () => {});
  const { acked, backlogCount } = await queue.metrics();
  assert.deepEqual([acked, backlogCount], [2, 0]);
});

test("a handler that throws is given its messages again", async () => {
  const seen = [];
  const { queue } = await handled([1, 2], (batch) => {
    seen.push(batch.messages.map(({ body, attempts }) => [body, attempts]));
    if (seen.length === 1) throw new Error("once");
  });
  assert.deepEqual(seen, [[[1, 1], [2, 1]], [[1, 2], [2, 2]]]);
  assert.equal((await queue.metrics()).retried, 2);
});

test("a handler that rejects is given its messages again, except what it acked", async () => {
  const seen = [];
  await handled([1, 2, 3], async (batch) => {
    seen.push(bodies(batch.messages));
    if (seen.length > 1) return;
    batch.messages[1].ack();
    await null;
    throw new Error("once");
  });
  assert.deepEqual(seen, [[1, 2, 3], [1, 3]]);
});

test("a retry asked for before the throw keeps its own delay", async () => {
  const { queue, clock } = await handled([1, 2], once((batch) => {
    batch.messages[0].retry({ delaySeconds: 50 });
    throw new Error("once");
  }));
  await clock.advance(50);
  assert.deepEqual(bodies(await queue.receive({ max: 2 })), [1]);
});

test("the error of a handler is kept with its dead letters", async () => {
  const { queue, clock } = await handled([1], () => {
    throw new TypeError("no such customer");
  }, {}, { name: "failing", maxRetries: 1 });
  assert.equal((await queue.metrics()).deadLettered, 1);
  const { queue: letters } = await freshQueue({ name: "failing-dlq", clock });
  assert.match((await letters.peek())[0].lastError, /TypeError: no such customer/);
});

test("anything may be thrown", async () => {
  for (const thrown of [undefined, null, "text", { odd: true }, Object.create(null), "x".repeat(100_000)]) {
    const { queue } = await handled([1], () => Promise.reject(thrown), {}, { maxRetries: 0 });
    assert.equal((await queue.metrics()).deadLettered, 1);
  }
});

test("the first call on a message wins", async () => {
  const { queue } = await handled([1, 2], once(async ({ messages: [first, second] }) => {
    first.ack();
    await first.retry();
    second.retry({ delaySeconds: 100 });
    await second.ack();
  }));
  const { acked, retried } = await queue.metrics();
  assert.deepEqual([acked, retried], [1, 1]);
});

test("a call on a message beats a later one on the batch; what comes after that is not heard", async () => {
  const { queue } = await handled([1, 2, 3], once((batch) => {
    batch.messages[0].retry({ delaySeconds: 100 });
    batch.ackAll();
    batch.messages[2].retry({ delaySeconds: 100 });
  }));
  const { acked, delayed } = await queue.metrics();
  assert.deepEqual([acked, delayed], [2, 1]);
});

test("the first call on the batch wins", async () => {
  const { queue } = await handled([1], once((batch) => {
    batch.ackAll();
    batch.retryAll();
  }));
  assert.equal((await queue.metrics()).acked, 1);
  const { queue: other } = await handled([1], once((batch) => {
    batch.retryAll({ delaySeconds: 100 });
    batch.ackAll();
  }));
  assert.equal((await other.metrics()).delayed, 1);
});

test("what was acked as a batch stays acked when the handler throws", async () => {
  const { queue } = await handled([1, 2], (batch) => {
    batch.ackAll();
    throw new Error("afterwards");
  });
  assert.equal((await queue.metrics()).acked, 2);
});

test("retryAll takes a delay", async () => {
  const { queue, clock } = await handled([1, 2], once((batch) => batch.retryAll({ delaySeconds: 30 })));
  assert.equal((await queue.metrics()).delayed, 2);
  await clock.advance(30);
  assert.equal((await queue.receive({ max: 5 })).length, 2);
});

test("an ack inside the handler can be awaited", async () => {
  const { queue } = await freshQueue();
  let acked;
  const consumer = queue.consume(async ({ messages: [message] }) => {
    await message.ack();
    ({ acked } = await queue.metrics());
  });
  await queue.send(1);
  await quiet();
  await bounded(consumer.stop(), "the consumer stops");
  assert.equal(acked, 1);
});

test("a batch names its queue, and tells the backlog", async () => {
  let seen;
  await handled(range(25), (batch) => void (seen ??= [batch.queue, batch.messages.length, batch.metadata.metrics.backlogCount]), {}, {
    name: "named",
  });
  assert.deepEqual(seen, ["named", 10, 25]);
});

test("batches are as large as asked for, and come in order", async () => {
  const sizes = [];
  const got = [];
  await handled(range(25), (batch) => {
    sizes.push(batch.messages.length);
    got.push(...bodies(batch.messages));
  }, { maxBatchSize: 8 });
  assert.deepEqual(got, range(25));
  assert.ok(Math.max(...sizes) <= 8, `${sizes}`);
  assert.equal(sizes[0], 8);
});

test("an empty queue never calls the handler", async () => {
  const { clock } = await handled([], () => assert.fail("called"), { maxBatchTimeout: 1 });
  await clock.advance(100);
});

test("a consumer waits for a fuller batch as long as it may", async () => {
  const { queue, clock } = await freshQueue();
  const sizes = [];
  const consumer = queue.consume((batch) => void sizes.push(batch.messages.length), { maxBatchSize: 5, maxBatchTimeout: 10 });
  await queue.send(1);
  await clock.advance(5);
  await queue.send(2);
  await clock.advance(4.9);
  assert.deepEqual(sizes, []);
  await clock.advance(0.2);
  assert.deepEqual(sizes, [2]);
  for (const body of range(5)) await queue.send(body);
  await quiet();
  assert.deepEqual(sizes, [2, 5], "a full batch does not wait");
  await consumer.stop();
});

test("a consumer runs as many handlers at once as it may", async () => {
  const { queue } = await freshQueue();
  const running = [];
  let most = 0;
  const consumer = queue.consume(() =>
    new Promise((done) => {
      running.push(done);
      most = Math.max(most, running.length);
    }), { maxBatchSize: 1, maxConcurrency: 3 });
  await queue.sendBatch(range(5).map((body) => ({ body })));
  await quiet();
  assert.equal(running.length, 3);
  for (let left = 5; left > 0; left -= 1) {
    await quiet();
    running.shift()();
  }
  await bounded(consumer.stop(), "the consumer stops");
  assert.equal(most, 3);
  assert.equal((await queue.metrics()).acked, 5);
});

test("leases are extended while the handler runs", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 10 });
  let finish;
  const consumer = queue.consume(({ messages: [message] }) =>
    new Promise((resolve) => {
      finish = () => resolve(message.signal.aborted);
    })
  );
  await queue.send(1);
  await clock.advance(100);
  assert.deepEqual(await queue.receive(), [], "nobody else gets it");
  finish();
  await consumer.stop();
  const { acked, delivered } = await queue.metrics();
  assert.deepEqual([acked, delivered], [1, 1]);
});

test("leases are left alone where that is asked for", async () => {
  const { queue, clock } = await freshQueue({ visibilityTimeout: 10 });
  let finish;
  const consumer = queue.consume(() => new Promise((resolve) => (finish = resolve)), { autoExtend: false });
  await queue.send(1);
  await clock.advance(11);
  const [message] = await queue.receive();
  assert.equal(message.attempts, 2);
  finish();
  await consumer.stop();
  await message.ack();
  assert.equal((await queue.metrics()).acked, 1);
});

test("stop waits for what runs, takes no more, and is done", async () => {
  const { queue } = await freshQueue();
  let finish;
  const seen = [];
  const consumer = queue.consume((batch) => {
    seen.push(...bodies(batch.messages));
    return new Promise((resolve) => (finish = resolve));
  });
  await queue.send(1);
  await quiet();
  let stopped = false;
  const stopping = consumer.stop().then(() => (stopped = true));
  await queue.send(2);
  await quiet();
  assert.deepEqual([stopped, seen], [false, [1]]);
  finish();
  await bounded(stopping, "stop");
  await bounded(consumer.done, "done");
  const { acked, ready } = await queue.metrics();
  assert.deepEqual([acked, ready], [1, 1], "what it handled is acked, the rest is there for others");
  await consumer.stop();
});

test("an aborted signal stops a consumer", async () => {
  const { queue } = await freshQueue();
  const controller = new AbortController();
  const consumer = queue.consume(() => assert.fail("called"), { signal: controller.signal });
  controller.abort();
  await bounded(consumer.done, "done");
  await queue.send(1);
  assert.equal((await queue.receive()).length, 1);
});

test("a failing handler is told as an error event", async () => {
  const { queue } = await freshQueue();
  const event = heard(queue, "error");
  const thrown = new Error("told");
  const consumer = queue.consume(() => Promise.reject(thrown));
  await queue.send(1);
  assert.equal((await event).error, thrown);
  await consumer.stop();
});

test("a consumer does not keep the event loop from other work", async () => {
  const { queue } = await freshQueue();
  await queue.sendBatch(range(50_000).map((body) => ({ body })));
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  let seen = 0;
  await bounded(new Promise((resolve) => {
    queue.consume((batch) => {
      seen += batch.messages.length;
      if (seen === 50_000) resolve();
    });
  }), "all messages");
  clearInterval(timer);
  assert.ok(turns > 0, "timers ran in between");
});

test("several consumers share the work", async () => {
  const { queue, clock } = await freshQueue({ name: "shared" });
  const { queue: second } = await freshQueue({ name: "shared", clock });
  const seen = [];
  await bounded(new Promise((all) => {
    for (const each of [queue, second]) {
      each.consume((batch) => {
        seen.push(...bodies(batch.messages));
        if (seen.length === 300) all();
      });
    }
    queue.sendBatch(range(300).map((body) => ({ body })));
  }), "all messages");
  await quiet();
  assert.deepEqual(seen.sort((a, b) => a - b), range(300));
});

test("what is asked of consume is checked", async () => {
  const { queue } = await freshQueue();
  assert.throws(() => queue.consume(), { name: "TypeError" });
  assert.throws(() => queue.consume(() => {}, { maxBatchSize: 0 }), { name: "RangeError", message: /0/ });
  assert.throws(() => queue.consume(() => {}, { maxBatchSize: "5" }), { name: "TypeError", message: /"5"/ });
  assert.throws(() => queue.consume(() => {}, { maxConcurrency: 1.5 }), { name: "RangeError", message: /1\.5/ });
  assert.throws(() => queue.consume(() => {}, { maxBatchTimeout: -1 }), { name: "RangeError", message: /-1/ });
  assert.throws(() => queue.consume(() => {}, { rateLimit: 5 }), { name: "NotSupportedError" });
  assert.throws(() => queue.consume(() => {}, 5), { name: "TypeError" });
  await fails(queue.request("later"), "NotSupportedError");
});

test("a handler that fails where nobody listens to errors is told by the console; where someone does, by the event", async () => {
  const { queue } = await freshQueue({ maxRetries: 0 });
  const said = [];
  const { error } = console;
  console.error = (...words) => said.push(words);
  try {
    const consumer = queue.consume(() => {
      throw new Error("boom");
    });
    await queue.send(1);
    await quiet();
    assert.equal(said.length, 1);
    assert.ok(said[0][0].includes(JSON.stringify(queue.name)), said[0][0]);
    assert.equal(said[0][1].message, "boom");
    queue.addEventListener("error", () => undefined);
    await queue.send(2);
    await quiet();
    assert.equal(said.length, 1);
    await consumer.stop();
  } finally {
    console.error = error;
  }
});

test("closing tells whoever works on a message by its signal, and waits for them", async () => {
  const { queue } = await freshQueue();
  queue.addEventListener("error", () => undefined);
  const told = new Promise((resolve) => {
    queue.consume(({ messages: [{ signal }] }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          resolve(signal.reason);
          reject(signal.reason);
        })
      )
    );
  });
  await queue.send(1);
  await quiet();
  await bounded(queue.close(), "the queue to close");
  assert.equal((await bounded(told, "the signal")).name, "InvalidStateError");
});
