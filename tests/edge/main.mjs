/** The program that runtimes with modules are started with: its last line is what the suites answered. */
import { openQueue } from "posthaste";
import { suites } from "./suites.mjs";

console.log(JSON.stringify(await suites(openQueue)));
