/** Sends of every kind. */

import { bodyOf } from "../bodies.mjs";
import { mix } from "../world/random.mjs";

/** A send may be refused so, by its queue's policy. */
const full = (opened) => (name) => {
  const { capacity, overflow } = opened.model.policy;
  return name === "QueueFullError" && overflow === "reject" || name === "MessageTooLargeError" && capacity !== undefined;
};
/** Errors after which nobody knows whether the message is there. */
const unknown = (error) => error?.outcomeUnknown === true;

function options(op, actor) {
  const given = {};
  let some = false;
  const set = (name, value) => {
    if (value === undefined) return;
    given[name] = value;
    some = true;
  };
  set("delaySeconds", op.delay);
  set("expirationSeconds", op.expire);
  set("idempotencyKey", op.key === undefined ? undefined : `key ${op.key}`);
  set("contentType", op.type);
  set("headers", op.headers ? { h: `h${op.u}` } : undefined);
  set("signal", abortOf(op, actor)?.signal);
  return some ? given : undefined;
}

/** `abort`: after so many milliseconds; `signal`: one that lives as long as the actor. */
export function abortOf(op, actor) {
  if (op.signal) return (actor.lasting ??= new AbortController());
  if (op.abort === undefined) return undefined;
  const controller = new AbortController();
  actor.context.task(op.abort, () => controller.abort());
  return controller;
}

function answered(lab, message, opened, receipt, calledAt, before) {
  const { model } = lab;
  if (receipt.duplicate) return model.duplicate(message, receipt.id);
  model.confirmed(message, receipt.id);
  model.keyForgotten(message, calledAt, before);
  if (opened.actor.ids.length < 1000) opened.actor.ids.push({ opened, message });
}

function changed(body) {
  if (typeof body !== "object" || body === null) return;
  if (body instanceof Uint8Array) body.fill(0);
  else if ("u" in body) Object.assign(body, { u: -1, text: "changed", list: undefined });
}

export const SENDING = {
  send: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened || lab.model.messages.has(op.u)) return;
      const { context } = actor;
      const spec = { body: op.body ?? "number", size: op.size ?? 0, delay: op.delay, expire: op.expire, key: op.key, headers: op.headers };
      // As bytes they come as a buffer, whatever they were.
      const body = bodyOf(op.u, spec.body, spec.size);
      if (op.type === "bytes") spec.body = "buffer";
      const message = lab.model.sent(opened.model, op.u, spec, context.wall(), context.local);
      const before = op.key === undefined ? undefined : opened.model.keys.get(op.key);
      let given = options(op, actor);
      if (op.transfer && body instanceof ArrayBuffer) given = { ...given, transfer: [body] };
      const promise = given ? opened.queue.send(body, given) : opened.queue.send(body);
      if (op.mutate) changed(body);
      const calledAt = actor.context.local;
      const entry = lab.follow(actor, "send", opened, promise, {
        signal: op.abort !== undefined,
        allowed: full(opened),
        done: (receipt) => answered(lab, message, opened, receipt, calledAt, before),
        failed: (error) => lab.model.refused(message, unknown(error)),
        died: () => lab.model.refused(message, true),
      });
      Object.assign(entry, { message, before });
    },
  },

  batch: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened || lab.model.messages.has(op.u)) return;
      const wall = actor.context.wall();
      const messages = [];
      const requests = [];
      for (let at = 0; at < op.n; at += 1) {
        const uid = op.u + at;
        const random = op.mixed ? mix(op.u, at) : 0;
        const spec = { body: op.body ?? "number", size: op.size ?? 0, delay: op.delay };
        const request = { body: bodyOf(uid, spec.body, spec.size) };
        if (random % 5 === 1) request.delaySeconds = spec.delay = (random % 3) / 2;
        if (op.expiring && random % 5 === 4) request.expirationSeconds = spec.expire = 1 + random % 60;
        if (random % 5 === 2) request.headers = { h: `h${(spec.headers = 1, uid)}` };
        if (random % 5 === 3) request.idempotencyKey = `key ${(spec.key = `of ${uid}`)}`;
        messages.push(lab.model.sent(opened.model, uid, spec, wall, actor.context.local));
        requests.push(request);
      }
      const batch = { messages, whole: true };
      for (const message of messages) message.batch = batch;
      const signal = abortOf(op, actor)?.signal;
      const given = { ...(op.delay !== undefined && { delaySeconds: op.delay }), ...(signal && { signal }) };
      const promise = opened.queue.sendBatch(requests, given);
      if (op.mutate) { for (const { body } of requests) changed(body); }
      lab.follow(actor, "batch", opened, promise, {
        signal: op.abort !== undefined,
        allowed: full(opened),
        done: ({ ids }) => {
          if (ids.length !== op.n) lab.model.fail("batch", `${op.n} messages have ${ids.length} ids`);
          messages.forEach((message, at) => lab.model.confirmed(message, ids[at]));
        },
        failed: (error) => messages.forEach((message) => lab.model.refused(message, unknown(error))),
        died: () => messages.forEach((message) => lab.model.refused(message, true)),
      });
    },
  },

  /** Through the queue's stream. */
  write: {
    run(lab, actor, op) {
      const opened = actor.queues.get(op.q);
      if (!opened || opened.writerFailed || opened.closed || lab.model.messages.has(op.u)) return;
      const { context } = actor;
      const spec = { body: op.body ?? "number", size: op.size ?? 0 };
      const message = lab.model.sent(opened.model, op.u, spec, context.wall(), context.local);
      const { queue } = opened;
      opened.writer ??= queue.writable.getWriter();
      opened.writer.closed.catch(() => undefined);
      const promise = opened.writer.write(bodyOf(op.u, message.spec.body, message.spec.size));
      lab.follow(actor, "write", opened, promise, {
        // A stream that has failed once fails always, with the same error.
        allowed: (name) => full(opened)(name) || opened.writerFailed || opened.closed,
        done: () => lab.model.confirmed(message, message.id),
        failed: () => {
          opened.writerFailed = true;
          lab.model.refused(message, true);
        },
        died: () => lab.model.refused(message, true),
      });
    },
  },
};
