// A process ends while it holds messages: whoever opens the folder next has them at once, in their order, and an attempt was made
// only where it died of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";
import { Program, bun, newFolder } from "./file-lab.mjs";

const open = (folder) => openQueue("q", { storage: fileStorage(folder), maxRetries: 3 });

async function filled() {
  const folder = newFolder();
  const queue = await open(folder);
  await queue.sendBatch([0, 1, 2, 3, 4, 5].map((body) => ({ body })));
  await queue.close();
  return folder;
}

/** What a program was handed that ends so. */
async function held(folder, ending, runtime) {
  const program = Program.start("file-holder.mjs", [folder, ending], { runtime, stdio: ["pipe", "pipe", "ignore"] });
  const line = await program.line();
  if (ending === "kill") program.kill();
  else program.tell("end");
  const { ended } = await program.rest();
  assert.equal(ended, { kill: "SIGKILL", exit: 0, fail: 1, throw: 1 }[ending]);
  return line;
}

async function left(folder) {
  const queue = await open(folder);
  const messages = await queue.receive({ max: 10 });
  const { deadLettered, delivered } = await queue.metrics();
  assert.deepEqual(messages.map(({ body }) => body), [0, 1, 2, 3, 4, 5], "at once, and in order");
  await queue.close();
  return { attempts: messages.map(({ attempts }) => attempts), deadLettered, delivered };
}

for (const [name, runtime] of [["Node", undefined], ["Bun", bun]]) {
  for (const ending of ["kill", "fail", "throw"]) {
    test(`what was handed out before a sudden end (${ending}) comes back at once, and the attempt counts, in ${name}`, async () => {
      const folder = await filled();
      assert.equal(await held(folder, ending, runtime), "held 0:1 1:1 2:1");
      assert.deepEqual((await left(folder)).attempts, [2, 2, 2, 1, 1, 1]);
    });
  }
  test(`a process that exits in good order while it holds messages makes no attempt at them, in ${name}`, async () => {
    const folder = await filled();
    for (let round = 0; round < 5; round += 1) assert.equal(await held(folder, "exit", runtime), "held 0:1 1:1 2:1");
    assert.deepEqual(await left(folder), { attempts: [1, 1, 1, 1, 1, 1], deadLettered: 0, delivered: 6 });
  });
}

test("a message whose handler kills its process is dead-lettered when its attempts are used up, and those after it go on", async () => {
  const folder = await filled();
  for (let attempt = 1; attempt <= 4; attempt += 1) assert.equal(await held(folder, "kill"), `held 0:${attempt} 1:${attempt} 2:${attempt}`);
  const queue = await open(folder);
  assert.deepEqual((await queue.receive({ max: 10 })).map(({ body }) => body), [3, 4, 5]);
  const { deadLettered } = await queue.metrics();
  assert.equal(deadLettered, 3);
  await queue.close();
});

test("two journals of one folder in a process do not take each other for dead", async () => {
  const folder = await filled();
  const here = await open(folder);
  const clock = { now: Date.now, setTimeout: (...words) => setTimeout(...words), clearTimeout };
  const there = await openQueue("q", { storage: fileStorage(folder), clock });
  const first = await here.receive({ max: 3 });
  assert.deepEqual((await there.receive({ max: 10 })).map(({ body }) => body), [3, 4, 5]);
  await Promise.all(first.map((message) => message.ack()));
  await Promise.all([here.close(), there.close()]);
});
