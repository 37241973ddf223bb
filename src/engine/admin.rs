//! Queues themselves: making, deleting, pausing, emptying, and moving dead letters back.

use super::{
    Cause, Engine, Event, Outcome, Queue, State, key_sums,
    settle::{drop_run, tell_ended},
};
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
        if !self.takes(name, policy, 1) {
            return Outcome::Void;
        }
        let queue = self.made(name, policy.clone(), false);
        if let Some(letters) = &policy.dead_letter_queue {
            self.ensure(letters);
        }
        Outcome::Queue { queue, made: true }
    }

    /// Whether there is room for so many queues and the dead-letter queue that the policy of `name` asks for.
    fn takes(&self, name: &str, policy: &Policy, queues: usize) -> bool {
        let letters = policy.dead_letter_queue.as_deref();
        let making = queues + usize::from(letters.is_some_and(|letters| self.named(letters).is_none()));
        // Dead letters of its own would come back to it for ever.
        (making == 0 || self.queues.len() + making <= limits::QUEUES_MAX) && letters != Some(name)
    }

    /// A queue that was only made to keep another's dead letters is as if its first opener with a policy had made it.
    pub(super) fn adopt(&mut self, queue: QueueId, policy: &Policy) -> Outcome {
        let keeper = self.queues.get(queue).filter(|known| known.keeper);
        if keeper.is_none_or(|known| !self.takes(&known.name, policy, 0)) {
            return Outcome::Void;
        }
        if let Some(known) = self.touch(queue) {
            (known.policy, known.keeper) = (policy.clone(), false);
        }
        if let Some(letters) = &policy.dead_letter_queue {
            self.ensure(letters);
        }
        Outcome::Queue { queue, made: false }
    }

    /// The queue of that name, made as a keeper where it is missing: past [`limits::QUEUES_MAX`] too, as a dead letter must
    /// have a place. That makes no more queues than there are whose dead-letter queue was deleted.
    pub(super) fn ensure(&mut self, name: &str) -> QueueId {
        self.named(name).unwrap_or_else(|| self.made(name, Policy::keeper(), true))
    }

    fn made(&mut self, name: &str, policy: Policy, keeper: bool) -> QueueId {
        let queue = self.next_queue;
        self.touched.0.push(queue);
        self.next_queue += 1;
        self.put(queue, Queue::new(name.into(), policy, keeper));
        queue
    }

    pub(super) fn remove(&mut self, queue: QueueId, events: &mut Vec<Event>) -> Outcome {
        let outcome = self.purge(queue, events);
        if let Some(gone) = self.queues.remove(queue) {
            self.wake.remove((gone.wake, queue.into()));
            self.names.remove((key_sums(&gone.name), queue.into()));
            events.push(Event::QueueGone { queue });
        }
        outcome
    }

    pub(super) fn pause(&mut self, queue: QueueId, paused: bool) -> Outcome {
        let Some(queue) = self.touch(queue) else {
            return Outcome::Void;
        };
        queue.paused = paused;
        Outcome::Done(1)
    }

    pub(super) fn purge(&mut self, queue_id: QueueId, events: &mut Vec<Event>) -> Outcome {
        let Some(queue) = self.touch(queue_id) else {
            return Outcome::Void;
        };
        let mut count = 0;
        while let Some((id, run)) = queue.next(MessageId(0)) {
            let Some(run) = queue.unlink(run.state.is_ready(), id) else {
                break;
            };
            count += u64::from(run.count);
            drop_run(queue_id, queue, id, &run, Cause::Purged, events);
        }
        Outcome::Done(count)
    }

    /// Stands while no one has received the message; it counts as purged.
    pub(super) fn cancel(&mut self, queue_id: QueueId, id: MessageId, events: &mut Vec<Event>) -> Outcome {
        let Some(queue) = self.touch(queue_id) else {
            return Outcome::Void;
        };
        let taken = match queue.find(id) {
            Some((_, run)) if run.is_untouched() => {
                let ready = run.state.is_ready();
                queue.take(ready, id, 1, &|_| true)
            }
            _ => return Outcome::Void,
        };
        for (id, run) in &taken {
            drop_run(queue_id, queue, *id, run, Cause::Purged, events);
        }
        Outcome::Done(1)
    }

    /// Moves dead letters that are ready to `to`, or where they came from; those for which there is no queue or no room
    /// stay.
    pub(super) fn redrive(
        &mut self,
        from: QueueId,
        (first, count): (MessageId, u32),
        to: Option<QueueId>,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let time = self.time;
        let Some(source) = self.touch(from) else {
            return Outcome::Void;
        };
        let mut moved = 0;
        for (id, mut run) in source.take(true, first, count, &|_| true) {
            let origin = run.origin();
            let count = u64::from(run.count);
            let target = to.or(origin).filter(|target| *target != from).unwrap_or(from);
            let fits = |queue: &&mut Queue| target != from && queue.room(&run.sizes, (0, 0)) == run.count;
            let Some(queue) = self.touch(target).filter(fits) else {
                if let Some(source) = self.touch(from) {
                    source.link(id, run);
                }
                continue;
            };
            moved += count;
            if origin == Some(target) {
                queue.tally.dead_lettered = queue.tally.dead_lettered.saturating_sub(count);
            } else {
                queue.tally.sent += count;
            }
            tell_ended(from, id, &run, events);
            run.state = State::Ready;
            run.attempts = 0;
            run.note = None;
            run.expires = time.saturating_add(queue.policy.retention_ms);
            queue.link(id, run);
            if let Some(source) = self.touch(from) {
                source.tally.sent = source.tally.sent.saturating_sub(count);
            }
        }
        Outcome::Done(moved)
    }
}
