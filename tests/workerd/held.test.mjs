/** What is pushed is held until its handler has ended with all that it left behind; and nobody's message is the worse for its neighbours. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { COMPATIBILITY_DATE, Heard, modulesOf, Response, start } from "./lab.mjs";

const modules = Promise.all([modulesOf("held-main.mjs"), modulesOf("held-worker.mjs")]);

async function workers({ events = false, bindings = {}, gate = () => "well", seen = () => undefined }) {
  const [main, consumer] = await modules;
  const SEEN = async (request) => new Response(String(seen(await request.json())));
  const GATE = async (request) => new Response(await gate(new URL(request.url).pathname.slice(1)));
  return [
    {
      name: "main",
      modules: main,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat", ...(events ? ["service_binding_extra_handlers", "experimental"] : [])],
      durableObjects: { QUEUES: { className: "Queues", useSQLite: true } },
      bindings,
      serviceBindings: { CONSUMER: "consumer", WRAPPED: { name: "consumer", entrypoint: "Wrapped" } },
    },
    {
      name: "consumer",
      modules: consumer,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: ["nodejs_compat"],
      serviceBindings: { SEEN, GATE },
    },
  ];
}

/** Asks again until it is as wanted. */
async function until(ask, wanted) {
  for (;;) {
    const found = await ask();
    if (wanted(found)) return found;
  }
}

const sides = {
  "by events": { events: true, queue: "held", told: { ctx: true, imported: true } },
  "by calls": { events: false, queue: "held", told: { ctx: false, imported: false } },
  "by calls of a wrapped handler": { events: false, queue: "wrapped", told: { ctx: true, imported: false } },
};
for (const [name, { events, queue, told }] of Object.entries(sides)) {
  describe(name, () => {
    let lab;
    const asked = new Heard();
    const gates = new Map();
    before(async () => {
      const gate = (body) => new Promise((open) => (gates.set(body, open), asked.hear(body)));
      lab = await start(undefined, await workers({ events, gate }), { stdio: () => undefined });
    });
    after(() => lab?.dispose());
    const metrics = () => lab.ask("metrics", queue, queue);

    for (const [way, isTold] of Object.entries(told)) {
      test(`a batch is held, and its leases extended, until the work left to ${way === "ctx" ? "ctx.waitUntil" : "the imported waitUntil"} has ended`, async () => {
        const { acked, retried } = await metrics();
        await lab.ask("send", queue, [way], queue);
        await asked.of((body) => body === way, 1);
        const leased = () => lab.ask("peek", queue, queue).then(([info]) => info);
        const { leaseExpiresAt: granted } = await leased();
        // Beyond the first lease it is still the same one's.
        const later = await until(leased, ({ leaseExpiresAt }) => Date.parse(leaseExpiresAt) - Date.parse(granted) > 600);
        assert.deepEqual([later.state, later.attempts], ["leased", 1]);
        assert.deepEqual([(await metrics()).acked, (await metrics()).retried], [acked, retried]);
        gates.get(way)("badly");
        const ended = await until(metrics, ({ backlogCount }) => backlogCount === 0);
        assert.deepEqual([ended.acked - acked, ended.retried - retried], [1, isTold ? 1 : 0]);
        gates.delete(way);
      });
    }
  });
}

for (const events of [true, false]) {
  describe(events ? "by events" : "by calls", () => {
    let lab;
    const heard = new Heard();
    before(async () => {
      lab = await start(undefined, await workers({ events, seen: heard.hear }), { stdio: () => undefined });
    });
    after(() => lab?.dispose());

    test("a body of undefined is delivered as that, and its neighbours with it", async () => {
      await lab.ask("send", "mixed", [1, "undefined", 2], "undefined");
      const [{ bodies }] = await heard.of(({ queue, bodies }) => queue === "mixed" && bodies.includes("undefined"), 1);
      assert.deepEqual(bodies, ["1", "undefined", "2"]);
      const { acked, retried } = await until(() => lab.ask("metrics", "mixed", "undefined"), ({ backlogCount }) => backlogCount === 0);
      assert.deepEqual([acked, retried], [3, 0]);
    });

    test("a dead letter wakes its consumer at once: neither a call nor an alarm has to", async () => {
      for (let at = 0; at < 6; at += 1) {
        await lab.ask("send", `dead${at}`, [at], `letters ${at}`);
        await heard.of(({ queue }) => queue === `dead${at}-dlq`, 1);
        assert.equal(await lab.ask("counted", `letters ${at}`), 0);
      }
    });

    if (!events) {
      test("a body that no call can carry makes a dead letter of its message, and of no other", async () => {
        await lab.ask("sendLarge", "mixed");
        const ended = await until(() => lab.ask("metrics", "mixed", "mixed"), ({ acked, deadLettered }) => acked + deadLettered === 3);
        assert.deepEqual([ended.acked, ended.deadLettered, ended.retried], [2, 1, 0]);
        const [letter] = await lab.ask("peek", "mixed-dlq", "mixed");
        assert.match(letter.reason, /32 ?MiB/);
      });
    }
  });
}

test("calls and answers carry what they may, headers and reasons too", async (t) => {
  const lab = await start(t, await workers({}), { stdio: () => undefined });
  const headers = { long: "\u4e00".repeat(4000) };
  // 34 MB by the sends of one moment; in one batch it is too much.
  assert.deepEqual(await lab.ask("sendMany", "headers", 4300, headers), [4300, "MessageTooLargeError"]);
  const [received, largest] = await lab.ask("receiveAll", "headers");
  assert.equal(received, 4300);
  assert.ok(largest < 4300, `${largest} came in one answer`);
  assert.equal((await lab.ask("metrics", "headers")).deadLettered, 4300);
});

test("a consumer's binding that is missing is named, and no message becomes a dead letter for it", async (t) => {
  const heard = new Heard();
  const lab = await start(t, await workers({ bindings: { BROKEN: true }, seen: heard.hear }), { stdio: () => undefined });
  await assert.rejects(lab.ask("send", "nobody", [1]),
    /TypeError: consumers\["nobody"\]\.service must be the binding of a Worker, such as this\.env\.SELF, not undefined/);
  await lab.ask("send", "mixed", [1], "others");
  await heard.of(({ queue }) => queue === "mixed", 1);
});
