// The two ends of a contender, joined by a MessageChannel, ready to run. One pair for each contender of a row, kept over
// all its rounds, so that a round measures code that is warm.

import { localEnd, workerEnd } from "./end.js";

const RING_BYTES = 2 << 20;
const ROUND_SECONDS = 0.5;
const HUNG_MS = 60_000;

let pairs = 0;

export class Pair {
  /**
   * @param {object} contender of contenders.js
   * @param {object} row of rows.js
   * @param {object} how
   * @param {string} how.verify "all" or "head"
   * @param {(share: number) => unknown} [how.told] of a slow consumer
   */
  static async open(contender, row, { verify, told }) {
    const near = row.trips && row.fromPage ? localEnd() : workerEnd();
    const pair = new Pair(near, workerEnd(told), contender.title, row.hungMs ?? HUNG_MS);
    const link = { ...linkOf(row), ...contender.link, verify, name: `posthaste-bench ${++pairs}` };
    const { port1, port2 } = new MessageChannel();
    const sides = row.trips ? ["caller", "answerer"] : ["producer", "consumer"];
    const open = (end, side, port) => end.ask("open", { side, file: contender.file, link: { ...link, port } }, [port]);
    try {
      await pair.inTime(() => Promise.all([open(pair.far, sides[1], port2), open(pair.near, sides[0], port1)]));
      return pair;
    } catch (error) {
      pair.close();
      throw error;
    }
  }

  constructor(near, far, title, hungMs) {
    this.near = near;
    this.far = far;
    this.title = title;
    this.hungMs = hungMs;
    /** Of the round trips of each run: the time that a hundredth of them took or more. */
    this.p99s = [];
  }

  /** All of `count` messages from one end to the other, checked and acked. */
  async send(count) {
    await this.inTime(async () => {
      await this.far.ask("begin", count);
      await Promise.all([this.near.ask("send", count), this.far.ask("settled")]);
    });
  }

  /** Messages one by one to a receiver that is idle; answers the seconds that they took in all. */
  async idle(count) {
    return this.inTime(async () => {
      await this.far.ask("begin", count);
      const [sent, came] = await Promise.all([this.near.ask("sendPaced", count), this.far.ask("arrived")]);
      const times = came.map((time, at) => time - sent[at]);
      this.p99s.push(times.toSorted((a, b) => a - b)[Math.floor(count * 0.99)]);
      return times.reduce((sum, ms) => sum + ms, 0) / 1000;
    });
  }

  async trips(count) {
    this.p99s.push(await this.inTime(() => this.near.ask("trips", count)));
  }

  /** What `work` answers. An error says whose it is; what hangs is one. */
  async inTime(work) {
    let timer;
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came for ${this.hungMs / 1000} s`)), this.hungMs);
    });
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      throw new Error(`${this.title}: ${error.message}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Finds how many messages (or trips) make a round; by then the code is warm. */
  async calibrate(run, most) {
    for (let count = 256;; count *= 4) {
      const start = performance.now();
      await run(this, count);
      const seconds = (performance.now() - start) / 1000;
      const wanted = Math.min(most, Math.ceil((count / seconds) * ROUND_SECONDS));
      if (seconds < ROUND_SECONDS / 6 && count * 4 <= most) continue;
      this.count = Math.max(256, wanted);
      return;
    }
  }

  /** The client's; that is the producer, where it does not serve. */
  async transport() {
    return (await this.near.ask("transport")) ?? this.far.ask("transport");
  }

  close() {
    this.near.close();
    this.far.close();
  }
}

/** What both ends of a row are told. Shared memory goes with it where the page may have it. */
function linkOf({ kind, size = 0, pool = 256, slowMs, idleMs }) {
  const large = size > 4096;
  const link = {
    kind,
    size,
    pool,
    slowMs,
    idleMs,
    window: large ? 64 : 2000,
    ackEach: idleMs ? 1 : large ? 16 : 100,
    array: large ? pool : 100,
    credits: 8,
    burst: large ? 4 * pool : 1000,
  };
  if (!globalThis.crossOriginIsolated) return link;
  return { ...link, ring: new SharedArrayBuffer(RING_BYTES + 9), acked: new SharedArrayBuffer(8) };
}
