//! A step while it is being decided, and while it is under way.

use super::{command::Command, demands::Demand, prefetch::Held};
use crate::{
    collections::pairs::Pairs,
    collections::sorted::Sorted,
    format::{Item, Record},
    id::{MessageId, QueueId, Time},
    limits,
};

/// What an item of the record under way was for, so that its outcome finds its way back.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Origin {
    Command(Command),
    /// A part of a redrive; `last` with the command itself.
    Redrive(Option<Command>),
    /// A receive; with its queue, where what it gets is sent ahead.
    Demand(u32, Option<QueueId>),
    Ahead(QueueId),
    /// Given back, or handed out (`start`), of what was leased ahead.
    Rider {
        queue: QueueId,
        held: Held,
        start: bool,
    },
}

/// The record under way.
pub(super) struct Flight {
    pub record: Record,
    /// Empty in a memory journal.
    pub bytes: Vec<u8>,
    /// One an item.
    pub origins: Vec<Origin>,
    /// Whose bodies the record's are: token and count.
    pub sends: Vec<(u32, u32)>,
    /// Receives that this step answers; those that wait are asked again when it gave them nothing.
    pub demands: Vec<Demand>,
    /// The tokens of those that were told not to wait any more.
    pub ended: Pairs,
    /// What it gives back of what was leased ahead.
    pub back: Vec<(QueueId, Held)>,
}

/// The record being decided.
pub(super) struct Draft {
    pub now: Time,
    pub items: Vec<Item>,
    pub origins: Vec<Origin>,
    pub sends: Vec<(u32, u32)>,
    pub demands: Vec<Demand>,
    pub messages: u32,
    /// Of bodies and keys.
    pub bytes: u64,
    pub back: Vec<(QueueId, Held)>,
    /// Messages and bytes it adds to each queue.
    pub added: Sorted<(u64, u64)>,
    /// Messages whose lease ran out of which something is said here, as id and count: nobody else takes them.
    pub said: Pairs,
}

impl Draft {
    pub fn new(now: Time) -> Self {
        Self {
            now,
            items: Vec::new(),
            origins: Vec::new(),
            sends: Vec::new(),
            demands: Vec::new(),
            messages: 0,
            bytes: 0,
            back: Vec::new(),
            added: Sorted::default(),
            said: Pairs::default(),
        }
    }

    pub fn push(&mut self, item: Item, origin: Origin) {
        self.items.push(item);
        self.origins.push(origin);
    }

    /// The items from place `from` on take effect before those from place `to` on.
    pub fn bring_forward(&mut self, to: usize, from: usize) {
        let count = self.items.len() - from;
        self.items[to..].rotate_right(count);
        self.origins[to..].rotate_right(count);
    }

    /// Something is said of messages that anyone could take.
    pub fn say(&mut self, first: MessageId, count: u32) {
        let pair = (first.0, u64::from(count));
        if !self.said.has(pair) {
            self.said.insert(pair);
        }
    }

    pub fn is_full(&self) -> bool {
        !self.takes(1)
    }

    /// Whether there is room for so many more items.
    pub fn takes(&self, items: usize) -> bool {
        self.items.len() + items <= limits::DRAFT_ITEMS_MAX
    }

    pub fn added(&mut self, queue: QueueId) -> &mut (u64, u64) {
        self.added.get_or_insert(queue, (0, 0))
    }

    /// Where the record's bodies go: with it while they are few and small, else apart, in values of a good size.
    pub fn chunk(&self) -> Option<u8> {
        if self.messages <= limits::INLINE_MESSAGES_MAX && self.bytes <= limits::INLINE_BYTES_MAX {
            return None;
        }
        let each = (self.bytes / u64::from(self.messages.max(1))).max(1);
        let log = (limits::CHUNK_BYTES_MAX / each).max(1).ilog2() as u8;
        Some(log.min(limits::CHUNK_LOG_MAX))
    }
}
