// posthaste/deno in Deno: the cases of storing.mjs and trouble.mjs, each in a program of its own.
import { test } from "node:test";
import { database, run } from "./deno.mjs";
import { storing } from "./storing.mjs";
import { trouble } from "./trouble.mjs";

for (const name of Object.keys({ ...storing, ...trouble })) {
  test(name, (context) => run("case.mjs", [name, database(context)]));
}
