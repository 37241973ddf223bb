//! What a context can ask for. Each command carries a token of the caller's choice that comes back in its effects.

use super::{Effect, Peer, bounded};
use crate::{
    engine::{Queue, Run, State},
    format::{Policy, Whole},
    id::{MessageId, QueueId, Time},
    limits,
};

#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    pub token: u32,
    pub order: Order,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    Create { name: Box<str>, policy: Policy },
    Remove { queue: QueueId },
    Send(SendOrder),
    Settle { queue: QueueId, first: MessageId, count: u32, grant: u64, how: Settle },
    Cancel { queue: QueueId, id: MessageId },
    Purge { queue: QueueId },
    Pause { queue: QueueId, paused: bool },
    Redrive { queue: QueueId, to: Option<QueueId>, max: u64, moved: u64 },
}

/// A send that is still waiting: what is left of it.
#[derive(Clone, PartialEq, Debug)]
pub struct SendOrder {
    pub queue: QueueId,
    pub count: u32,
    pub bytes: u64,
    /// `None`: the queue's.
    pub delay_ms: Option<u64>,
    /// `None`: the queue's retention.
    pub expires_ms: Option<u64>,
    pub whole: Whole,
    pub key: Option<Box<str>>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Settle {
    Ack,
    /// `None`: the queue's backoff.
    Retry {
        delay_ms: Option<u64>,
        error: Option<Box<str>>,
    },
    DeadLetter {
        reason: Box<str>,
    },
    Extend {
        ms: u64,
    },
    Release,
}

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

impl Peer {
    fn order(&mut self, token: u32, order: Order) {
        self.pending.push_back(Command { token, order });
    }

    pub fn create(&mut self, token: u32, name: &str, policy: Policy) {
        self.order(token, Order::Create { name: name.into(), policy });
    }

    pub fn remove(&mut self, token: u32, queue: QueueId) {
        self.order(token, Order::Remove { queue });
    }

    /// A run of messages. Those that fit go with the next step, the others follow as the queue's overflow policy says.
    pub fn send(&mut self, token: u32, send: SendOrder) {
        self.order(token, Order::Send(send));
    }

    /// Forgets a send that is still pending. False: there is none, it is under way or over.
    pub fn unsend(&mut self, token: u32) -> bool {
        let before = self.pending.len();
        self.pending.retain(|command| command.token != token || !matches!(command.order, Order::Send(_)));
        self.pending.len() < before
    }

    /// Asks for up to `max` messages under a lease. Answered at once where some were leased ahead.
    pub fn receive(&mut self, token: u32, queue: QueueId, max: u32, lease_ms: Option<u64>, wait: bool, wall: Time) {
        self.demands.push(Demand { token, queue, max, lease_ms, wait });
        let now = self.now(wall);
        self.serve_ahead(now);
    }

    /// Ends a receive that waits. Answered with [`Effect::Received`] unless it has been.
    pub fn unreceive(&mut self, token: u32) {
        if let Some(at) = self.demands.iter().position(|demand| demand.token == token) {
            self.demands.remove(at);
            return self.effects.push(Effect::Received { token });
        }
        let under_way = self.flight.iter_mut().flat_map(|flight| &mut flight.demands);
        under_way.filter(|demand| demand.token == token).for_each(|demand| demand.wait = false);
    }

    pub fn settle(&mut self, token: u32, first: MessageId, count: u32, grant: u64, how: Settle) {
        let how = match how {
            Settle::Retry { delay_ms, error } => Settle::Retry { delay_ms, error: error.map(|error| bounded(&error)) },
            Settle::DeadLetter { reason } => Settle::DeadLetter { reason: bounded(&reason) },
            other => other,
        };
        let current = |run: &Run| matches!(run.state, State::Leased { grant: current, .. } if current == grant);
        // The lease may have ended for some of them already, the first too.
        let held = (0..count).map(|place| first.plus(place)).find_map(|id| {
            let held = |queue: &Queue| queue.find(id).is_some_and(|(_, run)| current(run));
            self.engine.queues().find(|(_, queue)| held(queue)).map(|(queue, _)| queue)
        });
        let Some(queue) = held else {
            self.effects.push(Effect::Lost { token, first, count });
            self.effects.push(Effect::Done { token, value: 0 });
            return;
        };
        if let Some(ahead) = self.ahead.get_mut(&queue) {
            ahead.settled(first, count);
        }
        self.order(token, Order::Settle { queue, first, count, grant, how });
    }

    pub fn cancel(&mut self, token: u32, queue: QueueId, id: MessageId) {
        self.order(token, Order::Cancel { queue, id });
    }

    pub fn purge(&mut self, token: u32, queue: QueueId) {
        self.order(token, Order::Purge { queue });
    }

    pub fn pause(&mut self, token: u32, queue: QueueId, paused: bool) {
        self.order(token, Order::Pause { queue, paused });
    }

    /// Moves dead letters: those in `queue` where it is a dead-letter queue, else those that came from it.
    pub fn redrive(&mut self, token: u32, queue: QueueId, to: Option<QueueId>, max: u64) {
        self.order(token, Order::Redrive { queue, to, max: max.min(limits::RECORD_ITEMS_MAX as u64 * 1024), moved: 0 });
    }
}
