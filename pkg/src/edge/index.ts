/** For functions without storage: messages are collected in the isolate, and handed over in batches. */

export { bufferedSender } from "./sender";
export { UndeliveredError } from "./undelivered";
export { MessageTooLargeError, PosthasteError, QueueFullError } from "../contract/errors";
export type * from "./types";
