//! Idempotency keys: which message a key named, until its window ends.

use std::collections::VecDeque;

use xxhash_rust::xxh32::xxh32;

use crate::{
    collections::pairs::Pairs,
    id::{MessageId, Time},
    limits,
};

#[derive(Clone, PartialEq, Debug)]
pub struct Key {
    pub text: Box<str>,
    pub id: MessageId,
    /// When its window ends.
    pub until: Time,
}

/// The keys of one queue. A window is as long for every key, so they end in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Oldest first.
    keys: VecDeque<Key>,
    /// Where to look for a key: its sums, and how many keys came before it.
    places: Pairs,
    forgotten: u64,
    /// Bytes of all texts.
    bytes: usize,
}

impl Keys {
    /// The message that `text` names at `now`.
    pub fn get(&self, text: &str, now: Time) -> Option<MessageId> {
        let sums = sums(text);
        let mut place = u64::MAX;
        // The newest counts.
        while let Some((_, before)) = self.places.before((sums, place)).filter(|pair| pair.0 == sums) {
            place = before;
            let key = &self.keys[(place - self.forgotten) as usize];
            if *key.text == *text {
                return (key.until > now).then_some(key.id);
            }
        }
        None
    }

    /// Whether these can be remembered on top of what is here.
    pub fn has_room(&self, more: &Self) -> bool {
        self.keys.len() + more.keys.len() <= limits::KEYS_MAX && self.bytes + more.bytes <= limits::KEYS_BYTES_MAX
    }

    pub fn remember(&mut self, text: Box<str>, id: MessageId, until: Time) {
        self.bytes += text.len();
        self.places.insert((sums(&text), self.forgotten + self.keys.len() as u64));
        self.keys.push_back(Key { text, id, until });
    }

    pub fn advance(&mut self, now: Time) {
        while self.keys.front().is_some_and(|key| key.until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.keys.pop_front() {
            self.bytes -= key.text.len();
            self.places.remove((sums(&key.text), self.forgotten));
            self.forgotten += 1;
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> std::collections::vec_deque::Iter<'_, Key> {
        self.keys.iter()
    }
}

/// The same keys in the same order; how they are found is their own business.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

/// The second sum is seeded with the first: texts alike in both are not found by accident.
pub fn sums(text: &str) -> u64 {
    let first = xxh32(text.as_bytes(), 0);
    u64::from(first) << 32 | u64::from(xxh32(text.as_bytes(), first))
}
