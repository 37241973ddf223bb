//! Idempotency keys: which message a key named, until its window ends.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    id::{MessageId, Time},
    limits,
};

/// The keys of one queue. A window is as long for every key, so they end in the order they came.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Keys {
    messages: BTreeMap<Box<str>, (MessageId, Time)>,
    order: VecDeque<(Time, Box<str>)>,
}

impl Keys {
    /// The message that `key` names at `now`.
    pub fn get(&self, key: &str, now: Time) -> Option<MessageId> {
        self.messages.get(key).filter(|(_, until)| *until > now).map(|(id, _)| *id)
    }

    pub fn remember(&mut self, key: Box<str>, id: MessageId, until: Time) {
        if self.order.len() == limits::KEYS_MAX {
            self.forget_oldest();
        }
        self.order.push_back((until, key.clone()));
        self.messages.insert(key, (id, until));
    }

    pub fn advance(&mut self, now: Time) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((until, key)) = self.order.pop_front() else {
            return;
        };
        if self.messages.get(&key).is_some_and(|(_, current)| *current == until) {
            self.messages.remove(&key);
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, MessageId, Time)> {
        self.order.iter().map(|(until, key)| {
            let id = self.messages.get(key).map_or(MessageId(0), |(id, _)| *id);
            (&**key, id, *until)
        })
    }
}
