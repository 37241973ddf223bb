// Queues in a folder, in Node and in Bun: file-cases.mjs says what they promise.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileStorage } from "posthaste/node";
import { openQueue } from "posthaste";
import { cases } from "./file-cases.mjs";
import { bytesOf, journalOf, put, using, waiting } from "./file-folder.mjs";
import { Program, bun, newFolder } from "./file-lab.mjs";

// What is cut off is told: that is a lot of it here.
for (const [name, run] of Object.entries(cases)) {
  test(name, (t) => {
    t.mock.method(console, "error", () => undefined);
    return run(newFolder());
  });
}

test("all of it is so in Bun", async () => {
  const names = Object.keys(cases);
  const { lines, ended } = await Program.start("file-run.mjs", names.map(() => newFolder()), { runtime: bun }).rest();
  assert.deepEqual([lines, ended], [names, 0]);
});

test("Bun reads what Node wrote, and Node what Bun did", async () => {
  const folder = newFolder();
  const policy = { visibilityTimeout: 0.2, retryDelay: 0, maxRetries: 10_000 };
  await using(folder, (queue) => queue.send({ from: "Node", n: 1, map: new Map([[1, new Uint8Array([1])]]) }), policy);
  const drained = Program.start("file-user.mjs", [folder, "strict", "drain"], { runtime: bun });
  drained.tell("go");
  assert.deepEqual((await drained.rest()).lines, ["ready", "got 1", "acking 1", "acked 1", "empty"]);
  const busy = Program.start("file-user.mjs", [folder, "relaxed", "busy", "5"], { runtime: bun });
  busy.tell("go");
  for (let line = await busy.line(); line !== "acked 6";) line = await busy.line();
  busy.kill();
  await busy.rest();
  assert.ok((await waiting(folder)).every(({ n, text }) => text.length === (n * 37) % 3000));
});

test("of a batch of several parts, one of which the storage can't hold, nothing is stored", async () => {
  const folder = newFolder();
  await using(folder, async (queue) => {
    await queue.send("before");
    await assert.rejects(queue.sendBatch([{ body: 1 }, { body: new Blob(["a"]), delaySeconds: 5 }, { body: 3, idempotencyKey: "3" }]), {
      name: "DataCloneError",
    });
    await queue.send("after");
  });
  assert.deepEqual(await waiting(folder), ["before", "after"]);
});

test("whole steps that are cut off with a damaged one are told on the console, and kept", async (t) => {
  const said = t.mock.method(console, "error", () => undefined);
  // Once a second all of it goes to the disk: what is damaged after that is told in another way.
  for (let tries = 0; said.mock.callCount() === 0 && tries < 10; tries += 1) {
    const folder = newFolder();
    const program = Program.start("file-user.mjs", [folder, "relaxed", "busy", "0"]);
    program.tell("go");
    for (let line = ""; line !== "sent 40";) line = await program.line();
    program.kill();
    await program.rest();
    const bytes = bytesOf(folder);
    bytes[bytes.length - 5000] ^= 1;
    writeFileSync(journalOf(folder), bytes);
    await using(folder, (queue) => queue.metrics()).catch(({ name }) => assert.equal(name, "CorruptionError"));
  }
  assert.match(String(said.mock.calls[0]?.arguments[0]),
    /journal is damaged at byte \d+, .* and the \d+ steps behind it, .* kept in .*journal\.cut\.1/);
});

test("what is cut off though it is no whole step is told on the console, with its bytes", async (t) => {
  const said = t.mock.method(console, "error", () => undefined);
  const folder = newFolder();
  await using(folder, async (queue) => {
    for (let n = 0; n < 50; n += 1) await queue.send({ n });
  });
  truncateSync(journalOf(folder), Math.floor(bytesOf(folder).length / 2) + 3);
  assert.ok((await waiting(folder)).length < 50);
  assert.match(String(said.mock.calls[0]?.arguments[0]), /journal ends at byte \d+ with \d+ bytes of a step that is not whole/);
  // Zeros that lay ready are nothing that anyone wrote.
  put(folder, Buffer.concat([bytesOf(folder), Buffer.alloc(5000)]));
  await waiting(folder);
  assert.equal(said.mock.callCount(), 1);
});

test("a folder by whichever link, made before or after, is one storage", async () => {
  const folder = newFolder();
  const above = path.dirname(folder);
  const link = `${folder}-link`;
  symlinkSync(above, `${above}-above`);
  try {
    const made = fileStorage(folder);
    assert.equal(fileStorage(path.join(`${above}-above`, path.basename(folder))), made, "not made yet");
    mkdirSync(folder);
    symlinkSync(folder, link);
    assert.equal(fileStorage(link), made);
    await using(folder, async (queue) => {
      await queue.send("by its name");
      assert.deepEqual(await waiting(link), ["by its name"]);
    });
  } finally {
    rmSync(`${above}-above`);
  }
});

test("a bit that turns in a file that was closed is told wherever it is, after relaxed steps too", async () => {
  const folder = newFolder();
  await using(folder, async (queue) => {
    for (let n = 0; n < 40; n += 1) await queue.send({ n, text: "x".repeat(200) });
  });
  const whole = bytesOf(folder);
  for (let place = 40; place < whole.length - 40; place += 331) {
    const bytes = Buffer.from(whole);
    bytes[place] ^= 1;
    put(folder, bytes);
    const told = [];
    const read = using(folder, async (queue) => {
      queue.addEventListener("error", ({ error }) => told.push(error.name));
      return (await queue.receive({ max: 100 })).map(({ body }) => body.n);
    });
    const got = await read.then((all) => all.length, (error) => error.name);
    // A body harms its own message only. What fills a frame up to a multiple of 8 says nothing.
    assert.ok(got === "CorruptionError" || (got === 39 && told.join() === "CorruptionError") || got === 40,
      `byte ${place}: ${got}, told: ${told}`);
  }
});

