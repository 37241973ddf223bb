//! Receives that have no answer yet, by queue; and in which queues there may be something for theirs, so that a step looks at
//! no others.

use std::collections::VecDeque;

use crate::{id::QueueId, pairs::Pairs, sorted::Sorted};

/// A receive that has not been answered.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Demand {
    pub token: u32,
    pub queue: QueueId,
    pub max: u32,
    /// `None`: the queue's visibility timeout.
    pub lease_ms: Option<u64>,
    /// Stays until there is something.
    pub wait: bool,
}

#[derive(Default)]
pub(super) struct Demands {
    /// Oldest first.
    queues: Sorted<VecDeque<Demand>>,
    /// The queue of each, by token.
    tokens: Pairs,
    /// Queues to look at.
    due: Sorted<()>,
    /// Queues in which some do not wait.
    hasty: Sorted<()>,
}

impl Demands {
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub fn push(&mut self, demand: Demand) {
        self.tokens.insert((demand.token.into(), demand.queue.into()));
        self.due.get_or_insert(demand.queue, ());
        if !demand.wait {
            self.hasty.get_or_insert(demand.queue, ());
        }
        self.queues.get_or_insert(demand.queue, VecDeque::new()).push_back(demand);
    }

    /// They ask again, before those that came later.
    pub fn put_back(&mut self, demands: Vec<Demand>) {
        for demand in demands.into_iter().rev() {
            self.tokens.insert((demand.token.into(), demand.queue.into()));
            self.due.get_or_insert(demand.queue, ());
            if !demand.wait {
                self.hasty.get_or_insert(demand.queue, ());
            }
            self.queues.get_or_insert(demand.queue, VecDeque::new()).push_front(demand);
        }
    }

    /// There may be something in this queue.
    pub fn look(&mut self, queue: QueueId) {
        if self.queues.get(queue).is_some() {
            self.due.get_or_insert(queue, ());
        }
    }

    /// Some of a queue's receives do not wait.
    pub fn hurry(&mut self, queue: QueueId) {
        self.hasty.get_or_insert(queue, ());
    }

    /// As [`Demands::look`], while the receives of the queue are taken out.
    pub fn look_again(&mut self, queue: QueueId) {
        self.due.get_or_insert(queue, ());
    }

    pub fn look_everywhere(&mut self) {
        for (queue, _) in self.queues.iter() {
            self.due.get_or_insert(*queue, ());
        }
    }

    /// The queues to look at, each once.
    pub fn due(&mut self) -> Vec<QueueId> {
        core::mem::take(&mut self.due).iter().map(|(queue, ())| *queue).collect()
    }

    /// Takes out the receives of a queue, and whether some do not wait; [`Demands::give`] brings back those that do.
    pub fn take(&mut self, queue: QueueId) -> (VecDeque<Demand>, bool) {
        (self.queues.remove(queue).unwrap_or_default(), self.hasty.remove(queue).is_some())
    }

    pub fn give(&mut self, queue: QueueId, demands: VecDeque<Demand>) {
        if !demands.is_empty() {
            self.queues.get_or_insert(queue, demands);
        }
    }

    /// A receive that was taken out does not come back.
    pub fn over(&mut self, demand: &Demand) {
        self.tokens.remove((demand.token.into(), demand.queue.into()));
    }

    /// Ends a receive; false: there is none of that token.
    pub fn remove(&mut self, token: u32) -> bool {
        let Some((_, queue)) = self.tokens.from((token.into(), 0)).next().filter(|(at, _)| *at == u64::from(token))
        else {
            return false;
        };
        self.tokens.remove((token.into(), queue));
        let queue = queue as QueueId;
        if let Some(demands) = self.queues.get_mut(queue) {
            // Tokens grow, but for where they begin anew.
            let at = demands.binary_search_by_key(&token, |demand| demand.token).ok();
            if let Some(at) = at.or_else(|| demands.iter().position(|demand| demand.token == token)) {
                demands.remove(at);
            }
            if demands.is_empty() {
                self.queues.remove(queue);
            }
        }
        true
    }
}
