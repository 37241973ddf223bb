//! Numbers that mean the same on both sides of the border to JavaScript: kinds of rows, ways to settle, limits.
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
