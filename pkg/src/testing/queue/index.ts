/** The suite that every queue passes, wherever it lives. */

import type { QueueCase } from "../types";
import { bounds } from "./bounds";
import { consuming } from "./consuming";
import { dying } from "./dying";
import { keeping } from "./keeping";
import { looking } from "./looking";
import { receiving } from "./receiving";
import { sending } from "./sending";

/** What the API promises of a queue, a case at a time. Each uses queues with new names. */
export const queueCases: readonly QueueCase[] = [...sending, ...keeping, ...receiving, ...dying, ...bounds, ...looking, ...consuming];
