/** What a buffered sender takes for a delivery, what it makes of any other answer, and which clock it goes by. */

import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { bufferedSender } from "posthaste/edge";
import { virtualClock } from "posthaste/testing";
import { bounded, fails, freshQueue, quiet, range } from "./lab.mjs";

const NO_JITTER = { base: 1, factor: 1, max: 1, jitter: 0 };

/** A sender to an address whose answers are given, by a virtual clock: `times` says when each try came, in ms. */
function answered(answers, options = {}) {
  const clock = virtualClock();
  const start = clock.now();
  const [times, told] = [[], []];
  const fetch = async (_, init) => {
    times.push(clock.now() - start);
    const { status = 200, headers = {}, ...more } = answers[times.length - 1]?.(init) ?? {};
    return { status, headers: new Headers(headers), text: async () => "", ...more };
  };
  const sender = bufferedSender({ url: "https://queue.example.com/", fetch }, {
    clock,
    maxBatchTimeout: 0,
    retryDelay: NO_JITTER,
    onUndelivered: (error) => void told.push(error),
    ...options,
  });
  return { clock, start, times, told, sender };
}

for (const status of [300, 301, 302, 303, 304, 307, 308]) {
  test(`${status} is no delivery, and its page is not asked for`, async () => {
    const asked = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      request.resume().on("end", () => response.writeHead(request.url === "/in" ? status : 200, { Location: "/login" }).end());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const told = [];
    const sender = bufferedSender(`http://127.0.0.1:${server.address().port}/in`, { onUndelivered: (error) => void told.push(error) });
    await sender.send({ order: 1 });
    await fails(sender.flush(), "UndeliveredError", "redirect");
    server.closeAllConnections();
    server.close();
    assert.deepEqual(asked, ["POST /in"]);
    const [{ messages, attempts, outcomeUnknown, cause }] = told;
    assert.deepEqual([messages, attempts, outcomeUnknown], [[{ body: { order: 1 } }], 1, status <= 303]);
    assert.match(cause.message, new RegExp(`${status}.* to /login`));
    assert.deepEqual([sender.metrics().delivered, sender.metrics().undelivered], [0, 1]);
  });
}

const NO_DELIVERY = {
  "a fetch that followed a redirect": { status: 200, redirected: true, url: "https://login.example.com/" },
  "a redirect that can't be looked into": { status: 0, type: "opaqueredirect" },
  "an answer that can't be looked into": { status: 0, type: "opaque" },
  "what calls itself ok": { status: 404, ok: true },
};
for (const [name, answer] of Object.entries(NO_DELIVERY)) {
  test(`${name} is no delivery`, async () => {
    const { sender, times, told } = answered([() => answer]);
    await sender.send(1);
    await fails(sender.flush(), "UndeliveredError");
    assert.deepEqual([times.length, told.length, sender.metrics().delivered], [1, 1, 0]);
    if (answer.url) assert.match(told[0].cause.message, /login\.example\.com/);
  });
}

test("the platform is asked not to follow", async () => {
  let asked;
  const { sender } = answered([(init) => void (asked = init)]);
  await sender.send(1);
  await sender.flush();
  assert.deepEqual([asked.method, asked.redirect], ["POST", "manual"]);
});

/** An answer that asks to be left alone, for seconds or until a date. */
const later = (after, status = 429, headers = {}) => () => ({ status, headers: { "Retry-After": after, ...headers } });
const date = (ms) => new Date(virtualClock().now() + ms).toUTCString();

test("Retry-After is kept, longer than retryDelay.max as well, whatever status it comes with", async () => {
  for (const status of [400, 403, 404, 408, 413, 425, 429, 500, 502, 503, 504]) {
    const { sender, clock, times, told } = answered([later("10", status)]);
    await sender.send(1);
    await clock.advance(9999);
    assert.deepEqual(times, [0], `${status}`);
    if (status === 413) continue;
    await clock.advance(1);
    assert.deepEqual([times, told], [[0, 10_000], []], `${status}`);
  }
});

test("Retry-After is seconds, or a date by the clock of who says it; what is neither says nothing", async () => {
  const of = async (after, headers) => {
    const { sender, clock, times } = answered([later(after, 503, headers)]);
    await sender.send(1);
    await clock.advance(60_000);
    return times[1];
  };
  assert.equal(await of("3"), 3000);
  assert.equal(await of("0"), 1000, "retryDelay stands where it is longer");
  assert.equal(await of(date(8000)), 8000);
  assert.equal(await of(date(3_608_000), { Date: date(3_600_000) }), 8000, "our clock is an hour slow");
  assert.equal(await of(date(-5000)), 1000);
  for (const none of ["soon", "-5", "1.5e3", "NaN"]) assert.equal(await of(none), 1000, none);
});

