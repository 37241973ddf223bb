//! Leases, and what their holders say: ack, retry, extend, release, dead letter.

use super::{Cause, Engine, Event, Lease, Outcome, Queue, Run, State};
use crate::{
    format::How,
    id::{MessageId, QueueId, Time},
};

impl Engine {
    /// Whoever had it last lost it now. Where that was the last attempt, it goes to the dead letters instead.
    pub(super) fn lease(
        &mut self,
        queue_id: QueueId,
        first: MessageId,
        count: u32,
        lease: State,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let State::Leased { started, until, .. } = lease else {
            return Outcome::Void;
        };
        // It would be over before it began.
        let stands = until > self.time;
        let Some(queue) = self.touch(queue_id).filter(|queue| stands && !queue.paused) else {
            return Outcome::Void;
        };
        let (mut leased, mut spent) = (Vec::new(), Vec::new());
        for (id, mut run) in queue.take(true, first, count, &|_| true) {
            tell_ended(queue_id, id, &run, events);
            if run.is_spent(queue.policy.max_retries) {
                run.state = State::Ready;
                spent.push((id, run));
                continue;
            }
            let counts = run.state.lease().is_some_and(|before| before.started);
            run.attempts = run.attempts.saturating_add(counts.into());
            run.state = lease;
            queue.tally.delivered += if started { u64::from(run.count) } else { 0 };
            queue.link(id, run.clone());
            leased.push((id, run));
        }
        for (id, run) in spent {
            self.dead_letter(queue_id, id, run, "lease ran out".into(), events);
        }
        Outcome::Leased(leased)
    }

    /// Which of these messages their holder by that grant may still settle.
    pub fn held(&self, first: MessageId, count: u32, grant: u64) -> Vec<(MessageId, u32)> {
        let mut held: Vec<(MessageId, u32)> = Vec::new();
        for at in (0..count).map(|place| first.plus(place)) {
            if !self.queues.iter().any(|(_, queue)| queue.find(at).is_some_and(|(_, run)| run.answers_to(grant))) {
                continue;
            }
            match held.last_mut() {
                Some((from, count)) if from.plus(*count) == at => *count += 1,
                _ => held.push((at, 1)),
            }
        }
        held
    }

    /// Ends the leases of a peer, of one queue or all: as if it had never been taken, or as if its time were over. How many messages come back.
    pub(super) fn leave(
        &mut self,
        peer: u64,
        only: Option<QueueId>,
        counted: bool,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let (time, mut messages) = (self.time, 0);
        let mut left = Vec::new();
        for (id, queue) in self.queues.iter_mut() {
            let held = if only.is_none_or(|only| only == *id) { queue.held_by(peer) } else { Vec::new() };
            if !held.is_empty() {
                left.push(*id);
            }
            for first in held {
                messages += queue.end_lease(*id, first, counted, time, events);
            }
        }
        for queue in left {
            self.touched.0.push(queue);
            self.fire_due(queue, events);
        }
        Outcome::Done(messages)
    }

    pub(super) fn settle(
        &mut self,
        queue_id: QueueId,
        first: MessageId,
        count: u32,
        grant: u64,
        how: &How,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Some(queue) = self.touch(queue_id) else {
            return Outcome::Lost(vec![(first, count)]);
        };
        let own = |run: &Run| run.answers_to(grant);
        let mut held = queue.take(false, first, count, &own);
        let mut lost = Vec::new();
        for (first, count) in gaps(first, count, &held) {
            let mut lapsed = queue.take(true, first, count, &own);
            lost.append(&mut gaps(first, count, &lapsed));
            held.append(&mut lapsed);
        }
        for (id, run) in held {
            self.settle_run(queue_id, id, run, how, events);
        }
        Outcome::Lost(lost)
    }

