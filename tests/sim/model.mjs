/**
 * What may be, in the plainest terms: messages by number, where each was seen last, and what was said of it. It knows nothing of
 * how the package works. Each event is checked as it comes; `account.mjs` asks at the end where everything is.
 */

import { sameBody, uidOf } from "./bodies.mjs";
import { Delivery } from "./delivery.mjs";
import { MessageModel } from "./message.mjs";
import { QueueModel, Scope } from "./scope.mjs";

/** What came ahead may have been leased so long before it was handed out. */
const AHEAD_MS = 1_500;
export const SKEW_MS = 100;
/** A batch that fills hands out in so long what was taken before its context was kept from running. */
const OUT_OF_DATE_MS = 5_000;
/** A context that was kept from running hands out, so long after, what it took before. */
const TAKEN_MS = 10;
/** Clocks tell whole milliseconds. */
const ROUND_MS = 2;
/** By this reason a message is dead-lettered whose body is gone: never that of a sound one. */
const MISSING = /body is missing/;

export class Model {
  failure = undefined;
  /** Kinds that are let pass: what is known already hides nothing else. */
  ignored = new Set();
  messages = new Map();
  scopes = new Map();

  constructor(world) {
    this.world = world;
  }

  fail(kind, text) {
    if (!this.ignored.has(kind)) this.failure ??= { kind, text, at: this.world.scheduler.now };
  }

  scope(name) {
    let known = this.scopes.get(name);
    if (!known) this.scopes.set(name, known = new Scope(name));
    return known;
  }

  queue(scope, name, policy = {}) {
    let known = scope.queues.get(name);
    if (!known) scope.queues.set(name, known = new QueueModel(scope, name, policy));
    return known;
  }

  /* ----------------------------------------------------------- sending */

  /** `local`: how far its sender has come, who may have run for long and be ahead of the world. */
  sent(queue, uid, spec, wall, local) {
    const message = new MessageModel(uid, queue, spec, wall, this.world.scheduler.now, local);
    this.messages.set(uid, message);
    return message;
  }

  confirmed(message, id) {
    if (message.state === "refused") this.fail("settled-twice", `the send of ${message.uid} was refused and confirmed`);
    const changed = message.id !== undefined && message.id !== id;
    // The older copy had not what was under way, and it was sent again.
    if (changed && !message.wild) this.fail("id-changed", `${message.uid} was ${message.id}, and is ${id}`);
    message.id = id;
    message.state = "confirmed";
    message.confirmedBy = this.world.latestWall;
    message.home.confirmed += 1;
    message.home.order.confirmed(message, this.world.scheduler.now);
    const { key } = message.spec;
    if (key !== undefined && !message.duplicateOf) message.home.keys.set(key, message);
  }

  /** The receipt says that another message with that key was there first. */
  duplicate(message, id) {
    const { home, spec: { key } } = message;
    message.state = "confirmed";
    message.duplicateOf = -1;
    if (key === undefined) return this.fail("duplicate", `${message.uid} has no key, and is said to be a duplicate`);
    const first = home.keys.get(key);
    if (first?.id !== undefined && first.id === id) message.duplicateOf = first.uid;
    if (message.holder) this.fail("duplicate", `${message.uid} was delivered, and is said to be a duplicate of ${id}`);
  }

  /** A key that is known must be recognised, for as long as the window lasts by every clock. */
  keyForgotten(message, calledAt, before) {
    const { home, spec: { key } } = message;
    const first = key === undefined ? undefined : before;
    if (!first || first.state !== "confirmed" || first.duplicateOf || home.scope.lossAt > 0 || home.scope.deletedAt > 0) return;
    // What was dropped at once was never taken in.
    if (home.policy.overflow?.startsWith("drop")) return;
    // Where clocks differ, the window is the journal's.
    if (home.scope.skewed) return;
    const window = (home.policy.deduplicationWindow ?? 300) * 1000;
    // Who serves and is kept from running hears of it later; and so a disk does, to which one writes who is kept from running.
    const heardAt = Math.max(calledAt, home.scope.disturbedAt);
    if (this.world.latestWallAt(heardAt) - first.sentWall < window && heardAt - first.sentAt < window) {
      this.fail("key-forgotten", `${message.uid} has the key of ${first.uid}, which was sent within the window, and was taken for new`);
    }
  }

