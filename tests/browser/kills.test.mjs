/** A few of the kills that `cargo xtask kills` does by the hundred: tabs and workers on one IndexedDB, with an outside ledger. */
import { test } from "node:test";
import { kills } from "../kills/kills.mjs";
import { kinds } from "./harness.mjs";

for (const kind of kinds.filter((kind) => kind !== "webkit")) {
  test(`three tabs and two workers die over and over: nothing is lost, nothing doubled that no death explains (${kind})`, {
    timeout: 180_000,
  }, async (context) => {
    context.diagnostic(JSON.stringify(await kills(kind, { count: 6, seed: 4 })));
  });
}
