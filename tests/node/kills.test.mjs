// A few of the kills that `cargo xtask kills file` does by the hundred, with an outside ledger.
import { test } from "node:test";
import { kills } from "../kills/kills.mjs";

test("a process that has a folder dies over and over: nothing is lost, nothing doubled that no death explains", async (context) => {
  context.diagnostic(JSON.stringify(await kills("file", { count: 10, seed: 1 })));
});
