/** The default entry: brings its wasm along, so that it needs no configuration anywhere. */

import inline from "../wasm/inline.js";
import { provide } from "./engine";

provide(async () => {
  const packed = Uint8Array.from(atob(inline), (character) => character.charCodeAt(0));
  const inflated = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(inflated).arrayBuffer());
});

export * from "./api";