    fn settle_run(&mut self, queue_id: QueueId, id: MessageId, mut run: Run, how: &How, events: &mut Vec<Event>) {
        let time = self.time;
        let Some(queue) = self.touch(queue_id) else {
            return;
        };
        let count = u64::from(run.count);
        let Some(Lease { grant, holder, started }) = run.state.lease() else {
            return queue.link(id, run);
        };
        match how {
            How::Release if started => queue.tally.delivered -= count,
            How::Release => {}
            _ if started => {}
            _ => queue.tally.delivered += count,
        }
        let present = run.state;
        // It is over, but for what says otherwise.
        run.state = State::Ready;
        match how {
            How::Ack => {
                queue.tally.acked += count;
                events.push(Event::Gone { first: id, count: run.count, bytes: run.bytes });
                return;
            }
            How::Retry { due, error } => {
                run.attempts = run.attempts.saturating_add(1);
                if let Some(error) = error {
                    run.note().last_error = Some(error.clone());
                }
                if run.attempts > queue.policy.max_retries {
                    return self.dead_letter(queue_id, id, run, "retries exhausted".into(), events);
                }
                queue.tally.retried += count;
                run.state = if *due > time { State::Delayed { due: *due } } else { State::Ready };
            }
            How::DeadLetter { reason } => return self.dead_letter(queue_id, id, run, reason.clone(), events),
            How::Release => {}
            How::Extend { until } if *until > time => {
                run.state = State::Leased { until: *until, grant, holder, started: true };
            }
            How::Extend { .. } => run.state = State::Lapsed { grant, holder, started: true },
            How::Start => {
                run.state = match present {
                    State::Leased { until, .. } => State::Leased { until, grant, holder, started: true },
                    _ => State::Lapsed { grant, holder, started: true },
                };
            }
        }
        queue.link(id, run);
    }

    /// Moves a run that was taken out of `queue_id` to its dead-letter queue, which is made where it is missing; drops
    /// and counts it where there is to be none. A dead letter is not refused for want of room.
    pub(super) fn dead_letter(
        &mut self,
        queue_id: QueueId,
        id: MessageId,
        mut run: Run,
        reason: Box<str>,
        events: &mut Vec<Event>,
    ) {
        let Some(queue) = self.touch(queue_id) else {
            return;
        };
        let Some(name) = queue.policy.dead_letter_queue.clone() else {
            if queue.keeper {
                // It is where dead letters go, and drops nothing by itself.
                run.attempts = run.attempts.saturating_add(1);
                run.note().reason = Some(reason);
                run.state = State::Ready;
                return queue.link(id, run);
            }
            return drop_run(queue_id, queue, id, &run, Cause::NoDeadLetterQueue, events);
        };
        queue.tally.dead_lettered += u64::from(run.count);
        events.push(Event::DeadLettered { queue: queue_id, first: id, count: run.count, reason: reason.clone() });
        let note = run.note();
        (note.origin, note.reason) = (Some(queue_id), Some(reason));
        let target = self.ensure(&name);
        let time = self.time;
        let Some(target) = self.touch(target) else {
            return;
        };
        target.tally.sent += u64::from(run.count);
        run.attempts = 0;
        run.expires = time.saturating_add(target.policy.retention_ms);
        run.state = State::Ready;
        target.link(id, run);
    }
}

impl Queue {
    /// Ends the lease of the run that starts with `first`. How many messages it has.
    fn end_lease(
        &mut self,
        queue: QueueId,
        first: MessageId,
        counted: bool,
        time: Time,
        events: &mut Vec<Event>,
    ) -> u64 {
        let Some(mut run) = self.unlink(false, first) else {
            return 0;
        };
        let count = run.count;
        if let State::Leased { until, grant, holder, started } = &mut run.state {
            if counted && *started {
                // It ends by itself then, as the queue's policy says.
                *until = time;
            } else {
                self.tally.delivered -= if *started { u64::from(count) } else { 0 };
                events.push(Event::LeaseEnded { queue, holder: *holder, first, count, grant: *grant });
                run.state = State::Ready;
            }
        }
        self.link(first, run);
        count.into()
    }
}

/// Tells who has these messages, or may still settle them, that it is over.
pub(super) fn tell_ended(queue: QueueId, first: MessageId, run: &Run, events: &mut Vec<Event>) {
    if let Some(Lease { grant, holder, .. }) = run.state.lease() {
        events.push(Event::LeaseEnded { queue, holder, first, count: run.count, grant });
    }
}

/// Counts and tells a run that ends without an ack.
pub(super) fn drop_run(
    queue_id: QueueId,
    queue: &mut Queue,
    first: MessageId,
    run: &Run,
    cause: Cause,
    events: &mut Vec<Event>,
) {
    tell_ended(queue_id, first, run, events);
    queue.tally.dropped[cause as usize] += u64::from(run.count);
    events.push(Event::Dropped { queue: queue_id, first, count: run.count, cause });
    events.push(Event::Gone { first, count: run.count, bytes: run.bytes });
}

/// The parts of `first..first + count` that are not in `held`.
fn gaps(first: MessageId, count: u32, held: &[(MessageId, Run)]) -> Vec<(MessageId, u32)> {
    let end = first.plus(count);
    let mut lost = Vec::new();
    let mut cursor = first;
    for (id, run) in held {
        if *id > cursor {
            lost.push((cursor, id.since(cursor)));
        }
        cursor = id.plus(run.count);
    }
    if cursor < end {
        lost.push((cursor, end.since(cursor)));
    }
    lost
}
