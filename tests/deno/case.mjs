/** Runs one case: `case.mjs <name> <database file>`. */

import { storing } from "./storing.mjs";
import { trouble } from "./trouble.mjs";

const [name, file] = Deno.args;
await { ...storing, ...trouble }[name](file);
