/**
 * The ledger of a kill test: a small server in the test's own process, to which every context tells what was confirmed, handled and
 * acked. What it finds broken is in `broken`; it knows of the queue only what it is told.
 */
import { createServer } from "node:http";

/** Of a message, as the queues of a kill test have it: who dies with the last makes a dead letter of it, as soon as another would be handed it. */
const ATTEMPTS_MAX = 6;
const newEntry = () => ({ confirmed: false, fails: 0, acked: false, doubtful: false, handlings: [] });

export class Ledger {
  broken = [];
  entries = new Map();
  /** Contexts that opened the queue, and those of them that are dead or dying. */
  opened = new Set();
  dead = new Set();
  words = 0;
  /** Milliseconds from a death to when another was handed what the dead one had. */
  gaps = [];
  stopping = false;
  /** What the first who found nothing left has told. */
  end = undefined;
  #waiting = new Set();

  static async open() {
    const ledger = new Ledger();
    ledger.server = createServer(async (request, response) => {
      let text = "";
      for await (const part of request) text += part;
      response.writeHead(200, { "access-control-allow-origin": "*", "content-type": "application/json" });
      if (text) ledger.hear(JSON.parse(text));
      response.end(JSON.stringify({ stop: ledger.stopping }));
    });
    await new Promise((resolve) => ledger.server.listen(0, "127.0.0.1", resolve));
    ledger.url = `http://127.0.0.1:${ledger.server.address().port}/`;
    return ledger;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  entry(id) {
    if (!this.entries.has(id)) this.entries.set(id, newEntry());
    return this.entries.get(id);
  }

  hear({ context, what, ...words }) {
    this.words += 1;
    this[what](context, words);
    for (const look of this.#waiting) look();
  }

  /** Resolves when it is so; looked at after every word. Rejects with `what` (or what it answers) when too much time goes by. */
  until(condition, what, seconds = 60) {
    return new Promise((resolve, reject) => {
      const over = (settle) => (value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(value);
      };
      const timer = setTimeout(() => over(reject)(new Error(`waited ${seconds} s for: ${typeof what === "string" ? what : what()}`)),
        seconds * 1000);
      const look = () => condition() && over(resolve)();
      this.#waiting.add(look);
      look();
    });
  }

  #break(text) {
    this.broken.push(text);
  }

  /* -------------------------------------------------------------- words */

  open(context) {
    this.opened.add(context);
  }

  confirmed(_, { id }) {
    this.entry(id).confirmed = true;
  }

  handling(context, { messages, said }) {
    const at = performance.now();
    for (const [id, attempts, fails] of messages) {
      const entry = this.entry(id);
      entry.fails = fails;
      const handling = { context, attempts, at, said, ended: false };
      const next = this.#overtook(handling, entry);
      if (next >= 0) {
        entry.handlings.splice(next, 0, handling);
        continue;
      }
      const last = entry.handlings.at(-1);
      if (entry.acked) this.#break(`${id} was acked, and handed to ${context} after`);
      if (last && !last.ended && !this.dead.has(last.context))
        this.#break(
          `${id} was handed to ${context}, as attempt ${attempts}, while ${last.context} had it: ${JSON.stringify(entry.handlings)}`,
        );
      if (entry.doubtful && !this.dead.has(entry.doubtful)) this.#break(`${id} was handed to ${context} while ${entry.doubtful} acked it`);
      entry.doubtful = false;
      entry.handlings.push(handling);
    }
  }

