/** Workers that are terminated at any instruction, in the middle of their frames: nobody is held up, nothing is half, nothing confirmed is lost. */
import assert from "node:assert/strict";
import { promise } from "./harness.mjs";

/** A thousand where it takes a minute; elsewhere as many as there is time for. POSTHASTE_TERMINATIONS asks for another number. */
const rounds = (kind) => Number(process.env.POSTHASTE_TERMINATIONS ?? (kind === "chromium" ? 1000 : 60));

/** What a dying worker does: sends as fast as it can, and notes what was confirmed. */
const sends = async ({ name, round }) => {
  const queue = name === undefined ? await openQueue("mortal", { capacity: { messages: 1000 } }) : await openQueue(name, { port: self });
  if (name === undefined) queue.serve(self);
  for (let n = 0;; n += 50) {
    const sent = [];
    for (let k = n; k < n + 50; k += 1) {
      const words = new Uint32Array(2 + ((k * 7) % 300)).fill((k ^ (round << 20)) >>> 0);
      words[0] = round;
      words[1] = k;
      sent.push(queue.send(new Uint8Array(words.buffer)));
    }
    await sent[0];
    postMessage({ confirmed: n + 1 });
  }
};

/** Terminates so many workers, each of which serves or is served; answers over which transports. */
const terminates = async ({ rounds, sends }) => {
  const check = (body, round, n) => {
    const words = new Uint32Array(body.buffer, body.byteOffset, body.byteLength / 4);
    ok(words.length === 2 + ((n * 7) % 300), `the length of ${n} in round ${round} is ${words.length}`);
    ok(words[0] === round && words[1] === n, `${words[0]}, ${words[1]} instead of ${round}, ${n}`);
    const filler = (n ^ (round << 20)) >>> 0;
    ok(words.subarray(2).every((word) => word === filler), `a whole body: ${n} of round ${round}`);
  };
  let failed;
  const failure = new Promise((_, reject) => {
    failed = reject;
  });
  const start = async (argument) => {
    // Chromium has room for some eighty wasm memories a process, and no worker can collect what its page has let go.
    if (argument.round % 10 === 1) await globalThis.collectGarbage?.();
    const worker = new Worker("/worker.mjs", { type: "module" });
    await event(worker, "message");
    worker.addEventListener("message", ({ data }) => {
      if (data?.failure) failed(new Error(data.failure));
    });
    worker.postMessage({ id: 0, code: sends, argument });
    return worker;
  };
  /** The client is terminated; what it had confirmed comes, whole and in order, and what was lent can still be read. */
  const clientDies = async (host, round) => {
    let [confirmed, next] = [0, 0];
    const worker = await start({ name: host.name, round });
    worker.addEventListener("message", ({ data }) => {
      confirmed = data?.confirmed ?? confirmed;
    });
    const serving = host.serve(worker);
    const some = async (wait) => {
      const messages = await bounded(host.receive({ max: 40, wait, borrow: true }), `message ${next} of round ${round}`);
      for (const { body } of messages) check(body, round, next++);
      await Promise.all(messages.map((message) => message.ack()));
      return messages.length;
    };
    while (next < 20 + (round % 90)) await some(10);
    const [lent] = await bounded(host.receive({ wait: 10, borrow: true }), `one more of round ${round}`);
    worker.terminate();
    check(lent.body, round, next++);
    await lent.ack();
    // What the worker had posted is on its way, until nobody hears it any more.
    await turn();
    await until(async () => (await some(0)) === 0 && next >= confirmed, `all ${confirmed} that were confirmed in round ${round}`);
    await serving.close();
    while ((await some(0)) > 0);
  };
  /** The host is terminated; every promise of its client settles. */
  const hostDies = async (round) => {
    const worker = await start({ round });
    const client = await bounded(openQueue("mortal", { port: worker }), "the welcome");
    while (crossOriginIsolated && client.mode.transport === "port") await bounded(client.metrics(), "rings");
    const { transport } = client.mode;
    let next = 0;
    const pending = [];
    const take = (messages) => {
      for (const { body } of messages) check(body, round, next++);
      pending.push(...messages.map((message) => message.ack()));
    };
    while (next < 20 + (round % 90))
      take(await bounded(client.receive({ max: 40, wait: 10, borrow: true }), `message ${next} of round ${round}`));
    pending.push(client.send("never"), client.receive({ max: 1000, wait: 60 }).then(take), client.metrics());
    worker.terminate();
    for (const { reason } of await bounded(Promise.allSettled(pending), `every promise of round ${round}`)) {
      if (reason) same(reason.name, "StorageLostError", String(reason));
    }
    await fails(client.send("after"), "StorageLostError");
    await client.close();
    return transport;
  };
  const steady = await openQueue("steady");
  const { port1, port2 } = new MessageChannel();
  steady.serve(port1);
  const bystander = await openQueue("steady", { port: port2 });
  let round = 0;
  const transports = new Set();
  const lane = async (name) => {
    const host = await openQueue(name, { capacity: { messages: 1000 } });
    while (round < rounds) {
      const mine = (round += 1);
      if (mine % 10 === 0) transports.add(await hostDies(mine));
      else await clientDies(host, mine);
      // Whoever is not concerned notices nothing.
      await bounded(bystander.send(mine), "a send of another client");
      const [message] = await bounded(steady.receive({ wait: 10 }), "what another client sent");
      await message.ack();
    }
    await host.close();
  };
  await Promise.race([Promise.all(["a", "b", "c"].map(lane)), failure]);
  const { sent, acked, backlogCount } = await steady.metrics();
  same({ sent, acked, backlogCount }, { sent: rounds, acked: rounds, backlogCount: 0 });
  return [...transports];
};

promise("workers are terminated in the middle of their frames, again and again: all that was confirmed is there, whole and in order",
  async (world) => {
    const page = await world.page();
    if (world.kind === "chromium") await page.exposeFunction("collectGarbage", () => page.requestGC());
    const transports = await page.evaluate(`(${terminates})({ rounds: ${rounds(world.kind)}, sends: ${JSON.stringify(String(sends))} })`);
    assert.deepEqual(transports, [world.isolated ? "shared-memory" : "port"]);
  }, { isolation: [true], seconds: 600 });
