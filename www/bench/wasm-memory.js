// Finds the linear memory of the wasm modules that a page starts, to tell how much of it they use. Wraps the ways to
// instantiate a module, so it must be installed before the package is loaded.

/** Returns a function that tells the bytes of all linear memories made since. */
export function watchWasmMemory() {
  const memories = new Set();
  const keep = (instance) => {
    for (const value of Object.values(instance.exports)) if (value instanceof WebAssembly.Memory) memories.add(value);
  };
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...args) => {
      const result = await original.apply(WebAssembly, args);
      keep(result.instance ?? result);
      return result;
    };
  }
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct(target, args) {
      const instance = Reflect.construct(target, args);
      keep(instance);
      return instance;
    },
  });
  return () => [...memories].reduce((bytes, memory) => bytes + memory.buffer.byteLength, 0);
}
