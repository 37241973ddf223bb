//! Queues themselves: making, deleting, pausing, emptying, and moving dead letters back.

use super::{Cause, Engine, Event, Outcome, Queue, State, settle::drop_run};
use crate::{
    format::Policy,
    id::{MessageId, QueueId},
    limits,
};

impl Engine {
    pub(super) fn create(&mut self, name: &str, policy: &Policy) -> Outcome {
        if let Some(queue) = self.named(name) {
            return Outcome::Queue { queue, made: false };
        }
        if self.queues.len() + 2 > limits::QUEUES_MAX {
            return Outcome::Void;
        }
        let queue = self.ensure(name, || policy.clone());
        if let Some(made) = self.queues.get_mut(&queue) {
            made.keeper = false;
        }
        if let Some(name) = &policy.dead_letter_queue {
            self.ensure(name, Policy::keeper);
        }
        Outcome::Queue { queue, made: true }
    }

    /// The queue of that name, made as a keeper where it is missing.
    pub(super) fn ensure(&mut self, name: &str, policy: impl FnOnce() -> Policy) -> QueueId {
        if let Some(queue) = self.named(name) {
            return queue;
        }
        let queue = self.next_queue;
        self.next_queue += 1;
        self.names.insert(name.into(), queue);
        self.queues.insert(queue, Queue::new(name.into(), policy(), true));
        queue
    }

    pub(super) fn remove(&mut self, queue: QueueId, events: &mut Vec<Event>) -> Outcome {
        let Outcome::Done(count) = self.purge(queue, events) else {
            return Outcome::Void;
        };
        if let Some(removed) = self.queues.remove(&queue) {
            self.names.remove(&removed.name);
        }
        events.push(Event::QueueGone { queue });
        Outcome::Done(count)
    }

    pub(super) fn pause(&mut self, queue: QueueId, paused: bool) -> Outcome {
        self.queues.get_mut(&queue).map_or(Outcome::Void, |queue| {
            queue.paused = paused;
            Outcome::Done(1)
        })
    }

    pub(super) fn purge(&mut self, queue_id: QueueId, events: &mut Vec<Event>) -> Outcome {
        let Some(queue) = self.queues.get_mut(&queue_id) else {
            return Outcome::Void;
        };
        let mut ids: Vec<MessageId> = queue.runs().map(|(id, _)| id).collect();
        ids.sort_unstable();
        let mut count = 0;
        for id in ids {
            let Some(run) = queue.unlink(id) else {
                continue;
            };
            count += u64::from(run.count);
            if let State::Leased { grant, holder, .. } = run.state {
                events.push(Event::LeaseEnded { holder, first: id, count: run.count, grant });
            }
            drop_run(queue_id, queue, id, &run, Cause::Purged, events);
        }
        Outcome::Done(count)
    }

    /// Stands while no one has received the message; it counts as purged.
    pub(super) fn cancel(&mut self, queue_id: QueueId, id: MessageId, events: &mut Vec<Event>) -> Outcome {
        let Some(queue) = self.queues.get_mut(&queue_id) else {
            return Outcome::Void;
        };
        let mut taken = queue.take(true, id, 1, |run| run.attempts == 0);
        taken.append(
            &mut queue.take(false, id, 1, |run| run.attempts == 0 && matches!(run.state, State::Delayed { .. })),
        );
        for (id, run) in &taken {
            drop_run(queue_id, queue, *id, run, Cause::Purged, events);
        }
        if taken.is_empty() { Outcome::Void } else { Outcome::Done(1) }
    }

    /// Moves dead letters that are ready to `to`, or where they came from; those for which there is no queue or no room
    /// stay.
    pub(super) fn redrive(&mut self, from: QueueId, first: MessageId, count: u32, to: Option<QueueId>) -> Outcome {
        let Some(queue) = self.queues.get_mut(&from) else {
            return Outcome::Void;
        };
        let mut moved = 0;
        for (id, mut run) in queue.take(true, first, count, |_| true) {
            let origin = run.origin();
            let target = to.or(origin).filter(|target| *target != from);
            let fits = target
                .and_then(|target| self.queues.get(&target))
                .is_some_and(|queue| queue.room(run.count, run.bytes, 0, 0) == run.count);
            let Some(target) = target.filter(|_| fits) else {
                if let Some(queue) = self.queues.get_mut(&from) {
                    queue.link(id, run);
                }
                continue;
            };
            let count = u64::from(run.count);
            moved += count;
            if let Some(queue) = self.queues.get_mut(&from) {
                queue.tally.sent = queue.tally.sent.saturating_sub(count);
            }
            let Some(queue) = self.queues.get_mut(&target) else {
                continue;
            };
            if origin == Some(target) {
                queue.tally.dead_lettered = queue.tally.dead_lettered.saturating_sub(count);
            } else {
                queue.tally.sent += count;
            }
            run.attempts = 0;
            run.note = None;
            run.expires = self.time.saturating_add(queue.policy.retention_ms);
            queue.link(id, run);
        }
        Outcome::Done(moved)
    }
}
