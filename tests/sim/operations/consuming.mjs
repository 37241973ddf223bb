/** Consumers, and handlers that do everything handlers do. */

import { Random, mix } from "../world/random.mjs";
import { abortOf } from "./sending.mjs";
import { letGo, say, taken, waiting } from "./receiving.mjs";

/** Who closes a queue waits for its handlers so long, or for a lease. */
const PATIENCE_MS = 30_000;

/** What a handler does with a batch, and how often of all; a script may also name one way. */
const WAYS = {
  well: { returns: 40, waits: 20, answers: 4 },
  badly: {
    returns: 20,
    waits: 10,
    answers: 2,
    throws: 8,
    rejects: 5,
    odd: 2,
    some: 8,
    someThrows: 5,
    all: 5,
    twice: 3,
    late: 3,
    long: 3,
    blocks: 2,
  },
  wildly: {
    returns: 10,
    waits: 10,
    throws: 8,
    rejects: 5,
    odd: 3,
    some: 8,
    someThrows: 5,
    all: 5,
    twice: 3,
    late: 4,
    long: 4,
    blocks: 3,
    stops: 1,
    closes: 1,
    waitsForStop: 1,
    waitsForClose: 1,
  },
};

function odd(random) {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cyclic = new Error("cyclic");
  cyclic.cause = cyclic;
  return random.pick([
    undefined,
    null,
    "text",
    Symbol("s"),
    { code: 5 },
    5n,
    cyclic,
    Object.assign(new Error("x"), { message: Symbol("m") }),
    Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("boom");
      },
    }),
    Object.assign(new Error("x"), { name: Object.create(null) }),
    revoked.proxy,
    new Error("y".repeat(2000)),
  ]);
}

/** A handler's run over one batch. */
class Run {
  constructor(lab, consumer, batch, random) {
    Object.assign(this, { lab, consumer, batch, random });
    const { opened, op } = consumer;
    const { model, actor } = opened;
    const calls = model.calls;
    // Leases are extended until the batch is full; without extension by itself they go on from there.
    const fillMs = (op.fill ?? 0) * 1000;
    const late = Math.max(actor.context.disturbedAt, actor.scope.disturbedAt) > lab.scheduler.now - fillMs - 2000;
    const leaseMs = op.auto !== false ? Infinity : late ? 0 : model.leaseMs;
    // What is handled was taken when the batch was begun.
    this.held = taken(lab, opened, batch.messages, actor.context.wall(), leaseMs, Infinity);
    for (const { delivery } of this.held) delivery.from = opened;
    this.calls = calls;
    if (batch.messages.length > (op.size ?? 10)) {
      lab.model.fail("too-many", `a batch of ${batch.messages.length}, where ${op.size ?? 10} were asked for`);
    }
  }

  sleep(ms) {
    return new Promise((resolve) => this.consumer.opened.actor.context.task(ms, resolve));
  }

  /** What is left over is settled as the batch is. */
  ended(kind) {
    const { opened, lanes } = this.consumer;
    const { model } = opened;
    const sole = lanes === 1 && model.receivers === 1 && model.calls === this.calls;
    for (const { delivery } of this.held) this.lab.model.ended(delivery, kind, sole);
    model.calls += 1;
    this.consumer.running.delete(this);
  }

  /** Where the queue is closing, that counts no attempt: the handler was told to stop. */
  failed() {
    this.ended(this.consumer.opened.closed ? "release" : "retry");
  }

  settle(one) {
    const kind = this.random.weighted({ ack: 4, retry: 3, dead: 1, extend: 1 });
    say(this.lab, this.consumer.opened.actor, one, kind, kind === "retry" ? this.random.pick([undefined, 0, 0.5]) : 5);
  }

  some() {
    for (const one of this.held) if (this.random.chance(0.5)) this.settle(one);
  }

  start(way) {
    const { random, batch, consumer, lab } = this;
    lab.count(`handler ${way}`);
    lab.trace?.(`${lab.scheduler.now.toFixed(3)} handler ${way}`);
    const { opened: { actor } } = consumer;
    switch (way) {
      case "answers":
        return this.ended("ack"), "an answer";
      case "throws":
        this.failed();
        throw new Error("the handler threw");
      case "odd":
        this.failed();
        throw odd(random);
      case "some":
        return this.some(), this.ended("ack");
      case "someThrows":
        this.some();
        this.failed();
        throw new Error("the handler threw after all");
      case "all": {
        const retry = random.chance(0.5);
        for (const { delivery: { message } } of this.held) message.explicit = true;
        if (retry) batch.retryAll(random.chance(0.5) ? { delaySeconds: 0.1 } : undefined);
        else batch.ackAll();
        return this.ended(retry ? "retry" : "ack");
      }
      case "twice":
        for (const one of this.held) for (let at = 0; at < 2; at += 1) one.received[random.pick(["ack", "retry"])]().catch(() => undefined);
        for (const { delivery } of this.held) Object.assign(delivery, { over: true, said: "twice" });
        return this.ended("ack");
      case "blocks":
        actor.context.block(random.pick([20, 700, 3000]));
        lab.disturb(actor, false);
        return this.ended("ack");
      default:
        return this.later(way);
    }
  }

