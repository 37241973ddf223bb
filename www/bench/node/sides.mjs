// The sides of the comparison on Node, with the same methods. What each really does:
//
// posthaste: one queue in a folder, everything at its defaults. Every message has an id, a lease with a deadline, an
//   attempt counter, retries and a dead-letter queue; it is leased by a step in the file before it is handed out.
//   `durability: "relaxed"`: written when `send` resolves, on the disk within a second. "strict": on the disk.
//
// BullMQ on Redis, as its guide says: `add`, `addBulk`, a `Worker`; jobs are removed when they are completed (they are kept for
//   ever otherwise, which is slower). Redis on the same machine by a Unix socket, with an append-only file: `appendfsync everysec`
//   (on the disk within a second) beside "relaxed", `always` beside "strict".
//
// better-queue with the store it comes with, which is memory: nothing survives, and an ack is not kept anywhere. Its durable store (SQLite) is a
//   native module that has to be compiled. It stands beside "relaxed" and "strict" alike.
//
// All sides await every send. Delivery: a handler that does nothing, up to 100 messages at a time, until all are acked.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { slices } from "../bodies.js";

const AT_ONCE = 100;
const tools = createRequire(new URL("../../../tests/package.json", import.meta.url));

/** What is sent one by one, all at once, or in batches; `deliver` ends when a handler had all, and they are acked. */
export class Posthaste {
  static async open(folder, durability, built) {
    const load = (entry) => import(pathToFileURL(path.join(built, entry)).href);
    const [{ openQueue }, { fileStorage }] = [await load("index.js"), await load("node/index.js")];
    return new Posthaste(await openQueue("bench", { storage: fileStorage(path.join(folder, "posthaste", durability)), durability }));
  }

  constructor(queue) {
    this.queue = queue;
  }

  async sendEach(list) {
    for (const one of list) await this.queue.send(one);
  }

  async sendAll(list) {
    await Promise.all(list.map((one) => this.queue.send(one)));
  }

  async sendBatches(list) {
    for (const batch of slices(list, 100)) await this.queue.sendBatch(batch.map((body) => ({ body })));
  }

  async deliver(count) {
    let left = count;
    const consumer = await new Promise((resolve) => {
      const consumer = this.queue.consume(({ messages }) => {
        if ((left -= messages.length) === 0) resolve(consumer);
      }, { maxBatchSize: AT_ONCE });
    });
    await consumer.stop();
    await this.queue.flush();
  }

  /** Sends one when the one before was handled. */
  async roundTrips(list) {
    const handled = turns();
    const consumer = this.queue.consume(() => handled.next(), { maxBatchSize: 1 });
    for (const one of list) await Promise.all([handled.wait(), this.queue.send(one)]);
    await consumer.stop();
  }

  async clear() {
    await this.queue.purge();
  }

  async end() {
    await this.queue.close();
  }
}

export class Bull {
  static async open(folder, fsync) {
    const { Queue, Worker } = tools("bullmq");
    const redis = await startRedis(path.join(folder, `redis-${fsync}`), fsync);
    const connection = { path: redis.socket, maxRetriesPerRequest: null };
    const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
    await queue.waitUntilReady();
    const worker = (handler, concurrency) => new Worker("bench", handler, { connection, concurrency });
    return new Bull(queue, worker, redis);
  }

  constructor(queue, worker, redis) {
    Object.assign(this, { queue, worker, redis });
  }

  async sendEach(list) {
    for (const one of list) await this.queue.add("job", one);
  }

  async sendAll(list) {
    await Promise.all(list.map((one) => this.queue.add("job", one)));
  }

  async sendBatches(list) {
    for (const batch of slices(list, 100)) await this.queue.addBulk(batch.map((data) => ({ name: "job", data })));
  }

  async deliver(count) {
    let left = count;
    let worker;
    await new Promise((resolve) => {
      worker = this.worker(async () => {}, AT_ONCE);
      worker.on("completed", () => {
        if (--left === 0) resolve();
      });
    });
    await worker.close();
  }

  async roundTrips(list) {
    const handled = turns();
    const worker = this.worker(async () => handled.next(), 1);
    await worker.waitUntilReady();
    for (const one of list) await Promise.all([handled.wait(), this.queue.add("job", one)]);
    await worker.close();
  }

  async clear() {
    await this.queue.obliterate({ force: true });
  }

  async end() {
    await this.queue.close();
    this.redis.stop();
  }
}

export class Better {
  static async open() {
    return new Better(tools("better-queue"));
  }

  constructor(Queue) {
    this.Queue = Queue;
    this.renew();
  }

  renew() {
    this.handled = () => {};
    this.queue = new this.Queue((batch, done) => {
      this.handled([].concat(batch).length);
      done();
    }, { batchSize: AT_ONCE, afterProcessDelay: 0 });
    this.queue.pause();
  }

  #send(one) {
    return new Promise((resolve, reject) => this.queue.push(one).on("accepted", resolve).on("failed", reject));
  }

  async sendEach(list) {
    for (const one of list) await this.#send(one);
  }

  async sendAll(list) {
    await Promise.all(list.map((one) => this.#send(one)));
  }

  async sendBatches(list) {
    for (const batch of slices(list, 100)) await this.sendAll(batch);
  }

  async deliver(count) {
    let left = count;
    const all = new Promise((resolve) => {
      this.handled = (had) => {
        if ((left -= had) === 0) resolve();
      };
    });
    this.queue.resume();
    await all;
    this.queue.pause();
  }

  async roundTrips(list) {
    const handled = turns();
    this.handled = () => handled.next();
    this.queue.resume();
    for (const one of list) await Promise.all([handled.wait(), this.#send(one)]);
    this.queue.pause();
  }

  async clear() {
    this.queue.destroy();
    this.renew();
  }

  async end() {
    this.queue.destroy();
  }
}

/** Someone who waits for the next time that something happens. */
function turns() {
  let resolve = () => {};
  return { wait: () => new Promise((done) => (resolve = done)), next: () => resolve() };
}

async function startRedis(folder, fsync) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const socket = path.join(folder, "socket");
  const words = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "", "--appendonly", "yes", "--appendfsync", fsync];
  const server = spawn("redis-server", words, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    server.once("error", () => reject(new Error("redis-server is not here: install it (Debian: apt-get install redis-server)")));
    server.once("exit", (code) => reject(new Error(`redis-server ended: ${code}`)));
    server.stdout.on("data", (text) => {
      if (String(text).includes("ready to accept connections")) resolve();
    });
  });
  return { socket, stop: () => server.kill() };
}

export const redisVersion = () => /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1];
export const versionOf = (name) => tools(`${name}/package.json`).version;
