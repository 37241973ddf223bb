//! What took effect, for the context that asked or looks on.

use crate::{
    engine::Cause,
    id::{MessageId, QueueId, Time},
};

#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// The next `count` messages of this send were accepted, as `first` and those after it.
    Sent {
        token: u32,
        first: MessageId,
        count: u32,
    },
    /// The next `count` messages of this send were not.
    Refused {
        token: u32,
        why: Why,
        count: u32,
    },
    /// The send's key named this message already.
    Duplicate {
        token: u32,
        id: MessageId,
    },
    /// Messages for this receive.
    Delivered {
        token: u32,
        first: MessageId,
        count: u32,
        grant: u64,
        until: Time,
        /// From 1.
        attempt: u32,
        sent: Time,
        chunk: Option<u8>,
    },
    /// The receive has all it gets.
    Received {
        token: u32,
    },
    /// For these messages the settlement did not stand.
    Lost {
        token: u32,
        first: MessageId,
        count: u32,
    },
    /// The command is over.
    Done {
        token: u32,
        value: u64,
    },
    Dead {
        queue: QueueId,
        first: MessageId,
        count: u32,
        reason: Box<str>,
    },
    Dropped {
        queue: QueueId,
        first: MessageId,
        count: u32,
        cause: Cause,
    },
    Depth {
        queue: QueueId,
        backlog: u64,
    },
    /// These bodies are needed no more. Only from peers of a memory journal.
    Gone {
        first: MessageId,
        count: u32,
    },
    /// A lease of this peer ended without its doing.
    LeaseLost {
        queue: QueueId,
        first: MessageId,
        count: u32,
        grant: u64,
    },
    QueueGone {
        queue: QueueId,
    },
}

/// Why a send was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    Full = 1,
    TooLarge = 2,
    NoQueue = 3,
    /// The step's outcome can't be known any more.
    Unknown = 4,
    /// Its sender called it off in time.
    Withdrawn = 5,
    /// Its sender may not send.
    Forbidden = 6,
    /// Its queue can remember no more idempotency keys.
    NoKeys = 7,
}

impl From<u8> for Why {
    /// What no one says is as good as unknown.
    fn from(why: u8) -> Self {
        match why {
            1 => Self::Full,
            2 => Self::TooLarge,
            3 => Self::NoQueue,
            5 => Self::Withdrawn,
            6 => Self::Forbidden,
            7 => Self::NoKeys,
            _ => Self::Unknown,
        }
    }
}
