/** Everything that a script can do. */

import { CONSUMING } from "./consuming.mjs";
import { FAULTS } from "./faults.mjs";
import { MANAGING } from "./managing.mjs";
import { RECEIVING } from "./receiving.mjs";
import { SENDING } from "./sending.mjs";

/** By name: `run(lab, actor, op)`. `fault`: it is done to contexts that are frozen, too; `world`: to no context at all. */
export const OPERATIONS = { ...SENDING, ...RECEIVING, ...CONSUMING, ...MANAGING, ...FAULTS };