test("what is asked for is waited for up to maxRetryAfter, all in all, and a batch that would wait longer is told of at once", async () => {
  const first = answered([later("8"), later("7"), later("6")]);
  await first.sender.send(1);
  await first.clock.advance(15_000);
  assert.deepEqual(first.times, [0, 8000, 15_000]);
  assert.equal(first.told.length, 1, "21 s are more than 20");
  assert.match(first.told[0].message, /6 s.*20 s.*maxRetryAfter/);
  assert.equal(first.told[0].attempts, 3);
  const exact = answered([later("60")], { maxRetryAfter: 60 });
  await exact.sender.send(1);
  await exact.clock.advance(60_000);
  assert.deepEqual([exact.times, exact.told], [[0, 60_000], []]);
  const never = answered([later("1")], { maxRetryAfter: 0 });
  await never.sender.send(1);
  await quiet();
  assert.equal(never.told.length, 1);
  const endless = answered([later("9".repeat(400))]);
  await endless.sender.send(1);
  await quiet();
  assert.equal(endless.told.length, 1);
});

test("the batches behind one that was asked to wait wait as well", async () => {
  const { sender, clock, times, told } = answered([later("5"), later("5")], { maxBatchSize: 1, maxRetries: 1 });
  await sender.sendBatch([{ body: 1 }, { body: 2 }]);
  await clock.advance(30_000);
  assert.deepEqual([times, told.map(({ messages }) => messages[0].body)], [[0, 5000, 10_000], [1]]);
});

test("answers are read to their end, or let go of", async () => {
  const body = (parts) => {
    const read = { reads: 0, cancelled: 0 };
    const reader = {
      read: async () => ({ done: (read.reads += 1) > parts, value: new Uint8Array(20_000) }),
      cancel: async () => void (read.cancelled += 1),
    };
    return { read, body: { getReader: () => reader, cancel: async () => void (read.cancelled += 1) } };
  };
  const [short, endless, refused] = [body(2), body(Infinity), body(1)];
  const { sender, clock } = answered([() => ({ body: refused.body, status: 500 }), () => short, () => endless]);
  await sender.send(1);
  await clock.advance(1000);
  assert.deepEqual([refused.read.reads, short.read.reads, sender.metrics().delivered], [2, 3, 1]);
  await sender.send(2);
  await sender.flush();
  assert.deepEqual([sender.metrics().delivered, endless.read.reads, endless.read.cancelled], [2, 4, 1]);
});

test("an answer that comes when it is not waited for any more is let go of", async () => {
  let answer;
  const late = { cancelled: 0 };
  const clock = virtualClock();
  const fetch = () => new Promise((resolve) => (answer = resolve));
  const sender = bufferedSender({ url: "https://queue.example.com/", fetch }, { clock, maxRetries: 0, onUndelivered: () => undefined });
  await sender.send(1);
  await clock.advance(6000);
  assert.equal(sender.metrics().undelivered, 1);
  answer({ status: 200, headers: new Headers(), text: async () => "", body: { cancel: async () => void (late.cancelled += 1) } });
  await quiet();
  assert.equal(late.cancelled, 1);
});

/** A queue that refuses batches with a message that `wrong` says something of. */
function picky(wrong) {
  const taken = [];
  return {
    taken,
    async sendBatch(messages) {
      const error = messages.map(({ body }) => wrong(body)).find((one) => one !== undefined);
      if (error) throw error;
      taken.push(...messages.map(({ body }) => body));
    },
  };
}

const WRONG = {
  "undefined, to Cloudflare's": new TypeError("Message body cannot be undefined"),
  "what can't be cloned": new DOMException("no", "DataCloneError"),
  "a delay that is too long": new RangeError("delaySeconds"),
  "what is too large, to Cloudflare's": new Error("Queue sendBatch failed: Payload Too Large"),
};
for (const [name, error] of Object.entries(WRONG)) {
  test(`one message that can't be taken does not keep the others of its batch: ${name}`, async () => {
    const to = picky((body) => (body === 17 || body === 60 || body === 61 ? error : undefined));
    const told = [];
    const sender = bufferedSender(to, { onUndelivered: (one) => void told.push(one) });
    await sender.sendBatch(range(100).map((body) => ({ body })));
    await fails(sender.flush(), "UndeliveredError");
    assert.deepEqual(to.taken, range(100).filter((body) => ![17, 60, 61].includes(body)));
    assert.deepEqual(told.flatMap(({ messages }) => messages.map(({ body }) => body)), [17, 60, 61]);
    assert.deepEqual(sender.metrics(), { ...sender.metrics(), buffered: 0, delivered: 97, undelivered: 3, bufferedBytes: 0 });
  });
}

