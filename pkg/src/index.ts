/** The default entry: brings its wasm along, so that it needs no configuration anywhere. */

import inline from "../wasm/inline.js";
import { provide } from "./engine";
import { platformError } from "./errors";

provide(async () => {
  for (const needed of ["Response", "DecompressionStream"] as const) {
    // Test environments that mimic a browser may lack them.
    if (typeof globalThis[needed] !== "function") throw platformError("NotSupportedError", `posthaste unpacks its wasm with ${needed}, which is not here: provide it, or use posthaste/slim`);
  }
  const packed = Uint8Array.from(atob(inline), (character) => character.charCodeAt(0));
  // No Blob: jsdom's has no stream.
  const inflated = new Response(packed).body!.pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(inflated).arrayBuffer());
});

export * from "./api";
