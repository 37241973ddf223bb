/** A module, as runtimes and bundlers give it that can import one. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
/** What edge runtimes make of an import of wasm: the module, compiled. */
declare module "*.wasm?module" {
  const module: import("./platform").WasmModule;
  export default module;
}
