//! Receives that have no answer yet, by queue; and in which queues there may be something for theirs, so that a step looks at
//! no others.

use super::lines::Lines;
use crate::{collections::sorted::Sorted, id::QueueId};

/// A receive that has not been answered.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Demand {
    pub token: u32,
    pub queue: QueueId,
    pub max: u32,
    /// `None`: the queue's visibility timeout.
    pub lease_ms: Option<u64>,
    /// For someone who may hand it out, or give it back: until it is said to be handed out, it is as good as ready.
    pub ahead: bool,
    /// Stays until there is something.
    pub wait: bool,
    /// Among the receives of its queue: who came first has the least.
    pub place: u64,
}

#[derive(Default)]
pub(super) struct Demands {
    waiting: Lines<Demand>,
    /// Those that do not wait.
    hasty: Lines<Demand>,
    /// How many there have been.
    count: u64,
    /// Queues to look at.
    due: Sorted<()>,
}

impl Demands {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.hasty.is_empty()
    }

    pub fn has(&self, queue: QueueId) -> bool {
        self.waiting.has(queue) || self.hasty.has(queue)
    }

    pub fn push(&mut self, mut demand: Demand) {
        self.count += 1;
        demand.place = self.count;
        self.look(demand.queue);
        self.put(demand);
    }

    /// They ask again, before those that came later.
    pub fn put_back(&mut self, demands: Vec<Demand>) {
        for demand in demands {
            self.look(demand.queue);
            self.put(demand);
        }
    }

    /// As [`Demands::put_back`], where there is nothing for it now.
    pub fn put(&mut self, demand: Demand) {
        let lines = if demand.wait { &mut self.waiting } else { &mut self.hasty };
        lines.put(demand.queue, demand.token, demand.place, demand);
    }

    /// There may be something in this queue.
    pub fn look(&mut self, queue: QueueId) {
        self.due.get_or_insert(queue, ());
    }

    pub fn look_everywhere(&mut self) {
        for queue in self.waiting.queues().chain(self.hasty.queues()) {
            self.due.get_or_insert(queue, ());
        }
    }

    /// Whether there are queues to look at.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The queues to look at, each once.
    pub fn due(&mut self) -> Vec<QueueId> {
        core::mem::take(&mut self.due).iter().map(|(queue, ())| *queue).collect()
    }

    /// Takes out the first receive of a queue.
    pub fn pop(&mut self, queue: QueueId) -> Option<Demand> {
        let first = |lines: &Lines<Demand>| lines.first(queue).unwrap_or(u64::MAX);
        if first(&self.waiting) < first(&self.hasty) { self.waiting.pop(queue) } else { self.hasty.pop(queue) }
    }

    /// Takes out the first receive of a queue that does not wait.
    pub fn pop_hasty(&mut self, queue: QueueId) -> Option<Demand> {
        self.hasty.pop(queue)
    }

    /// Ends a receive; false: there is none of that token.
    pub fn remove(&mut self, token: u32) -> bool {
        self.waiting.remove(token).or_else(|| self.hasty.remove(token)).is_some()
    }

    /// The queue is gone.
    pub fn forget(&mut self, queue: QueueId) {
        self.waiting.forget(queue);
        self.hasty.forget(queue);
    }
}