  refused(message, unknown) {
    if (message.state !== "asked") return;
    message.state = unknown || message.wild ? "unknown" : "refused";
    if (unknown) message.home.unknown += 1;
    else if (message.holder) this.fail("refused-delivered", `the send of ${message.uid} was refused, and it was delivered`);
  }

  /* --------------------------------------------------------- receiving */

  /**
   * `queue` handed `received` out to `context`, which asked at `asked` by its wall clock; `leaseMs`: for so long at least;
   * `slackMs`: it may have been taken so long before.
   */
  delivered(queue, context, received, asked, leaseMs, slackMs = AHEAD_MS) {
    const { body } = received;
    const uid = uidOf(body);
    const message = this.messages.get(uid);
    if (!message) return void this.fail("unsent", `${context.name} got from ${queue.name} what nobody sent: ${show(body)}`);
    const { world } = this;
    if (message.wild || this.#outOfDate(message, queue, context, received)) {
      // Nobody had it any more when it was redriven.
      const { holder } = message;
      const back = holder !== undefined && (holder.over || !this.holds(holder, context)) && this.#mayBeBack(message);
      return Object.assign(new Delivery(message, context, received.attempts, 0, world.scheduler.now, 0, 0), { over: true, back });
    }
    if (this.#mayBeOld(message, queue, context, received)) message.mayBeAcked = true;
    if (message.at !== queue) this.#moved(message, queue, context, received);
    const { spec, holder } = message;
    if (!sameBody(body, uid, spec.body, spec.size)) this.fail("body", `${uid} is not what was sent: ${show(body)}`);
    if (spec.headers && received.headers.h !== `h${uid}`) this.fail("headers", `${uid} has lost its headers`);
    if (!spec.headers && Object.keys(received.headers).length) this.fail("headers", `${uid} has headers of another`);
    if (message.id === undefined) message.id = received.id;
    else if (message.id !== received.id) this.fail("id-changed", `${uid} was ${message.id}, and is ${received.id}`);
    this.#mayBeDelivered(message, asked, slackMs, context, queue);
    if (holder && !holder.over && this.holds(holder, context) && !queue.scope.late) {
      const left = holder.until - world.latestWallAt(context.local);
      this.fail("two-holders", `${uid} is ${holder.context.name}'s ${left} ms more; ${context.name} got it`);
    }
    if (holder?.said === "ack" && holder.firm && this.#calm(holder, holder.firm === "sole") && !this.#blocked(holder)) {
      this.fail("acked-delivered", `${uid}'s handler in ${holder.context.name} returned in time, and ${context.name} got it again`);
    }
    this.#attempts(message, queue, received.attempts, context);
    // Where clocks differ, what its last holder was handed later may have come before what this one took.
    if (queue.scope.skewed && received.attempts <= message.attempts && holder?.said === "ack") message.mayBeAcked = true;
    const older = queue.order.before(message, this.isThere);
    if (older) this.fail("order", `${uid} came from ${queue.name} before ${older.uid}, which was there before it`);
    // A client that was kept from running may have been given it long before.
    const stale = queue.scope.served && leaseMs < Infinity && context.disturbedAt >= world.scheduler.now - OUT_OF_DATE_MS;
    // Once a clock was set, contexts may be so much apart: each takes less than that for the clock's own unevenness.
    const apart = queue.scope.clockSet ? SKEW_MS : 0;
    const until = stale ? 0 : leaseMs === Infinity ? Infinity : asked + leaseMs - Math.min(AHEAD_MS, leaseMs / 2) - apart;
    const delivery = new Delivery(message, context, received.attempts, until, world.scheduler.now, queue.calls, until - asked);
    if (!message.holder) message.home.order.fresh.delete(message);
    message.holder = delivery;
    message.attempts = received.attempts;
    // What a client that was kept from running hands out may have been others' meanwhile, and be over.
    if (!queue.scope.served || context.disturbedAt < world.scheduler.now - OUT_OF_DATE_MS) {
      message.unseenAt = queue.unseen;
      message.seenAt = world.scheduler.now;
    } else if (holder?.said === "ack") message.mayBeAcked = true;
    message.notBefore = 0;
    return delivery;
  }

  /** A context that was kept from running hands out what it took long ago, and others have had since. */
  #outOfDate(message, queue, context, { attempts }) {
    // Its lease may be over before it gets there, which looks there like a difference of clocks.
    const outrun = queue.scope.served && queue.isOutrun(this.world.portDelay);
    const others = message.at === queue && message.holder && message.holder.context !== context;
    if (outrun && others && attempts <= message.attempts) return true;
    if (!this.#late(queue, context)) return false;
    // What a client was sent ahead can be cancelled once its lease is over, which one that was kept from running does not know.
    const early = Math.max(context.disturbedAt, queue.scope.behindUntil) >= this.world.scheduler.now - OUT_OF_DATE_MS;
    if (message.cancelled && queue.scope.served && early) return true;
    if (!message.holder) return false;
    if (this.#isBack(message.holder) || this.#cutOff(message.holder)) return false;
    if (message.at !== queue) return message.at.name === queue.dlq && !queue.scope.redriven;
    // Whose serving has just ended hands out what came before it hears of that; by the attempt alone it may be what was redriven.
    const unheard = queue.scope.served && context.cutAt >= this.world.scheduler.now - OUT_OF_DATE_MS;
    // Who has it took it later, having run for long, than this is handed out.
    const before = queue.scope.served && context.local < message.holder.local;
    const gone = unheard || before || this.#ackStood(message) || !this.#mayBeBack(message);
    return attempts <= message.attempts && message.holder.context !== context && gone;
  }

  /** It was redriven by now, or this is what a client took before the ack of whoever had it since, which the host has heard. */
  #mayBeOld(message, queue, context, { attempts }) {
    const { at, holder, ackedBy } = message;
    if (!queue.scope.served || !this.#late(queue, context) || holder?.said !== "ack" && !ackedBy) return false;
    return at === queue ? attempts <= message.attempts : at.name === queue.dlq;
  }

  /** `context` may hand out what it took long ago: it was kept from running, or whoever serves it was. */
  #late({ scope }, context) {
    const disturbedAt = scope.served ? Math.max(context.disturbedAt, scope.disturbedAt, scope.behindUntil) : context.disturbedAt;
    return disturbedAt >= this.world.scheduler.now - OUT_OF_DATE_MS;
  }

  /** It was given back, as if it had not been taken. */
  #isBack(holder) {
    return holder.said === "release" || (holder.over ? holder.closing : this.#wentBack(holder));
  }

  /** Its holder has gone, or has lost whoever gave it. */
  #cutOff({ context, at }) {
    return context.dead || context.cutAt >= at;
  }

