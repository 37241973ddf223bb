/**
 * The default entry where edge functions run (Vercel's, Next.js's): wasm must be imported there, for making it out of bytes
 * is refused.
 */

import imported from "./posthaste.wasm?module";
import { provide } from "./engine/load";
import * as opening from "./queue/open";

const module = async (): Promise<WebAssembly.Module> => imported;

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
