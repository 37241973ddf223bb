/** What contexts share, as the model has it: one journal, and what was done to all who use it. */

import { Order } from "./order.mjs";

/** What shares one journal: a context's memory, or a disk. */
export class Scope {
  queues = new Map();
  /** When a clock was last set, or a fault of the storage planned. */
  disturbedAt = -Infinity;
  /** Clocks differ, or do not run as the world's time does: leases may run out before they are extended. */
  skewed = false;
  /** Some clock was set, or made to run otherwise. */
  clockSet = false;
  /** Ports are so slow that a lease may be over before its holder knows of it. */
  late = false;
  /** Who is served is kept from running until then: what is leased to it is handed out to nobody. */
  stoppedUntil = -Infinity;
  /** Clocks were set back, and are where they were then. */
  behindUntil = -Infinity;
  /** Others have ports to this context, which has it. */
  host = undefined;
  /** Dead letters may have come back since. */
  redriven = false;
  /** Every redrive: the queue at which it was asked for, and when it was over. */
  redrives = [];
  /** And have gone to these queues, by name. */
  redrivenTo = new Set();
  /** Its storage was lost: what was confirmed before may be gone. */
  lossAt = -Infinity;
  /** Queues may have been deleted since. */
  deletedAt = -Infinity;
  /** A memory with a clock of its own was closed, and perhaps empty: it may have begun anew. */
  begunAt = -Infinity;

  /** Nobody else ever has what is in it. */
  get isAlone() {
    return this.name !== "disk" && this.host === undefined;
  }

  get served() {
    return this.host !== undefined;
  }

  /** Until then leases may run out that were handed out to nobody. */
  get unseenUntil() {
    return this.served ? Math.max(this.stoppedUntil, this.behindUntil) : this.stoppedUntil;
  }

  constructor(name) {
    this.name = name;
  }

  /** What it counted may be forgotten, and the keys that it knew. */
  mayBeginAnew(now) {
    this.begunAt = now;
    for (const queue of this.queues.values()) {
      queue.acked = 0;
      queue.keys.clear();
    }
  }
}

/** What the model has of a queue. */
export class QueueModel {
  /** Lanes of consumers, receives that wait, iterators. */
  receivers = 0;
  order = new Order(this);
  /** Calls that could have taken a message, so far: each counts when it begins, and where it waited when that is over. */
  calls = 0;
  /** Leases that nobody may have seen: deaths of receivers and the like. */
  unseen = 0;
  /** A batch may fill here for longer than a lease that nothing extends: what it loses was handed out, and nobody saw it. */
  lapses = false;
  /** The shortest lease that was asked for, in milliseconds. */
  shortest = Infinity;
  /** Batches fill here: where clocks differ, another's ends any lease. */
  fills = false;
  purgedAt = -Infinity;
  /** A purge may still happen, long after it was asked for. */
  purging = false;
  /** Sends whose outcome nobody knows. */
  unknown = 0;
  confirmed = 0;
  acked = 0;
  /** Acks that may have been heard. */
  ackAsked = 0;
  keys = new Map();
  /** Retries whose wait is the policy's. */
  refused = 0;

  constructor(scope, name, policy) {
    this.scope = scope;
    this.name = name;
    this.policy = policy;
    this.dlq = policy.deadLetterQueue === false ? undefined : policy.deadLetterQueue ?? `${name}-dlq`;
    this.leaseMs = (policy.visibilityTimeout ?? 30) * 1000;
    this.tries = (policy.maxRetries ?? 3) + 1;
    /** It may have been made as another's for dead letters: then it keeps them, and has no such queue itself. */
    this.keeps = name === "dead" || name.endsWith("-dlq");
    this.triesMax = policy.maxRetries === undefined && this.keeps ? Infinity : this.tries;
  }

  /** Whether a dead letter of its own may have gone to `queue` in turn, and nobody have seen it on the way. */
  passesOn(queue) {
    const letters = this.scope.queues.get(this.dlq);
    return letters?.dlq === queue.name && letters.mayHaveGone({ unseenAt: 0, seenAt: -Infinity });
  }

  /** When a redrive last could take dead letters from here: it was asked for at this queue, or at the one they came from. */
  get redrivenAt() {
    const its = this.scope.redrives.filter(({ from }) => from === this || from.dlq === this.name);
    return Math.max(-Infinity, ...its.map(({ overAt }) => overAt));
  }

  /** Whether leases were asked for that may be over before their messages are through a port which takes so long. */
  isOutrun(ms) {
    return this.shortest <= 2 * ms;
  }

  /** Someone asks for leases of so many milliseconds, where a port takes `ms`. */
  asked(leaseMs, ms) {
    this.shortest = Math.min(this.shortest, leaseMs);
    this.delayed(ms);
  }

  /** What goes by a port takes so long: a lease that is over before it gets there is an attempt that nobody saw. */
  delayed(ms) {
    if (this.isOutrun(ms)) this.lapses = true;
  }

  /** Whether it may have been handed out, and nobody have seen it, since it was seen last. */
  mayHaveGone(message) {
    return this.lapses || this.fills && this.scope.skewed || this.unseen > message.unseenAt || this.scope.unseenUntil > message.seenAt;
  }
}
