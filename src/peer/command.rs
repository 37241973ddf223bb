//! What a context can ask for. Each command carries a token of the caller's choice that comes back in its effects.

use super::{Effect, Peer, Why, bounded, demands::Demand};
use crate::{
    collections::sizes::Sizes,
    engine::Queue,
    format::{Policy, Whole},
    id::{MessageId, NEVER, QueueId, Time},
    limits,
};

#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    pub token: u32,
    pub order: Order,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    Create { name: Box<str>, policy: Box<Policy> },
    Adopt { queue: QueueId, policy: Box<Policy> },
    Remove { queue: QueueId },
    Send(SendOrder),
    Settle { queue: QueueId, first: MessageId, count: u32, grant: u64, how: Settle },
    Cancel { queue: QueueId, id: MessageId },
    Purge { queue: QueueId },
    Pause { queue: QueueId, paused: bool },
    Redrive { queue: QueueId, to: Option<QueueId>, max: u64, moved: u64 },
    Leave { peer: u64, queue: Option<QueueId>, counted: bool },
}

impl Command {
    /// How many messages it has, where it is a send of that kind.
    pub fn messages(&self, whole: Whole) -> Option<u32> {
        match &self.order {
            Order::Send(send) if send.whole == whole => Some(send.sizes.count()),
            _ => None,
        }
    }

    /// How many messages follow as its parts.
    pub fn more(&self) -> u32 {
        if let Order::Send(send) = &self.order { send.more } else { 0 }
    }
}

/// A send that is still waiting: what is left of it.
#[derive(Clone, PartialEq, Debug)]
pub struct SendOrder {
    pub queue: QueueId,
    /// Estimated bytes of each body.
    pub sizes: Sizes,
    /// `None`: the queue's.
    pub delay_ms: Option<u64>,
    /// `None`: the queue's retention.
    pub expires_ms: Option<u64>,
    /// The parts of a batch are asked for one behind the other.
    pub whole: Whole,
    /// Messages of those that follow the first.
    pub more: u32,
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

impl Peer {
    fn order(&mut self, token: u32, order: Order) {
        self.pending.push(Command { token, order });
    }

    /// Ends with the queue's number; [`NEVER`] where the journal can hold no more queues, or none of that name.
    pub fn create(&mut self, token: u32, name: &str, policy: Policy) {
        let letters = policy.dead_letter_queue.as_ref().map_or(0, |letters| letters.len());
        if name.len().max(letters) > limits::NAME_BYTES_MAX {
            return self.effects.push(Effect::Done { token, value: NEVER });
        }
        self.order(token, Order::Create { name: name.into(), policy: Box::new(policy) });
    }

    /// Gives a keeper of dead letters a policy of its own.
    pub fn adopt(&mut self, token: u32, queue: QueueId, policy: Policy) {
        self.order(token, Order::Adopt { queue, policy: Box::new(policy) });
    }

    pub fn remove(&mut self, token: u32, queue: QueueId) {
        self.order(token, Order::Remove { queue });
    }

    /// A run of messages. Those that fit go with the next step, the others follow as the queue's overflow policy says.
    pub fn send(&mut self, token: u32, send: SendOrder) {
        // Nothing may be written that no one can read.
        let alone = send.sizes.count() == 1 || send.key.is_none();
        let short = send.key.as_ref().is_none_or(|key| key.len() <= limits::KEY_BYTES_MAX);
        if !alone || !short || send.sizes.count() == 0 || send.sizes.total() >= 1 << 53 {
            return self.effects.push(Effect::Refused { token, why: Why::TooLarge, count: send.sizes.count() });
        }
        self.order(token, Order::Send(send));
    }

    /// Forgets a send that is still pending. False: there is none, it is under way or over.
    pub fn unsend(&mut self, token: u32) -> bool {
        let Some(sends) = self.parked.remove(token) else {
            return self.pending.unsend(token);
        };
        // The others of a batch are told.
        self.pending.extend(sends.into_iter().filter(|send| send.token != token));
        true
    }

    /// Asks for up to `max` messages under a lease. Answered at once where some were leased ahead.
    pub fn receive(&mut self, token: u32, queue: QueueId, max: u32, lease_ms: Option<u64>, wait: bool, wall: Time) {
        self.demand(Demand { token, queue, max, lease_ms, ahead: false, wait, place: 0 }, wall);
    }

    /// As [`Peer::receive`], for who is sent messages before anyone asks for them there: of those that are handed out
    /// [`Peer::started`] tells, and the others come back, or run out, as if they had never been taken.
    pub fn receive_ahead(
        &mut self,
        token: u32,
        queue: QueueId,
        max: u32,
        lease_ms: Option<u64>,
        wait: bool,
        wall: Time,
    ) {
        self.demand(Demand { token, queue, max, lease_ms, ahead: true, wait, place: 0 }, wall);
    }

    fn demand(&mut self, demand: Demand, wall: Time) {
        let queue = demand.queue;
        self.demands.push(demand);
        let now = self.now(wall);
        self.serve_ahead(queue, now);
    }

    /// Ends a receive that waits. Answered with [`Effect::Received`] unless it has been.
    pub fn unreceive(&mut self, token: u32) {
        if self.demands.remove(token) {
            return self.effects.push(Effect::Received { token });
        }
        if let Some(flight) = &mut self.flight {
            flight.ended.insert((token.into(), 0));
        }
    }

    /// What is said of messages of that queue under one lease.
    pub fn settle(&mut self, token: u32, queue: QueueId, first: MessageId, count: u32, grant: u64, how: Settle) {
        let mut how = how;
        match &mut how {
            Settle::Retry { error: Some(note), .. } | Settle::DeadLetter { reason: note } => *note = bounded(note),
            _ => {}
        }
        // The lease may have ended for some of them already, the first too.
        let holds = |queue: &Queue| {
            (0..count).any(|place| queue.find(first.plus(place)).is_some_and(|(_, run)| run.answers_to(grant)))
        };
        if !self.engine.queue(queue).is_some_and(holds) {
            self.effects.push(Effect::Lost { token, first, count });
            self.effects.push(Effect::Done { token, value: 0 });
            return;
        }
        if let Some(ahead) = self.ahead.get_mut(queue) {
            ahead.settled(first, count, grant);
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

    /// Ends the leases of another peer that is gone, of one queue or all; `counted`: what it had handed out counts as an attempt.
    pub fn bury(&mut self, token: u32, peer: u64, queue: Option<QueueId>, counted: bool) {
        self.order(token, Order::Leave { peer, queue, counted });
    }

    /// Moves dead letters: those in `queue` where it is a dead-letter queue, else those that came from it.
    pub fn redrive(&mut self, token: u32, queue: QueueId, to: Option<QueueId>, max: u64) {
        self.order(token, Order::Redrive { queue, to, max: max.min(limits::RECORD_ITEMS_MAX as u64 * 1024), moved: 0 });
    }
}
