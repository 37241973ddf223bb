/** The default entry: brings its wasm along, so that it needs no configuration anywhere. */

import inline from "../wasm/inline.js";
import { provide } from "./engine/load";
import { platformError } from "./contract/errors";
import * as opening from "./queue/open";

/** Unpacks it. */
async function module(): Promise<WebAssembly.Module> {
  for (const needed of ["Response", "DecompressionStream"] as const) {
    // Test environments that mimic a browser may lack them.
    if (typeof globalThis[needed] !== "function")
      throw platformError("NotSupportedError",
        `posthaste unpacks its wasm with ${needed}, which is not here: provide it, or use posthaste/slim`);
  }
  const packed = Uint8Array.from(atob(inline), (character) => character.charCodeAt(0));
  // No Blob: jsdom's has no stream.
  const inflated = new Response(packed).body!.pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(inflated).arrayBuffer());
}

/*
 * Each says itself where the module comes from: a statement that does so once would be a side effect, which bundlers leave out of a
 * package that says it has none.
 */

/** Opens the queue `name`, and makes it where it is new. */
export const openQueue: typeof opening.openQueue = (name, options) => {
  provide(module);
  return opening.openQueue(name, options);
};

/** Names, storage and depth of every queue kept in this storage. */
export const listQueues: typeof opening.listQueues = (options) => {
  provide(module);
  return opening.listQueues(options);
};

/**
 * Deletes a queue and everything in it; in memory, every queue of that name, whatever its clock. Rejects with `InvalidStateError` while
 * a context consumes it, unless `force`.
 */
export const deleteQueue: typeof opening.deleteQueue = (name, options) => {
  provide(module);
  return opening.deleteQueue(name, options);
};

export { openTopic } from "./queue/open";
export * from "./exports";
