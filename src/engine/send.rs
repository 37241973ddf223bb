//! Sending: what a send needs to stand, and what gives way to it.

use super::{Cause, Engine, Event, Outcome, Queue, Run, State, settle::drop_run};
use crate::{
    format::{Overflow, Send, Whole},
    id::{MessageId, NEVER, QueueId, Time},
    share::fitting,
};

impl Queue {
    /// How many of `count` messages with `bytes` in all fit now, on top of `messages` and `more` bytes already counted.
    pub fn room(&self, count: u32, bytes: u64, messages: u64, more: u64) -> u32 {
        let free = self.policy.capacity_messages.saturating_sub(self.backlog() + messages);
        let by_count = u64::from(count).min(free) as u32;
        if self.policy.capacity_bytes == NEVER {
            return by_count;
        }
        let free = self.policy.capacity_bytes.saturating_sub(self.bytes() + more);
        by_count.min(fitting(count, bytes, free))
    }

    /// Whether a send that big can ever fit.
    pub fn fits(&self, count: u32, bytes: u64) -> bool {
        u64::from(count) <= self.policy.capacity_messages && bytes <= self.policy.capacity_bytes
    }
}

impl Engine {
    pub(super) fn send(
        &mut self,
        first: MessageId,
        chunk: Option<u8>,
        send: &Send,
        stood: &mut bool,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let time = self.time;
        let Some(queue) = self.queues.get_mut(send.queue) else {
            events.push(Event::Gone { first, count: send.count, bytes: send.bytes });
            return Outcome::Void;
        };
        let mut run = arriving(queue, time, chunk, send);
        let known = send.key.as_ref().and_then(|key| queue.keys.get(key, time));
        *stood = stands(queue, send, known.is_some(), *stood, events);
        if let Some(known) = known.filter(|_| *stood || send.whole == Whole::No) {
            queue.tally.duplicates += 1;
            events.push(Event::Gone { first, count: send.count, bytes: send.bytes });
            return Outcome::Duplicate(known);
        }
        let room = match send.whole {
            Whole::No => {
                if queue.policy.overflow == Overflow::DropOldest {
                    evict(send.queue, queue, send.count, send.bytes, events);
                }
                queue.room(send.count, send.bytes, 0, 0)
            }
            _ if *stood => send.count,
            _ => 0,
        };
        let refused = send.count - room;
        let dropping = matches!(queue.policy.overflow, Overflow::DropOldest | Overflow::DropNewest);
        let accepted = if dropping { send.count } else { room };
        if room > 0 {
            let rest = run.split_rest(room);
            queue.link(first, run);
            if let Some(key) = &send.key {
                queue.keys.remember(key.clone(), first, time.saturating_add(queue.policy.window_ms));
            }
            run = rest;
        }
        queue.tally.sent += u64::from(accepted);
        if refused > 0 {
            let rest = first.plus(room);
            events.push(Event::Gone { first: rest, count: refused, bytes: run.bytes });
            if dropping {
                queue.tally.dropped[Cause::Overflow as usize] += u64::from(refused);
                let (queue, cause) = (send.queue, Cause::Overflow);
                events.push(Event::Dropped { queue, first: rest, count: refused, cause });
            }
        }
        Outcome::Sent { first, accepted }
    }
}

impl Run {
    /// Keeps the first `front` messages and answers the rest, which may be none.
    fn split_rest(&mut self, front: u32) -> Self {
        let head = self.split_front(front);
        core::mem::replace(self, head)
    }
}

fn arriving(queue: &Queue, time: Time, chunk: Option<u8>, send: &Send) -> Run {
    let retained = time.saturating_add(queue.policy.retention_ms);
    let expires = if send.expires == 0 { retained } else { send.expires.min(retained) };
    let state = if send.due > time { State::Delayed { due: send.due } } else { State::Ready };
    Run { count: send.count, bytes: send.bytes, sent: time, expires, attempts: 0, chunk, state, note: None }
}

/// Whether the batch that this send is of stands: said of its first, where there must be room for all of it, and then the
/// same of its parts (`before`), for which the first made room. One whose key is `known` needs no room itself.
fn stands(queue: &mut Queue, send: &Send, known: bool, before: bool, events: &mut Vec<Event>) -> bool {
    match send.whole {
        Whole::No => false,
        Whole::Part => before,
        Whole::First { more, bytes } => {
            let (own, own_bytes) = if known { (0, 0) } else { (send.count, send.bytes) };
            let (count, bytes) = (own.saturating_add(more), own_bytes.saturating_add(bytes));
            if queue.policy.overflow == Overflow::DropOldest && queue.fits(count, bytes) {
                evict(send.queue, queue, count, bytes, events);
            }
            queue.room(count, bytes, 0, 0) == count
        }
    }
}

/// Drops the oldest ready messages until so much fits, or none are left.
fn evict(id: QueueId, queue: &mut Queue, count: u32, bytes: u64, events: &mut Vec<Event>) {
    while queue.room(count, bytes, 0, 0) < count {
        let Some((first, run)) = queue.ready.next(MessageId(0)) else {
            return;
        };
        let over = (queue.backlog() + u64::from(count)).saturating_sub(queue.policy.capacity_messages);
        let by_count = over.clamp(1, u64::from(run.count)) as u32;
        for (first, run) in queue.take(true, first, by_count, &|_| true) {
            drop_run(id, queue, first, &run, Cause::Overflow, events);
        }
    }
}
