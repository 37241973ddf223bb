//! Time: what happens to messages by itself, when it will, and how things stand at a time the journal has not reached.

use super::{Cause, Counts, Engine, Event, Lease, Queue, Run, State, settle::drop_run};
use crate::{
    id::{MessageId, NEVER, QueueId, Time},
    limits,
};

/// The state of a message as users know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageState {
    Ready,
    Delayed,
    Leased,
    /// In a dead-letter queue, and ready there.
    Dead,
}

/// How a queue stands at a moment that the journal may not have reached: what has expired by then is gone, and counted so.
pub struct Standing {
    pub counts: Counts,
    pub bytes: u64,
    /// Messages that have expired, and no record has said so.
    pub expired: u64,
    /// When the oldest message was sent.
    pub oldest: Option<Time>,
}

impl Queue {
    /// What is there adds up: as [`super::Tally`] says, with `expired` among what was dropped.
    pub fn standing_at(&self, now: Time) -> Standing {
        let gone = |run: &Run| run.expires <= now && run.timer().is_some_and(|at| at <= now);
        let mut standing = Standing { counts: self.counts(), bytes: self.bytes(), expired: 0, oldest: None };
        for (_, id) in self.timers.from((0, 0)).take_while(|(at, _)| *at <= now) {
            let Some((_, run)) = self.find(MessageId(id)) else {
                continue;
            };
            let count = u64::from(run.count);
            *standing.counts.of(run.state) -= count;
            if gone(run) {
                standing.expired += count;
                standing.bytes = standing.bytes.wrapping_sub(run.bytes);
            } else {
                standing.counts.ready += count;
            }
        }
        let mut next = self.next(MessageId(0));
        while let Some((id, run)) = next.filter(|(_, run)| gone(run)) {
            next = self.next(id.plus(run.count));
        }
        standing.oldest = next.map(|(_, run)| run.sent);
        standing
    }

    /// Runs whose timers are due by `now` though the journal's time has not reached it, and whether each is ready by then;
    /// the first few.
    pub(super) fn overdue(&self, now: Time) -> Vec<(MessageId, &Run, bool)> {
        let mut found = Vec::new();
        for (at, id) in self.timers.from((0, 0)).take(limits::OVERDUE_SCAN_MAX) {
            if at > now {
                break;
            }
            let id = MessageId(id);
            if let Some((_, run)) = self.find(id) {
                found.push((id, run, run.expires > now));
            }
        }
        found
    }

    /// Whether by `now` something has happened that a record should tell: an expiry, or more than a decision wants to
    /// look through.
    pub fn wants_tick(&self, now: Time) -> bool {
        let overdue = self.overdue(now);
        overdue.len() == limits::OVERDUE_SCAN_MAX || overdue.iter().any(|(_, _, ready)| !ready)
    }

    pub(super) fn first_timer(&self) -> Time {
        self.timers.from((0, 0)).next().map_or(NEVER, |(at, _)| at)
    }

    fn is_due(&self, time: Time) -> bool {
        self.first_timer() <= time
    }

    /// When the first timer after `now` fires.
    pub fn next_timer(&self, now: Time) -> Time {
        self.timers.from((now.saturating_add(1), 0)).next().map_or(NEVER, |(at, _)| at)
    }

    /// The counts as they are at `now`.
    pub fn counts_at(&self, now: Time) -> Counts {
        let mut counts = self.counts();
        for (_, run, ready) in self.overdue(now) {
            let count = u64::from(run.count);
            *counts.of(run.state) -= count;
            if ready {
                counts.ready += count;
            }
        }
        counts
    }

    /// The state of a run as it is at `now`, as far as the journal knows what was handed out.
    pub fn state_at(&self, run: &Run, now: Time) -> MessageState {
        match run.state {
            State::Delayed { due } if due > now => MessageState::Delayed,
            State::Leased { until, started: true, .. } if until > now => MessageState::Leased,
            _ if run.origin().is_some() => MessageState::Dead,
            _ => MessageState::Ready,
        }
    }
}

impl Engine {
    /// Lets everything happen that is due by `time`. The journal's time never goes back; where it stands, what was made due by
    /// what came before (a message that had expired is given back) happens still.
    pub(super) fn advance(&mut self, time: Time, events: &mut Vec<Event>) {
        self.time = self.time.max(time);
        let time = self.time;
        while let Some((_, id)) = self.wake.from((0, 0)).next().filter(|(at, _)| *at <= time) {
            self.fire_due(id as QueueId, events);
            self.note_timer(id as QueueId);
        }
    }

    /// Fires every timer of a queue that is due.
    pub(super) fn fire_due(&mut self, queue: QueueId, events: &mut Vec<Event>) {
        while self.fire(queue, events) {}
    }

    /// Fires the first due timer of a queue; false when none is due.
    fn fire(&mut self, queue_id: QueueId, events: &mut Vec<Event>) -> bool {
        let time = self.time;
        let Some(queue) = self.touch(queue_id).filter(|queue| queue.is_due(time)) else {
            return false;
        };
        let Some((_, id)) = queue.timers.from((0, 0)).next() else {
            return false;
        };
        let id = MessageId(id);
        let Some(mut run) = queue.unlink(true, id).or_else(|| queue.unlink(false, id)) else {
            return false;
        };
        if run.expires <= time {
            drop_run(queue_id, queue, id, &run, Cause::Expired, events);
            return true;
        }
        run.state = match run.state.lease() {
            Some(Lease { grant, holder, started }) => {
                if !started {
                    events.push(Event::Lapsed { queue: queue_id, holder, first: id, count: run.count, grant });
                }
                State::Lapsed { grant, holder, started }
            }
            None => State::Ready,
        };
        queue.link(id, run);
        true
    }
}
