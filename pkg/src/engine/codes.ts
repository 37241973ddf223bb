/** Numbers that the engine and TypeScript both know. Written by `cargo xtask border`, from src/border.rs. */

/** Numbers of one row, in which an effect crosses: its kind, and up to nine that the kind gives a meaning to. */
export const WIDTH = 10;
/** Kind of a row: messages of a send were accepted. */
export const SENT = 0;
/** Kind of a row: messages of a send were refused. */
export const REFUSED = 1;
/** Kind of a row: the key of a send named this message already. */
export const DUPLICATE = 2;
/** Kind of a row: messages for a receive. */
export const DELIVERED = 3;
/** Kind of a row: a receive has all it gets. */
export const RECEIVED = 4;
/** Kind of a row: for these messages the settlement did not stand. */
export const LOST = 5;
/** Kind of a row: a command is over. */
export const DONE = 6;
/** Kind of a row, as are all below, for those who look on: messages were dead-lettered. */
export const DEAD = 7;
/** Kind of a row: messages were dropped. */
export const DROPPED = 8;
/** Kind of a row: the backlog changed. */
export const DEPTH = 9;
/** Kind of a row: these bodies are needed no more. */
export const GONE = 10;
/** Kind of a row: a lease ended without its holder's doing. */
export const LEASE_LOST = 11;
/** Kind of a row: the queue was deleted. */
export const QUEUE_GONE = 12;
/** Why a send was refused: the queue is full. */
export const FULL = 1;
/** Why a send was refused: a message is larger than the queue's capacity. */
export const TOO_LARGE = 2;
/** Why a send was refused: there is no such queue any more. */
export const NO_QUEUE = 3;
/** Why a send was refused: it can't be known any more whether it was accepted. */
export const UNKNOWN = 4;
/** Why a send was refused: its sender called it off in time. */
export const WITHDRAWN = 5;
/** Why a send was refused: the host does not allow it. */
export const FORBIDDEN = 6;
/** Why a send was refused: the queue can remember no more idempotency keys. */
export const NO_KEYS = 7;
/** Way to settle: the message is done. */
export const ACK = 0;
/** Way to settle: deliver it again, after a delay. */
export const RETRY = 1;
/** Way to settle: move it to the dead-letter queue, with a reason. */
export const DEAD_LETTER = 2;
/** Way to settle: not yet; the lease goes on for some milliseconds from now. */
export const EXTEND = 3;
/** Way to settle: give it back, as if it had not been delivered. */
export const RELEASE = 4;
/** A send of which as many messages are accepted as fit. */
export const AS_MANY_AS_FIT = 0;
/** The first part of a batch that is accepted whole or not at all. */
export const BATCH = 1;
/** A later part of a batch that is accepted whole or not at all. */
export const BATCH_PART = 2;
/** Messages a batch may have. */
export const BATCH_MESSAGES_MAX = 1048576;
/** Runs of messages alike a batch may have: it is one record. */
export const BATCH_RUNS_MAX = 61440;
/** Idempotency keys a queue remembers. */
export const KEYS_MAX = 1000000;
/** Queues a storage may hold. */
export const QUEUES_MAX = 10000;
/** Bytes (UTF-8) kept of the reason of a dead letter and of a handler's last error. */
export const NOTE_BYTES_MAX = 512;
/** No limit, for a number of retries. */
export const RETRIES_UNLIMITED = 4294967295;
/** Messages leased ahead of demand, at least, while a receiver is busy. */
export const PREFETCH_MIN = 8;
/** Messages leased ahead of demand, at most, while a receiver is busy. */
export const PREFETCH_MAX = 256;
/** Leased ahead only while the receiver came back within this time, in milliseconds. */
export const PREFETCH_ACTIVE_MS = 200;
/** What was leased ahead and not asked for goes back after this time, in milliseconds. */
export const PREFETCH_IDLE_MS = 1000;

/** States of a message, by their numbers. */
export const STATES = ["ready", "delayed", "leased", "dead"] as const;
/** Causes of a message's end, by their numbers. */
export const CAUSES = ["expired", "overflow", "purged", "noDeadLetterQueue"] as const;
/** Overflow policies, by their numbers. */
export const OVERFLOWS = ["wait", "reject", "drop-oldest", "drop-newest"] as const;
/** The numbers of a policy, by their places, as their options are called. Durations are in milliseconds. */
export const POLICY = ["visibilityTimeout", "maxRetries", "retryDelay.base", "retryDelay.factor", "retryDelay.max", "retryDelay.jitter", "deliveryDelay", "messageRetention", "deduplicationWindow", "capacity.messages", "capacity.bytes", "overflow"] as const;
/** The policy of a queue that names none. */
export const DEFAULTS: readonly number[] = [30000, 3, 1000, 2, 300000, 0.3, 0, Infinity, 300000, 1000000, Infinity, 0];
