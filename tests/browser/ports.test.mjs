/** Queues served through ports, between every two contexts that can have one: the same behaviour with and without shared memory. */
import assert from "node:assert/strict";
import { promise, startWorker } from "./harness.mjs";

const both = { isolation: [false, true] };
const transport = (world) => (world.isolated ? "shared-memory" : "port");

/** A page with workers of these names. */
async function pageWith(world, ...names) {
  const page = await world.page();
  for (const name of names) await startWorker(page, name);
  return page;
}

/** What a client does that a test looks at: everything the API has, and bodies of every form. */
const usesAll = async () => {
  const bodies = ["text", { a: [1, { b: null }] }, new Map([[1, new Date(5)]]), new Uint8Array([1, 2, 3]), new ArrayBuffer(4),
    new Uint8Array(70_000).fill(9), undefined];
  // Rings are loaded once memory was offered, where it arrives at all.
  const late = performance.now() + 3000;
  while (crossOriginIsolated && client.mode.transport === "port" && performance.now() < late) await client.metrics();
  const receipts = await Promise.all(bodies.map((body) => client.send(body, { headers: { kind: String(typeof body) } })));
  const messages = [];
  while (messages.length < bodies.length) messages.push(...(await client.receive({ max: 10, wait: 10 })));
  same(messages.map((message) => message.body), bodies);
  same(messages.map((message) => message.id), receipts.map((receipt) => receipt.id));
  same(messages[0].headers, { kind: "string" });
  await Promise.all(messages.slice(1).map((message) => message.ack()));
  await messages[0].retry({ delaySeconds: 0 });
  const [again] = await client.receive({ wait: 10 });
  same([again.body, again.attempts], ["text", 2]);
  await again.ack();
  const { sent, acked, retried, backlogCount } = await client.metrics();
  same({ sent, acked, retried, backlogCount }, { sent: 7, acked: 7, retried: 1, backlogCount: 0 });
  return client.mode.transport;
};

promise("a page serves its worker", async (world) => {
  const page = await pageWith(world, "w");
  const used = await page.evaluate(async (usesAll) => {
    const host = await openQueue("jobs");
    host.serve(workerNamed("w"));
    await askWorker("w", async () => {
      globalThis.client = await openQueue("jobs", { port: self });
    });
    return askWorker("w", usesAll);
  }, String(usesAll));
  assert.equal(used, transport(world));
}, both);

promise("a worker serves its page", async (world) => {
  const page = await pageWith(world, "w");
  const used = await page.evaluate(async (usesAll) => {
    await askWorker("w", async () => {
      (globalThis.host = await openQueue("jobs")).serve(self);
    });
    globalThis.client = await openQueue("jobs", { port: workerNamed("w") });
    return (0, eval)(`(${usesAll})`)();
  }, String(usesAll));
  assert.equal(used, transport(world));
}, both);

promise("a worker serves another worker through a channel that the page made", async (world) => {
  const page = await pageWith(world, "a", "b");
  const used = await page.evaluate(async (usesAll) => {
    const { port1, port2 } = new MessageChannel();
    await askWorker("a", async ({ port }) => {
      (globalThis.host = await openQueue("jobs")).serve(port);
    }, { port: port1 }, [port1]);
    await askWorker("b", async ({ port }) => {
      globalThis.client = await openQueue("jobs", { port });
    }, { port: port2 }, [port2]);
    return askWorker("b", usesAll);
  }, String(usesAll));
  assert.equal(used, transport(world));
}, both);

/** A page serves a frame, and is served by it; answers over which transports. */
const usesFrame = async ({ usesAll, sandbox }) => {
  const frame = document.createElement("iframe");
  const ready = event(globalThis, "message");
  if (sandbox) frame.sandbox = sandbox;
  frame.src = "/frame.html";
  document.body.append(frame);
  await ready;
  const run = async (code, port, argument) => {
    const answer = event(globalThis, "message");
    frame.contentWindow.postMessage({ code: String(code), argument }, "*", port ? [port] : []);
    const { data } = await answer;
    if (data.failure) throw new Error(data.failure);
    return data.value;
  };
  const serve = async (port, name) => {
    (globalThis.host = await openQueue(name)).serve(port);
  };
  const connect = async (port, name) => {
    globalThis.client = await openQueue(name, { port });
  };
  const [outer, inner] = [new MessageChannel(), new MessageChannel()];
  await serve(outer.port1, "page");
  await run(connect, outer.port2, "page");
  const transports = [await run(usesAll)];
  await run(serve, inner.port1, "frame");
  await connect(inner.port2, "frame");
  return [...transports, await (0, eval)(`(${usesAll})`)()];
};

