/** The entry without wasm: the caller gives the module, `posthaste/posthaste.wasm`, before opening the first queue. */

import { provideModule, type ModuleSource } from "./engine";

export type { ModuleSource } from "./engine";

/** Takes the module: compiled, as bytes, as a response or its promise, or by its address. */
export function init(module: ModuleSource): Promise<void> {
  return provideModule(module);
}

export * from "./api";