test("a dead letter keeps its part of a step's bodies, and the file takes the room of the others back", async () => {
  const folder = newFolder();
  const policy = { deadLetterQueue: "letters" };
  const body = (n) => new Uint8Array(10_000).fill(n % 251);
  await using(folder, async (queue) => {
    for (let round = 0; round < 8; round += 1) {
      await queue.sendBatch(Array.from({ length: 400 }, (_, n) => ({ body: body(n) })));
      const messages = await queue.receive({ max: 400 });
      await Promise.all(messages.map((message, n) => (n === 200 ? message.deadLetter() : message.ack())));
    }
    const { storageBytes } = await queue.metrics();
    assert.ok(storageBytes < 16_000_000, `${storageBytes} bytes for 8 letters of 10000`);
  }, policy);
  await using(folder, async () => {
    const letters = await openQueue("letters", { storage: fileStorage(folder) });
    const left = await letters.receive({ max: 100 });
    assert.deepEqual(left.map(({ body }) => [body.length, body[0], body[9999]]), Array(8).fill([10_000, 200, 200]));
    await letters.close();
  }, policy);
});

test("parts that are gone come back to nobody, nor to a file that was copied without them", async () => {
  const folder = newFolder();
  const driver = fileStorage(folder);
  let store = await driver.open();
  const bodies = Array.from({ length: 8 }, (_, n) => String(n).repeat(40_000));
  const number = await store.append(0, () => ({ record: new Uint8Array([1]), bodies, chunk: 1 }), false);
  const values = async () =>
    (await store.values([0, 1, 2, 3].flatMap((part) => [number, part]))).map((value) => value?.bodies.map((body) => body[0]).join());
  await store.snapshot(number, 0, new Uint8Array([2]), [], [number, 0, 0, number, 2, 3]);
  assert.deepEqual(await values(), [undefined, "2,3", undefined, undefined]);
  // The next one waits until the file is written anew.
  await store.snapshot(number + 1, 0, new Uint8Array([2]), [], []);
  store.close();
  store = await fileStorage(folder).open();
  assert.deepEqual(await values(), [undefined, "2,3", undefined, undefined]);
  assert.ok(bytesOf(folder).length < 100_000, `${bytesOf(folder).length} bytes of the 320000 are there`);
  // What is counted as gone twice would have the file written anew for ever.
  const second = await store.append(0, () => ({ record: new Uint8Array([3]), bodies, chunk: 1 }), false);
  await store.snapshot(second, number, new Uint8Array([4]), [number, number], [second, 0, 0]);
  await store.snapshot(second + 1, second, new Uint8Array([5]), [second, second]);
  store.close();
});

test("records and bodies of every size around what is read and copied at once come back whole, after the file was written anew, too", async () => {
  const folder = newFolder();
  let store = await fileStorage(folder).open();
  const bytes = (size) => new Uint8Array(size).fill(size % 251);
  const offsets = Array.from({ length: 24 }, (_, at) => 8 * (at - 20) + (at % 3));
  const sizes = [4 << 10, 256 << 10].flatMap((size) => offsets.map((offset) => size + offset)).concat(
    [-64, -1, 0, 1].map((offset) => (1 << 20) + offset),
  );
  const written = [];
  for (const size of sizes) {
    for (
      const [record, bodies, chunk] of [[bytes(size), [], -1], [bytes(9), [bytes(size), "stays"], -1], [bytes(7), [bytes(size), "gone",
        "stays"], 0]]
    ) {
      written.push({ number: await store.append(0, () => ({ record, bodies, chunk }), false), record, bodies, chunk });
    }
  }
  const apart = written.filter(({ chunk }) => chunk === 0);
  const look = async (gone) => {
    const { records } = await store.read(1);
    const left = written.filter(({ number }) => number > gone);
    assert.ok(records.length === left.length && records.every((record, at) => Buffer.compare(record, left[at].record) === 0));
    for (const { number, bodies, chunk } of left) {
      if (!bodies.length) continue;
      const [found, last] = await store.values(chunk < 0 ? [number, -1, number, -1] : [number, 0, number, 2]);
      assert.ok(Buffer.compare(found.bodies[0], bodies[0]) === 0, `${bodies[0].length} bytes of record ${number}`);
      assert.equal(last.bodies.at(-1), bodies.at(-1));
    }
  };
  await look(0);
  const many = await store.append(0, () => ({ record: bytes(1), bodies: Array.from({ length: 8 }, () => bytes(8 << 20)), chunk: 0 }),
    false);
  written.push({ number: many, record: bytes(1), bodies: [], chunk: 0 });
  const before = bytesOf(folder).length;
  await store.snapshot(1, 0, bytes(3), [], [many, 0, 7, ...apart.flatMap(({ number }) => [number, 1, 1])]);
  await store.snapshot(2, 0, bytes(3), [], []);
  assert.ok(bytesOf(folder).length < before - (60 << 20), "the file was written anew");
  written.splice(0, 2);
  await look(2);
  store.close();
  store = await fileStorage(folder).open();
  await look(2);
  store.close();
});
