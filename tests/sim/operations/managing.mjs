/** Opening, looking, and what is done to whole queues. */

import { Opened } from "../actor.mjs";
import { uidOf } from "../bodies.mjs";
import { show, SKEW_MS } from "../model.mjs";
import { abortOf } from "./sending.mjs";

const NAMES = ["q0", "q1", "q2", "dead"];

function told(lab, opened, queue) {
  queue.addEventListener("error", () => lab.count("event error"));
  queue.addEventListener("storage", ({ detail }) => {
    lab.count(`event storage ${detail.state}`);
    if (detail.state !== "lost") return;
    // It is also said by a queue that has given up: its storage failed too often in a row.
    const givenUp = /times in a row/.test(detail.error?.message);
    if (lab.disk?.losses === 0 && !givenUp)
      lab.model.fail("false-alarm", `${opened.name} says that its storage was lost, and it was not: ${detail.error?.message}`);
    opened.actor.scope.lossAt = lab.scheduler.now;
  });
  queue.addEventListener("drain", () => lab.count("event drain"));
  queue.addEventListener("deadletter", ({ detail: { reason } }) => {
    lab.count("event deadletter");
    if (/body is missing/.test(reason) && opened.actor.scope.lossAt < 0) lab.model.fail("body-missing", `${opened.name}: ${reason}`);
  });
  queue.addEventListener("drop", ({ detail: { cause } }) => lab.count(`event drop ${cause}`));
}

const signalOf = (op, actor) => (op.signal ? { signal: abortOf(op, actor).signal } : {});

/** Takes what has the number of a message, and takes its time. */
function schemaOf({ context }) {
  const validate = (value) =>
    new Promise((resolve) => {
      const sound = uidOf(value) >= 0;
      context.task(0.3, () => resolve(sound ? { value } : { issues: [{ message: "it has no number" }] }));
    });
  return { "~standard": { version: 1, vendor: "sim", validate } };
}

/** Every other context that is a client has the entry for that alone, where the package brings one. */
function clientOf({ world }, { context }) {
  if (!world.package.hasClient || /^c\d*[13579]/.test(context.name)) return context.api;
  return (context.client ??= world.package.evaluate(context.globals, "client.js"));
}

/** The host serves the queue at the actor's port, if it does not yet. */
function served(lab, actor, op) {
  const { host } = lab;
  const opened = host?.queues.get(op.q);
  if (!opened || !actor.port || actor.hostPort.context !== host.context) return false;
  const servings = (actor.servings ??= new Map());
  if (servings.get(op.q)?.opened !== opened) servings.set(op.q, { opened, serving: opened.queue.serve(actor.hostPort) });
  return true;
}

