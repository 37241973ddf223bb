/** Whatever others throw, give or hand over, and whatever happens when it is looked at: a queue goes on, and loses nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodies, bounded, fails, freshQueue, heard, quiet } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

const hostile = (property) =>
  Object.defineProperty(new Error("x"), property, {
    get() {
      throw new Error("boom");
    },
  });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const cyclic = new Error("cyclic");
cyclic.cause = cyclic;
const THROWN = {
  nothing: undefined,
  null: null,
  text: "text",
  "a symbol": Symbol("s"),
  "an object": { code: 5 },
  "a bigint": 5n,
  "an error": new Error("plain"),
  "an error of a megabyte": new Error("y".repeat(1e6)),
  "an error of a megabyte in three bytes each": new Error("中".repeat(350_000)),
  "an error that is its own cause": cyclic,
  "an error whose message is a symbol": Object.assign(new Error("x"), { message: Symbol("m") }),
  "an error whose message has no prototype": Object.assign(new Error("x"), { message: Object.assign(Object.create(null), { code: 5 }) }),
  "an error whose message throws": hostile("message"),
  "an error whose name throws": hostile("name"),
  "an error whose name has no prototype": Object.assign(new Error("x"), { name: Object.create(null) }),
  "a revoked proxy": revoked(),
  "an object that throws at the console": {
    [Symbol.for("nodejs.util.inspect.custom")]() {
      throw new Error("not to be shown");
    },
  },
};

/** Served to a client at a port of this thread, too. */
async function clientOf(host, clock) {
  const { port1, port2 } = new MessageChannel();
  host.serve(port1);
  return { client: await openQueue(host.name, { port: port2, clock }), end: () => port1.close() };
}

for (const [name, thrown] of Object.entries(THROWN)) {
  for (const where of ["here", "at a port"]) {
    test(`a handler that throws ${name} dead-letters its message and goes on, ${where}`, async (context) => {
      context.mock.method(console, "error", (...said) => {
        if (said[1] === THROWN["an object that throws at the console"]) throw new Error("the console chokes");
      });
      const { queue: host, clock } = await freshQueue({ maxRetries: 1, retryDelay: 0 });
      const { client, end } = where === "here" ? { client: host, end() {} } : await clientOf(host, clock);
      const errors = [];
      if (name !== "an object that throws at the console")
        client.addEventListener("error", ({ error, message }) => errors.push([error, typeof message]));
      const dead = heard(host, "deadletter");
      let handled;
      const good = new Promise((resolve) => {
        handled = resolve;
      });
      const consumer = client.consume(({ messages: [{ body }] }) => {
        if (body === "poison") throw thrown;
        handled(body);
      }, { maxBatchSize: 1 });
      await host.send("poison");
      await dead;
      await host.send("good");
      await bounded(good, "the message after it");
      await bounded(consumer.stop(), "the end of the consumer");
      const { deadLettered, acked, retried } = await host.metrics();
      assert.deepEqual({ deadLettered, acked, retried }, { deadLettered: 1, acked: 1, retried: 1 });
      const letters = await openQueue(`${host.name}-dlq`, { clock });
      const [{ lastError }] = await letters.peek();
      assert.ok(lastError.length > 0 && Buffer.byteLength(lastError) <= 512, `a note of ${Buffer.byteLength(lastError)} bytes`);
      for (const [error, message] of errors) assert.deepEqual([error === thrown, message], [true, "string"]);
      end();
    });
  }
}

test("a handler may empty its list: what it took off is settled", async () => {
  const { queue } = await freshQueue();
  await queue.sendBatch([1, 2, 3].map((body) => ({ body })));
  const seen = [];
  const consumer = queue.consume(({ messages }) => {
    while (messages.length) seen.push(messages.pop().body);
  });
  await quiet();
  await consumer.stop();
  assert.deepEqual([seen, (await queue.metrics()).acked], [[3, 2, 1], 3]);
});

