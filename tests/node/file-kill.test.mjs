// A process is killed over and over, in the middle of sends and deliveries: what it confirmed is kept, what it acked is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Program, bun, newFolder } from "./file-lab.mjs";

const KILLS = 50;

/** What a queue has promised so far, and a check of what it does then. */
class Ledger {
  sent = new Set();
  got = new Set();
  /** Its ack was on the way: it may be gone. */
  acking = new Set();
  acked = new Set();
  next = 0;

  hear(line) {
    const [verb, n] = [line.split(" ")[0], Number(line.split(" ")[1])];
    if (verb === "got") assert.ok(!this.acked.has(n), `${n} was acked, and came back`);
    this[verb]?.add(n);
    this.next = Math.max(this.next, n + 1);
  }

  /** What must still be there. */
  get owed() {
    return [...this.sent].filter((n) => !this.acking.has(n));
  }
}

async function killed(kills, runtime) {
  const folder = newFolder();
  const ledger = new Ledger();
  const start = (round) =>
    Program.start("file-user.mjs", [folder, round % 3 === 2 ? "strict" : "relaxed", "busy", String(round * 1_000_000)], { runtime });
  let program = start(0);
  for (let round = 0; round < kills; round += 1) {
    const current = program;
    // The next one starts up meanwhile, and waits.
    program = round + 1 < kills ? start(round + 1) : Program.start("file-user.mjs", [folder, "relaxed", "drain"], { runtime });
    assert.equal(await current.line(), "ready");
    current.tell("go");
    // Opening is killed in the middle, too.
    let left = round % 10 === 9 ? 0 : 1 + Math.floor(Math.random() * 80);
    for (; left > 0; left -= 1) ledger.hear(await current.line());
    current.kill();
    const { lines, ended } = await current.rest();
    assert.equal(ended, "SIGKILL");
    lines.forEach((line) => ledger.hear(line));
  }
  assert.ok(ledger.sent.size > kills && ledger.acked.size > kills,
    `${ledger.sent.size} sent and ${ledger.acked.size} acked are too few to tell`);
  const { owed } = ledger;
  assert.ok(owed.length > 0);
  ledger.got.clear();
  assert.equal(await program.line(), "ready");
  program.tell("go");
  const { lines } = await program.rest();
  assert.equal(lines.pop(), "empty");
  lines.forEach((line) => ledger.hear(line));
  assert.deepEqual(owed.filter((n) => !ledger.got.has(n)), []);
}

test(`killed ${KILLS} times in Node: no confirmed message is lost, none that was acked comes back`, () => killed(KILLS));
test("killed 5 times in Bun: the same", () => killed(5, bun));