export const MANAGING = {
  open: {
    run(lab, actor, op) {
      if (actor.queues.has(op.q) || actor.opening?.has(op.q)) return;
      const policy = lab.script.queues[op.q] ?? {};
      const client = lab.isClient(actor.name);
      if (client && !served(lab, actor, op)) return;
      const model = lab.model.queue(actor.scope, op.q, policy);
      const schema = policy.schema ? { schema: schemaOf(actor) } : {};
      const storage = client || actor.storage === "memory" ? {} : { storage: actor.storage };
      const own = actor.clock && !client ? { clock: actor.clock } : {};
      const options = {
        ...policy,
        ...schema,
        ...storage,
        ...own,
        ...(op.durability && !client && { durability: op.durability }),
        ...(client && { port: actor.port }),
        ...signalOf(op, actor),
      };
      (actor.opening ??= new Set()).add(op.q);
      lab.follow(actor, "open", { name: op.q }, (client ? clientOf(lab, actor) : actor.context.api).openQueue(op.q, options), {
        over: () => actor.opening.delete(op.q),
        failed: () => lab.left(actor),
        done: (queue) => {
          const opened = new Opened(actor, op.q, queue, model);
          actor.queues.set(op.q, opened);
          if (op.events) told(lab, opened, queue);
        },
      });
    },
  },

  metrics: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const { acked } = opened.model;
      lab.follow(actor, "metrics", opened, opened.queue.metrics(), { done: (found) => lab.model.metrics(opened.model, found, acked) });
    },
  },

  peek: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      lab.follow(actor, "peek", opened, opened.queue.peek({ max: op.max ?? 10, ...(op.state && { state: op.state }) }), {
        done: (infos) => peeked(lab, opened, infos, op),
      });
    },
  },

  /** Takes back one of those this actor has sent. */
  cancel: {
    run(lab, actor, op) {
      if (!actor.ids.length) return;
      const [{ opened, message }] = actor.ids.splice(op.i % actor.ids.length, 1);
      if (opened.closed || actor.queues.get(opened.name) !== opened) return;
      const { receivers, unseen, calls } = opened.model;
      const still = receivers === 0 && !message.cancelAsked && unseen === message.unseenAt
        && lab.model.mustBeThere(message, opened.model);
      message.cancelAsked = true;
      lab.follow(actor, "cancel", opened, opened.queue.cancel(message.id), {
        // Another client may have it ahead: who closes before that says what became of it is told that the outcome is unknown.
        allowed: (name, error) => name === "StorageLostError" && error.outcomeUnknown === true && opened.closed && actor.port !== undefined,
        done: (cancelled) => {
          lab.count(`cancel ${cancelled}`);
          if (!cancelled && still && opened.model.unseen === unseen && opened.model.calls === calls) {
            lab.model.fail("not-cancelled", `${message.uid} can't be cancelled, though nobody has received it`);
          }
          // Numbers begin again in a storage that was made anew: another message may have the one that is meant.
          const { lossAt, begunAt } = opened.model.scope;
          if (!cancelled || message.sentAt <= Math.max(lossAt, begunAt)) return;
          message.cancelled = true;
          if (message.ackedBy && !message.wild) lab.model.fail("cancelled", `${message.uid} was acked, and then cancelled`);
        },
      });
    },
  },

  purge: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const { model } = opened;
      const { receivers, unseen, calls } = model;
      const there = receivers === 0 ? lab.model.there(model) : [];
      model.purgedAt = Infinity;
      const over = () => (model.purgedAt = lab.scheduler.now);
      const done = () => {
        // Nobody received meanwhile: nobody can have had one of them.
        if (model.receivers > 0 || model.unseen !== unseen || model.calls !== calls) return;
        for (const message of there) message.purged = { context: actor.context, by: actor.context.wall() };
      };
      // Where that is not known it may still happen.
      const unknown = () => (model.purging = true);
      lab.follow(actor, "purge", opened, opened.queue.purge(), { done, over, failed: unknown, died: () => (over(), unknown()) });
    },
  },

  pause: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      opened.model.paused = true;
      lab.follow(actor, "pause", opened, opened.queue.pause(), {});
    },
  },

  resume: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      lab.follow(actor, "resume", opened, opened.queue.resume(), {});
    },
  },

  redrive: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const { model, model: { scope } } = opened;
      scope.redriven = true;
      if (op.to) scope.redrivenTo.add(op.to);
      const redrive = { from: model, overAt: Infinity };
      scope.redrives.push(redrive);
      const over = () => (redrive.overAt = lab.scheduler.now);
      const options = { ...(op.to && { to: op.to }), ...(op.max && { max: op.max }), ...(op.rate && { ratePerSecond: op.rate }) };
      lab.follow(actor, "redrive", opened, opened.queue.redrive(options), {
        allowed: (name) => name === "QueueFullError" || name === "NotFoundError",
        done: (count) => {
          over();
          lab.count(count ? "redrive some" : "redrive none");
        },
        // Where that is not known it may still happen.
        failed: (error) => error?.outcomeUnknown || over(),
      });
    },
  },

  flush: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened) return;
      const signal = abortOf(op, actor)?.signal;
      lab.follow(actor, "flush", opened, opened.queue.flush(signal && { signal }), { signal: op.abort !== undefined });
    },
  },

  /** The host serves the queue at the actor's port no more. */
  unserve: {
    run(lab, actor, op) {
      const known = actor.servings?.get(op.q);
      if (!known || known.opened.actor.gone) return;
      actor.servings.delete(op.q);
      actor.troubled = true;
      actor.context.cutAt = lab.scheduler.now;
      lab.disturb(actor, true);
      lab.follow(known.opened.actor, "unserve", known.opened, known.serving.close());
    },
  },

  list: {
    run(lab, actor) {
      if (actor.port) return;
      const options = actor.storage === "memory" ? {} : { storage: actor.storage };
      lab.follow(actor, "list", undefined, actor.context.api.listQueues(options), {
        over: () => lab.left(actor),
        done: (infos) => {
          if (infos.some(({ name }) => !NAMES.includes(name.replace(/(-dlq)+$/, "")))) lab.model.fail("listed", `${JSON.stringify(infos)}`);
        },
      });
    },
  },

  remove: {
    run(lab, actor, op) {
      if (actor.port) return;
      const options = actor.storage === "memory" ? {} : { storage: actor.storage };
      actor.scope.deletedAt = Infinity;
      const over = () => {
        actor.scope.deletedAt = lab.scheduler.now;
        lab.left(actor);
      };
      lab.disturb(actor, true);
      lab.follow(actor, "remove", undefined, actor.context.api.deleteQueue(op.q, { ...options, force: op.force }), {
        allowed: (name) => name === "NotFoundError" || name === "InvalidStateError",
        over,
        died: over,
      });
    },
  },
};

function peeked(lab, { model, actor }, infos, op) {
  if (infos.length > (op.max ?? 10)) lab.model.fail("too-many", `peek told ${infos.length}`);
  const seen = new Set();
  for (const { id, body, state, availableAt } of infos) {
    if (seen.has(id)) lab.model.fail("twice", `peek told ${id} twice`);
    seen.add(id);
    const message = lab.model.messages.get(uidOf(body));
    if (!message) lab.model.fail("unsent", `peek at ${model.name} told what nobody sent: ${id}, ${show(body)}`);
    else if (message.wild) continue;
    else if (message.state === "refused") lab.model.fail("refused-there", `peek at ${model.name} told ${message.uid}, which was refused`);
    else backoff(lab, model, message, actor, state, availableAt);
    if (message?.id !== undefined && message.id !== id) lab.model.fail("id-changed", `${message.uid} was ${message.id}, and is ${id}`);
  }
}

/** No retry waits for longer than the policy says. */
function backoff(lab, model, message, { context }, state, availableAt) {
  const { retryDelay = {} } = model.policy;
  if (state !== "delayed" || !message.attempts || message.at !== model || message.holder?.said !== "retry") return;
  if (message.explicit || model.scope.skewed || lab.script.world !== "memory") return;
  const most = typeof retryDelay === "number" ? retryDelay : retryDelay.max ?? 300;
  const wait = availableAt.getTime() - lab.world.latestWallAt(context.local);
  // Clocks that were set go on from the journal's time, a little off.
  if (wait > most * 1000 + (model.scope.clockSet ? SKEW_MS : 0))
    lab.model.fail("backoff", `${message.uid} waits for ${wait} ms, and the most is ${most} s`);
}
