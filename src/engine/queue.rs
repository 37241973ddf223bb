//! One queue's messages and counters: runs by id, those that wait apart from those that are away, and their timers.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    keys::Keys,
    run::{Run, State},
};
use crate::{
    format::Policy,
    id::{MessageId, Time},
};

/// Why a message ended without an ack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    Expired,
    Overflow,
    Purged,
    NoDeadLetterQueue,
}

impl From<u8> for Cause {
    fn from(cause: u8) -> Self {
        match cause {
            0 => Self::Expired,
            1 => Self::Overflow,
            2 => Self::Purged,
            _ => Self::NoDeadLetterQueue,
        }
    }
}

/// What a queue has done since it was made. `sent` is always the sum of `acked`, `dead_lettered`, all of `dropped`, and
/// what is in the queue.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Messages that came in, by a send, as a dead letter, or by a redrive, less those that a redrive took away.
    pub sent: u64,
    pub delivered: u64,
    pub acked: u64,
    pub retried: u64,
    pub duplicates: u64,
    /// Moved to the dead-letter queue, less those that came back.
    pub dead_lettered: u64,
    /// By [`Cause`].
    pub dropped: [u64; 4],
}

/// How many messages are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub ready: u64,
    pub delayed: u64,
    pub leased: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    pub name: Box<str>,
    pub policy: Policy,
    /// Made by default as some queue's dead-letter queue.
    pub keeper: bool,
    pub paused: bool,
    pub tally: Tally,
    pub keys: Keys,
    /// Runs that are ready, oldest first.
    pub(super) ready: BTreeMap<MessageId, Run>,
    /// Runs that are delayed or leased.
    pub(super) away: BTreeMap<MessageId, Run>,
    /// When each run that has a timer wants attention.
    pub(super) timers: BTreeSet<(Time, MessageId)>,
    counts: Counts,
    bytes: u64,
}

impl Queue {
    pub fn new(name: Box<str>, policy: Policy, keeper: bool) -> Self {
        Self {
            name,
            policy,
            keeper,
            paused: false,
            tally: Tally::default(),
            keys: Keys::default(),
            ready: BTreeMap::new(),
            away: BTreeMap::new(),
            timers: BTreeSet::new(),
            counts: Counts::default(),
            bytes: 0,
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Messages in the queue, in whatever state.
    pub fn backlog(&self) -> u64 {
        self.counts.ready + self.counts.delayed + self.counts.leased
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the oldest message was sent.
    pub fn oldest(&self) -> Option<Time> {
        let first = |runs: &BTreeMap<MessageId, Run>| runs.first_key_value().map(|(&id, run)| (id, run.sent));
        match (first(&self.ready), first(&self.away)) {
            (Some(ready), Some(away)) => Some(ready.min(away).1),
            (ready, away) => ready.or(away).map(|(_, sent)| sent),
        }
    }

    pub fn runs(&self) -> impl Iterator<Item = (MessageId, &Run)> {
        self.ready.iter().chain(&self.away).map(|(&id, run)| (id, run))
    }

    fn side(&mut self, state: State) -> &mut BTreeMap<MessageId, Run> {
        if state == State::Ready { &mut self.ready } else { &mut self.away }
    }

    fn count(&mut self, run: &Run) -> &mut u64 {
        match run.state {
            State::Ready => &mut self.counts.ready,
            State::Delayed { .. } => &mut self.counts.delayed,
            State::Leased { .. } => &mut self.counts.leased,
        }
    }

    pub fn link(&mut self, id: MessageId, run: Run) {
        *self.count(&run) += u64::from(run.count);
        self.bytes += run.bytes;
        if let Some(at) = run.timer() {
            self.timers.insert((at, id));
        }
        self.side(run.state).insert(id, run);
    }

    fn unlinked(&mut self, id: MessageId, run: &Run) {
        *self.count(run) -= u64::from(run.count);
        self.bytes -= run.bytes;
        if let Some(at) = run.timer() {
            self.timers.remove(&(at, id));
        }
    }

    /// Takes out a whole run by the id it starts with.
    pub fn unlink(&mut self, id: MessageId) -> Option<Run> {
        let run = self.ready.remove(&id).or_else(|| self.away.remove(&id))?;
        self.unlinked(id, &run);
        Some(run)
    }

    /// Takes out every message of `first..first + count` that is ready, or that is away, and is wanted; runs that reach
    /// over the range are cut. What was taken comes in order of id.
    pub fn take(
        &mut self,
        ready: bool,
        first: MessageId,
        count: u32,
        wanted: impl Fn(&Run) -> bool,
    ) -> Vec<(MessageId, Run)> {
        let end = first.plus(count);
        let mut taken = Vec::new();
        let runs = if ready { &self.ready } else { &self.away };
        let mut cursor = runs.range(..=first).next_back().map_or(first, |(&id, _)| id);
        while cursor < end {
            let runs = if ready { &mut self.ready } else { &mut self.away };
            let Some((&start, run)) = runs.range(cursor..end).next() else {
                break;
            };
            let stop = start.plus(run.count);
            cursor = stop;
            if stop <= first || !wanted(run) {
                continue;
            }
            let (mut id, mut run) = (start, runs.remove(&start).expect("it was just seen"));
            self.unlinked(start, &run);
            if id < first {
                let before = run.split_front(first.since(id));
                self.link(id, before);
                id = first;
            }
            if stop > end {
                let wanted = run.split_front(end.since(id));
                self.link(end, core::mem::replace(&mut run, wanted));
            }
            taken.push((id, run));
        }
        taken
    }

    /// The run that holds a message.
    pub fn find(&self, id: MessageId) -> Option<(MessageId, &Run)> {
        let holds = |runs: &BTreeMap<MessageId, Run>| runs.range(..=id).next_back().map(|(&start, _)| start);
        [(&self.ready, holds(&self.ready)), (&self.away, holds(&self.away))].into_iter().find_map(|(runs, start)| {
            let start = start?;
            let run = &runs[&start];
            (id < start.plus(run.count)).then_some((start, run))
        })
    }
}
