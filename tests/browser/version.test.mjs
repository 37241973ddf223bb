/** A store that a newer posthaste wrote, that is damaged, or that is someone else's: a typed error, and nothing is touched. */
import { promise } from "./harness.mjs";

/** Makes a journal with five messages, damages it with `damage`, and expects `name` of everything that opens it or has it open. */
async function spoiled(world, damage, name, part = "") {
  const page = await world.page();
  await page.evaluate(async () => {
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.sendBatch([1, 2, 3].map((body) => ({ body })));
    await queue.send(4);
    await queue.send(5);
    await queue.close();
  });
  const tab = await world.page();
  await tab.evaluate(async () => {
    // Its clock stands still: it writes and reads nothing of its own accord.
    globalThis.queue = await openQueue("jobs", { storage: "indexeddb", clock: new VirtualClock() });
    globalThis.errors = [];
    queue.addEventListener("error", ({ error }) => errors.push(error?.name));
    same((await queue.receive({ max: 2 })).length, 2);
  });
  await page.evaluate(damage);
  await page.evaluate(async ([name, part]) => {
    globalThis.before = await readJournal();
    for (let time = 0; time < 2; time++) {
      const error = await fails(() => openQueue("jobs", { storage: "indexeddb" }), name, part);
      ok(name === "VersionError" ? error instanceof DOMException : error instanceof CorruptionError && typeof error.code === "string",
        `typed: ${error}`);
      await fails(() => openQueue("another", { storage: "indexeddb" }), name);
      await fails(() => listQueues({ storage: "indexeddb" }), name);
    }
    same(await readJournal(), before, "nothing was touched");
  }, [name, part]);
  return { page, tab };
}

/** What the tab that has the queue open sees at its next step: the same error, from everything, and it writes nothing. */
async function openTabStops(page, tab, name) {
  const length = await page.evaluate(async () => (await readJournal()).length);
  await tab.evaluate(async (name) => {
    await fails(queue.metrics(), name);
    await fails(queue.send("more"), name);
    await fails(queue.receive({ wait: 5 }), name);
    await until(() => errors.includes(name), "an error event");
    await bounded(queue.close(), "close");
  }, name);
  await page.evaluate(async (length) => same((await readJournal()).length, length, "nothing was written"), length);
}

promise("a record of a newer format stops this version with VersionError, and nothing is touched", async (world) => {
  const { page, tab } = await spoiled(world, async () => {
    const [, [bytes, bodies]] = (await readJournal()).findLast(([key]) => typeof key === "number" && key > 0);
    const newer = bytes.slice(0, -4);
    newer[0] += 1;
    await writeJournal([seal(newer), bodies]);
  }, "VersionError");
  await openTabStops(page, tab, "VersionError");
});

promise("an item of a kind this version does not know stops it with VersionError, and nothing is touched", async (world) => {
  const { page, tab } = await spoiled(world, async () => {
    // Format, time, base, writer, step, no chunk, one item, of kind 200.
    await writeJournal([seal(new Uint8Array([2, 1, 1, 1, 1, 0, 1, 200, 1, 2, 3])), []]);
  }, "VersionError");
  await openTabStops(page, tab, "VersionError");
});

promise("a header of a newer format stops this version with VersionError", async (world) => {
  await spoiled(world, async () => {
    const [, header] = (await readJournal()).find(([key]) => key === 0);
    await writeJournal({ ...header, format: 2 }, 0);
  }, "VersionError");
});

promise("a database of a newer version is left as it is, with VersionError", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.send("kept");
    await queue.close();
    const upgrade = indexedDB.open("posthaste", 2);
    upgrade.onupgradeneeded = () => upgrade.result.createObjectStore("from the future");
    await event(upgrade, "success");
    upgrade.result.close();
    const before = await readJournal();
    await fails(() => openQueue("jobs", { storage: "indexeddb" }), "VersionError");
    same(await readJournal(), before);
  });
});

const damages = {
  "one flipped bit": async () => {
    const [key, [bytes, ...rest]] = (await readJournal()).findLast(([key]) => typeof key === "number" && key > 0);
    bytes[bytes.length >> 1] ^= 4;
    await writeJournal([bytes, ...rest], key);
  },
  "a record cut short": async () => {
    const [key, [bytes, ...rest]] = (await readJournal()).findLast(([key]) => typeof key === "number" && key > 0);
    await writeJournal([bytes.slice(0, -3), ...rest], key);
  },
  "an empty record": () => writeJournal([new Uint8Array(), []]),
  "a foreign value among the records": () => writeJournal({ todo: "buy milk" }),
  "a foreign number among the records": () => writeJournal(42),
  "sealed nonsense": () => writeJournal([seal(new Uint8Array([1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255])), []]),
  "a record of a count that is not there": () => writeJournal([seal(new Uint8Array([1, 1, 1, 1, 1, 0, 255, 255, 3])), []]),
  "a header that is not one": () => writeJournal("header", 0),
  "a lost header": () => removeFromJournal(0),
};
for (const [what, damage] of Object.entries(damages)) {
  promise(`${what}: CorruptionError, and nothing is touched`, async (world) => {
    await spoiled(world, damage, "CorruptionError");
  });
}

promise("a tab that has the queue open stops at a damaged record with CorruptionError", async (world) => {
  const { page, tab } = await spoiled(world, damages["a foreign value among the records"], "CorruptionError");
  await openTabStops(page, tab, "CorruptionError");
});

promise("a database of the same name that is someone else's is left alone, with CorruptionError", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const shapes = {
      "another store": (database) => database.createObjectStore("todos", { keyPath: "id" }),
      "one more store": (database) => {
        database.createObjectStore("journal", { autoIncrement: true });
        database.createObjectStore("todos");
      },
      "no store": () => {},
      "a journal without a generator": (database) => database.createObjectStore("journal"),
      "a journal without a header": (database) => database.createObjectStore("journal", { autoIncrement: true }),
    };
    for (const [what, make] of Object.entries(shapes)) {
      const made = indexedDB.open("posthaste", 1);
      made.onupgradeneeded = () => make(made.result);
      await event(made, "success");
      const before = [...made.result.objectStoreNames].join();
      made.result.close();
      const error = await fails(() => openQueue("jobs", { storage: "indexeddb" }), "CorruptionError", "posthaste");
      ok(error instanceof CorruptionError, what);
      await fails(() => deleteQueue("jobs", { storage: "indexeddb" }), "CorruptionError");
      const again = indexedDB.open("posthaste");
      await event(again, "success");
      same([again.result.version, [...again.result.objectStoreNames].join()], [1, before], what);
      again.result.close();
      await event(indexedDB.deleteDatabase("posthaste"), "success");
    }
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.send("its own by now");
  });
});

promise("a body that is missing from the store harms only its message", async (world) => {
  const page = await world.page();
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    await queue.send("whole");
    await queue.send("emptied");
    await queue.send("whole too");
    await queue.close();
    const records = (await readJournal()).filter(([key, value]) => key > 0 && value[1].includes("emptied"));
    for (const [key, [bytes]] of records) await writeJournal([bytes, []], key);
  });
  await page.reload();
  await page.waitForFunction(() => globalThis.ready === true);
  await page.evaluate(async () => {
    const queue = await openQueue("jobs", { storage: "indexeddb" });
    const messages = await queue.receive({ max: 10 });
    same(messages.map((message) => message.body), ["whole", "whole too"]);
    await Promise.all(messages.map((message) => message.ack()));
    await until(async () => (await queue.metrics()).deadLettered === 1, "the one without a body is kept apart, counted");
  });
});
