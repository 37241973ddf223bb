//! Runs in the order of their messages.

use super::Run;
use crate::{collections::pairs::Pairs, id::MessageId};

/// Runs by the id they start with.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The id a run starts with, and its slot.
    order: Pairs,
    slots: Vec<Option<Run>>,
    free: Vec<u64>,
}

impl Runs {
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn insert(&mut self, id: MessageId, run: Run) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u64 - 1
        });
        self.slots[slot as usize] = Some(run);
        self.order.insert((id.0, slot));
    }

    pub fn remove(&mut self, id: MessageId) -> Option<Run> {
        let pair = self.order.from((id.0, 0)).next().filter(|pair| pair.0 == id.0)?;
        self.order.remove(pair);
        self.free.push(pair.1);
        self.slots[pair.1 as usize].take()
    }

    /// Runs that start at `from` or after it, oldest first.
    pub fn from(&self, from: MessageId) -> impl Iterator<Item = (MessageId, &Run)> {
        self.order.from((from.0, 0)).filter_map(|pair| self.run(pair))
    }

    /// The first of them.
    pub fn next(&self, from: MessageId) -> Option<(MessageId, &Run)> {
        self.from(from).next()
    }

    /// The last run that starts at `id` or before it.
    pub fn up_to(&self, id: MessageId) -> Option<(MessageId, &Run)> {
        self.run(self.order.before((id.plus(1).0, 0))?)
    }

    fn run(&self, (id, slot): (u64, u64)) -> Option<(MessageId, &Run)> {
        Some((MessageId(id), self.slots[slot as usize].as_ref()?))
    }
}

/// Equal runs under equal ids; in which slots they lie is their own business.
impl PartialEq for Runs {
    fn eq(&self, other: &Self) -> bool {
        self.from(MessageId(0)).eq(other.from(MessageId(0)))
    }
}
