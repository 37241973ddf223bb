/** Cloudflare's rules for a queue handler: its own queues beside posthaste's, which are pushed in each of their ways. */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { COMPATIBILITY_DATE, Heard, modulesOf, Response, start } from "./lab.mjs";
import { ackedBy, rules } from "./rules.mjs";

const EVENTS = ["service_binding_extra_handlers", "experimental"];
const names = Object.keys(rules);
const modules = Promise.all([modulesOf("rules-main.mjs"), modulesOf("rules-worker.mjs")]);
const consumerOf = { maxBatchSize: 3, maxBatchTimeout: 1, maxRetries: 3, retryDelay: 0 };

async function workers({ entrypoint, events = false, own = false, seen = () => undefined }) {
  const [main, consumer] = await modules;
  const serviceBindings = { SEEN: async (request) => new Response(String(seen(await request.json()))) };
  const queues = names.map((_, at) => `rule${at}`);
  return [
    {
      name: "main",
      modules: main,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat", ...(events ? EVENTS : [])],
      durableObjects: { QUEUES: { className: "Queues", useSQLite: true } },
      serviceBindings: {
        CONSUMER: entrypoint ? { name: "consumer", entrypoint } : "consumer",
        SCRIPT: { name: "consumer", entrypoint: "Script" },
      },
      ...(own && { queueProducers: Object.fromEntries(queues.map((name) => [name, name])) }),
    },
    {
      name: "consumer",
      modules: consumer,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat"],
      serviceBindings,
      ...(own && { queueConsumers: Object.fromEntries(queues.map((name) => [name, consumerOf])) }),
    },
  ];
}

const sides = {
  "Cloudflare Queues (miniflare)": { who: "simulator", own: true },
  "pushed by events": { who: "event", events: true },
  "pushed by calls": { who: "call" },
  "pushed by calls of a wrapped handler": { who: "wrapped", entrypoint: "Wrapped" },
  "pushed by calls of a wrapped method": { who: "wrapped", entrypoint: "WrappedMethod" },
};
for (const [name, { who, ...options }] of Object.entries(sides)) {
  describe(name, { concurrency: true }, () => {
    const heard = new Heard();
    after(async () => (await lab).dispose());
    const lab = workers({ ...options, seen: heard.hear }).then((all) => start(undefined, all, { stdio: () => undefined }));
    for (const [at, rule] of names.entries()) {
      test(rule, async () => {
        const { ask } = await lab;
        const queue = `rule${at}`;
        await ask("send", queue);
        await heard.of((report) => report.queue === queue && report.first, 1);
        const wanted = ackedBy(who, rules[rule]);
        const again = [..."abc"].filter((body) => !wanted.includes(body));
        const reports = (first) =>
          heard.reports.filter((report) => report.queue === queue && report.first === first).flatMap(({ bodies }) => bodies);
        await heard.of((report) => report.queue === queue && !report.first && report.bodies.some((body) => again.includes(body)),
          Math.min(1, again.length));
        // What came again is acked; so has all that did not.
        if (!options.own) { while ((await ask("metrics", queue)).backlogCount > 0); }
        assert.deepEqual([reports(true).sort().join(""), reports(false).sort().join("")], ["abc", again.join("")]);
        if (!options.own) assert.deepEqual((await ask("metrics", queue)).retried, again.length);
      });
    }
  });
}

/** A sequence of numbers from 0 to below 1, the same for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 1 | state) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
  };
}

function scriptOf(next) {
  const pick = (values) => values[Math.floor(next() * values.length)];
  const words = () =>
    Array.from({ length: Math.floor(next() * 4) },
      () => [pick(["ack", "ack", "retry", "retry", "ackAll", "retryAll"]), Math.floor(next() * 3),
        pick([undefined, undefined, 0, 5, 90_000])]);
  return {
    words: words(),
    work: Array.from({ length: Math.floor(next() * 3) }, () => ({ words: words(), fails: next() < 0.3 })),
    end: pick(["returns", "returns", "throws", "rejects"]),
  };
}

test("whatever a handler says, and when: a wrapped one answers what the runtime does", async (t) => {
  const [byEvent, byCall] = await Promise.all(
    [true, false].map(async (events) => start(t, await workers({ events }), { stdio: () => undefined })),
  );
  const next = random(20_261_129);
  const plain = ({ outcome, ackAll, retryBatch, explicitAcks, retryMessages }) => ({
    outcome,
    ackAll,
    retryBatch,
    explicitAcks: [...explicitAcks].sort(),
    retryMessages: retryMessages.sort((a, b) => a.msgId.localeCompare(b.msgId)),
  });
  await Promise.all(Array.from({ length: 400 }, async () => {
    const script = scriptOf(next);
    const messages = ["0", "1", "2"].map((id) => ({ id, body: script }));
    const [told, answered] = await Promise.all([byEvent.ask("event", messages), byCall.ask("call", messages)]);
    assert.deepEqual(plain(answered), plain(told), JSON.stringify(script));
    assert.deepEqual(answered.error, told.outcome === "ok" ? undefined : { name: "Error", message: "no" });
  }));
});
