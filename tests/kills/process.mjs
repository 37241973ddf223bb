/** A process that is killed at work, in Node or Deno: `process.mjs <file|deno> <place> <ledger> <context>`. */
import process from "node:process";
import { openQueue } from "posthaste";
import { work } from "./work.mjs";

const [kind, place, ledger, context] = process.argv.slice(2);
const storage = kind === "deno"
  ? (await import("posthaste/deno")).kvStorage(`${place}.db`)
  : (await import("posthaste/node")).fileStorage(place);
await work({ openQueue, storage, ledger, context });