promise("a page serves a frame, and is served by it", async (world) => {
  const page = await world.page();
  const transports = await page.evaluate(usesFrame, { usesAll: String(usesAll) });
  assert.deepEqual(transports, [transport(world), transport(world)]);
}, both);

promise("a frame in a sandbox, which has no origin and no right to locks, is served and serves", async (world) => {
  const page = await world.page();
  const transports = await page.evaluate(usesFrame, { usesAll: String(usesAll), sandbox: "allow-scripts" });
  // WebKit lets it share memory.
  if (world.kind !== "webkit") assert.deepEqual(transports, ["port", "port"]);
}, both);

promise("a service worker is a client of the page that hands it a port", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/service-worker.mjs", { type: "module" });
    await until(() => navigator.serviceWorker.controller, "the service worker controls the page");
    const host = await openQueue("handed over");
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    navigator.serviceWorker.controller.postMessage({ queue: "handed over", port: port2 }, [port2]);
    const [message] = await bounded(host.receive({ wait: 20 }), "what the service worker sends");
    same(message.body, { from: "the service worker" });
    await message.ack();
    await host.send("for you");
    await until(async () => (await host.metrics()).acked === 2, "the service worker's ack");
  });
});

promise("a million messages keep their order, whoever is slow", async (world) => {
  const page = await pageWith(world, "w");
  await page.evaluate(async () => {
    const host = await openQueue("jobs", { capacity: { messages: 5_000 } });
    host.serve(workerNamed("w"));
    const sending = askWorker("w", async () => {
      const client = await openQueue("jobs", { port: self });
      for (let n = 0; n < 200_000; n += 1000) {
        const batch = n % 2000
          ? Array.from({ length: 1000 }, (_, k) => ({ body: { n: n + k } }))
          : Array.from({ length: 1000 }, (_, k) => ({ body: new Uint8Array(new Uint32Array([n + k]).buffer) }));
        if (n % 3000) await client.sendBatch(batch);
        else await Promise.all(batch.map(({ body }) => client.send(body)));
      }
    });
    let next = 0;
    const consumer = host.consume(({ messages }) => {
      for (const { body } of messages) {
        const n = body.n ?? new Uint32Array(body.slice().buffer)[0];
        if (n !== next) throw new Error(`${n} instead of ${next}`);
        next += 1;
      }
    }, { maxBatchSize: 500, borrow: true });
    await bounded(sending, "all sends", 60);
    await until(() => next === 200_000, `all messages`, 30);
    await consumer.stop();
  });
}, { ...both, seconds: 100 });

promise("more workers than there is room for shared memory: the others use the port alone, and all are served", async (world) => {
  const page = await world.page();
  const transports = await page.evaluate(async () => {
    const host = await openQueue("jobs");
    const names = Array.from({ length: 45 }, (_, at) => `w${at}`);
    const transports = [];
    for (const name of names) {
      await startWorker(name);
      host.serve(workerNamed(name));
      transports.push(await askWorker(name, async (name) => {
        globalThis.client = await openQueue("jobs", { port: self });
        await client.send(name);
        return client.mode.transport;
      }, name));
    }
    const messages = await host.receive({ max: 100 });
    same(messages.map((message) => message.body), names);
    return transports;
  });
  world.note(`${transports.filter((transport) => transport === "shared-memory").length} of 45 share memory`);
}, { browsers: ["chromium"], isolation: [true] });

