/** Where a wasm module can come from. */

import type { BufferSource, WasmModule } from "./platform";

/** A module, its bytes, a response that brings them, an address, or a promise of any. */
export type ModuleSource = WasmModule | BufferSource | Response | URL | string | Promise<
  WasmModule | BufferSource | Response | URL | string
>;