for (
  const error of [new TypeError("fetch failed"), new TypeError("Cannot read properties of undefined (reading 'id')"),
    new RangeError("Maximum call stack size exceeded")]
) {
  test(`what is a network's or a program's fault is no message's: ${error.message}`, async () => {
    const clock = virtualClock();
    let failures = 2;
    const batches = [];
    const to = {
      async sendBatch(messages) {
        batches.push(messages.length);
        failures -= 1;
        if (failures >= 0) throw error;
      },
    };
    const told = [];
    const sender = bufferedSender(to, { clock, onUndelivered: (one) => void told.push(one) });
    await sender.sendBatch(range(3).map((body) => ({ body })));
    const flushed = sender.flush();
    await clock.advance(60_000);
    await flushed;
    assert.deepEqual([batches, told], [[3, 3, 3], []]);
  });
}

test("what a queue of this package says of a message is the message's fault", async () => {
  const odd = {
    "~standard": { version: 1, vendor: "test", validate: (value) => (value % 2 ? { value } : { issues: [{ message: "even" }] }) },
  };
  const { queue } = await freshQueue({ schema: odd });
  const told = [];
  const sender = bufferedSender(queue, { onUndelivered: (one) => void told.push(one) });
  await sender.sendBatch(range(5).map((body) => ({ body })));
  await fails(sender.flush(), "UndeliveredError");
  assert.deepEqual((await queue.receive({ max: 9 })).map(({ body }) => body), [1, 3]);
  assert.deepEqual(told.flatMap(({ messages }) => messages.map(({ body }) => body)), [0, 2, 4]);
});

test("a batch of which nothing can be taken is told of as one", async () => {
  const told = [];
  const sender = bufferedSender(picky(() => new TypeError("message 0 of the batch: never")), {
    onUndelivered: (one) => void told.push(one),
  });
  await sender.sendBatch(range(1000).map((body) => ({ body })));
  await fails(sender.flush(), "UndeliveredError", "1000 messages");
  assert.deepEqual(told.map(({ messages }) => messages.length), Array(10).fill(100));
});

test("what is not known of a batch is not known of its halves", async () => {
  const { sender, clock, told } = answered([...range(6).map((at) => () => ({ status: [503, 413, 400, 400][at] ?? 200 }))]);
  await sender.sendBatch([{ body: 1 }, { body: 2 }]);
  await clock.advance(5000);
  assert.deepEqual(told.map(({ messages, outcomeUnknown }) => [messages.map(({ body }) => body), outcomeUnknown]), [[[1, 2], true]]);
});

const SIZE = 1000;
test("bounds of bytes are met exactly", async () => {
  const text = (bytes) => "x".repeat(bytes - 102);
  const batches = [];
  const to = { sendBatch: async (messages) => void batches.push(messages.length) };
  const one = bufferedSender(to, { maxBatchBytes: SIZE });
  await one.sendBatch([{ body: text(SIZE - 1) }, { body: text(SIZE) }]);
  const error = await fails(one.send(text(SIZE + 1)), "MessageTooLargeError", `${SIZE + 1} bytes`);
  assert.match(error.message, /1000 \(maxBatchBytes\)/);
  await one.sendBatch([{ body: text(SIZE / 2) }, { body: text(SIZE / 2) }, { body: text(SIZE / 2 + 1) }, { body: text(SIZE / 2) }]);
  await one.close();
  assert.deepEqual(batches, [1, 1, 2, 1, 1]);
  const all = bufferedSender(to, { maxBytes: SIZE, overflow: "reject" });
  await all.send(text(SIZE - 150));
  await fails(all.send(text(151)), "QueueFullError", "1000");
  await all.send(text(150));
  assert.equal(all.metrics().bufferedBytes, SIZE);
  await fails(all.sendBatch([{ body: text(501) }, { body: text(500) }]), "MessageTooLargeError", "1001");
  await all.close();
});

