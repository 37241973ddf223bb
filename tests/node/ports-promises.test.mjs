/** What a client is told through a port is so: of sends that can't go on, of silence, of clocks, of other versions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bodies, bounded, fails, freshQueue, quiet, stateOf, VirtualClock } from "./lab.mjs";
import { newFolder } from "./file-lab.mjs";
import { using } from "./file-folder.mjs";
import { openQueue } from "./posthaste.mjs";

/** What goes by shared memory is not seen: this leaves the offer of it out. */
const isOffer = (message) =>
  Array.isArray(message) && message[2] === undefined && message.length > 1 && typeof message[1] === "number" && message[1] !== 0;

/** A queue, and a client of it, whose every message goes through our hands: `pass` says what arrives. */
async function tapped(options = {}, pass = {}) {
  const { queue: host, clock } = await freshQueue(options);
  const [near, far] = [new MessageChannel(), new MessageChannel()];
  const arrive = (message) => message === undefined || far.port1.postMessage(message);
  near.port2.on("message", (message) => arrive(pass.toHost ? pass.toHost(message) : message));
  far.port1.on("message", (message) => isOffer(message) || near.port2.postMessage(pass.toClient ? pass.toClient(message) : message));
  const serving = host.serve(far.port2);
  const opening = openQueue(host.name, { port: near.port1, clock });
  opening.catch(() => undefined);
  const end = async () => {
    await serving.close();
    for (const { port1, port2 } of [near, far]) [port1, port2].forEach((port) => port.close());
  };
  const tell = (message) => near.port2.postMessage(message);
  return { host, clock, serving, opening, end, arrive, tell };
}

test("a send that waits for room when the host closes has failed, and is not sent", async () => {
  const { host, serving, opening, end } = await tapped({ capacity: { messages: 1 } });
  const client = await opening;
  await client.send("fits");
  const waits = client.send("waits");
  await bounded(client.metrics(), "the send is there");
  await serving.close();
  await fails(waits, "InvalidStateError");
  const [first] = await host.receive();
  await first.ack();
  assert.deepEqual([await host.receive(), (await host.metrics()).sent], [[], 1]);
  await end();
});

test("a client that closes waits for what becomes of a send that it called off", async () => {
  const { host, opening, end } = await tapped({ capacity: { messages: 1 } });
  const client = await opening;
  await client.send("fits");
  const waits = client.send("waits");
  await bounded(client.metrics(), "the send is there");
  await bounded(client.close(), "the client closes");
  await fails(waits, "InvalidStateError");
  const [first] = await host.receive();
  await first.ack();
  assert.deepEqual([await host.receive(), (await host.metrics()).sent], [[], 1]);
  await end();
});

/** A journal in an array, whose steps wait while `gate` is there. */
function slowDriver(state) {
  const rows = [];
  const tail = (from) => {
    const since = rows.map((row, at) => ({ ...row, number: at + 1 })).slice(Math.max(0, from - 1));
    return { numbers: since.map(({ number }) => number), records: since.map(({ record }) => record), birth: 7 };
  };
  const store = {
    kind: "array",
    durability: "relaxed",
    append: async (from, decide) => {
      const step = decide(from === 0 ? undefined : tail(from));
      if (step?.bodies.length) await state.gate;
      return step ? rows.push(structuredClone(step)) : 0;
    },
    read: async (from) => tail(from),
    values: async (keys) =>
      keys.flatMap((key, at) => (at % 2 ? [] : [structuredClone({ bodies: rows[key - 1].bodies, headers: rows[key - 1].headers })])),
    snapshot: async () => false,
    watch: () => {},
    hint: () => {},
    usage: async () => undefined,
    refused: async (list) => list.map(() => undefined),
    release: async () => false,
    close: () => {},
  };
  return { kind: "array", open: async () => store };
}

test("a send that the host is storing when it closes may have taken place, and the error says so", async () => {
  const state = {};
  const { host, serving, opening, end } = await tapped({ storage: slowDriver(state) });
  const client = await opening;
  let open;
  state.gate = new Promise((resolve) => (open = resolve));
  const sent = client.send("goes");
  await quiet();
  await quiet();
  await serving.close();
  assert.equal((await fails(sent, "StorageLostError")).outcomeUnknown, true);
  open();
  assert.deepEqual(bodies(await bounded(host.receive({ wait: 5 }), "the message")), ["goes"]);
  await end();
});

