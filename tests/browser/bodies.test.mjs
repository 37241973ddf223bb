/** What structured clone can carry comes back as it went in; what it can't carry harms no one else. */
import { promise } from "./harness.mjs";

promise("every kind of body comes back as it went in, in this context, in another, and after a reload", async (world) => {
  const page = await world.page();
  await page.evaluate(() => {
    // WebKit's own clone of an error loses its cause.
    globalThis.keeps = (body) => {
      const [cause, cloned] = [body?.cause, structuredClone(body)?.cause];
      return cause?.name === cloned?.name;
    };
    globalThis.bodies = () => {
      const cycle = { name: "cycle", list: [] };
      cycle.self = cycle;
      cycle.list.push(cycle);
      const shared = { x: 1 };
      const buffer = new Uint8Array([9, 8, 7, 6, 5, 4, 3, 2]).buffer;
      return [
        undefined,
        null,
        true,
        false,
        0,
        -0,
        NaN,
        Infinity,
        1.5,
        2n ** 70n,
        "",
        "text ü 🚀 \ud800",
        [],
        {},
        [1, , 3],
        { a: { b: [{ c: "d" }] }, u: undefined },
        Object.assign([1], { extra: 2 }),
        new Date(0),
        new Date(NaN),
        /a+b?/giu,
        new Map([[{ k: 1 }, new Set([1, "2"])], ["x", new Map()]]),
        new Set([NaN, {}]),
        new Uint8Array([1, 2, 3]),
        new Float64Array([1.5, NaN]),
        new BigInt64Array([-1n]),
        new Uint16Array(buffer, 2, 2),
        new DataView(buffer, 1, 3),
        buffer,
        { deep: [{ buffer: buffer.slice(2) }] },
        new Error("plain"),
        new TypeError("typed", { cause: new RangeError("inner") }),
        Object(1n),
        new String("boxed"),
        new Boolean(false),
        cycle,
        { left: shared, right: shared },
      ].filter(keeps);
    };
    globalThis.compare = (received) => {
      const expected = bodies();
      same(received.length, expected.length, "count");
      expected.forEach((body, at) => same(received[at], body, `body ${at}`));
      const { left, right } = received.at(-1);
      ok(left === right, "one object in two places stays one object");
      ok(!(1 in received[14]), "a hole stays a hole");
      same([received[25].byteOffset, received[25].length, received[25].buffer.byteLength], [0, 2, 4], "a view brings what it shows");
    };
  });
  await page.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    for (const body of bodies()) await queue.send(body);
    const alone = await queue.receive({ max: 100 });
    compare(alone.map((message) => message.body));
    await Promise.all(alone.map((message) => message.ack()));
    await queue.sendBatch(bodies().map((body) => ({ body })));
    compare((await queue.peek({ max: 100 })).map((info) => info.body));
    await queue.close();
  });
  const other = await world.page();
  const ours = await page.evaluate(() => [String(bodies), String(compare), String(keeps)]);
  await other.evaluate(async ([bodies, compare, keeps]) => {
    globalThis.keeps = (0, eval)(`(${keeps})`);
    globalThis.bodies = (0, eval)(`(${bodies})`);
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const messages = await queue.receive({ max: 100 });
    (0, eval)(`(${compare})`)(messages.map((message) => message.body));
    await Promise.all(messages.map((message) => message.ack()));
  }, ours);
});

const storesBlobs = (page) => page.evaluate(async () => (await (await rawStore())(() => new Blob(["x"]))) === undefined);

promise("Blobs and Files come back with their type, name and bytes", async (world) => {
  const page = await world.page();
  if (!(await storesBlobs(page))) world.skip("this browser stores no Blobs here");
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const big = new Uint8Array(300_000).map((_, at) => at * 7);
    await queue.send({
      photo: new Blob([big], { type: "image/jpeg" }),
      file: new File(["hello ", new Blob(["there"])], "a ü.txt", { type: "text/plain", lastModified: 123 }),
    });
    await queue.sendBatch(Array.from({ length: 200 }, (_, n) => ({ body: new Blob([`blob ${n}`]) })));
    await queue.close();
  });
  await page.reload();
  await page.waitForFunction(() => globalThis.ready === true);
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const [first, ...others] = await queue.receive({ max: 1000 });
    const { photo, file } = first.body;
    same([photo.type, photo.size], ["image/jpeg", 300_000]);
    same(new Uint8Array(await photo.arrayBuffer()), new Uint8Array(300_000).map((_, at) => at * 7), "the photo's bytes");
    ok(file instanceof File, "a File stays a File");
    same([file.name, file.type, file.lastModified, await file.text()], ["a ü.txt", "text/plain", 123, "hello there"]);
    same(await Promise.all(others.map((message) => message.body.text())), Array.from({ length: 200 }, (_, n) => `blob ${n}`));
    await Promise.all([first, ...others].map((message) => message.ack()));
  });
});

