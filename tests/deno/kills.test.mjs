// A few of the kills that `cargo xtask kills deno` does by the hundred: three processes on one database, with an outside ledger.
import { test } from "node:test";
import { kills } from "../kills/kills.mjs";

test("three processes on one database die over and over: nothing is lost, nothing doubled that no death explains", async (context) => {
  context.diagnostic(JSON.stringify(await kills("deno", { count: 8, seed: 1 })));
});
