/** Everything both entries export. */

export { openQueue, openTopic, listQueues, deleteQueue } from "./open";
export { CorruptionError, LeaseLostError, MessageTooLargeError, PolicyMismatchError, PosthasteError, QueueFullError, StorageLostError } from "./errors";
export type * from "./types";
