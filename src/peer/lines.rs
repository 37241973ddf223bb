//! Things that wait, a line for each queue: taken from its front, or by their token out of its middle, however long it is.

use crate::{collections::pairs::Pairs, collections::sorted::Sorted, id::QueueId};

pub(super) struct Lines<T> {
    /// Of each queue that had any: the place of each in its line, and its slot.
    queues: Sorted<Pairs>,
    slots: Vec<Option<Waiting<T>>>,
    free: Vec<u64>,
    /// The slot of each, by token.
    tokens: Pairs,
}

struct Waiting<T> {
    queue: QueueId,
    token: u32,
    place: u64,
    thing: T,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { queues: Sorted::default(), slots: Vec::new(), free: Vec::new(), tokens: Pairs::default() }
    }
}

impl<T> Lines<T> {
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn has(&self, queue: QueueId) -> bool {
        self.queues.get(queue).is_some_and(|line| !line.is_empty())
    }

    /// The queues in which something waits.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.iter().filter(|(_, line)| !line.is_empty()).map(|(queue, _)| *queue)
    }

    /// Nothing waits there any more, nor ever will.
    pub fn forget(&mut self, queue: QueueId) {
        if !self.has(queue) {
            self.queues.remove(queue);
        }
    }

    /// The place of the first in a queue's line.
    pub fn first(&self, queue: QueueId) -> Option<u64> {
        Some(self.queues.get(queue)?.from((0, 0)).next()?.0)
    }

    /// Puts in what waits at a place of its own.
    pub fn put(&mut self, queue: QueueId, token: u32, place: u64, thing: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u64 - 1
        });
        self.slots[slot as usize] = Some(Waiting { queue, token, place, thing });
        self.queues.get_or_insert(queue, Pairs::default()).insert((place, slot));
        self.tokens.insert((token.into(), slot));
    }

    /// Takes out the first of a queue's line.
    pub fn pop(&mut self, queue: QueueId) -> Option<T> {
        let (_, slot) = self.queues.get(queue)?.from((0, 0)).next()?;
        self.take(slot)
    }

    /// Takes out what has that token.
    pub fn remove(&mut self, token: u32) -> Option<(QueueId, T)> {
        let slot = self.slot(token)?;
        let queue = self.slots[slot as usize].as_ref()?.queue;
        Some((queue, self.take(slot)?))
    }

    /// What has that token.
    pub fn get(&self, token: u32) -> Option<&T> {
        let slot = self.slot(token)?;
        self.slots[slot as usize].as_ref().map(|waiting| &waiting.thing)
    }

    fn slot(&self, token: u32) -> Option<u64> {
        let found = self.tokens.from((token.into(), 0)).next();
        found.filter(|(known, _)| *known == u64::from(token)).map(|(_, slot)| slot)
    }

    fn take(&mut self, slot: u64) -> Option<T> {
        let Waiting { queue, token, place, thing } = self.slots[slot as usize].take()?;
        self.free.push(slot);
        self.tokens.remove((token.into(), slot));
        if let Some(line) = self.queues.get_mut(queue) {
            line.remove((place, slot));
        }
        Some(thing)
    }
}