test("of sends of one moment only those fail through a port whose bodies the storage can't hold", async () => {
  await using(newFolder(), async (host) => {
    const { port1, port2 } = new MessageChannel();
    const serving = host.serve(port1);
    const client = await openQueue(host.name, { port: port2 });
    const bodiesGiven = [1, new Blob(["a"]), { three: 3 }, new Blob(["b"]), "five"];
    const sent = await bounded(Promise.allSettled(bodiesGiven.map((body) => client.send(body, { headers: { is: String(body) } }))),
      "the answers");
    assert.deepEqual(sent.map(({ reason }) => reason?.name), [undefined, "DataCloneError", undefined, "DataCloneError", undefined]);
    const more = await Promise.allSettled([client.send("six"), client.sendBatch([{ body: 7 }, { body: new Blob(["c"]) }])]);
    assert.deepEqual(more.map(({ reason }) => reason?.name), [undefined, "DataCloneError"]);
    const all = await host.receive({ max: 10 });
    assert.deepEqual(all.map(({ body, headers }) => [body, headers.is]), [[1, "1"], [{ three: 3 }, "[object Object]"], ["five", "five"], [
      "six",
      undefined,
    ]]);
    assert.deepEqual([0, 2, 4].map((at) => sent[at].value.id), all.slice(0, 3).map(({ id }) => id));
    for (const message of all) await message.ack();
    await client.close();
    await serving.close();
    port1.close();
  });
});

/** A message whose frame is of that version. */
const ofVersion = (
  message,
  version,
) => (message[2] instanceof Float64Array ? message.with(2, message[2].with(0, 0x7068 + version * 2 ** 16)) : message);

test("each side refuses another version of the wire format, and says so", async () => {
  for (const version of [1, 2, 3, 255]) {
    const atHost = await tapped({}, { toHost: (message) => ofVersion(message, version) });
    await fails(atHost.opening, "VersionError", "one version of posthaste");
    await atHost.end();
    const atClient = await tapped({}, { toClient: (message) => ofVersion(message, version) });
    await fails(atClient.opening, "VersionError", "one version of posthaste");
    await atClient.end();
  }
});

/** A clock that can be set; its timers go on. */
class SetClock extends VirtualClock {
  off = 0;
  now = () => this.time + this.off;
}

test("what a client holds ahead goes back in time though its clock is set back", async () => {
  const clock = new SetClock();
  const { host, opening, end } = await tapped({ clock });
  const client = await opening;
  await host.sendBatch(Array.from({ length: 20 }, (_, body) => ({ body })));
  for (let at = 0; at < 2; at += 1) await (await client.receive({ wait: 1 }))[0].ack();
  await quiet();
  const others = await host.receive({ max: 20 });
  assert.ok(others.length < 18, "nothing is ahead");
  const { ready, leased } = await host.metrics();
  assert.deepEqual([ready, leased], [18 - others.length, others.length], "what is ahead was handed out to nobody");
  assert.equal((await host.peek({ max: 20, state: "ready" })).length, ready);
  clock.off = -3_600_000;
  await client.flush();
  await clock.advance(2);
  assert.deepEqual((await host.receive({ max: 20 })).map(({ attempts }) => attempts), Array(ready).fill(1));
  await client.close();
  await end();
});

test("a client cancels at once what lies ahead at itself, and is not handed it", async () => {
  const { host, opening, end } = await tapped({ clock: new VirtualClock() });
  const client = await opening;
  const { ids } = await host.sendBatch(Array.from({ length: 20 }, (_, body) => ({ body })));
  for (let at = 0; at < 2; at += 1) await (await client.receive({ wait: 1 }))[0].ack();
  await quiet();
  assert.ok((await host.receive({ max: 20 })).every(({ body }) => body > 3), "3 lies ahead");
  assert.equal(await bounded(client.cancel(ids[3]), "the cancellation"), true);
  assert.deepEqual((await client.receive({ max: 2 })).map(({ body }) => body), [2, 4]);
  await client.close();
  await end();
});

/** Bytes that go along with a message of a port. */
const bytesOf = (value) => (Array.isArray(value) ? value.reduce((sum, one) => sum + bytesOf(one), 0) : (value?.byteLength ?? 0));

