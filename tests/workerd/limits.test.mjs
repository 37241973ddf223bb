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
  assert.equal((await call({ kind: "settle", settlements: [{ kind: 9, number: 1, index: 0, count: 1, grant: 1, arg: 0 }] })).error.name, "NotSupportedError");
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

test("the consumers an object names must agree with the queue it keeps", async () => {
  await lab.ask("sendOne", "pushed", { order: 1 });
  await assert.rejects(lab.ask("send", "pushed", [{ order: 2 }], { maxRetries: 7 }), /PolicyMismatchError.*maxRetries 2, not 7/);
});
