/** What the model keeps of a message that was handed out. */

/** What was leased ahead and is handed out is told after so long. */
const TOLD_MS = 110;
/** What goes by a port is heard after so long, if nothing is done to either end. */
const HEARD_MS = 10;

/** A message in someone's hands. */
export class Delivery {
  /** Nothing more is to be said of it, or nobody is there to say it. */
  over = false;
  said = undefined;
  /** An ack that nobody awaits must have been heard in time. */
  firm = undefined;
  /** Whoever said the last word was blocked until then: that is not heard before. */
  blockedUntil = -Infinity;

  /** A handler's: the open queue that gave it, and takes it back when it is closed and has waited long enough. */
  from = undefined;
  /** When something was said of it, it may have gone back already. */
  closing = false;

  /** It was taken for out of date by its attempt, and had been redriven, as it may be. */
  back = false;

  /** It was handed out though who did, or who serves, was kept from running. */
  #late = false;

  constructor(message, context, attempts, until, at, calls, leaseMs) {
    this.message = message;
    this.queue = message.at;
    this.scope = message.at.scope;
    this.context = context;
    this.attempts = attempts;
    /** It is its holder's until then, by every clock. */
    this.until = until;
    this.at = at;
    /** How far its holder had come by then, who may be ahead of the world. */
    this.local = context.local;
    /** And by the world's time: clocks may stand, or be set back. */
    this.untilAt = at + leaseMs;
    /** Of the queue, when it was handed out. */
    this.calls = calls;
    this.#late = this.#between.some(({ frozen, disturbedAt }) => frozen || disturbedAt >= at - HEARD_MS);
  }

  /** Its holder was stopped before it could tell that it had been handed what was leased ahead. */
  get untold() {
    return this.context.stops.some((stop) => stop >= this.at && stop < this.at + TOLD_MS);
  }

  /** Who told of its being handed out, and who heard of that: none where they are one. */
  get #between() {
    const { context, scope: { host } } = this;
    return host && host !== context ? [context, host] : [];
  }

  /** Who serves may hear only after its lease that a client has handed out what it was sent ahead; with a clock set back leases end early. */
  get unheard() {
    const { scheduler, portDelay } = this.context.world;
    const [from, to] = [this.at - HEARD_MS, this.at + HEARD_MS + portDelay];
    const between = this.#between;
    if (between.length > 0 && this.scope.behindUntil > scheduler.now) return true;
    return this.#late || between.some(({ disturbances }) => disturbances.some((one) => one >= from && one < to));
  }
}
