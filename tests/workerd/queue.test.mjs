/** The API of posthaste/cloudflare, in workerd. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { start, workers } from "./lab.mjs";

const lab = await start(undefined, await workers());
after(() => lab.dispose());

for (const name of await lab.ask("cases")) {
  test(name, async () => assert.equal(await lab.ask("case", name), "passed"));
}
