/** The package under test: the installed tarball is what users get; the build beside it serves while one works on it. */

const found = (specifier) => {
  try {
    return import.meta.resolve(specifier);
  } catch {
    return undefined;
  }
};
export const entry = found("posthaste") ?? new URL("../../pkg/dist/index.js", import.meta.url).href;
export const slimEntry = found("posthaste/slim") ?? new URL("../../pkg/dist/slim.js", import.meta.url).href;
export const clientEntry = found("posthaste/client") ?? new URL("../../pkg/dist/client.js", import.meta.url).href;
export const wasmFile = found("posthaste/posthaste.wasm") ?? new URL("../../pkg/dist/posthaste.wasm", import.meta.url).href;

export const {
  openQueue,
  openTopic,
  listQueues,
  deleteQueue,
  PosthasteError,
  QueueFullError,
  LeaseLostError,
  MessageTooLargeError,
  StorageLostError,
  PolicyMismatchError,
  CorruptionError,
} = await import(entry);
