//! A run: messages that were sent together and have the same fate so far. One entry, however many they are.

use crate::{
    collections::sizes::Sizes,
    id::{NEVER, QueueId, Time},
};

/// Neighbouring messages in one state. A run is cut when something happens to a part of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Of `sizes`: how many, and the sum.
    pub count: u32,
    pub bytes: u64,
    /// Estimated bytes of each body.
    pub sizes: Sizes,
    pub sent: Time,
    /// Dropped when not taken by then.
    pub expires: Time,
    /// Deliveries that count, before the present one.
    pub attempts: u32,
    /// Where the bodies are: as in the record.
    pub chunk: Option<u8>,
    pub state: State,
    /// What only few messages have.
    pub note: Option<Box<Note>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Ready,
    Delayed {
        due: Time,
    },
    Leased {
        until: Time,
        /// Number of the record that gave the lease: what the holder must name to settle.
        grant: u64,
        /// The peer that holds it.
        holder: u64,
        /// False for what was leased ahead of demand and not handed out yet.
        started: bool,
    },
    /// Ready again, as its lease ran out. Until someone takes it, what that lease's holder says of it still stands.
    Lapsed {
        grant: u64,
        holder: u64,
        started: bool,
    },
}

/// Who has a message, or had it last and may still settle it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    pub grant: u64,
    pub holder: u64,
    pub started: bool,
}

impl State {
    /// Whether anyone may take it.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::Lapsed { .. })
    }

    pub fn lease(self) -> Option<Lease> {
        match self {
            Self::Leased { grant, holder, started, .. } | Self::Lapsed { grant, holder, started } => {
                Some(Lease { grant, holder, started })
            }
            Self::Ready | Self::Delayed { .. } => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Note {
    /// Where a dead letter came from.
    pub origin: Option<QueueId>,
    pub reason: Option<Box<str>>,
    pub last_error: Option<Box<str>>,
}

impl Run {
    /// Keeps the last `count - front` messages and answers the first `front`.
    pub fn split_front(&mut self, front: u32) -> Self {
        let sizes = self.sizes.split_front(front);
        let head = Self { count: front, bytes: sizes.total(), sizes, note: self.note.clone(), ..*self };
        self.count -= front;
        self.bytes -= head.bytes;
        head
    }

    /// When something happens to it by itself.
    pub fn timer(&self) -> Option<Time> {
        let at = match self.state {
            State::Ready | State::Lapsed { .. } => self.expires,
            State::Delayed { due } => due.min(self.expires),
            State::Leased { until, .. } => until,
        };
        (at != NEVER).then_some(at)
    }

    /// Whether what the holder of that lease says of it stands: nobody has taken it since.
    pub fn answers_to(&self, grant: u64) -> bool {
        self.state.lease().is_some_and(|lease| lease.grant == grant)
    }

    /// Whether its lease has run out by `now`, which the journal's time may not have reached.
    pub fn is_lapsed(&self, now: Time) -> bool {
        match self.state {
            State::Leased { until, .. } => until <= now,
            state => state.lease().is_some(),
        }
    }

    /// Whether it had its last attempt, of which nothing was heard: who would take it next gets none of it.
    pub fn is_spent(&self, max_retries: u32) -> bool {
        self.attempts >= max_retries && self.state.lease().is_some_and(|lease| lease.started)
    }

    /// Whether no one has received it, nor holds it.
    pub(super) fn is_untouched(&self) -> bool {
        let had = match self.state {
            State::Ready | State::Delayed { .. } => false,
            State::Lapsed { started, .. } => started,
            State::Leased { .. } => true,
        };
        self.attempts == 0 && !had
    }

    pub fn note(&mut self) -> &mut Note {
        self.note.get_or_insert_default()
    }

    pub fn origin(&self) -> Option<QueueId> {
        self.note.as_ref().and_then(|note| note.origin)
    }
}
