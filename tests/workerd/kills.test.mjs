// A few of the kills that `cargo xtask kills workerd` does by the hundred: a Durable Object that pushes, with an outside ledger.
import { test } from "node:test";
import { kills } from "../kills/kills.mjs";

test("an object that pushes dies over and over: nothing is lost, nothing doubled that no death explains", async (context) => {
  context.diagnostic(JSON.stringify(await kills("workerd", { count: 5, seed: 1 })));
});
