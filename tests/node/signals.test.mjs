/** One long-lived signal for many calls: it has one listener however many are under way, and none when they are over. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { fileStorage } from "posthaste/node";
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