  /**
   * The place of the first handling whose word overtook this one's; -1: none. A page that is left gives back what it has, and its
   * last words may be on their way still when another has told of being handed that: then it counts when they were said. Of one
   * that lives no word is overtaken, as it has the message until it says something else.
   */
  #overtook({ context, said }, { handlings }) {
    return this.dead.has(context) ? handlings.findIndex((other) => said < other.said) : -1;
  }

  #ends(context, id) {
    const handling = this.entry(id).handlings.findLast((known) => known.context === context);
    if (handling) handling.ended = true;
    // The words of the dead may be lost.
    else if (!this.dead.has(context)) this.#break(`${context} has settled ${id}, and did not say that it was handed it`);
  }

  retrying(context, { id }) {
    this.#ends(context, id);
  }

  acking(context, { id }) {
    const entry = this.entry(id);
    // Whoever died, and another was handed it then, did not come to ack it.
    if (entry.handlings.at(-1)?.context === context) entry.doubtful = context;
  }

  acked(context, { id }) {
    Object.assign(this.entry(id), { acked: true, doubtful: false });
    this.#ends(context, id);
  }

  /** A living context acks something, and has not told how that went. */
  get isUnderWay() {
    for (const { doubtful } of this.entries.values()) if (doubtful && !this.dead.has(doubtful)) return true;
    return false;
  }

  failed(context, { id, text }) {
    if (!this.dead.has(context)) this.#break(`${context} lives, and could not settle ${id}: ${text}`);
  }

  error(context, { text }) {
    if (!this.dead.has(context)) this.#break(`${context} lives, and has an error: ${text}`);
  }

  drained(_, { metrics, dead }) {
    this.end ??= { metrics, dead };
  }

  /* ------------------------------------------------------------- deaths */

  /** These contexts are about to die. Answers what they have in their hands. */
  dies(contexts) {
    for (const context of contexts) this.dead.add(context);
    const has = ({ acked, doubtful, handlings }) =>
      !acked && !doubtful && handlings.length > 0 && !handlings.at(-1).ended && contexts.includes(handlings.at(-1).context);
    return [...this.entries].filter(([, entry]) => has(entry)).map(([id]) => id);
  }

  /** Resolves when others have been handed these, and notes how long that took since `from`. */
  async goesOn(held, from) {
    const again = (id) => {
      const { handlings, acked, doubtful } = this.entry(id);
      const { context, ended, attempts } = handlings.at(-1);
      return acked || doubtful || !this.dead.has(context) || ended || attempts === ATTEMPTS_MAX;
    };
    const missing = () => held.filter((id) => !again(id)).slice(0, 5).map((id) => `${id} ${JSON.stringify(this.entry(id).handlings)}`);
    await this.until(() => held.every(again), () => `others to have what the dead had: ${missing().join(", ")}`);
    const last = held.map((id) => this.entry(id).handlings.at(-1)).filter(({ context }) => !this.dead.has(context));
    // Where killing took its time, they may have had it before it was known to be over.
    if (last.length) this.gaps.push(Math.max(0, ...last.map(({ at }) => at - from)));
  }

  /* ---------------------------------------------------------------- end */

  /** When all is drained: every message ended, and the reason of each end is known. Answers what there was. */
  reckon() {
    const { metrics, dead } = this.end;
    const letters = new Map(dead);
    const sums = { confirmed: 0, acked: 0, doubtful: 0, dead: 0, again: 0 };
    for (const [id, { confirmed, fails, acked, doubtful, handlings }] of this.entries) {
      sums.confirmed += confirmed;
      sums.acked += acked;
      sums.again += Math.max(0, handlings.length - 1);
      if (letters.has(id)) {
        sums.dead += 1;
        const deaths = handlings.filter(({ context, ended }) => !ended && this.dead.has(context)).length;
        if (acked) this.#break(`${id} was acked, and is a dead letter`);
        if (fails < ATTEMPTS_MAX && (deaths === 0 || handlings.length < 4))
          this.#break(`${id} is a dead letter (${letters.get(id)}), and nothing explains it: ${JSON.stringify(handlings)}`);
      } else if (!acked) {
        // Its ack was under way when its context died, or that before the ledger was told.
        if (doubtful && this.dead.has(doubtful)) sums.doubtful += 1;
        else this.#break(`${id} was ${confirmed ? "confirmed" : "sent"} and is lost: ${JSON.stringify(handlings)}`);
      }
    }
    for (const id of letters.keys()) if (!this.entries.has(id)) this.#break(`a dead letter that nobody sent: ${id}`);
    const { sent, deadLettered, backlogCount, dropped } = metrics;
    const lost = Object.values(dropped ?? {}).reduce((sum, count) => sum + count, 0);
    if (sent !== metrics.acked + deadLettered + backlogCount + lost || lost > 0)
      this.#break(`the metrics do not add up: ${JSON.stringify(metrics)}`);
    if (deadLettered !== letters.size) this.#break(`${deadLettered} were dead-lettered, ${letters.size} are there`);
    if (metrics.acked !== sums.acked + sums.doubtful)
      this.#break(`${metrics.acked} were acked; the ledger has ${sums.acked} and ${sums.doubtful} that were under way`);
    return sums;
  }
}
