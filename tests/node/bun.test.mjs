/** Ports and shared memory between Bun's threads, as between Node's. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { entry } from "./posthaste.mjs";

const bun = fileURLToPath(new URL("../node_modules/.bin/bun", import.meta.url));
const script = fileURLToPath(new URL("bun-threads.mjs", import.meta.url));

test("in Bun a page serves a worker by shared memory, and its death gives back what it held", async () => {
  const { stdout } = await promisify(execFile)(bun, [script, entry], { timeout: 60_000 });
  assert.deepEqual(JSON.parse(stdout), { transport: "shared-memory" });
});
