/** What contexts say to each other: message ports and broadcasts. Frames come late, in order; a port dies whole, as the platform's do. */

const LATENCY_MS = 0.1;

export class Channels {
  #broadcasts = new Map();

  constructor(world) {
    this.world = world;
  }

  of(context) {
    const channels = this;
    class MessageChannel {
      constructor() {
        [this.port1, this.port2] = channels.pair(context, context);
      }
    }
    class BroadcastChannel extends EventTarget {
      onmessage = null;
      constructor(name) {
        super();
        this.name = String(name);
        if (!context.touch()) channels.#listeners(this.name).add(this);
      }

      get context() {
        return context;
      }

      postMessage(data) {
        if (!context.touch()) channels.#broadcast(this, data);
      }

      close() {
        channels.#listeners(this.name).delete(this);
      }
    }
    context.onDeath.push(() => {
      for (const listeners of this.#broadcasts.values()) for (const one of listeners) if (one.context === context) listeners.delete(one);
    });
    return { MessageChannel, MessagePort: SimPort, BroadcastChannel };
  }

  /** Broadcast channels that a context has not closed. */
  open(context) {
    let count = 0;
    for (const listeners of this.#broadcasts.values()) for (const one of listeners) count += one.context === context ? 1 : 0;
    return count;
  }

  #listeners(name) {
    let known = this.#broadcasts.get(name);
    if (!known) this.#broadcasts.set(name, known = new Set());
    return known;
  }

  #broadcast(from, data) {
    const copy = structuredClone(data);
    if (this.world.hintsLost) return;
    for (const channel of this.#listeners(from.name)) {
      if (channel === from) continue;
      this.world.scheduler.at(from.context.local + LATENCY_MS + this.world.hintDelay, channel.context, () => deliver(channel, copy));
    }
  }

  /** The two ends of a channel between contexts. */
  pair(one, other) {
    const ends = [new SimPort(this.world, one), new SimPort(this.world, other)];
    ends[0].other = ends[1];
    ends[1].other = ends[0];
    return ends;
  }
}

function deliver(target, data) {
  const event = new MessageEvent("message", { data });
  target.dispatchEvent(event);
  target.onmessage?.(event);
}

export class SimPort extends EventTarget {
  #onmessage = null;
  #started = false;
  #waiting = [];
  #lastDue = 0;
  closed = false;
  other = undefined;
  /** What changes messages on their way, one after another: each answers with what arrives of one, or undefined when it is over. */
  tampers = [];

  constructor(world, context) {
    super();
    this.world = world;
    this.context = context;
    context.onDeath.push(() => this.#gone());
  }

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(heard) {
    this.#onmessage = heard;
    this.start();
  }

  postMessage(data, transfer) {
    if (this.context.touch() || this.closed) return;
    const list = Array.isArray(transfer) ? transfer : transfer?.transfer ?? [];
    const ports = list.filter((one) => one instanceof SimPort);
    const copy = ports.length ? data : structuredClone(data, { transfer: list });
    const { other } = this;
    if (other.closed) return;
    const due = Math.max(this.#lastDue, this.context.local + LATENCY_MS + this.world.portDelay);
    this.#lastDue = due;
    for (const one of this.#tampered(copy)) this.world.scheduler.at(due, other.context, () => other.#arrived(one));
  }

  #tampered(message) {
    while (this.tampers.length) {
      const arrives = this.tampers[0](message);
      if (arrives) return arrives;
      this.tampers.shift();
    }
    return [message];
  }

  #arrived(data) {
    if (this.closed) return;
    if (this.#started) deliver(this, data);
    else this.#waiting.push(data);
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    const { context } = this;
    for (const data of this.#waiting.splice(0)) this.world.scheduler.at(context.local, context, () => this.closed || deliver(this, data));
  }

  close() {
    if (this.context.touch()) return;
    this.#gone();
  }

  /** The connection is cut: the platform tells both ends. */
  cut() {
    this.#gone();
    if (!this.context.dead) this.world.scheduler.at(this.context.local, this.context, () => this.dispatchEvent(new Event("close")));
  }

  #gone() {
    if (this.closed) return;
    this.closed = true;
    const { other } = this;
    if (!other || other.closed) return;
    this.world.scheduler.at(Math.max(this.#lastDue, this.world.scheduler.now) + LATENCY_MS, other.context, () => {
      if (other.closed) return;
      other.closed = true;
      if (this.world.tellsClose) other.dispatchEvent(new Event("close"));
    });
  }
}
