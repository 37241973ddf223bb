/** What the cases in Deno share: databases with faults, and looking at what lies in one. */

import assert from "node:assert/strict";
import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";

/** A Kv through which `faults` go: by the name of a method, what is called instead, with the real one first. */
export function faulty(kv, faults) {
  const bound = (target, name) => {
    const value = target[name];
    if (typeof value !== "function") return value;
    return faults[name] ? (...words) => faults[name](value.bind(target), ...words) : value.bind(target);
  };
  return new Proxy(kv, {
    get: (_, name) => (name === "atomic" ? () => new Proxy(kv.atomic(), { get: (commit, one) => bound(commit, one) }) : bound(kv, name)),
  });
}

export async function keys(kv, ...prefix) {
  const found = [];
  for await (const { key } of kv.list({ prefix: ["posthaste", ...prefix] })) found.push(key);
  return found;
}

/** Receives and acks until so many messages have come. */
export async function drain(queue, count) {
  const bodies = [];
  while (bodies.length < count) {
    const messages = await queue.receive({ max: 100, wait: 10 });
    assert.ok(messages.length, `only ${bodies.length} of ${count} messages came`);
    for (const message of messages) {
      bodies.push(message.body);
      await message.ack();
    }
  }
  return bodies;
}

/** Does something with a database and a queue in it, and closes both. */
export async function using(file, work, name = "q") {
  const kv = await Deno.openKv(file);
  const queue = await openQueue(name, { storage: kvStorage(kv) });
  try {
    return await work(queue, kv);
  } finally {
    await queue.close();
    kv.close();
  }
}
