/** What edge runtimes make of an import of wasm: the module, compiled. */
declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
