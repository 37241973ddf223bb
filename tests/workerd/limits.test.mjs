/** What an object meets that is not as it should be: a newer version's word, storage that someone else wrote, another policy. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { start, workers } from "./lab.mjs";

const taken = [];
const lab = await start(undefined, await workers({ seen: (report) => void taken.push(report) }));
after(() => lab.dispose());

const call = (more) => lab.ask("object", "versions", "posthaste", { version: 2, queue: "versions", policy: {}, ...more });

test("what is newer than the object is refused by name, not guessed", async () => {
  assert.equal((await call({ kind: "open" })).error, undefined);
  assert.equal((await call({ version: 3, kind: "open" })).error.name, "VersionError");
  assert.equal((await call({ kind: "shred" })).error.name, "NotSupportedError");
  assert.equal((await call({ kind: "settle", settlements: [{ kind: 9, number: 1, index: 0, count: 1, grant: 1, arg: 0 }] })).error.name,
    "NotSupportedError");
});

const damages = {
  "a header of a newer format": ["UPDATE posthaste_header SET format = 3", "VersionError"],
  "a header of an older format": ["UPDATE posthaste_header SET format = format - 1", "VersionError"],
  "a header that is none": ["UPDATE posthaste_header SET birth = 'x'", "CorruptionError"],
  "a record that is none": ["UPDATE posthaste_records SET record = x'00ff'", "CorruptionError"],
  "a record that is no bytes": ["UPDATE posthaste_records SET record = 'text'", "CorruptionError"],
};
for (const [name, [query, error]] of Object.entries(damages)) {
  test(name, async () => {
    const queue = `damaged ${error} ${query.length}`;
    await lab.ask("send", queue, [1, 2, 3]);
    await lab.ask("object", queue, "damage", query);
    await lab.ask("object", queue, "replace").catch(() => undefined);
    await assert.rejects(lab.ask("metrics", queue), (told) => told.message.startsWith(error));
  });
}

test("a body that is none makes a dead letter of its message, and of no other", async () => {
  await lab.ask("send", "bodies", ["a"]);
  await lab.ask("object", "bodies", "damage", "UPDATE posthaste_records SET bodies = x'01080101' WHERE bodies IS NOT NULL");
  await lab.ask("send", "bodies", ["b"]);
  await lab.ask("object", "bodies", "replace").catch(() => undefined);
  await lab.ask("take", "bodies", { max: 10 });
  await lab.ask("take", "bodies", { max: 10 });
  assert.deepEqual(taken.flatMap(({ acked }) => acked ?? []), ["b"]);
  const { acked, backlogCount } = await lab.ask("metrics", "bodies");
  assert.deepEqual([acked, backlogCount], [1, 0]);
  assert.equal((await lab.ask("metrics", "bodies-dlq")).backlogCount, 1);
});

test("a body that can't be read just now is received later, and its message is no dead letter", async () => {
  const options = { visibilityTimeout: 0.1 };
  await lab.ask("send", "busy", ["a"], options);
  // Once with the others, and once by itself.
  await lab.ask("object", "busy", "failReading", 2);
  await lab.ask("take", "busy", { max: 10 });
  await lab.ask("take", "busy", { max: 10, wait: 10 });
  assert.deepEqual(taken.filter(({ queue }) => queue === "busy").flatMap(({ acked }) => acked ?? []), ["a"]);
  const { acked, deadLettered, backlogCount } = await lab.ask("metrics", "busy");
  assert.deepEqual([acked, deadLettered, backlogCount], [1, 0, 0]);
});

test("a binding that throws at once holds its batch no longer than that", async () => {
  await lab.ask("send", "throwing", ["a"]);
  let letters = [];
  for (let tries = 0; tries < 2000 && !letters.length; tries += 1) letters = await lab.ask("peek", "throwing-dlq");
  assert.deepEqual(letters.map(({ body }) => body), ["a"]);
  assert.match(letters[0].lastError, /the binding is not what it was/);
});

test("the consumers an object names must agree with the queue it keeps", async () => {
  await lab.ask("sendOne", "pushed", { order: 1 });
  await assert.rejects(lab.ask("send", "pushed", [{ order: 2 }], { maxRetries: 7 }), /PolicyMismatchError.*maxRetries 2, not 7/);
});
