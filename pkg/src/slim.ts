/** The entry without wasm: the caller gives the module, `posthaste/posthaste.wasm`, before opening the first queue. */

import { startWith } from "./engine/load";
import { moduleOf } from "./engine/given";
import type { ModuleSource } from "./contract/source";

export type { ModuleSource } from "./contract/source";

/** Takes the module: compiled, as bytes, as a response or its promise, or by its address. */
export function init(module: ModuleSource): Promise<void> {
  return startWith(() => moduleOf(module));
}

export { openQueue, openTopic, listQueues, deleteQueue } from "./queue/open";
export * from "./exports";
