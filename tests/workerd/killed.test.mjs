/**
 * workerd is killed again and again, in the middle of sends and deliveries, and started on the same storage: nothing that
 * was confirmed is lost, and nothing whose ack was confirmed comes back.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { folder, start, workers } from "./lab.mjs";

const KILLS = 50;
/** What one life of workerd does before it ends, at least: so many words, another number each time. */
const wordsOf = (kill) => 10 + ((kill * 7) % 40);

/** What became known of the messages of a queue, each a number. */
class Ledger {
  confirmed = new Set();
  received = new Set();
  acked = new Set();
  /** Received after their ack was confirmed. */
  back = [];

  get words() {
    return this.confirmed.size + this.received.size + this.acked.size;
  }

  hear = ({ received, acked, order }) => {
    for (const one of received ?? (order === undefined ? [] : [order])) {
      if (this.acked.has(one)) this.back.push(one);
      this.received.add(one);
    }
    for (const one of acked ?? []) this.acked.add(one);
  };

  get lost() {
    return [...this.confirmed].filter((order) => !this.received.has(order));
  }
}

test(`${KILLS} kills`, async (t) => {
  const [pulled, pushed] = [new Ledger(), new Ledger()];
  const all = await workers({ seen: (report) => (report.queue === "pushed" ? pushed : pulled).hear(report) });
  const options = { miniflare: { durableObjectsPersist: folder(t) } };
  let last = 0;

  const sending = async (lab) => {
    const orders = Array.from({ length: 1 + (last % 4) }, () => (last += 1));
    await lab.ask("send", "pulled", orders, { visibilityTimeout: 1, maxRetries: 1000 });
    orders.forEach((order) => pulled.confirmed.add(order));
  };
  const pushing = async (lab) => {
    const order = (last += 1);
    await lab.ask("sendOne", "pushed", { order });
    pushed.confirmed.add(order);
  };
  const taking = (lab) => lab.ask("take", "pulled", { max: 5, wait: 1 });

  for (let kill = 0; kill < KILLS; kill += 1) {
    const lab = await start(undefined, all, options);
    let killed = false;
    const lanes = [sending, sending, pushing, pushing, taking, taking].map(async (work) => {
      try {
        while (!killed) await work(lab);
      } catch (error) {
        // What was under way when it died: its outcome is not known.
        if (error.status || !killed) throw error;
      }
    });
    const enough = pulled.words + pushed.words + wordsOf(kill);
    while (pulled.words + pushed.words < enough) await Promise.race([turn(), Promise.all(lanes)]);
    killed = true;
    lab.kill();
    await Promise.all(lanes);
    await lab.dispose();
  }

  const lab = await start(t, all, options);
  // The leases of the dead run out, and what is left comes.
  while ((await lab.ask("metrics", "pulled")).backlogCount > 0) await lab.ask("take", "pulled", { max: 1000, wait: 2 });
  while ((await lab.ask("metrics", "pushed")).backlogCount > 0) await turn();
  t.diagnostic(`pulled: ${pulled.confirmed.size} confirmed, ${pulled.acked.size} acked; pushed: ${pushed.confirmed.size} confirmed`);
  assert.deepEqual([pulled.lost, pulled.back, pushed.lost], [[], [], []]);
  assert.ok(Math.min(pulled.confirmed.size, pulled.acked.size, pushed.confirmed.size) > KILLS);
  // Nor has a kill made a dead letter of any.
  assert.equal((await lab.ask("metrics", "pulled")).deadLettered, 0);
});
