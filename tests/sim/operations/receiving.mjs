/** Receiving by hand, and what is said of what was received. */

import { abortOf } from "./sending.mjs";

/** Takes over what a call handed out. `leaseMs`: it is theirs for so long at least, from `asked` on. */
export function taken(lab, opened, messages, asked, leaseMs, slackMs) {
  const { context } = opened.actor;
  const found = [];
  for (const received of messages) {
    lab.operations += 1;
    const delivery = lab.model.delivered(opened.model, context, received, asked, leaseMs, slackMs);
    lab.note("got", opened.name, delivery?.message.uid);
    lab.trace?.(`${lab.scheduler.now.toFixed(3)}   ${context.name}, attempt ${received.attempts}, asked at ${asked}, for ${leaseMs} ms`);
    if (delivery) found.push({ delivery, received, opened });
  }
  return found;
}

/** Says `kind` of a message that is held, and follows what becomes of that. */
export function say(lab, actor, held, kind, seconds) {
  const { delivery, received, opened } = held;
  const { model } = opened;
  const before = delivery.said;
  // The first word is heard; another is refused, and changes nothing, even if its speaker is gone before that is told.
  const first = before === undefined || before === "extend";
  if (first) lab.model.said(delivery, kind);
  let promise;
  if (kind === "ack") promise = received.ack();
  else if (kind === "retry") promise = seconds === undefined ? received.retry() : received.retry({ delaySeconds: seconds });
  else if (kind === "dead") promise = received.deadLetter("because");
  else promise = received.extend(seconds ?? 5);
  // A retry that comes late is none.
  const { until: lease } = delivery;
  const firm = lab.model.holds(delivery) && (lease === Infinity || lease > lab.world.latestWall + 1000);
  // Of two who say so, the one that has it is heard.
  if (kind === "retry" && first && delivery.message.holder === delivery) delivery.message.explicit = seconds !== undefined;
  if (kind === "retry" && first) delivery.message.delayed(firm ? seconds ?? 0 : 0, actor.context.wall(), lab.scheduler.now);
  const ms = (seconds ?? 5) * 1000;
  const until = actor.context.wall() + ms;
  const untilAt = lab.scheduler.now + ms;
  const endless = delivery.until === Infinity;
  if (kind === "extend") delivery.extending = promise;
  if (kind === "extend" && !endless) {
    Object.assign(delivery, { until: Math.min(delivery.until, until), untilAt: Math.min(delivery.untilAt, untilAt) });
  }
  lab.follow(actor, kind, opened, promise, {
    allowed: (name) => name === "LeaseLostError" || name === "InvalidStateError" && before !== undefined,
    done: () => {
      // Who extends a lease that is extended by itself sets its end. Of two words the later counts, which may be on its way.
      if (kind === "extend" && (endless || delivery.extending === promise)) Object.assign(delivery, { until, untilAt });
      else if (first) lab.model.stood(delivery, kind);
    },
    failed: (error, name) => {
      delivery.over = true;
      // What is said of it once its queue is closing is not heard: it goes back.
      if (first && name === "InvalidStateError" && opened.closed) delivery.said = "release";
      if (kind === "retry" && first) delivery.message.notBefore = 0;
      if (name === "LeaseLostError") lab.model.lost(delivery, kind, model);
    },
  });
}

/** What an actor holds of a queue goes back, when it closes that. */
export function letGo(actor, opened) {
  actor.held = actor.held.filter(({ delivery, opened: from }) => {
    if (from !== opened) return true;
    released(delivery);
    return false;
  });
  opened.iterated?.forEach(({ delivery }) => released(delivery));
}

/** A wait that ends is a hand-out at that moment, unless something made the context late, or held up the disk: what is written leases already. */
function since({ context, scope }, calledAt, calledWall) {
  return Math.max(context.disturbedAt, scope.disturbedAt) >= calledAt ? calledWall : context.wall();
}

/** As if it had not been taken. */
function released(delivery) {
  if (!delivery.over) Object.assign(delivery, { over: true, said: "release" });
}

/** Receivers of an open queue begin, or end. `seen`: all that they took is known. */
export function waiting(opened, lanes, seen = false) {
  const { model, actor } = opened;
  const { now } = actor.lab.scheduler;
  if (lanes > 0) model.order.begun(actor, model.receivers + lanes - 1, now);
  model.receivers += lanes;
  // Up to now it could have taken what others had for too long.
  if (lanes < 0) model.calls += 1;
  if (lanes < 0) model.order.ended(model.receivers, seen, now);
  opened.lanes = (opened.lanes ?? 0) + lanes;
}