test("of large bodies only a few are sent ahead, however fast those before them were taken", async () => {
  const size = 256 << 10;
  let [sent, most] = [0, 0];
  const count = (message) => {
    sent += Math.floor(bytesOf(message) / size);
    return message;
  };
  const { host, opening, end } = await tapped({ clock: new VirtualClock() }, { toClient: count });
  const client = await opening;
  await host.sendBatch(Array.from({ length: 100 }, () => ({ body: new Uint8Array(size) })));
  for (let taken = 0; taken < 80; taken += 1) {
    const [message] = await bounded(client.receive({ wait: 60 }), "a message");
    most = Math.max(most, sent - taken);
    await message.ack();
  }
  assert.ok(most > 2 && most <= 10, `${most} of 256 KiB were sent and not taken`);
  assert.ok(sent >= 80);
  await client.close();
  await end();
});

test("a silent client that nobody can see keeps nothing from others, and goes on when it is heard again", async () => {
  const clock = new VirtualClock();
  let late;
  const { host, opening, end, arrive } = await tapped({ clock, visibilityTimeout: 3600 }, {
    toHost: (message) => (late ? void late.push(message) : message),
  });
  const client = await opening;
  await client.send("taken");
  const [taken] = await client.receive({ wait: 1 });
  const waiting = client.receive({ wait: 7200 });
  await bounded(client.metrics(), "the wait is known");
  await clock.advance(40);
  assert.equal((await host.metrics()).leased, 1, "it has answered when it was asked");
  late = [];
  await clock.advance(40);
  const [again] = await bounded(host.receive(), "the message of the silent client");
  assert.deepEqual([again.body, again.attempts], ["taken", 2]);
  await again.ack();
  await host.send("new");
  await quiet();
  assert.equal((await host.metrics()).leased, 0, "what is new is not given to it");
  for (const message of late.splice(0)) arrive(message);
  late = undefined;
  await fails(taken.ack(), "LeaseLostError");
  const [next] = await bounded(waiting, "what it waits for");
  assert.equal(next.body, "new");
  await next.ack();
  await client.close();
  await end();
});

test("what came late is not handed out as if its lease had just begun, however many frames came with it", async () => {
  const clock = new VirtualClock();
  let late;
  const { host, opening, end, tell } = await tapped({ clock, visibilityTimeout: 5 }, {
    toClient: (message) => (late ? void late.push(message) : message),
  });
  const client = await opening;
  const waiting = client.receive({ wait: 3600 });
  await bounded(client.metrics(), "the wait is known");
  late = [];
  const asked = [];
  for (let at = 0; at < 20; at += 1) {
    asked.push(client.metrics());
    await quiet();
  }
  await host.send("taken");
  await clock.advance(6);
  const [again] = await bounded(host.receive(), "what the client had for too long");
  assert.deepEqual([again.body, again.attempts], ["taken", 1], "nobody was handed it there");
  await again.ack();
  assert.ok(late.length > 20, `${late.length} frames are late`);
  for (const message of late.splice(0)) tell(message);
  late = undefined;
  await Promise.all(asked);
  await host.send("new");
  const [next] = await bounded(waiting, "what it waits for");
  assert.equal(next.body, "new");
  await next.ack();
  await client.close();
  await end();
});

test("a receive with a lease of its own takes the oldest, whatever lies ahead at a client or is on its way there", async () => {
  for (const together of [false, true]) {
    const { host, opening, end } = await tapped();
    const client = await opening;
    assert.deepEqual(await client.receive(), []);
    await host.sendBatch(Array.from({ length: 40 }, (_, body) => ({ body })));
    const own = () => client.receive({ visibilityTimeout: 60 });
    const first = client.receive();
    const [[one], [other]] = together ? await Promise.all([first, own()]) : [await first, await own()];
    assert.deepEqual([one.body, other.body], [0, 1]);
    await client.close();
    await end();
  }
});

test("a receive with a lease of its own ends in time though it was answered with nothing while more was on its way", async () => {
  let held;
  const { host, clock, opening, arrive, end } = await tapped({}, { toHost: (message) => (held ? void held.push(message) : message) });
  const client = await opening;
  assert.deepEqual(await client.receive(), []);
  const own = client.receive({ visibilityTimeout: 60, wait: 40 });
  await client.metrics();
  held = [];
  // It is not long ago that someone asked: a few more are asked for.
  const any = client.receive({ wait: 1000 });
  // The host takes the client for gone, and answers its receives.
  await clock.advance(35);
  assert.equal(await stateOf(own), "pending");
  await clock.advance(10);
  for (const message of held.splice(0)) arrive(message);
  held = undefined;
  assert.deepEqual(await bounded(own, "the receive with a lease of its own"), []);
  await host.send("new");
  assert.deepEqual(bodies(await bounded(any, "the other one")), ["new"]);
  await end();
});