for (const [name, thrown] of Object.entries(THROWN)) {
  test(`a schema that throws ${name} refuses that message alone, sent or received`, async () => {
    let strict = false;
    const validate = (value) => {
      if (strict && value === "poison") throw thrown;
      return { value };
    };
    const { queue } = await freshQueue({ schema: { "~standard": { version: 1, vendor: "test", validate } } });
    await queue.sendBatch(["good", "poison", "better"].map((body) => ({ body })));
    strict = true;
    assert.deepEqual(bodies(await bounded(queue.receive({ max: 3 }), "the others")), ["good", "better"]);
    await quiet();
    assert.equal((await queue.metrics()).deadLettered, 1);
    const refused = await bounded(queue.send("poison").then(() => [], (error) => [error]), "an answer");
    assert.equal(refused[0], thrown);
    await queue.send("fine");
    assert.equal((await queue.metrics()).sent, 4);
  });
}

const boom = () => {
  throw new RangeError("boom");
};
const BATCHES = {
  "an iterator that throws at first": () => ({ [Symbol.iterator]: boom }),
  "an iterator that throws later": () =>
    (function*() {
      yield { body: 1 };
      boom();
    })(),
  "a message that is a revoked proxy": () => [{ body: 1 }, revoked()],
  "a body that throws": () => [{ body: 1 }, Object.defineProperty({}, "body", { enumerable: true, get: boom })],
  "a getter deep in a body": () => [{ body: 1 }, {
    body: {
      deep: {
        get more() {
          return boom();
        },
      },
    },
  }],
  "an option that throws": () => [{ body: 1 }, {
    body: 2,
    get delaySeconds() {
      return boom();
    },
  }],
  "headers that throw": () => [{ body: 1 }, {
    body: 2,
    headers: {
      get a() {
        return boom();
      },
    },
  }],
};

for (const [name, batch] of Object.entries(BATCHES)) {
  for (const where of ["here", "at a port"]) {
    test(`a batch with ${name} is refused as a whole, and the next goes, ${where}`, async () => {
      const { queue: host, clock } = await freshQueue();
      const { client, end } = where === "here" ? { client: host, end() {} } : await clientOf(host, clock);
      await assert.rejects(bounded(client.sendBatch(batch()), "an answer"));
      await bounded(client.sendBatch([{ body: "next" }, { body: new Uint8Array(3) }]), "the next batch");
      assert.deepEqual((await host.peek()).map(({ body }) => body), ["next", new Uint8Array(3)]);
      end();
    });
  }
}

test("what a thenable does when a handler returns it is the handler's failure", async () => {
  const { queue } = await freshQueue({ maxRetries: 0 });
  queue.addEventListener("error", () => {});
  const dead = heard(queue, "deadletter");
  const consumer = queue.consume(() => ({
    get then() {
      return boom();
    },
  }));
  await queue.send(1);
  await dead;
  await bounded(consumer.stop(), "the end of the consumer");
});

test("an error message shows a bad value quickly, however large or entangled", async () => {
  const { queue } = await freshQueue();
  let tangle = [];
  for (let depth = 0; depth < 64; depth += 1) tangle = [tangle, tangle];
  const bad = [tangle, new Uint8Array(1 << 26), Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`key ${at}`, at])),
    "z".repeat(1 << 20), revoked(), { toJSON: () => bad }];
  for (const id of bad) {
    const error = await fails(queue.cancel(id), "TypeError", "");
    assert.ok(error.message.length < 200, error.message);
  }
});

for (const part of ["now", "setTimeout"]) {
  test(`a clock whose ${part} throws ends the queue with its error, and every promise settles`, async () => {
    const { queue, clock } = await freshQueue();
    const told = heard(queue, "error");
    await queue.send(1);
    clock[part] = boom;
    const calls = [queue.send(2, { delaySeconds: 5 }), queue.receive(), queue.metrics(), queue.flush(), queue.send(3)];
    await bounded(Promise.allSettled(calls), "all answers");
    assert.equal((await told).error.message, "boom");
    await fails(queue.send(4), "RangeError", "boom");
    await bounded(queue.close(), "the close");
  });
}
