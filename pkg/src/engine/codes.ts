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
/** No way to settle, but said alike: what was leased ahead for someone was handed out. */
export const START = 5;
/** Command: forget a send that is still pending; false: too late. */
export const UNSEND = 0;
/** Command: end a receive that waits; it is answered with what it has. */
export const UNRECEIVE = 1;
/** Command: take out a message, by its number and index. */
export const CANCEL = 2;
/** Command: drop all messages of a queue. */
export const PURGE = 3;
/** Command: deliver nothing of a queue, or (0) go on. */
export const PAUSE = 4;
/** Command: delete a queue. */
export const REMOVE = 5;
/** Command: end the leases of that peer, in a queue or (-1) in all; what it had handed out counts as an attempt, or (0) not. */
export const BURY = 6;
/** Command: move dead letters to that queue, or (-1) back to where they came from; so many at most. */
export const REDRIVE = 7;
/** Command: lease under that name from now on. */
export const APPEAR = 8;
/** Command: what is leased ahead goes back. */
export const RELEASE_IDLE = 9;
/** Command: the record under way was committed under that number; with 0, somewhere in a snapshot. */
export const COMMIT = 10;
/** Command: the record under way was not committed, and all that asked for it is pending again. */
export const ABANDON = 11;
/** Command: the snapshot was written, or (0) it was not. */
export const SNAPSHOT_OVER = 12;
/** Command that changes nothing: whether a snapshot would make room. */
export const MAKES_ROOM = 13;
/** Question for numbers: a queue's policy; none: there is no such queue. */
export const POLICY_OF = 0;
/** Question for numbers: a queue's messages, their bytes, and when the oldest was sent (-1: there is none). */
export const BACKLOG = 1;
/** Question for numbers: the names of the other peers that hold leases. */
export const OTHERS = 2;
/** Question for numbers: which messages from a number and index on, so many, are still leased by that grant: pairs of index and count. */
export const HELD = 3;
/** Question for numbers: records up to this one may be missing once the snapshot is written. */
export const FLOOR = 4;
/** Question for numbers: ranges of records whose bodies go with the snapshot, both ends included. */
export const DRAINED = 5;
/** Question for numbers: triples, of a record that stays, and the first and last part of its bodies that go with the snapshot. */
export const DEAD_PARTS = 6;
/** Question for numbers: 1 where a queue was only made to keep another's dead letters, and has no policy of its own. */
export const IS_KEEPER = 7;
/** Question for a value: the texts that rows refer to, since they were last asked for. */
export const TEXTS = 0;
/** Question for a value: the names of all queues. */
export const NAMES = 1;
/** Question for a value: the name of the queue to which a queue's dead letters go, or undefined. */
export const LETTERS = 2;
/** Question for a value: a queue's metrics, named as in the API; undefined: no such queue. */
export const METRICS = 3;
/** Question for a value: messages of a queue, oldest first, as objects; so many at most, of a state or (-1) of any. */
export const PEEK = 4;
/** Place in the status: 1 where the last step made a record. */
export const DECIDED = 0;
/** Place in the status: sends whose bodies are the record's, pairs of token and count, which lie before the rows that a step leaves. */
export const SENDS = 1;
/** Place in the status: rows of the last step that say what was before its commit. In memory alone others follow. */
export const BEFORE_COMMIT = 2;
/** Place in the status: 1 where the next step may have something to do at once. */
export const MORE = 3;
/** Place in the status: when a step is due though nobody asks for anything; infinite: never. */
export const DEADLINE = 4;
/** Place in the status: the number of the last record applied. */
export const BASE = 5;
/** Place in the status: the journal's time. */
export const TIME = 6;
/** Place in the status: 1 where someone waits for what another peer may do. */
export const WAITING = 7;
/** Place in the status: 1 where someone wants messages, and this peer may not lease any before it appears. */
export const WANTS_TO_APPEAR = 8;
/** Place in the status: 1 where it is time for a snapshot. */
export const WANTS_SNAPSHOT = 9;
/** Place in the status: where the bodies of the record under way go: -1 with it; else apart, 2^chunk messages a value. */
export const CHUNK = 10;
/** Place in the status: where the numbers lie that the last call left. */
export const NUMBERS_AT = 11;
/** Place in the status: where the bytes lie of the record, the snapshot or the parting that was made last, and how many they are. */
export const BYTES_AT = 12;
/** Place in the status: see BYTES_AT. */
export const BYTES = 13;
/** Numbers in the status. */
export const STATUS = 14;
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
