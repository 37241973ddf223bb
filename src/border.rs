//! Numbers that mean the same on both sides of the border to JavaScript: kinds of rows, commands and questions, ways to settle, limits.
//!
//! `cargo xtask border` writes them down for TypeScript, in `pkg/src/engine/codes.ts`; a test fails where that file is stale.

use crate::{
    engine::{Cause, MessageState},
    format::{Overflow, Policy, Whole},
    limits,
    peer::Why,
};

/// A number, as TypeScript is to have it.
pub struct Number {
    pub name: &'static str,
    pub value: u32,
    pub says: &'static [&'static str],
}

macro_rules! numbers {
    ($($(#[doc = $says:literal])* $name:ident = $value:expr;)*) => {
        $($(#[doc = $says])* pub const $name: u32 = $value;)*

        /// All of them.
        pub const NUMBERS: &[Number] = &[$(Number { name: stringify!($name), value: $name, says: &[$($says),*] }),*];
    };
}

numbers! {
    /// Numbers of one row, in which an effect crosses: its kind, and up to nine that the kind gives a meaning to.
    WIDTH = 10;
    /// Kind of a row: messages of a send were accepted.
    SENT = 0;
    /// Kind of a row: messages of a send were refused.
    REFUSED = 1;
    /// Kind of a row: the key of a send named this message already.
    DUPLICATE = 2;
    /// Kind of a row: messages for a receive.
    DELIVERED = 3;
    /// Kind of a row: a receive has all it gets.
    RECEIVED = 4;
    /// Kind of a row: for these messages the settlement did not stand.
    LOST = 5;
    /// Kind of a row: a command is over.
    DONE = 6;
    /// Kind of a row, as are all below, for those who look on: messages were dead-lettered.
    DEAD = 7;
    /// Kind of a row: messages were dropped.
    DROPPED = 8;
    /// Kind of a row: the backlog changed.
    DEPTH = 9;
    /// Kind of a row: these bodies are needed no more.
    GONE = 10;
    /// Kind of a row: a lease ended without its holder's doing.
    LEASE_LOST = 11;
    /// Kind of a row: the queue was deleted.
    QUEUE_GONE = 12;

    /// Why a send was refused: the queue is full.
    FULL = Why::Full as u32;
    /// Why a send was refused: a message is larger than the queue's capacity.
    TOO_LARGE = Why::TooLarge as u32;
    /// Why a send was refused: there is no such queue any more.
    NO_QUEUE = Why::NoQueue as u32;
    /// Why a send was refused: it can't be known any more whether it was accepted.
    UNKNOWN = Why::Unknown as u32;
    /// Why a send was refused: its sender called it off in time.
    WITHDRAWN = Why::Withdrawn as u32;
    /// Why a send was refused: the host does not allow it.
    FORBIDDEN = Why::Forbidden as u32;
    /// Why a send was refused: the queue can remember no more idempotency keys.
    NO_KEYS = Why::NoKeys as u32;

    /// Way to settle: the message is done.
    ACK = 0;
    /// Way to settle: deliver it again, after a delay.
    RETRY = 1;
    /// Way to settle: move it to the dead-letter queue, with a reason.
    DEAD_LETTER = 2;
    /// Way to settle: not yet; the lease goes on for some milliseconds from now.
    EXTEND = 3;
    /// Way to settle: give it back, as if it had not been delivered.
    RELEASE = 4;
    /// No way to settle, but said alike: what was leased ahead for someone was handed out.
    START = 5;

    /// Command: forget a send that is still pending; false: too late.
    UNSEND = 0;
    /// Command: end a receive that waits; it is answered with what it has.
    UNRECEIVE = 1;
    /// Command: take out a message, by its number and index.
    CANCEL = 2;
    /// Command: drop all messages of a queue.
    PURGE = 3;
    /// Command: deliver nothing of a queue, or (0) go on.
    PAUSE = 4;
    /// Command: delete a queue.
    REMOVE = 5;
    /// Command: end the leases of that peer, in a queue or (-1) in all; what it had handed out counts as an attempt, or (0) not.
    BURY = 6;
    /// Command: move dead letters to that queue, or (-1) back to where they came from; so many at most.
    REDRIVE = 7;
    /// Command: lease under that name from now on.
    APPEAR = 8;
    /// Command: what is leased ahead goes back.
    RELEASE_IDLE = 9;
    /// Command: the record under way was committed under that number; with 0, somewhere in a snapshot.
    COMMIT = 10;
    /// Command: the record under way was not committed, and all that asked for it is pending again.
    ABANDON = 11;
    /// Command: the snapshot was written, or (0) it was not.
    SNAPSHOT_OVER = 12;
    /// Command that changes nothing: whether a snapshot would make room.
    MAKES_ROOM = 13;

    /// Question for numbers: a queue's policy; none: there is no such queue.
    POLICY_OF = 0;
    /// Question for numbers: a queue's messages, their bytes, and when the oldest was sent (-1: there is none).
    BACKLOG = 1;
    /// Question for numbers: the names of the other peers that hold leases.
    OTHERS = 2;
    /// Question for numbers: which messages from a number and index on, so many, are still leased by that grant: pairs of index and count.
    HELD = 3;
    /// Question for numbers: records up to this one may be missing once the snapshot is written.
    FLOOR = 4;
    /// Question for numbers: ranges of records whose bodies go with the snapshot, both ends included.
    DRAINED = 5;
    /// Question for numbers: triples, of a record that stays, and the first and last part of its bodies that go with the snapshot.
    DEAD_PARTS = 6;
    /// Question for numbers: 1 where a queue was only made to keep another's dead letters, and has no policy of its own.
    IS_KEEPER = 7;

    /// Question for a value: the texts that rows refer to, since they were last asked for.
    TEXTS = 0;
    /// Question for a value: the names of all queues.
    NAMES = 1;
    /// Question for a value: the name of the queue to which a queue's dead letters go, or undefined.
    LETTERS = 2;
    /// Question for a value: a queue's metrics, named as in the API; undefined: no such queue.
    METRICS = 3;
    /// Question for a value: messages of a queue, oldest first, as objects; so many at most, of a state or (-1) of any.
    PEEK = 4;

    /// Place in the status: 1 where the last step made a record.
    DECIDED = 0;
    /// Place in the status: sends whose bodies are the record's, pairs of token and count, which lie before the rows that a step leaves.
    SENDS = 1;
    /// Place in the status: rows of the last step that say what was before its commit. In memory alone others follow.
    BEFORE_COMMIT = 2;
    /// Place in the status: 1 where the next step may have something to do at once.
    MORE = 3;
    /// Place in the status: when a step is due though nobody asks for anything; infinite: never.
    DEADLINE = 4;
    /// Place in the status: the number of the last record applied.
    BASE = 5;
    /// Place in the status: the journal's time.
    TIME = 6;
    /// Place in the status: 1 where someone waits for what another peer may do.
    WAITING = 7;
    /// Place in the status: 1 where someone wants messages, and this peer may not lease any before it appears.
    WANTS_TO_APPEAR = 8;
    /// Place in the status: 1 where it is time for a snapshot.
    WANTS_SNAPSHOT = 9;
    /// Place in the status: where the bodies of the record under way go: -1 with it; else apart, 2^chunk messages a value.
    CHUNK = 10;
    /// Place in the status: where the numbers lie that the last call left.
    NUMBERS_AT = 11;
    /// Place in the status: where the bytes lie of the record, the snapshot or the parting that was made last, and how many they are.
    BYTES_AT = 12;
    /// Place in the status: see BYTES_AT.
    BYTES = 13;
    /// Numbers in the status.
    STATUS = 14;

    /// A send of which as many messages are accepted as fit.
    AS_MANY_AS_FIT = Whole::No as u32;
    /// The first part of a batch that is accepted whole or not at all.
    BATCH = Whole::First as u32;
    /// A later part of a batch that is accepted whole or not at all.
    BATCH_PART = Whole::Part as u32;

    /// Messages a batch may have.
    BATCH_MESSAGES_MAX = limits::BATCH_MESSAGES_MAX;
    /// Runs of messages alike a batch may have: it is one record.
    BATCH_RUNS_MAX = limits::DRAFT_ITEMS_MAX as u32;
    /// Idempotency keys a queue remembers.
    KEYS_MAX = limits::KEYS_MAX as u32;
    /// Queues a storage may hold.
    QUEUES_MAX = limits::QUEUES_MAX as u32;
    /// Bytes (UTF-8) kept of the reason of a dead letter and of a handler's last error.
    NOTE_BYTES_MAX = limits::NOTE_BYTES_MAX as u32;
    /// No limit, for a number of retries.
    RETRIES_UNLIMITED = u32::MAX;

    /// Messages leased ahead of demand, at least, while a receiver is busy.
    PREFETCH_MIN = limits::PREFETCH_MIN;
    /// Messages leased ahead of demand, at most, while a receiver is busy.
    PREFETCH_MAX = limits::PREFETCH_MAX;
    /// Leased ahead only while the receiver came back within this time, in milliseconds.
    PREFETCH_ACTIVE_MS = limits::PREFETCH_ACTIVE_MS as u32;
    /// What was leased ahead and not asked for goes back after this time, in milliseconds.
    PREFETCH_IDLE_MS = limits::PREFETCH_IDLE_MS as u32;
}

/// States of a message, by their numbers.
pub const STATES: [(MessageState, &str); 4] = [
    (MessageState::Ready, "ready"),
    (MessageState::Delayed, "delayed"),
    (MessageState::Leased, "leased"),
    (MessageState::Dead, "dead"),
];

/// Causes of a message's end, by their numbers.
pub const CAUSES: [(Cause, &str); 4] = [
    (Cause::Expired, "expired"),
    (Cause::Overflow, "overflow"),
    (Cause::Purged, "purged"),
    (Cause::NoDeadLetterQueue, "noDeadLetterQueue"),
];

/// Overflow policies, by their numbers.
pub const OVERFLOWS: [(Overflow, &str); 4] = [
    (Overflow::Wait, "wait"),
    (Overflow::Reject, "reject"),
    (Overflow::DropOldest, "drop-oldest"),
    (Overflow::DropNewest, "drop-newest"),
];

/// The numbers of a policy, by their places, as their options are called. Durations are in milliseconds.
pub const POLICY: [&str; 12] = [
    "visibilityTimeout",
    "maxRetries",
    "retryDelay.base",
    "retryDelay.factor",
    "retryDelay.max",
    "retryDelay.jitter",
    "deliveryDelay",
    "messageRetention",
    "deduplicationWindow",
    "capacity.messages",
    "capacity.bytes",
    "overflow",
];

/// The policy of a queue that names none; infinite: no limit.
pub fn defaults() -> [f64; 12] {
    let policy = Policy::default();
    let mut defaults = [0.0; 12];
    for (place, number) in policy.numbers().into_iter().enumerate() {
        defaults[place] = match place {
            Policy::FACTOR | Policy::JITTER => number as f64 / 1000.0,
            _ if number == u64::MAX => f64::INFINITY,
            _ => number as f64,
        };
    }
    defaults[11] = f64::from(policy.overflow as u8);
    defaults
}
