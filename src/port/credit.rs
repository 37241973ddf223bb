//! Credit: how much may be under way, so that memory stays flat however slow the other side is.

use crate::sizes::Sizes;

/// Messages a client may have sent and not have an answer for.
pub const MESSAGES: u32 = 1 << 14;
/// Bytes of their bodies.
pub const BYTES: u64 = 5 << 20;

/// What is under way, and what may be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credit {
    pub messages_max: u32,
    pub bytes_max: u64,
    messages: u32,
    bytes: u64,
}

impl Credit {
    pub fn new(messages_max: u32, bytes_max: u64) -> Self {
        Self { messages_max, bytes_max, ..Self::default() }
    }

    /// How many of these messages, from the first on, may go now. When nothing is under way one always may, however large,
    /// where anything may at all.
    pub fn fits(&self, sizes: &Sizes) -> u32 {
        if self.messages_max == 0 {
            return 0;
        }
        let by_count = self.messages_max.saturating_sub(self.messages);
        let by_bytes = sizes.fitting(self.bytes_max.saturating_sub(self.bytes));
        by_count.min(by_bytes).max(u32::from(self.messages == 0))
    }

    /// Whether so much may go now in one piece.
    pub fn holds(&self, messages: u32, bytes: u64) -> bool {
        let mut with = *self;
        with.take(messages, bytes);
        self.messages_max > 0 && with.is_kept(self.is_idle())
    }

    pub fn is_idle(&self) -> bool {
        self.messages == 0
    }

    pub fn take(&mut self, count: u32, bytes: u64) {
        self.messages = self.messages.saturating_add(count);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether what is under way is within bounds, a single large thing aside.
    pub fn is_kept(&self, single: bool) -> bool {
        single || (self.messages <= self.messages_max && self.bytes <= self.bytes_max)
    }

    fn give_back(&mut self, count: u32, bytes: u64) {
        self.messages = self.messages.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Sends that have no answer yet, and the credit they take.
#[derive(Debug, Default)]
pub struct Flying {
    pub credit: Credit,
    /// By token.
    sends: Vec<(u32, Sizes)>,
}

impl Flying {
    pub fn new(messages_max: u32, bytes_max: u64) -> Self {
        Self { credit: Credit::new(messages_max, bytes_max), sends: Vec::new() }
    }

    pub fn push(&mut self, token: u32, sizes: Sizes) {
        self.credit.take(sizes.count(), sizes.total());
        self.sends.push((token, sizes));
    }

    pub fn has(&self, token: u32) -> bool {
        self.sends.iter().any(|(known, _)| *known == token)
    }

    pub fn is_empty(&self) -> bool {
        self.sends.is_empty()
    }

    /// The next `count` messages of a send have their answer.
    pub fn answered(&mut self, token: u32, count: u32) {
        let Self { credit, sends } = self;
        let (mut left, mut at) = (count, 0);
        while left > 0 && at < sends.len() {
            let (known, flying) = &mut sends[at];
            if *known != token {
                at += 1;
                continue;
            }
            let over = flying.split_front(left.min(flying.count()));
            left -= over.count();
            credit.give_back(over.count(), over.total());
            if flying.count() == 0 {
                sends.remove(at);
            }
        }
    }
}
