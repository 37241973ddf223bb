/** What a queue keeps of bodies: their own bytes, counted once, and nothing of whoever shares a buffer with them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { fileStorage } from "posthaste/node";
import { newFolder } from "./file-lab.mjs";
import { bounded, freshQueue, quiet } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";

v8.setFlagsFromString("--expose-gc");
const gc = vm.runInNewContext("gc");

test("what lies beside a small Buffer in its pool is not written to a file", async () => {
  const folder = newFolder();
  const queue = await openQueue("pooled", { storage: fileStorage(folder) });
  const secret = Buffer.from("what lay beside it in the pool");
  for (let at = 0; at < 100; at += 1) await queue.send({ data: Buffer.from("hi") });
  await queue.send(Buffer.from("hi"));
  await queue.flush();
  const written = readFileSync(path.join(folder, "journal"));
  assert.equal(written.includes(secret), false);
  assert.ok(written.length < 100_000, `${written.length} bytes`);
  await queue.close();
});

test("what a view shows is what a queue holds in memory, and what its capacity counts", async () => {
  const { queue } = await freshQueue({ capacity: { bytes: 1_000_000 }, overflow: "reject" });
  gc();
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < 100; at += 1) await queue.send({ tile: new Uint8Array(1_000_000).subarray(0, 2) });
  // What the collector frees is counted a little later, by a thread of its own.
  let given = false;
  const letGo = async () => {
    do {
      gc();
      await quiet();
    } while (!given && process.memoryUsage().arrayBuffers - before > 2_000_000);
  };
  await bounded(letGo(), "the end of the senders' buffers").finally(() => {
    given = true;
  });
  assert.ok((await queue.metrics()).backlogBytes < 10_000);
});

for (
  const [of, make, read] of [
    ["bytes", (n) => new Uint8Array(10_000).fill(n), (body) => [body.length, body[0], body[9999]]],
    ["buffers of several lengths", (n) => new Uint8Array(10_000 + n).fill(n).buffer,
      (body) => [body.byteLength, new Uint8Array(body)[0], new Uint8Array(body)[9999]]],
    ["values", (n) => ({ n, bytes: new Uint8Array(10_000).fill(n) }), ({ bytes }) => [bytes.length, bytes[0], bytes[9999]]],
  ]
) {
  test(`a message that stays in memory keeps nothing of its neighbours: ${of}`, async () => {
    const { queue } = await freshQueue();
    gc();
    const before = process.memoryUsage().arrayBuffers;
    const stays = (n) => n % 50 === 7 || n % 50 === 8;
    const add = async (round) => {
      await Promise.all(Array.from({ length: 250 }, (_, n) => queue.send(make(n), { headers: { n: String(n), round: String(round) } })));
      const messages = await queue.receive({ max: 250 });
      for (const [n, message] of messages.entries()) void (stays(n) ? message.retry({ delaySeconds: 3600 }) : message.ack());
      await queue.flush();
      // What was settled can still be read by who has it.
      assert.deepEqual(read(messages[249].body), read(make(249)));
    };
    for (let round = 0; round < 20; round += 1) await add(round);
    let given = false;
    const letGo = async () => {
      do {
        gc();
        await quiet();
      } while (!given && process.memoryUsage().arrayBuffers - before > 6_000_000);
    };
    await bounded(letGo(), "the end of 50 MB, but for 2").finally(() => {
      given = true;
    });
    const left = await queue.peek({ max: 1000 });
    assert.equal(left.length, 200);
    for (const { body, headers: { n } } of left) assert.deepEqual(read(body), read(make(Number(n))));
  });
}

test("views of one buffer that a body has as such keep it", async () => {
  const { queue } = await freshQueue();
  const buffer = new ArrayBuffer(100);
  await queue.send({ buffer, part: new Uint8Array(buffer, 10, 5) });
  const [{ body }] = await queue.receive();
  assert.equal(body.part.buffer, body.buffer);
  assert.equal(body.buffer.byteLength, 100);
});

test("what moves with a message moves whole, and other views of it are cut to their own", async () => {
  const { queue } = await freshQueue();
  const [moved, other] = [new ArrayBuffer(1000), new Uint8Array(1000)];
  await queue.send({ moved: new Uint8Array(moved, 10, 5), other: other.subarray(10, 15) }, { transfer: [moved] });
  const [{ body }] = await queue.receive();
  assert.deepEqual([body.moved.buffer.byteLength, body.other.buffer.byteLength, moved.byteLength, other.byteLength], [1000, 5, 0, 1000]);
});

test("what moves with a message has moved when send returns, though a schema takes its time", async () => {
  const validate = async (value) => {
    await undefined;
    return { value };
  };
  const { queue } = await freshQueue({ schema: { "~standard": { version: 1, vendor: "test", validate } } });
  const { port1, port2 } = new MessageChannel();
  const buffer = new ArrayBuffer(8);
  const transfer = [buffer, port2];
  const sent = queue.send({ buffer, port: port2 }, { transfer });
  transfer.length = 0;
  assert.equal(buffer.byteLength, 0);
  await bounded(sent, "the send");
  const [{ body }] = await queue.receive();
  assert.equal(body.buffer.byteLength, 8);
  const heard = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
  });
  body.port.postMessage("hello");
  assert.equal(await bounded(heard, "a word through the port that moved"), "hello");
  port1.close();
});

test("a body whose getter sends another brings both, each counted as its own", async () => {
  const { queue } = await freshQueue();
  const inner = { text: "x".repeat(1000) };
  let sent;
  await queue.send({
    before: ["y".repeat(1000)],
    get more() {
      sent ??= queue.send(inner);
      return 1;
    },
    after: "z".repeat(1000),
  });
  await sent;
  const { backlogBytes, backlogCount } = await queue.metrics();
  assert.equal(backlogCount, 2);
  assert.ok(backlogBytes > 3000 && backlogBytes < 4000, `${backlogBytes} bytes`);
});

test("bytes in an error are its own", async () => {
  const { queue } = await freshQueue();
  await queue.send(new Error("with bytes", { cause: new Uint8Array(8192).subarray(16, 20) }));
  const [{ body }] = await queue.receive();
  assert.equal(body.cause.buffer.byteLength, 4);
});
