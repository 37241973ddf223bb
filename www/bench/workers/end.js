// One end of a pair: a worker, or the page itself, that plays one side of one contender. A worker is told what to do by
// messages; what it does is in the contender's own file.

import { messagesOf } from "./messages.js";

/** The time by the clock that all contexts of a page share. */
const present = () => performance.timeOrigin + performance.now();

/** What a side can be asked for. */
class End {
  /** `tell` is called with the share of a run that is through. */
  constructor(tell) {
    this.tell = tell;
  }

  async open({ side, file, link }) {
    const contender = await import(`./${file}.js`);
    this.link = link;
    this.messages = messagesOf(link, link.verify);
    this.side = (await contender[side](link, (body) => this.take(body))) ?? {};
  }

  /** The consumer: gets ready for so many messages. A contender that spins begins as soon as this is answered. */
  begin(count) {
    this.count = count;
    this.taken = 0;
    this.wrong = undefined;
    if (this.link.idleMs) this.arrivals = [];
    this.done = new Promise((resolve) => (this.end = resolve));
    this.side.begin?.(count);
    if (this.side.spin) setTimeout(() => this.side.spin(count));
  }

  take(body) {
    const number = this.taken;
    this.taken += 1;
    this.arrivals?.push(present());
    if (this.wrong === undefined && !this.messages.isRight(number, body)) this.wrong = number;
    if (this.link.slowMs && this.taken % 100 === 0) this.dawdle(this.link.slowMs);
    if (this.taken === this.count) this.end();
  }

  /** A consumer that is busy; it tells how far it is. */
  dawdle(ms) {
    const until = performance.now() + ms;
    while (performance.now() < until);
    if (this.taken % (this.count / 50) === 0) this.tell(this.taken / this.count);
  }

  /** The consumer: all have come, were right and are acked. */
  async settled() {
    await this.done;
    await this.side.settled?.();
    if (this.wrong !== undefined) throw new Error(`message ${this.wrong} is not what was sent, or not in its place`);
  }

  /** The consumer of single messages: when each came. */
  async arrived() {
    await this.settled();
    return this.arrivals;
  }

  /** The producer of single messages, with a pause before each: when it was sent. */
  async sendPaced(count) {
    const times = [];
    for (let number = 0; number < count; number++) {
      await new Promise((resolve) => setTimeout(resolve, this.link.idleMs));
      times.push(present());
      await this.side.send(1, () => this.messages.make(number));
    }
    return times;
  }

  /** The producer: all are sent. */
  async send(count) {
    await this.side.send(count, (number) => this.messages.make(number));
  }

  /** The caller: so many round trips one after another. Answers the milliseconds that 99 of 100 stayed below. */
  async trips(count) {
    const times = new Float64Array(count);
    let before = performance.now();
    for (let number = 0; number < count; number++) {
      const back = await this.side.trip(this.messages.make(number));
      if (!this.messages.isRight(number, back)) throw new Error(`round trip ${number} came back wrong`);
      const now = performance.now();
      times[number] = now - before;
      before = now;
    }
    times.sort();
    return times[Math.floor(count * 0.99)];
  }

  transport() {
    return this.side.transport?.();
  }
}

/** The end that the page plays itself. */
export function localEnd() {
  const end = new End(() => {});
  return { ask: async (what, argument) => end[what](argument), close: () => {} };
}

/** The end that a worker of its own plays. `told` hears the share of a run that is through. */
export function workerEnd(told = () => {}) {
  const worker = new Worker(new URL("end.js", import.meta.url), { type: "module" });
  const waiting = [];
  let failed;
  const fail = (error) => {
    failed = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  worker.onerror = (event) => fail(new Error(`a worker failed: ${event.message ?? "its script did not load"}`));
  worker.onmessage = ({ data: { answer, error, share } }) => {
    if (share !== undefined) return told(share);
    const { resolve, reject } = waiting.shift();
    if (error) reject(new Error(error));
    else resolve(answer);
  };
  return {
    ask: (what, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        if (failed) return reject(failed);
        waiting.push({ resolve, reject });
        worker.postMessage({ what, argument }, transfer);
      }),
    close: () => worker.terminate(),
  };
}

// Here as a worker: one thing asked at a time, answered in turn.
if (typeof DedicatedWorkerGlobalScope !== "undefined") {
  const end = new End((share) => postMessage({ share }));
  let last = Promise.resolve();
  onmessage = ({ data: { what, argument } }) => {
    last = last.then(async () => {
      try {
        postMessage({ answer: await end[what](argument) });
      } catch (error) {
        postMessage({ error: String(error?.stack ?? error) });
      }
    });
  };
}
