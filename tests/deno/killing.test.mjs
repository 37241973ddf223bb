// posthaste/deno: what was confirmed survives the death of the process, in the middle of whatever it did.
import assert from "node:assert/strict";
import { test } from "node:test";
import { database, run, start } from "./deno.mjs";

const LIVES = 50;

/** The names after a word. */
const named = (lines, word) => lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

test(`killed ${LIVES} times in the middle of sends and deliveries: no confirmed message is lost, none acked comes back`, async (context) => {
  const file = database(context);
  const lines = [];
  for (let life = 1; life <= LIVES; life += 1) {
    const victim = start("victim.mjs", [file, life]);
    await victim.heard(1 + ((life * 7) % 31));
    victim.kill();
    assert.equal(await victim.ended, "SIGKILL", victim.errors);
    lines.push(...victim.lines);
  }
  const left = named(await run("victim.mjs", [file]), "left");
  const [sent, acking, acked] = ["sent", "acking", "acked"].map((word) => named(lines, word));
  // An ack on its way may have been recorded or not.
  const doubtful = new Set(acking);
  const [ackedOnes, leftOnes] = [new Set(acked), new Set(left)];
  assert.ok(sent.length > 4 * LIVES && acked.length > LIVES, `only ${sent.length} were sent and ${acked.length} acked`);
  assert.ok(new Set(acking).size - ackedOnes.size <= LIVES, "more than one ack was on its way at a death");
  assert.deepEqual(sent.filter((name) => !doubtful.has(name) && !leftOnes.has(name)), [], "confirmed and lost");
  const again = acking.filter((name, at) =>
    ackedOnes.has(name) && acking.indexOf(name) !== at && lines.indexOf(`acked ${name}`) < lines.lastIndexOf(`acking ${name}`)
  );
  assert.deepEqual([...again, ...left.filter((name) => ackedOnes.has(name))], [], "acked and come back");
  assert.equal(leftOnes.size, left.length, "left twice");
});
