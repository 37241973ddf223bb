//! What names things inside the engine: time, queues and messages.

/// Milliseconds since 1970, as the journal counts them. Never goes back.
pub type Time = u64;

/// A time that never comes.
pub const NEVER: Time = u64::MAX;

/// The last moment a journal can be at: JavaScript counts no further.
pub const TIME_MAX: Time = (1 << 53) - 1;

/// Number of a queue inside its journal. Never given twice.
pub type QueueId = u32;

/// A message's place in the journal: the number of the record that brought it (below 2^44) and its index among that
/// record's bodies (below 2^20). Ids sort as messages were sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct MessageId(pub u64);

impl MessageId {
    const INDEX_BITS: u32 = 20;
    /// Highest number a record can have.
    pub const NUMBER_MAX: u64 = (1 << (64 - Self::INDEX_BITS)) - 1;
    /// Highest index a message can have.
    pub const INDEX_MAX: u32 = (1 << Self::INDEX_BITS) - 1;

    /// `None` when either part is out of range.
    pub fn new(number: u64, index: u32) -> Option<Self> {
        (number <= Self::NUMBER_MAX && index <= Self::INDEX_MAX)
            .then_some(Self(number << Self::INDEX_BITS | u64::from(index)))
    }

    pub fn number(self) -> u64 {
        self.0 >> Self::INDEX_BITS
    }

    pub fn index(self) -> u32 {
        (self.0 & u64::from(Self::INDEX_MAX)) as u32
    }

    /// The id `count` places further. It may name the place behind a record's last message.
    pub fn plus(self, count: u32) -> Self {
        Self(self.0.saturating_add(u64::from(count)))
    }

    /// How many places `self` is behind `other`, which is not after it.
    pub fn since(self, other: Self) -> u32 {
        (self.0 - other.0) as u32
    }
}
