/** A module, as runtimes and bundlers give it that can import one. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