promise("a Blob that this storage does not take fails its own send, and no other", async (world) => {
  const page = await world.page();
  if (await storesBlobs(page)) world.skip("this browser stores Blobs");
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    // With the record, and apart from it.
    for (const body of [new Blob(["small"]), { photo: new Blob([new Uint8Array(300_000)]) }]) {
      const [failed, after] = await bounded(Promise.allSettled([queue.send(body), queue.send("after")]), "both sends to settle", 5);
      same([failed.status, after.status], ["rejected", "fulfilled"]);
      const messages = await queue.receive({ max: 5 });
      same(messages.map((message) => message.body), ["after"]);
      await Promise.all(messages.map((message) => message.ack()));
    }
    const { sent, backlogCount, deadLettered } = await queue.metrics();
    same({ sent, backlogCount, deadLettered }, { sent: 2, backlogCount: 0, deadLettered: 0 });
  });
});

promise("changing a body after send does not change the message", async (world) => {
  await world.run(async () => {
    for (const storage of ["indexeddb", "memory"]) {
      const queue = await openQueue("jobs", { storage });
      const body = { list: [1, 2], bytes: new Uint8Array([1, 2, 3]), map: new Map([["k", { v: 1 }]]) };
      const sent = [queue.send(body), queue.sendBatch([{ body }])];
      body.list.push(3);
      body.bytes.fill(9);
      body.map.get("k").v = 2;
      body.extra = true;
      await Promise.all(sent);
      body.list.length = 0;
      const messages = await queue.receive({ max: 2 });
      for (const message of messages) {
        same(message.body, { list: [1, 2], bytes: new Uint8Array([1, 2, 3]), map: new Map([["k", { v: 1 }]]) },
          `${storage}: as it was at send`);
      }
      await Promise.all(messages.map((message) => message.ack()));
    }
  });
}, { where: ["page", "worker"] });

promise("a received body is the receiver's own: changing it changes nothing for the next attempt", async (world) => {
  await world.run(async () => {
    for (const storage of ["indexeddb", "memory"]) {
      const queue = await openQueue("jobs", { storage });
      await queue.send({ list: [1] });
      const [first] = await queue.receive();
      first.body.list.push(2);
      await first.retry({ delaySeconds: 0 });
      const [second] = await queue.receive({ wait: 10 });
      same([second.body, second.attempts], [{ list: [1] }, 2], storage);
      await second.ack();
    }
  });
}, { where: ["page", "worker"] });

const uncloneable = async () => {
  const module = await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  // A getter that throws, a function, and two that clone but can't be stored.
  const bad = {
    function: () => {},
    nested: { deep: [{ f() {} }] },
    symbol: Symbol("s"),
    module,
    memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer,
    promise: Promise.resolve(),
    weak: new WeakMap(),
  };
  const raw = await rawStore();
  for (const [what, body] of Object.entries(bad)) {
    // WebKit clones shared memory as a buffer of its own where pages are not isolated.
    if (await raw(() => structuredClone(body)) === undefined) continue;
    const queue = await openQueue(`with ${what}`, { storage: "indexeddb" });
    const [before, failed, after] = await bounded(Promise.allSettled([queue.send("before"), queue.send(body), queue.send("after")]),
      `sends around a ${what}`);
    same([before.status, after.status], ["fulfilled", "fulfilled"], `the others beside a ${what}: ${before.reason} ${after.reason}`);
    ok(failed.reason instanceof DOMException && failed.reason.name === "DataCloneError", `${what}: ${failed.reason}`);
    const error = await fails(queue.sendBatch([{ body: 1 }, { body: 2 }, { body }, { body: 4 }]), "DataCloneError");
    ok(/\b2\b/.test(error.message), `the batch says which: ${error.message}`);
    const messages = await queue.receive({ max: 10 });
    same(messages.map((message) => message.body), ["before", "after"], `all or nothing with a ${what}`);
    await Promise.all(messages.map((message) => message.ack()));
    const { sent, backlogCount } = await queue.metrics();
    same({ sent, backlogCount }, { sent: 2, backlogCount: 0 }, what);
  }
};

promise("a body that can't be cloned or can't be stored fails only its own send, and a batch says which", async (world) => {
  await world.run(uncloneable);
}, { where: ["page", "worker"] });

promise("a body whose getter throws fails its send with that error, and no other", async (world) => {
  await world.run(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const body = {
      get trap() {
        throw new EvalError("mine");
      },
    };
    const [before, failed, after] = await Promise.allSettled([queue.send(1), queue.send(body), queue.send(2)]);
    same([before.status, failed.reason?.name, after.status], ["fulfilled", "EvalError", "fulfilled"]);
    same((await queue.receive({ max: 5 })).map((message) => message.body), [1, 2]);
  });
}, { where: ["page", "worker"] });
