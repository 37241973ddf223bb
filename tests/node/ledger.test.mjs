// The ledger of the kill tests: what it takes for broken, and what not, where the words of a dying context come late.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "../kills/ledger.mjs";

const books = () => {
  const ledger = new Ledger();
  for (const context of ["dying", "other"]) ledger.hear({ context, what: "open" });
  ledger.hear({ context: "dying", what: "confirmed", id: "a" });
  return {
    ledger,
    handed: (context, said, attempts = 1) => ledger.hear({ context, what: "handling", said, messages: [["a", attempts, 0]] }),
    says: (context, what) => ledger.hear({ context, what, id: "a" }),
    handlings: () => ledger.entry("a").handlings.map(({ context, ended }) => [context, ended]),
  };
};

test("a context that dies was handed a message before another was, and its word comes later", () => {
  const { ledger, handed, says, handlings } = books();
  ledger.dies(["dying"]);
  handed("other", 20);
  handed("dying", 10);
  assert.deepEqual(ledger.broken, []);
  assert.deepEqual(handlings(), [["dying", false], ["other", false]]);
  says("other", "acking");
  says("other", "acked");
  assert.deepEqual(ledger.broken, []);
  assert.deepEqual(handlings(), [["dying", false], ["other", true]]);
});

test("the word of a context that dies comes after the ack of another", () => {
  const { ledger, handed, says } = books();
  ledger.dies(["dying"]);
  handed("other", 20);
  says("other", "acking");
  says("other", "acked");
  handed("dying", 10);
  assert.deepEqual(ledger.broken, []);
});

test("two living contexts are handed a message, whatever their clocks say", () => {
  for (const said of [10, 30]) {
    const { ledger, handed } = books();
    handed("other", 20);
    handed("dying", said);
    assert.match(ledger.broken.join(), /a was handed to dying, as attempt 1, while other had it/);
  }
});

test("a context that dies is handed a message after another was", () => {
  const { ledger, handed } = books();
  ledger.dies(["dying"]);
  handed("other", 20);
  handed("dying", 30);
  assert.match(ledger.broken.join(), /a was handed to dying, as attempt 1, while other had it/);
});

test("a context that dies is handed a message after another acked it", () => {
  const { ledger, handed, says } = books();
  ledger.dies(["dying"]);
  handed("other", 20);
  says("other", "acking");
  says("other", "acked");
  handed("dying", 40);
  assert.match(ledger.broken.join(), /a was acked, and handed to dying after/);
});

test("what a context that died says late of a message ends or settles nothing of another's", () => {
  for (const what of ["retrying", "acking"]) {
    const { ledger, handed, says, handlings } = books();
    handed("dying", 10);
    ledger.dies(["dying"]);
    handed("other", 20);
    says("dying", what);
    assert.deepEqual(handlings().at(-1), ["other", false]);
    assert.deepEqual(ledger.dies(["other"]), ["a"]);
  }
});

test("an ack whose word has not come is under way while its context lives", () => {
  const { ledger, handed, says } = books();
  handed("other", 20);
  says("other", "acking");
  assert.equal(ledger.isUnderWay, true);
  says("other", "acked");
  assert.equal(ledger.isUnderWay, false);
  handed("dying", 40);
  says("dying", "acking");
  ledger.dies(["dying"]);
  assert.equal(ledger.isUnderWay, false);
});
