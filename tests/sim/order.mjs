/**
 * Order as promised: the oldest message that is ready comes first, whatever else is there. It is asked of those that were ready all
 * the time, and that nobody but one taker can have had: what others took and gave back may come late.
 */

/** Whoever fills a batch, or was leased to ahead, has what nobody saw for no longer. */
const UNSEEN_MS = 4_500;
/** Where there is one context alone, which fills no batch: what it was leased ahead goes back in so long. */
const UNSEEN_ALONE_MS = 1_500;
/** What was leased ahead and nobody asked for goes back in so long, and a step that is under way is over. */
const AHEAD_MS = 3_000;

/** Who waits for room is delayed from then on. */
const dueAt = ({ notBeforeAt, sentAt, confirmedAt }) => (notBeforeAt > 0 ? notBeforeAt + confirmedAt - sentAt : 0);

export class Order {
  /** Confirmed, and nobody has been seen with them. */
  fresh = new Set();
  /** Messages in the order of their confirmation, as far as it is known that they wait. */
  #waiting = [];
  #first = 0;
  /** Since then nobody else can have taken anything. */
  #aloneSince = -Infinity;
  /** Who took last. */
  #actor = undefined;

  constructor(queue) {
    this.queue = queue;
  }

  /** It is there, and ready from now on. */
  confirmed(message, now) {
    if (!message.holder) this.fresh.add(message);
    message.confirmedAt = now;
    if (message.notBefore > 0 || message.mayExpire || message.spec.key !== undefined) return;
    this.#waiting.push(message);
  }

  /** A receiver of `actor` begins, and `others` are there already. */
  begun(actor, others, now) {
    if (others > 0 || this.#actor !== actor && this.#actor !== undefined) this.crowded(now + AHEAD_MS);
    this.#actor = actor;
  }

  /** Someone may have what nobody saw him take: he was called off, or closed. */
  crowded(until) {
    this.#aloneSince = Math.max(this.#aloneSince, until);
  }

  /** Whoever took has stopped long ago, and what he did not say anything of is back: one takes it all out. */
  calm(messages) {
    this.#aloneSince = -Infinity;
    this.#actor = undefined;
    this.#waiting = messages;
    this.#first = 0;
  }

  /** A receiver has ended, and `others` are there. `seen`: what it took is known. */
  ended(others, seen, now) {
    if (others > 0 || !seen) this.crowded(now + AHEAD_MS);
  }

  /** The one that should have been handed out before `message`; asked before that is noted. */
  before(message, mustBeThere) {
    const { queue } = this;
    if (message.at !== queue || message.home !== queue || queue.receivers > 1) return undefined;
    const oldest = this.#oldest(mustBeThere);
    if (!oldest || oldest === message) return undefined;
    const sameBatch = oldest.batch !== undefined && oldest.batch === message.batch && oldest.uid < message.uid;
    return sameBatch || oldest.confirmedAt < message.sentAt ? oldest : undefined;
  }

  /** What was there for long, while someone waited for it since `from`, and was handed to nobody. */
  neglected(from, now, mustBeThere) {
    const { queue } = this;
    const seen = now - (queue.scope.isAlone && !queue.fills ? UNSEEN_ALONE_MS : UNSEEN_MS);
    if (from > seen) return undefined;
    for (const message of this.fresh) {
      if (queue.mayHaveGone(message) || message.cancelAsked) this.fresh.delete(message);
      else if (message.confirmedAt > seen) return undefined;
      else if (dueAt(message) < seen && mustBeThere(message)) return message;
    }
    return undefined;
  }

  /** Whoever once may be gone stays so: each is looked at until then. */
  #oldest(mustBeThere) {
    const waiting = this.#waiting;
    while (this.#first < waiting.length) {
      const message = waiting[this.#first];
      if (message.sentAt > this.#aloneSince && !this.queue.mayHaveGone(message) && !message.cancelAsked && mustBeThere(message)) {
        return message;
      }
      waiting[this.#first] = undefined;
      this.#first += 1;
    }
    this.#waiting = [];
    this.#first = 0;
    return undefined;
  }
}
