// One process at a time has the queues of a folder; the dead are no hindrance.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { openQueue } from "posthaste";
import { fileStorage } from "posthaste/node";
import { fails, locksOf, using, waiting } from "./file-folder.mjs";
import { Program, bun, newFolder } from "./file-lab.mjs";

const user = (folder, ...options) => Program.start("file-user.mjs", [folder, "relaxed", "open"], ...options);

/** What a program that was started says when it tries to open. */
async function tried(program) {
  assert.equal(await program.line(), "ready");
  program.tell("open");
  return program.line();
}

test("a second process is refused, and told who has it; when that one closes it, it gets it", async () => {
  const folder = newFolder();
  const [first, second, third] = [user(folder), user(folder), user(folder, { runtime: bun })];
  assert.equal(await tried(first), "open");
  const refused = await tried(second);
  assert.match(refused, /^NoModificationAllowedError: /);
  assert.ok(refused.includes(`the process ${first.pid}`) && refused.includes(folder), refused);
  const error = await fails(openQueue("q", { storage: fileStorage(folder) }), "NoModificationAllowedError", `the process ${first.pid}`);
  assert.ok(error instanceof DOMException);
  assert.match(await tried(third), /^NoModificationAllowedError: /);
  assert.equal(locksOf(folder).length, 1);
  first.tell("close");
  assert.equal(await first.ended, 0);
  assert.deepEqual(await waiting(folder).catch(({ name }) => name), []);
  assert.deepEqual(locksOf(folder), []);
});

test("another thread of the process is refused", async () => {
  const folder = newFolder();
  await using(folder, async () => {
    const code = `
      const { parentPort } = require("node:worker_threads");
      Promise.all([import("posthaste"), import("posthaste/node")])
        .then(([{ openQueue }, { fileStorage }]) => openQueue("q", { storage: fileStorage(${JSON.stringify(folder)}) }))
        .then(() => "open", (error) => error.name + ": " + error.message).then((said) => parentPort.postMessage(said));`;
    const worker = new Worker(code, { eval: true });
    const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    await worker.terminate();
    assert.match(said, new RegExp(`^NoModificationAllowedError: .*of this process \\(${process.pid}\\)`));
  });
});

test("the lock of a thread that was terminated is taken over", async () => {
  const folder = newFolder();
  const code = `
    const { parentPort } = require("node:worker_threads");
    Promise.all([import("posthaste"), import("posthaste/node")])
      .then(([{ openQueue }, { fileStorage }]) => openQueue("q", { storage: fileStorage(${JSON.stringify(folder)}) }))
      .then((queue) => queue.send("kept")).then(() => parentPort.postMessage("sent"));
    setInterval(() => undefined, 1000);`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await worker.terminate();
  assert.equal(locksOf(folder).length, 1);
  await using(folder, async (queue) => assert.deepEqual((await queue.receive()).map(({ body }) => body), ["kept"]));
  assert.deepEqual(locksOf(folder), []);
});

test("the lock of a process that was killed, or that ended without closing, is taken over", async () => {
  const folder = newFolder();
  const killed = user(folder);
  assert.equal(await tried(killed), "open");
  killed.kill();
  await killed.ended;
  assert.equal(locksOf(folder).length, 1);
  await using(folder, (queue) => queue.send("mine"));
  assert.deepEqual(locksOf(folder), []);

  const ended = Program.start("file-user.mjs", [folder, "relaxed", "leave"]);
  assert.equal(await tried(ended), "left");
  assert.equal(await ended.ended, 0);
  assert.deepEqual(locksOf(folder), []);
});

test("a pid that is another process's by now is no lock", {
  skip: process.platform !== "linux" && "the system does not tell when a process began",
}, async () => {
  const folder = newFolder();
  let name;
  await using(folder, async () => ([name] = locksOf(folder)));
  const [, start] = /-(\d+)\./.exec(name);
  assert.ok(Number(start) > 0, name);
  writeFileSync(path.join(folder, name.replace(`-${start}.`, `-${Number(start) + 1}.`)), "");
  await using(folder, (queue) => queue.send("mine"));
  assert.deepEqual(locksOf(folder), []);
});

test("a lock from elsewhere holds while someone touches it, and no longer", async () => {
  const folder = newFolder();
  mkdirSync(folder);
  const file = path.join(folder, "lock.17.abcdef12-99.x");
  writeFileSync(file, "");
  const touching = setInterval(() => utimesSync(file, new Date(), new Date()), 100);
  await fails(waiting(folder), "NoModificationAllowedError", "the process 17, of another container or machine");
  clearInterval(touching);
  assert.deepEqual(readdirSync(folder), [path.basename(file)]);
  utimesSync(file, 1, 1);
  assert.deepEqual(await waiting(folder), []);
  assert.deepEqual(locksOf(folder), []);
});

test("whoever is taken for dead, and is not, writes no more", async () => {
  const folder = newFolder();
  const program = Program.start("file-user.mjs", [folder, "relaxed", "busy", "1"]);
  assert.equal(await tried(program), "sent 1");
  program.child.kill("SIGSTOP");
  // Someone from elsewhere thinks that it is dead, and begins.
  const { unlinkSync } = await import("node:fs");
  for (const name of locksOf(folder)) unlinkSync(path.join(folder, name));
  await using(folder, async (queue) => {
    // It may have said more before it was stopped: that is here, and counted.
    const { sent } = await queue.metrics();
    program.child.kill("SIGCONT");
    const { lines, ended } = await program.rest();
    assert.equal(ended, 1, lines.at(-1));
    // The step that was being written when it was stopped may still be: of each of its two senders it may have a message.
    const later = lines.filter((line) => line.startsWith("sent") && Number(line.slice(5)) > sent);
    assert.ok(later.length <= 2, `it said that it sent ${later}, and ${sent} were there`);
    await queue.send("mine");
  });
  assert.equal((await waiting(folder)).at(-1), "mine");
});

test("of many who open it at once, one gets it", async () => {
  const folder = newFolder();
  const programs = Array.from({ length: 6 }, () => user(folder));
  for (const program of programs) assert.equal(await program.line(), "ready");
  for (const program of programs) program.tell("open");
  const said = await Promise.all(programs.map((program) => program.line()));
  assert.equal(said.filter((line) => line === "open").length, 1, said.join("\n"));
  assert.equal(said.filter((line) => line.startsWith("NoModificationAllowedError")).length, 5, said.join("\n"));
  for (const program of programs) program.tell("close");
  for (const program of programs) assert.equal(await program.ended, 0);
  assert.deepEqual(locksOf(folder), []);
});