promise("leases of a worker that is terminated go back at once, and count", async (world) => {
  const page = await pageWith(world, "w");
  const ms = await page.evaluate(async () => {
    const host = await openQueue("jobs", { visibilityTimeout: 3600 });
    host.serve(workerNamed("w"));
    await host.sendBatch([{ body: 1 }, { body: 2 }, { body: 3 }]);
    await askWorker("w", async () => {
      globalThis.client = await openQueue("jobs", { port: self });
      const [first] = await client.receive({ max: 2, wait: 10 });
      await first.ack();
    });
    await host.receive().then(([third]) => third.ack());
    const start = performance.now();
    terminateWorker("w");
    const [back] = await bounded(host.receive({ wait: 20 }), "what the worker held");
    same([back.body, back.attempts], [2, 2]);
    return performance.now() - start;
  });
  assert.ok(ms < 10_000, `after ${ms} ms`);
}, both);

promise("leases of a window that is closed go back at once", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    globalThis.host = await openQueue("jobs", { visibilityTimeout: 3600 });
    await host.send("held");
  });
  if (
    !(await page.evaluate(() => {
      const probe = open("about:blank");
      probe?.close();
      return probe !== null;
    }))
  ) world.skip("no window opens without a click");
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate(async () => {
    const ready = event(globalThis, "message");
    globalThis.other = open("/frame.html", "_blank");
    await ready;
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    const answer = event(globalThis, "message");
    other.postMessage({
      code: String(async (port) => {
        globalThis.client = await openQueue("jobs", { port });
        await client.receive({ wait: 10 });
      }),
    }, "*", [port2]);
    await answer;
  })]);
  await popup.close();
  await page.evaluate(async () => {
    const [back] = await bounded(host.receive({ wait: 20 }), "what the window held");
    same([back.body, back.attempts], ["held", 2]);
  });
});

promise("a worker that serves and dies the moment it has a client is missed at once", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    for (let round = 0; round < 20; round += 1) {
      await startWorker(`w${round}`);
      // It opens its queue and serves it in one go.
      void askWorker(`w${round}`, async () => {
        (globalThis.host = await openQueue("jobs")).serve(self);
      });
      const client = await openQueue("jobs", { port: workerNamed(`w${round}`) });
      const waiting = client.receive({ wait: 60 });
      terminateWorker(`w${round}`);
      // Long before silence would tell.
      await fails(waiting, "StorageLostError");
      await client.close();
    }
  });
}, both);

promise("when the worker that serves is terminated, every promise settles and says whether it may have happened", async (world) => {
  const page = await pageWith(world, "w");
  await page.evaluate(async () => {
    await askWorker("w", async () => {
      (globalThis.host = await openQueue("jobs", { capacity: { messages: 2 } })).serve(self);
    });
    const client = await openQueue("jobs", { port: workerNamed("w") });
    const seen = [];
    client.addEventListener("error", (event) => seen.push(event.error.name));
    await client.sendBatch([{ body: 1 }, { body: 2 }]);
    const [held] = await client.receive();
    const lost = new Promise((resolve) => held.signal.addEventListener("abort", resolve));
    const outcomes = Promise.allSettled([client.send("waits for room"),
      client.receive({ max: 5, wait: 60 }).then(() => client.receive({ wait: 60 })),
      client.metrics().then(() => client.flush()).then(() => client.receive({ wait: 60 }))]);
    await client.metrics();
    terminateWorker("w");
    const [sent, received, looked] = await bounded(outcomes, "every promise");
    same([sent.reason.name, sent.reason.outcomeUnknown], ["StorageLostError", true]);
    for (const { reason } of [received, looked]) same([reason.name, reason.outcomeUnknown], ["StorageLostError", false]);
    await bounded(lost, "the lease's signal");
    await fails(held.ack(), "StorageLostError");
    await fails(client.send("after"), "StorageLostError");
    same(seen, ["StorageLostError"]);
    await client.close();
  });
}, both);