  async later(way) {
    const { random, consumer, lab } = this;
    const { opened: { actor }, opened } = consumer;
    await this.sleep(way === "long" ? opened.model.leaseMs * random.pick([1.2, 2.5]) : random.pick([0.1, 1, 10]));
    if (actor.gone) return;
    switch (way) {
      case "rejects":
        this.failed();
        throw new Error("the handler rejected");
      case "late":
        this.ended("ack");
        void this.sleep(2).then(() => this.held.forEach(({ received }) => void received.ack().catch(() => undefined)));
        return;
      case "stops":
        lab.follow(actor, "stop in handler", opened, consumer.stop());
        return this.ended("ack");
      case "waitsForStop": {
        const stopped = consumer.stop();
        lab.follow(actor, "stop in handler", opened, stopped);
        await stopped.catch(() => undefined);
        return this.ended("ack");
      }
      case "waitsForClose":
        await closeQueue(lab, actor, opened)?.catch(() => undefined);
        return this.ended("ack");
      case "closes":
        closeQueue(lab, actor, opened);
        return this.ended("ack");
      default:
        return this.ended("ack");
    }
  }
}

class Consuming {
  running = new Set();
  /** Its handler, its signal or whoever began it has stopped it. */
  ended = false;
  #random;

  constructor(lab, opened, op) {
    Object.assign(this, { lab, opened, op, lanes: op.conc ?? 1 });
    const { queue, model, actor } = opened;
    this.#random = new Random(mix(op.seed ?? 1, 7));
    const signal = abortOf(op, actor)?.signal;
    if (op.fill > 0) model.fills = true;
    model.calls += 1;
    waiting(opened, this.lanes);
    this.consumer = queue.consume((batch) => this.#handle(batch), {
      ...(op.size !== undefined && { maxBatchSize: op.size }),
      ...(op.fill !== undefined && { maxBatchTimeout: op.fill }),
      ...(op.conc !== undefined && { maxConcurrency: op.conc }),
      ...(op.auto !== undefined && { autoExtend: op.auto }),
      ...(op.borrow && { borrow: true }),
      ...(signal && { signal }),
    });
    lab.follow(actor, "consume", opened, this.consumer.done, { over: () => this.#over(), signal: op.abort !== undefined });
  }

  #over() {
    this.ended = true;
    if (!this.opened.actor.gone) waiting(this.opened, -this.lanes);
  }

  #handle(batch) {
    const { lab, opened, op } = this;
    if (opened.actor.gone || lab.over()) return undefined;
    const random = new Random(this.#random.bits());
    const run = new Run(lab, this, batch, random);
    this.running.add(run);
    if (lab.calm) return run.ended("ack");
    return run.start(random.weighted(WAYS[op.way ?? "well"] ?? { [op.way]: 1 }));
  }

  /** `using`: as at the end of a block that has it. */
  stop(using) {
    return using ? this.consumer[Symbol.asyncDispose]() : this.consumer.stop();
  }
}

export function closeQueue(lab, actor, opened, using) {
  if (opened.closed) return undefined;
  opened.closed = true;
  opened.backAt = lab.scheduler.now + Math.max(opened.model.leaseMs, PATIENCE_MS);
  if (actor.queues.get(opened.name) === opened) actor.queues.delete(opened.name);
  letGo(actor, opened);
  lab.served(opened);
  const promise = using ? opened.queue[Symbol.asyncDispose]() : opened.queue.close();
  const over = () => {
    opened.over = true;
    lab.left(actor);
  };
  lab.follow(actor, "close", opened, promise, { over });
  return promise;
}

export const CONSUMING = {
  consume: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      actor.consumers.push(new Consuming(lab, opened, op));
    },
  },

  stop: {
    run(lab, actor, op) {
      if (!actor.consumers.length) return;
      const [consuming] = actor.consumers.splice(op.i % actor.consumers.length, 1);
      lab.follow(actor, "stop", consuming.opened, consuming.stop(op.using));
    },
  },

  close: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (opened) closeQueue(lab, actor, opened, op.using);
    },
  },
};
