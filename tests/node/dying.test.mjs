/** Workers that are terminated at any instruction, again and again (in Chromium, where it takes less time, a thousand times: tests/browser): nobody is held up, nothing is half, nothing confirmed is lost. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { bounded, fails, freshQueue } from "./lab.mjs";
import { openQueue } from "./posthaste.mjs";
import { thread } from "./threads.mjs";

const ROUNDS = 300;
/** No JavaScript can have a process ended by a signal. Node 20 was, once in some 20,000 workers that were terminated (nodejs/node#56020 is a race of that kind). */
const CRASHES_MAX = 1;

/** Terminates so many workers in a process of its own; answers how many it was done with when it ended, and by which signal. */
async function terminated(rounds) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("dying.mjs", import.meta.url)), String(rounds)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const [code, signal] = await once(child, "close");
  assert.ok(signal || code === 0, `it failed: ${said.slice(-2000)}`);
  return { done: Number([...said.matchAll(/^done (\d+)$/gm)].at(-1)?.[1] ?? 0), signal };
}

test("three hundred workers are terminated in the middle of their frames: all that was confirmed is there, whole and in order", async (t) => {
  let crashes = 0;
  for (let left = ROUNDS; left > 0;) {
    const { done, signal } = await terminated(left);
    left -= done;
    if (!signal) assert.equal(left, 0, "all were terminated");
    else t.diagnostic(`Node ended by ${signal}`);
    crashes += signal ? 1 : 0;
    assert.ok(crashes <= CRASHES_MAX, `Node itself crashed ${crashes} times`);
  }
});

test("a worker that dies before it says anything is told at once to who waits for it", async () => {
  const client = new Worker("process.exit()", { eval: true });
  const start = performance.now();
  await fails(openQueue("nobody", { port: client }), "StorageLostError", "nobody");
  assert.ok(performance.now() - start < 5000, "not only when the time for a welcome is over");
  const { queue: host } = await freshQueue();
  const silent = new Worker("process.exit()", { eval: true });
  const serving = host.serve(silent);
  await bounded(new Promise((resolve) => silent.once("exit", resolve)), "the end of the worker");
  await host.send(1);
  await serving.close();
  assert.throws(() => host.serve(null), { name: "TypeError" });
});

test("a worker that dies between its hello and its welcome leaves nothing behind", async () => {
  const { queue: host } = await freshQueue({ name: "hello" });
  for (let round = 0; round < 10; round += 1) {
    const worker = thread(
      `openQueue("hello", { port: parentPort }).then((queue) => queue.receive({ wait: 1000 })); parentPort.postMessage("said");`,
    );
    const said = new Promise((resolve) => worker.once("message", resolve));
    const serving = host.serve(worker);
    await bounded(said, "the hello");
    await worker.terminate();
    await host.send(round);
    const [message] = await bounded(host.receive({ wait: 10 }), "a message nobody took away");
    assert.equal(message.body, round);
    await message.ack();
    await serving.close();
  }
  assert.equal((await host.metrics()).leased, 0);
});
