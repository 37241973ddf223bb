// posthaste/deno in Deno: the cases of storing.mjs and trouble.mjs, each in a program of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openQueue } from "posthaste";
import { kvStorage } from "posthaste/deno";
import { database, run } from "./deno.mjs";
import { storing } from "./storing.mjs";
import { trouble } from "./trouble.mjs";

for (const name of Object.keys({ ...storing, ...trouble })) {
  test(name, (context) => run("case.mjs", [name, database(context)]));
}

test("elsewhere than in Deno it says what it needs", async () => {
  await assert.rejects(openQueue("q", { storage: kvStorage("queues.db") }), { name: "NotSupportedError", message: /give it a Kv/ });
});
