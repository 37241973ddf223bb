// The suites of posthaste/testing on Deno KV, in Deno.
import assert from "node:assert/strict";
import { test } from "node:test";
import { queueCases, serializerCases, storeCases } from "posthaste/testing";
import { folder, run } from "./deno.mjs";

test("the serializer, the store in Deno KV, and queues in it, pass every case", async (context) => {
  assert.deepEqual(await run("conformance.mjs", [folder(context)]), [
    `${serializerCases.length + storeCases.length + queueCases.length} cases`,
  ]);
});