export const RECEIVING = {
  receive: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const { model } = opened;
      const signal = abortOf(op, actor)?.signal;
      const asked = actor.context.wall();
      const calledAt = lab.scheduler.now;
      const options = {
        ...(op.max !== undefined && { max: op.max }),
        ...(op.wait !== undefined && { wait: op.wait }),
        ...(op.lease !== undefined && { visibilityTimeout: op.lease }),
        ...(op.borrow && { borrow: true }),
        ...(signal && { signal }),
      };
      const leaseMs = op.lease === undefined ? model.leaseMs : op.lease * 1000;
      model.asked(leaseMs, lab.world.portDelay);
      model.calls += 1;
      waiting(opened, 1);
      lab.follow(actor, "receive", opened, opened.queue.receive(options), {
        signal: op.abort !== undefined,
        failed: () => waiting(opened, -1),
        done: (messages) => {
          waiting(opened, -1, true);
          if (messages.length > (op.max ?? 1)) {
            lab.model.fail("too-many", `${messages.length} messages, where ${op.max ?? 1} were asked for`);
          }
          if (!messages.length && op.wait && !opened.closed) lab.model.waitedInVain(model, actor.context, calledAt);
          lab.count(messages.length ? "receive some" : "receive none");
          const found = taken(lab, opened, messages, asked, leaseMs);
          if (opened.closed) found.forEach(({ delivery }) => released(delivery));
          else if (op.then === "ack") found.forEach((held) => say(lab, actor, held, "ack"));
          else actor.held.push(...found);
        },
      });
    },
  },

  /** Of one of those held. */
  settle: {
    run(lab, actor, op) {
      if (!actor.held.length) return;
      const at = op.i % actor.held.length;
      const held = actor.held[at];
      if (op.as !== "extend") actor.held.splice(at, 1);
      say(lab, actor, held, op.as ?? "ack", op.seconds);
      if (op.twice) say(lab, actor, held, op.twice, op.seconds);
    },
  },

  /** Of all those held, in one moment. */
  settleAll: {
    run(lab, actor, op) {
      for (const held of op.as === "extend" ? [...actor.held] : actor.held.splice(0)) say(lab, actor, held, op.as ?? "ack", op.seconds);
    },
  },

  /** One message after the other, in a loop that is left after `n`. */
  iterate: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const { model } = opened;
      const iterator = opened.queue[Symbol.asyncIterator]();
      let left = op.n;
      const own = [];
      waiting(opened, 1);
      const over = () => actor.gone || waiting(opened, -1);
      const leave = () => {
        for (const { delivery } of own) released(delivery);
        lab.follow(actor, "iterator return", opened, iterator.return(), { over });
      };
      const next = () => {
        model.calls += 1;
        const calledAt = lab.scheduler.now;
        const calledWall = actor.context.wall();
        lab.follow(actor, "iterate", opened, iterator.next(), {
          failed: over,
          done: ({ done, value }) => {
            if (done) return over();
            const [held] = taken(lab, opened, [value], since(actor, calledAt, calledWall), model.leaseMs);
            if (!held) return;
            own.push(held);
            (opened.iterated ??= []).push(held);
            left -= 1;
            if (op.as !== "none") say(lab, actor, held, op.as ?? "ack");
            if (opened.closed) released(held.delivery);
            if (left > 0) next();
            else leave();
          },
        });
      };
      opened.leaves = [...(opened.leaves ?? []), leave];
      next();
    },
  },

  /** Reads from the queue's stream. */
  read: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened || opened.readerFailed) return;
      const { model } = opened;
      if (!opened.reader) {
        opened.reader = opened.queue.readable.getReader();
        opened.reader.closed.catch(() => undefined);
        waiting(opened, 1);
      }
      model.calls += 1;
      const calledAt = lab.scheduler.now;
      const calledWall = actor.context.wall();
      lab.follow(actor, "read", opened, opened.reader.read(), {
        failed: () => (opened.readerFailed = true),
        done: ({ done, value }) => {
          if (done) return void (opened.readerFailed = true);
          const found = taken(lab, opened, [value], since(actor, calledAt, calledWall), model.leaseMs);
          if (opened.closed) found.forEach(({ delivery }) => released(delivery));
          else found.forEach((held) => say(lab, actor, held, "ack"));
        },
      });
    },
  },
};
