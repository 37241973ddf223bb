/** Where a wasm module can come from. */

/** A module, its bytes, a response that brings them, an address, or a promise of any. */
export type ModuleSource =
  | WebAssembly.Module | BufferSource | Response | URL | string
  | Promise<WebAssembly.Module | BufferSource | Response | URL | string>;
