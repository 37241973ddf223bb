/** The entry without wasm: the caller gives the module, `posthaste/posthaste.wasm`, before opening the first queue. */

import { startWith } from "./engine";
import { moduleOf } from "./given";
import type { ModuleSource } from "./source";

export type { ModuleSource } from "./source";

/** Takes the module: compiled, as bytes, as a response or its promise, or by its address. */
export function init(module: ModuleSource): Promise<void> {
  return startWith(() => moduleOf(module));
}

export { openQueue, openTopic, listQueues, deleteQueue } from "./open";
export * from "./contract";