test("a promise of onUndelivered is waited for, by the isolate, by flush and by close, and by no other batch", async () => {
  let over;
  const kept = [];
  const taken = [];
  const sender = bufferedSender({
    sendBatch: async ([{ body }]) => {
      if (body < 0) throw new DOMException("gone", "NotFoundError");
      taken.push(body);
    },
  }, {
    maxBatchSize: 1,
    maxBatchTimeout: 0,
    waitUntil: (promise) => void kept.push(promise),
    onUndelivered: () => new Promise((resolve) => (over = resolve)),
  });
  await sender.send(-1);
  await sender.send(2);
  await quiet();
  assert.deepEqual(taken, [2]);
  const ended = [];
  void kept[0].then(() => ended.push("isolate"));
  void sender.flush().then(() => ended.push("flush"));
  void sender.close().then(() => ended.push("close"));
  await quiet();
  assert.deepEqual(ended, []);
  over();
  await quiet();
  assert.deepEqual(ended.sort(), ["close", "flush", "isolate"]);
});

test("a promise of onUndelivered that rejects is told to the platform", async () => {
  const kept = [];
  const sender = bufferedSender(picky(() => new TypeError("message 0 of the batch: never")), {
    waitUntil: (promise) => void kept.push(promise),
    onUndelivered: async () => {
      throw new Error("the reporter is down");
    },
  });
  await sender.send(1);
  await fails(sender.flush(), "UndeliveredError");
  await fails(bounded(kept[0], "the isolate"), "Error", "reporter is down");
});

/** A clock whose hands can be set, or stand; timers are those of the clock behind it, and are counted. */
function crooked(behind) {
  const clock = { shift: 0, stands: undefined, timers: 0, pending: 0 };
  return Object.assign(clock, {
    now: () => clock.stands ?? behind.now() + clock.shift,
    setTimeout: (
      callback,
      ms,
    ) => ((clock.timers += 1), (clock.pending += 1), behind.setTimeout(() => ((clock.pending -= 1), callback()), ms)),
    clearTimeout: (handle) => ((clock.pending -= 1), behind.clearTimeout(handle)),
  });
}
const HANDS = {
  "an hour back": (clock) => (clock.shift = -3_600_000),
  "forty days back": (clock) => (clock.shift = -40 * 86_400_000),
  "an hour ahead": (clock) => (clock.shift = 3_600_000),
  "forty days ahead": (clock) => (clock.shift = 40 * 86_400_000),
  "standing": (clock) => (clock.stands = clock.now()),
};
for (const [name, set] of Object.entries(HANDS)) {
  test(`the clock is set, ${name}: a batch goes when its time has passed, and so does a second try`, async () => {
    const behind = virtualClock();
    const clock = crooked(behind);
    const start = behind.now();
    const times = [];
    const to = {
      async sendBatch() {
        times.push(behind.now() - start);
        if (times.length === 1) throw new Error("down");
      },
    };
    const sender = bufferedSender(to, { clock, maxBatchTimeout: 1, retryDelay: NO_JITTER });
    await sender.send(1);
    set(clock);
    for (let at = 0; at < 4; at += 1) await sender.send(at);
    await behind.advance(5000);
    assert.deepEqual(times, [1000, 2000]);
    assert.equal(clock.timers, 4, "a wait, a pause, and one for each try");
    assert.equal(clock.pending, 0);
    await sender.close();
  });
}

test("there is one timer, however many batches wait", async () => {
  const behind = virtualClock();
  const clock = crooked(behind);
  const sender = bufferedSender({ sendBatch: () => new Promise(() => {}) }, { clock, maxBatchSize: 10 });
  for (const body of range(1005)) await sender.send(body);
  assert.ok(clock.pending <= 2, `${clock.pending} timers`);
});

test("a signal has one listener, however many sends wait with it, and none once they are over", async () => {
  const answers = [];
  const sender = bufferedSender({ sendBatch: () => new Promise((resolve) => answers.push(resolve)) }, {
    maxBytes: 300,
    maxBatchTimeout: 0,
  });
  const { signal } = new AbortController();
  await sender.send("x".repeat(190));
  const waiting = range(20).map(() => sender.send("y".repeat(190), { signal }));
  await quiet();
  assert.equal(getEventListeners(signal, "abort").length, 1);
  for (let at = 0; at < 20; at += 1) {
    answers[at]();
    await bounded(waiting[at], "room");
    await quiet();
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
  answers[20]();
  await sender.close();
});
