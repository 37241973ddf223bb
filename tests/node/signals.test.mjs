/** One long-lived signal for many calls: it has one listener however many are under way, and none when they are over. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { fileStorage } from "posthaste/node";
import { faulty, memoryStorage, virtualClock } from "posthaste/testing";
import { newFolder } from "./file-lab.mjs";
import { bounded, fails, freshQueue, quiet } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

const listeners = (signal) => getEventListeners(signal, "abort").length;

async function atPort() {
  const { queue: host, clock } = await freshQueue();
  const { port1, port2 } = new MessageChannel();
  host.serve(port1);
  return { clock, options: { port: port2 }, name: host.name, end: () => port1.close() };
}

let made = 0;
const PLACES = {
  memory: async () => ({ options: {}, name: `in memory ${++made}`, end: () => {} }),
  "a file": async () => ({ options: { storage: fileStorage(newFolder()) }, name: "in a file", end: () => {} }),
  "a port": atPort,
};

for (const [where, place] of Object.entries(PLACES)) {
  test(`no call leaves a listener at its signal, in ${where}`, async () => {
    const { options, name, end } = await place();
    const queue = await openQueue(name, options);
    const calls = {
      openQueue: async (signal) => (await openQueue(name, { ...options, signal })).close(),
      send: (signal) => queue.send(1, { signal }),
      sendBatch: (signal) => queue.sendBatch([{ body: 1 }, { body: 2, delaySeconds: 1 }], { signal }),
      receive: (signal) => queue.receive({ signal }),
      "receive that waits": (signal) => queue.receive({ max: 100, wait: 0.001, signal }),
      consume: (signal) => queue.consume(() => {}, { signal }).stop(),
      flush: (signal) => queue.flush({ signal }),
    };
    for (const [call, make] of Object.entries(calls)) {
      const { signal } = new AbortController();
      await bounded(make(signal), call);
      await bounded(make(signal), call);
      assert.equal(listeners(signal), 0, `of ${call}`);
    }
    await queue.close();
    end();
  });

  test(`calls that share a signal share a listener, and all hear when it aborts, in ${where}`, async () => {
    const { options, name, end } = await place();
    const queue = await openQueue(name, options);
    const warned = [];
    const warning = ({ name }) => warned.push(name);
    process.on("warning", warning);
    const controller = new AbortController();
    const { signal } = controller;
    const done = Array.from({ length: 20 }, (_, at) => queue.send(at, { signal, delaySeconds: 100 }));
    await bounded(Promise.all(done), "the sends");
    const waiting = Array.from({ length: 20 }, () => queue.receive({ wait: Infinity, signal }));
    await quiet();
    assert.equal(listeners(signal), 1);
    controller.abort(new RangeError("enough"));
    for (const receive of waiting) await fails(receive, "RangeError", "enough");
    assert.equal(listeners(signal), 0);
    await fails(queue.flush({ signal }), "RangeError");
    await fails(queue.send(1, { signal }), "RangeError");
    process.off("warning", warning);
    assert.deepEqual(warned, []);
    await queue.close();
    end();
  });
}

test("who gives up on a schema that never answers is heard, and those after it go on", async () => {
  const schema = {
    "~standard": { version: 1, vendor: "test", validate: (value) => (value === "never" ? new Promise(() => {}) : { value }) },
  };
  const { queue } = await freshQueue({ schema });
  const giveUp = new AbortController();
  const never = queue.send("never", { signal: giveUp.signal });
  const after = queue.send("after");
  await quiet();
  giveUp.abort(new RangeError("enough"));
  await fails(never, "RangeError", "enough");
  await bounded(after, "the send after it");
  const open = queue.send("never");
  await quiet();
  await bounded(queue.close(), "the queue closes");
  await fails(open, "InvalidStateError");
  assert.equal(listeners(giveUp.signal), 0);
});

test("who gives up on a storage that is silent is heard", async () => {
  let silent = false;
  const faults = ({ operation }) => (silent && operation === "read" ? { delayMs: 3_600_000 } : undefined);
  const clock = virtualClock();
  const queue = await openQueue("q", { storage: faulty(memoryStorage(), faults, clock), clock });
  silent = true;
  const giveUp = new AbortController();
  const receiving = queue.receive({ signal: giveUp.signal });
  await quiet();
  giveUp.abort(new RangeError("enough"));
  await fails(receiving, "RangeError", "enough");
  assert.equal(listeners(giveUp.signal), 0);
  await clock.advance(3_600_000);
  await queue.close();
});
