// posthaste/deno compiles with Deno's own declarations.
import { test } from "node:test";
import { run } from "./deno.mjs";

test("the types, by deno check", () => run("typed.ts", [], { command: ["check", "--unstable-kv"] }));