promise("what a hostile page posts does no harm: the port is closed, the other client goes on", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const host = await openQueue("jobs");
    const [bad, good] = [new MessageChannel(), new MessageChannel()];
    host.serve(bad.port1);
    host.serve(good.port1);
    const client = await openQueue("jobs", { port: good.port2 });
    // The session is in every message of ours: whoever listens at the port can read it.
    let session;
    bad.port2.addEventListener("message", ({ data }) => {
      session = data[1] || session;
    });
    const victim = await openQueue("jobs", { port: bad.port2 });
    await victim.send("before");
    same(typeof session, "number");
    const frames = [undefined, 5, {}, new Uint8Array(), new Uint8Array(1000).fill(255), new Float64Array(40)];
    for (const frame of frames) bad.port2.postMessage(["posthaste", session, frame, [{}], "no list"]);
    for (
      const odd of [["posthaste"], ["posthaste", -1, new Uint8Array(50)], ["posthaste", "x"], ["posthaste", 7, new Uint8Array(50), ["jobs",
        ""], []]]
    ) bad.port2.postMessage(odd);
    await bounded(until(() => victim.send("after").then(() => false, (error) => error.name === "DataError"), "the port is closed"), "that");
    await client.send("undisturbed");
    same((await host.receive({ max: 10 })).map((message) => message.body).filter((body) => body !== "after"), ["before", "undisturbed"]);
    same(Object.prototype.polluted, undefined);
  });
});

promise("headers from a port bring no prototype along", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const host = await openQueue("jobs");
    const { port1, port2 } = new MessageChannel();
    host.serve(port1);
    const client = await openQueue("jobs", { port: port2 });
    await client.send(1, { headers: { constructor: "mine", toString: "mine" } });
    const [message] = await host.receive();
    same({ ...message.headers }, { constructor: "mine", toString: "mine" });
    await fails(client.send(1, { headers: JSON.parse('{"__proto__": "x"}') }), "RangeError");
    same({}.x, undefined);
  });
});

promise("a durable queue that one worker serves to a page and four workers commits for all of them together", async (world) => {
  const page = await pageWith(world, "store", "a", "b", "c", "d");
  const { readwrite } = await page.evaluate(async () => {
    await askWorker("store", async () => {
      globalThis.host = await openQueue("jobs", { storage: "indexeddb" });
      await host.send("warm");
      await host.receive().then(([message]) => message.ack());
      globalThis.counts = countIndexedDb();
    });
    const clients = ["a", "b", "c", "d"];
    for (const name of clients) {
      const { port1, port2 } = new MessageChannel();
      await askWorker("store", ({ port }) => void host.serve(port), { port: port1 }, [port1]);
      await askWorker(name, async ({ port }) => {
        globalThis.client = await openQueue("jobs", { port });
      }, { port: port2 }, [port2]);
    }
    const { port1, port2 } = new MessageChannel();
    await askWorker("store", ({ port }) => void host.serve(port), { port: port1 }, [port1]);
    const own = await openQueue("jobs", { port: port2 });
    same([own.mode.storage, own.mode.durability], ["indexeddb", "relaxed"]);
    await Promise.all([
      ...clients.map((name) =>
        askWorker(name, async (from) => {
          await Promise.all(Array.from({ length: 500 }, (_, n) => client.send({ from, n })));
        }, name)
      ),
      Promise.all(Array.from({ length: 500 }, (_, n) => own.send({ from: "page", n }))),
    ]);
    const counts = await askWorker("store", () => counts);
    const seen = new Map();
    let count = 0;
    while (count < 2500) {
      const messages = await own.receive({ max: 100, wait: 10 });
      count += messages.length;
      for (const { body: { from, n } } of messages) {
        same(n, seen.get(from) ?? 0, `the order of ${from}`);
        seen.set(from, n + 1);
      }
      await Promise.all(messages.map((message) => message.ack()));
    }
    return counts;
  });
  assert.ok(readwrite <= 60, `${readwrite} commits for 2,500 sends of five contexts`);
}, { seconds: 90 });

promise("streams carry backpressure through a port: a body that is fetched flows into a queue and out of it", async (world) => {
  const page = await pageWith(world, "w");
  await page.evaluate(async () => {
    const size = 3_000_000;
    const host = await openQueue("chunks", { capacity: { messages: 4 } });
    host.serve(workerNamed("w"));
    const total = askWorker("w", async () => {
      const client = await openQueue("chunks", { port: self });
      let bytes = 0;
      const reader = client.readable.getReader();
      while (bytes < 3_000_000) {
        const { value } = await reader.read();
        bytes += value.body.byteLength;
        await value.ack();
      }
      await reader.cancel();
      return bytes;
    });
    const body = new Blob([new Uint8Array(size)]);
    await bounded(new Response(body).body.pipeTo(host.writable), "the body went in", 30);
    same(await total, size);
    same((await host.metrics()).backlogCount, 0);
  });
}, both);
