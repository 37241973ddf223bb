// The sides of the durable comparison, with the same methods. What each really does:
//
// posthaste: one queue on IndexedDB, everything at its defaults, `durability: "relaxed"`. Every message has an id, a
//   lease with a deadline, an attempt counter, retries and a dead-letter queue; a received message is leased by a
//   commit before it is handed out, and an ack is checked against its lease. Every send and every ack is awaited.
//
// Dexie 4, the build for modern browsers, `chromeTransactionDurability: "relaxed"`: used as its guide says.
//   Sends: `table.add(body)`, `table.bulkAdd(bodies)` on a table whose only index is its generated key, which is the
//   least work there is: no due time, no attempts, no index for leases is kept.
//   Receive and ack with leases (`DexieTables`): a second table of `{ due, attempts, body }`. Taking is one transaction:
//   read in the order of the primary key the first rows whose `due` has come, write them back with `due` 30 seconds on
//   and one attempt more, return them. Acking is `bulkDelete` (`delete` for one) by key. It does less than posthaste: an
//   ack does not look whether the lease is still ours, there is no retry limit and no dead-letter queue. It is the
//   quickest of the natural ways that were tried: an index on `due` costs a third more (the index is written and
//   deleted too), and `modify` and `bulkUpdate` read again the rows that `bulkPut` has at hand.
//   Receive and ack without leases (`DexieUnleased`): read the first rows by key, `bulkDelete` them when done. One
//   consumer only: a second one would be given the same rows. No attempts are counted. It is here because people do it,
//   and because it is the least that "take and delete" can cost in Dexie.
//
// All sides wait for a take before they ack it, and for the ack before the next take.
// Rows are filled in, and tables emptied, outside of the time that is measured.

import { slices } from "./bodies.js";

const leaseMs = 30_000;

export class Posthaste {
  static async open(name) {
    const { openQueue } = await import("posthaste");
    return new Posthaste(await openQueue(name, { storage: "indexeddb", durability: "relaxed" }), name);
  }

  constructor(queue, name) {
    this.queue = queue;
    this.name = name;
  }

  async sendEach(list) {
    for (const one of list) await this.queue.send(one);
  }

  async sendAll(list) {
    await Promise.all(list.map((one) => this.queue.send(one)));
  }

  async sendBatches(batches) {
    for (const batch of batches) await this.queue.sendBatch(batch.map((one) => ({ body: one })));
  }

  /** The table that is drained is the table that is filled: a queue has one kind of message. */
  fillEach(list) {
    return this.sendEach(list);
  }

  fillBatches(list) {
    return this.sendBatches(slices(list, 100));
  }

  async drainEach(count) {
    for (let done = 0; done < count; done++) {
      const [message] = await this.queue.receive();
      if (!message) throw new Error(`posthaste gave ${done} of ${count} messages`);
      await message.ack();
    }
  }

  async drainBatches(count, size) {
    for (let done = 0; done < count;) {
      const messages = await this.queue.receive({ max: size });
      if (messages.length === 0) throw new Error(`posthaste gave ${done} of ${count} messages`);
      await Promise.all(messages.map((message) => message.ack()));
      done += messages.length;
    }
  }

  async clear() {
    await this.queue.purge();
  }

  async remove() {
    const { deleteQueue } = await import("posthaste");
    await this.queue.close();
    await deleteQueue(this.name, { storage: "indexeddb" });
    await deleteQueue(`${this.name}-dlq`, { storage: "indexeddb" }).catch(absent);
  }
}

export class DexieTables {
  static async open(name) {
    const { Dexie } = await import("dexie");
    const db = new Dexie(name, { chromeTransactionDurability: "relaxed" });
    db.version(1).stores({ sent: "++id", leased: "++id" });
    await db.open();
    return new this(db);
  }

  constructor(db) {
    this.db = db;
  }

  async sendEach(list) {
    for (const one of list) await this.db.sent.add(one);
  }

  async sendAll(list) {
    await Promise.all(list.map((one) => this.db.sent.add(one)));
  }

  async sendBatches(batches) {
    for (const batch of batches) await this.db.sent.bulkAdd(batch);
  }

  async fillEach(list) {
    for (const one of list) await this.db.leased.add({ due: 0, attempts: 0, body: one });
  }

  async fillBatches(list) {
    for (const part of slices(list, 100)) {
      await this.db.leased.bulkAdd(part.map((one) => ({ due: 0, attempts: 0, body: one })));
    }
  }

  /** The first rows that no one has, now ours for a while. */
  take(size) {
    const table = this.db.leased;
    return this.db.transaction("rw", table, async () => {
      const now = Date.now();
      const due = table.toCollection().and((row) => row.due <= now);
      const rows = size === 1 ? [await due.first()].filter(Boolean) : await due.limit(size).toArray();
      for (const row of rows) {
        row.due = now + leaseMs;
        row.attempts += 1;
      }
      if (rows.length === 1) await table.put(rows[0]);
      else await table.bulkPut(rows);
      return rows;
    });
  }

  async drainEach(count) {
    for (let done = 0; done < count; done++) {
      const [row] = await this.take(1);
      if (!row) throw new Error(`Dexie gave ${done} of ${count} rows`);
      await this.db.leased.delete(row.id);
    }
  }

  async drainBatches(count, size) {
    for (let done = 0; done < count;) {
      const rows = await this.take(size);
      if (rows.length === 0) throw new Error(`Dexie gave ${done} of ${count} rows`);
      await this.db.leased.bulkDelete(rows.map((row) => row.id));
      done += rows.length;
    }
  }

  async clear() {
    await this.db.sent.clear();
    await this.db.leased.clear();
  }

  async remove() {
    await this.db.delete();
  }
}

export class DexieUnleased extends DexieTables {
  fillEach(list) {
    return this.sendEach(list);
  }

  fillBatches(list) {
    return this.sendBatches(slices(list, 100));
  }

  async drainEach(count) {
    for (let done = 0; done < count; done++) {
      const row = await this.db.sent.toCollection().first();
      if (!row) throw new Error(`Dexie gave ${done} of ${count} rows`);
      await this.db.sent.delete(row.id);
    }
  }

  async drainBatches(count, size) {
    for (let done = 0; done < count;) {
      const rows = await this.db.sent.limit(size).toArray();
      if (rows.length === 0) throw new Error(`Dexie gave ${done} of ${count} rows`);
      await this.db.sent.bulkDelete(rows.map((row) => row.id));
      done += rows.length;
    }
  }
}

/** A default dead-letter queue that never came to be needs no deleting. */
function absent(error) {
  if (error.name !== "NotFoundError") throw error;
}
