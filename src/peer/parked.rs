//! Sends that wait for room, in their queue or in the record: a step looks at those alone for which there may be some.

use super::{
    command::{Command, Order},
    lines::Lines,
};
use crate::{collections::pairs::Pairs, collections::sorted::Sorted, engine::key_sums, id::QueueId};

/// Where lines begin, so that they can grow at both ends.
const MIDDLE: u64 = 1 << 63;

#[derive(Default)]
pub(super) struct Parked {
    /// Sends, and batches as a whole, by the token of their first.
    lines: Lines<Vec<Command>>,
    /// The other sends of batches: their tokens, and that of the first.
    parts: Pairs,
    /// What keys sum up to, and the token of the first.
    keys: Pairs,
    /// How many were put to the fronts, and to the backs.
    fronts: u64,
    backs: u64,
    /// Queues to look at.
    due: Sorted<()>,
}

impl Parked {
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn has(&self, queue: QueueId) -> bool {
        self.lines.has(queue)
    }

    /// There may be room in this queue.
    pub fn look(&mut self, queue: QueueId) {
        self.due.get_or_insert(queue, ());
    }

    /// Whether there are queues to look at.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The queues to look at, each once.
    pub fn due(&mut self) -> Vec<QueueId> {
        core::mem::take(&mut self.due).iter().map(|(queue, ())| *queue).collect()
    }

    pub fn push_back(&mut self, queue: QueueId, sends: Vec<Command>) {
        self.backs += 1;
        self.put(queue, MIDDLE + self.backs, sends);
    }

    pub fn push_front(&mut self, queue: QueueId, sends: Vec<Command>) {
        self.put(queue, MIDDLE - self.fronts, sends);
        self.fronts += 1;
    }

    fn put(&mut self, queue: QueueId, place: u64, sends: Vec<Command>) {
        let Some(first) = sends.first().map(|first| first.token) else {
            return;
        };
        self.index(&sends, Pairs::insert);
        self.lines.put(queue, first, place, sends);
    }

    /// Does that with what the parts and keys of these are found by.
    fn index(&mut self, sends: &[Command], with: fn(&mut Pairs, (u64, u64))) {
        let first = sends.first().map_or(0, |first| first.token.into());
        for Command { token, order } in sends {
            if u64::from(*token) != first {
                with(&mut self.parts, ((*token).into(), first));
            }
            if let Order::Send(send) = order
                && let Some(key) = &send.key
            {
                let pair = (key_sums(key), first);
                self.keys.remove(pair);
                with(&mut self.keys, pair);
            }
        }
    }

    /// Takes out what is first in a queue's line.
    pub fn pop(&mut self, queue: QueueId) -> Option<Vec<Command>> {
        let sends = self.lines.pop(queue)?;
        self.index(&sends, Pairs::remove);
        Some(sends)
    }

    /// Takes out the send of that token, with the others of its batch.
    pub fn remove(&mut self, token: u32) -> Option<Vec<Command>> {
        let part = self.parts.from((token.into(), 0)).next().filter(|(part, _)| *part == u64::from(token));
        let (_, sends) = self.lines.remove(part.map_or(token, |(_, first)| first as u32))?;
        self.index(&sends, Pairs::remove);
        Some(sends)
    }

    /// The tokens of what has a key like this one.
    pub fn keyed(&self, key: &str) -> Vec<u32> {
        let sums = key_sums(key);
        let alike = self.keys.from((sums, 0)).take_while(|(known, _)| *known == sums);
        alike.map(|(_, first)| first as u32).collect()
    }

    pub fn get(&self, token: u32) -> Option<&[Command]> {
        self.lines.get(token).map(Vec::as_slice)
    }

    /// Takes out the whole line of a queue.
    pub fn take(&mut self, queue: QueueId) -> Vec<Command> {
        let mut all = Vec::new();
        while let Some(mut sends) = self.pop(queue) {
            all.append(&mut sends);
        }
        all
    }

    /// Takes out all lines.
    pub fn take_all(&mut self) -> Vec<Command> {
        let queues: Vec<_> = self.lines.queues().collect();
        queues.into_iter().flat_map(|queue| self.take(queue)).collect()
    }
}
