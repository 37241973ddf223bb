/** What every entry exports beside the functions that open queues: the errors, and the types. */

export { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, PosthasteError, QueueFullError,
  StorageLostError } from "./contract/errors";
export type * from "./contract/types";