  /** Who serves has set its clock back: its time stands, and goes on in leaps, by its timers, which may end a lease early. */
  #behind({ scope }) {
    return scope.served && scope.behindUntil > this.world.scheduler.now;
  }

  #ackStood({ ackedBy, holder }) {
    return ackedBy !== undefined || holder.said === "ack" && holder.firm !== undefined;
  }

  /**
   * Whether the lease is live by every clock, when `context` comes to ask: it may have run for long, and be ahead of the world. Those that
   * are extended by themselves are, if nothing keeps their holder from it.
   */
  holds(delivery, context = delivery.context) {
    if (this.#cutOff(delivery) || this.#behind(delivery) || this.#wentBack(delivery)) return false;
    if (delivery.until === Infinity) return this.#calm(delivery, false);
    return this.world.latestWallAt(context.local) < delivery.until - ROUND_MS && context.local < delivery.untilAt - ROUND_MS;
  }

  /** Nothing went wrong since it was handed out that its holder can't help. */
  #calm({ at, context, scope, message }, mayBlock) {
    // A worker whose timers are held back can't know before the first was late.
    if (context.hidden && context.kind !== "page") return false;
    // A client that was kept from running takes the time that a frame waited for a difference of clocks, and leases for longer than they are.
    const late = scope.served ? message.at.leaseMs + AHEAD_MS : TAKEN_MS;
    const quiet = mayBlock || context.disturbedAt + late < at;
    return !this.#cutOff({ context, at }) && !this.#behind({ scope }) && !scope.skewed && scope.disturbedAt < at && quiet;
  }

  /** The handler has ended, and says `kind` of it by that. `sole`: nobody else could take it meanwhile. */
  ended(delivery, kind, sole) {
    // What was out of date when it was handed out may be acked by that all the same.
    if (delivery.over && kind === "ack") delivery.message.mayBeAcked = true;
    if (delivery.over) return;
    if (delivery.from?.over) return this.said(delivery, "release");
    delivery.firm = this.holds(delivery) ? "held" : sole && !this.#wentBack(delivery) ? "sole" : undefined;
    if (delivery.context.busyUntil > this.world.scheduler.now) delivery.blockedUntil = delivery.context.busyUntil;
    this.said(delivery, kind);
  }

  /** Others could take it before its handler's end was heard. */
  #blocked({ firm, blockedUntil, attempts, queue }) {
    if (firm !== "sole" || blockedUntil < 0) return false;
    // Where its last try was over by then, they made a dead letter of it, which is seen only when it is redriven.
    const dead = queue.scope.redriven && attempts >= queue.tries;
    return dead || this.world.scheduler.now - AHEAD_MS < blockedUntil;
  }

  /** Its queue was closed, and has waited for the handler for as long as it does. */
  #wentBack({ from }) {
    return from !== undefined && this.world.scheduler.now >= from.backAt - ROUND_MS;
  }

  #mayBeDelivered(message, asked, slack, context, queue) {
    const { uid } = message;
    const now = context.local;
    const latestWall = this.world.latestWallAt(now);
    if (message.state === "refused") this.fail("refused-delivered", `the send of ${uid} was refused, and it was delivered`);
    if (message.duplicateOf) this.fail("duplicate", `${uid} is a duplicate of ${message.duplicateOf}, and was delivered`);
    if (message.cancelled) this.fail("cancelled-delivered", `${uid} was cancelled, and was delivered`);
    // Others may have leased ahead what they do not know to be purged; and then it comes back.
    const purged = message.purged?.context === context && asked > message.purged.by;
    message.purged = undefined;
    if (purged && !queue.scope.clockSet && queue.scope.lossAt === -Infinity && !queue.scope.troubled) {
      this.fail("purged-delivered", `${uid} was purged by ${context.name}, which received it later`);
    }
    if (message.ackedBy) this.fail("acked-delivered", `${uid} was acked in time, and ${context.name} got it again from ${queue.name}`);
    // Clocks that differ, or were set, go on from the journal's time, a little off.
    const off = queue.scope.clockSet ? SKEW_MS : 0;
    // Where a clock stands, or runs fast, its context goes by what has passed.
    const { skewed } = queue.scope;
    // The last word of a client that died, or was cut off, may not have been heard.
    const unheard = queue.scope.served && message.holder && this.#cutOff(message.holder);
    const early = !skewed && !unheard && latestWall + off < message.notBefore && now + off < message.notBeforeAt;
    if (early && !this.#mayBeBack(message)) {
      this.fail("early", `${uid} came ${message.notBefore - latestWall} ms before it was due`);
    }
    // What came back expires anew, and nobody saw from when on.
    if (this.#mayBeBack(message)) message.expiryMs = Infinity;
    // A queue that keeps dead letters may have made one of it in its place: those do not expire.
    const kept = queue.keeps && message.attempts > 0;
    if (asked - slack > message.confirmedBy + message.expiryMs && !kept && !skewed && !this.#mayBeBack(message)) {
      this.fail("expired-delivered", `${uid} had expired, and was delivered`);
    }
  }

  /** It turned up in another queue than where it was. */
  #moved(message, queue, context, received) {
    const { uid, at } = message;
    if (at.scope === queue.scope && at.dlq === queue.name) {
      this.deadLettered(message, at, context, received.letter?.reason);
      message.dead = true;
    } else if (at.scope !== queue.scope || !at.scope.redriven && !at.passesOn(queue)) {
      this.fail("strayed", `${uid} was sent to ${at.scope.name}/${at.name}, and came from ${queue.scope.name}/${queue.name}`);
    }
    message.at = queue;
    message.expiryMs = Infinity;
    message.attempts = 0;
    message.notBefore = 0;
    // Nobody knows since when it has been there.
    message.unseenAt = 0;
    message.seenAt = -Infinity;
    message.deadAsked = false;
    message.ackedBy = undefined;
    message.holder = undefined;
  }

  /** Only what has no try left is a dead letter, or what its receiver said so of. */
  deadLettered(message, from, context, reason) {
    const { uid, holder } = message;
    if (MISSING.test(reason ?? "") && from.scope.lossAt < 0)
      this.fail("body-missing", `${uid}, whose body is there, was dead-lettered: ${reason}`);
    if (message.ackedBy) return this.fail("acked-dead", `${uid} was acked in time, and is among the dead letters`);
    if (message.deadAsked || from.mayHaveGone(message) || from.scope.redriven) return;
    if (message.attempts < from.tries) {
      this.fail("tries-left", `${uid} was dead-lettered by ${from.name} after ${message.attempts} of ${from.tries} attempts`);
    } else if (holder && !holder.over && this.holds(holder, context)) {
      this.fail("dead-held", `${uid} was dead-lettered while ${holder.context.name} has it`);
    }
  }

  /** It may have been a dead letter that nobody saw, and have come back. */
  #mayBeBack(message) {
    const { at, attempts, deadAsked } = message;
    return at.scope.redriven && (deadAsked || attempts >= at.tries || at.mayHaveGone(message));
  }

  #attempts(message, queue, attempts, context) {
    const { uid, holder } = message;
    const unseen = queue.mayHaveGone(message);
    if (queue.scope.late) return;
    const back = holder && this.#isBack(holder);
    const given = back || holder && (this.#cutOff(holder) || holder.unheard || holder.context !== context && holder.untold);
    if (attempts > queue.triesMax) this.fail("attempts", `${uid} has attempt ${attempts} of ${queue.triesMax}`);
    if (!unseen && attempts > message.attempts + 1) this.fail("attempts", `${uid} has attempt ${attempts} after ${message.attempts}`);
    if (attempts <= message.attempts && !(given && attempts === message.attempts) && !this.#mayBeBack(message)) {
      this.fail("attempts", `${uid} has attempt ${attempts} again`);
    }
  }

  /** `context` waited for a message since `from`, and got none. */
  waitedInVain(queue, context, from) {
    const { scheduler: { now }, hintsMissed, disturbedAt, slowed } = this.world;
    // A batch that fills where timers are held back has for long what nobody saw.
    const slow = context.slow || slowed && queue.fills;
    if (queue.paused || queue.scope.skewed || queue.scope.late || hintsMissed || slow || disturbedAt >= from) return;
    const message = queue.order.neglected(from, now, this.isThere);
    if (!message) return;
    const text = `${message.uid} is in ${queue.name} for ${Math.round(now - message.confirmedAt)} ms`;
    this.fail("neglected", `${text}; ${context.name} has waited for ${Math.round(now - from)} ms, and got nothing`);
  }

  isThere = (message) => this.mustBeThere(message, message.home);

  /** It was confirmed, nobody had it, and nothing can have ended it. */
  mustBeThere(message, queue) {
    const { home, at, spec, state, duplicateOf, holder, mayExpire } = message;
    if (
      message.wild || state !== "confirmed" || duplicateOf || holder || mayExpire || home !== queue || at !== queue ||
      spec.key !== undefined
    ) {
      return false;
    }
    const { scope, purgedAt, purging, policy } = queue;
    if (message.cancelAsked || scope.lossAt > -Infinity || scope.deletedAt > -Infinity || scope.troubled) return false;
    if (policy.overflow?.startsWith("drop")) return false;
    return !purging && message.sentAt > purgedAt;
  }

  /** What must be in a queue. */
  there(queue) {
    return [...this.messages.values()].filter((message) => this.mustBeThere(message, queue));
  }

  /* ---------------------------------------------------------- settling */

  /** What a holder says, when it says it. */
  said(delivery, kind) {
    if (kind !== "extend") Object.assign(delivery, { over: true, closing: this.#wentBack(delivery) });
    else if (delivery.over) return;
    delivery.said = kind;
    // Whoever has it since may have been handed what was out of date.
    const { holder } = delivery.message;
    const old = delivery.scope.served || delivery.scope.skewed && holder?.attempts <= delivery.attempts;
    if (kind === "ack" && holder !== delivery && old) delivery.message.mayBeAcked = true;
    if (kind === "dead") delivery.message.deadAsked = true;
    if (kind === "ack") delivery.message.at.ackAsked += 1;
  }

  /** It stood. */
  stood(delivery, kind) {
    const { message } = delivery;
    if (message.wild || kind !== "ack" && kind !== "dead" || message.ackedBy === delivery) return;
    const { holder } = message;
    // A queue for dead letters that has none itself keeps what is dead-lettered in it.
    const keeps = kind === "dead" && message.at.keeps;
    // One that was kept from running may be told only now of what it had before.
    const since = holder && holder.attempts >= delivery.attempts;
    // What is redriven begins anew; and by the attempt alone nobody can tell which of two came first where the host had not heard of one.
    const same = holder?.attempts === delivery.attempts;
    const alike = same && (message.at.scope.late || holder.unheard || holder.untold);
    // A dead letter may be redriven, and in other hands, before who made it one has heard that it is.
    const again = kind === "dead" && message.at.scope.redriven && (message.at !== delivery.queue || same);
    if (holder !== delivery && since && holder.said !== "release" && !keeps && !delivery.back && !alike && !again) {
      return this.fail("stale-stood", `${message.uid}: the ${kind} of ${delivery.context.name} stood, and ${holder.context.name} has it`);
    }
    if (kind === "ack") {
      message.ackedBy = delivery;
      message.at.acked += 1;
    }
  }

  /** It did not: someone else must have the message, or have been able to. */
  lost(delivery, kind, queue) {
    const { message } = delivery;
    const { scope } = queue;
    if (message.holder !== delivery || message.at !== queue || message.cancelAsked) return;
    // What was taken from it while it was on its way is handed out all the same: for long, where something keeps its context from hearing.
    const late = Math.max(delivery.context.disturbedAt, scope.disturbedAt) >= delivery.at - OUT_OF_DATE_MS;
    const hearsBy = late ? OUT_OF_DATE_MS : SKEW_MS + (scope.served ? this.world.portDelay : 0);
    if (queue.purging || Math.max(queue.purgedAt, scope.lossAt, scope.deletedAt) >= delivery.at - hearsBy) return;
    if (message.mayExpire) return;
    if (this.holds(delivery)) {
      const early = delivery.until - this.world.latestWallAt(delivery.context.local);
      return this.fail("lease-lost", `${message.uid}: ${delivery.context.name}'s ${kind} came ${early} ms in time`);
    }
    if (this.world.latestWall < delivery.until || queue.policy.overflow === "drop-oldest") return;
    // A dead letter whose lease is over is one again, and can be redriven.
    if ((message.dead || message.home !== queue) && queue.redrivenAt >= delivery.at - hearsBy) return;
    if (queue.calls === delivery.calls && queue.receivers === 0 && !queue.mayHaveGone(message)) {
      this.fail("lapsed-lost", `${message.uid}: ${delivery.context.name}'s ${kind} did not stand, and nobody took it since`);
    }
  }

  /* -------------------------------------------------------- inspecting */

  /** `ackedBefore`: so many were acked when it was asked for. */
  metrics(queue, told, ackedBefore) {
    const { backlogCount, ready, delayed, leased, sent, acked, deadLettered, dropped } = told;
    const ended = dropped.expired + dropped.overflow + dropped.purged + dropped.noDeadLetterQueue;
    const text = () => JSON.stringify(told);
    if (backlogCount !== ready + delayed + leased) {
      this.fail("sums", `${queue.name}: the backlog is not ready + delayed + leased: ${text()}`);
    }
    if (sent !== acked + deadLettered + ended + backlogCount) {
      this.fail("sums", `${queue.name}: sent is not the sum of what became of it: ${text()}`);
    }
    if (Object.values(told).some((count) => typeof count === "number" && !(count >= 0))) {
      this.fail("sums", `${queue.name}: less than nothing: ${text()}`);
    }
    const { messages, bytes } = queue.policy.capacity ?? {};
    const { backlogBytes } = told;
    if (backlogCount === 0 ? backlogBytes !== 0 : !(backlogBytes > 0)) {
      this.fail("sums", `${queue.name}: ${backlogBytes} bytes of ${backlogCount} messages`);
    }
    if (bytes !== undefined && backlogBytes > bytes && !queue.takesLetters) {
      this.fail("capacity", `${queue.name}: ${backlogBytes} of ${bytes} bytes`);
    }
    if (messages !== undefined && backlogCount > messages && !queue.takesLetters) {
      this.fail("capacity", `${queue.name}: ${backlogCount} of ${messages}`);
    }
    if (queue.scope.lossAt < 0 && queue.scope.deletedAt < 0 && acked < ackedBefore) {
      this.fail("sums", `${queue.name}: ${ackedBefore} were acked, and ${acked} are counted`);
    }
  }
}

export function show(value) {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 120);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
