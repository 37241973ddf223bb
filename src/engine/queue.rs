//! One queue's messages and counters: runs by id, those that wait apart from those that are away, and their timers.

use super::{
    keys::Keys,
    run::{Run, State},
    runs::Runs,
};
use crate::{
    collections::pairs::Pairs,
    format::Policy,
    id::{MessageId, NEVER, Time},
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
    /// Handed out, as far as the journal knows.
    pub leased: u64,
    /// Leased ahead of demand, and not handed out: to everyone but its holder as good as ready.
    pub ahead: u64,
}

impl Counts {
    pub fn all(self) -> u64 {
        self.ready + self.delayed + self.leased + self.ahead
    }

    pub(super) fn of(&mut self, state: State) -> &mut u64 {
        match state {
            State::Ready | State::Lapsed { .. } => &mut self.ready,
            State::Delayed { .. } => &mut self.delayed,
            State::Leased { started: true, .. } => &mut self.leased,
            State::Leased { started: false, .. } => &mut self.ahead,
        }
    }
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
    pub(super) ready: Runs,
    /// Runs that are delayed or leased.
    pub(super) away: Runs,
    /// When each run that has a timer wants attention, and its id.
    pub(super) timers: Pairs,
    /// When the first of them is due, as the engine has noted it.
    pub(super) wake: Time,
    /// Who holds how many runs, in the order of their names.
    held: Vec<(u64, u32)>,
    counts: Counts,
    /// Of all messages. It wraps: only sizes that are no bodies' come to that.
    bytes: u64,
    /// Of those that are ready.
    ready_bytes: u64,
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
            ready: Runs::default(),
            away: Runs::default(),
            timers: Pairs::default(),
            wake: NEVER,
            held: Vec::new(),
            counts: Counts::default(),
            bytes: 0,
            ready_bytes: 0,
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Messages in the queue, in whatever state.
    pub fn backlog(&self) -> u64 {
        self.counts.all()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn ready_bytes(&self) -> u64 {
        self.ready_bytes
    }

    /// When the oldest message was sent.
    pub fn oldest(&self) -> Option<Time> {
        self.next(MessageId(0)).map(|(_, run)| run.sent)
    }

    /// The oldest message that anyone may take.
    pub fn first_ready(&self) -> Option<MessageId> {
        self.ready.next(MessageId(0)).map(|(id, _)| id)
    }

    /// The first run, in whatever state, that starts at `from` or after it.
    pub fn next(&self, from: MessageId) -> Option<(MessageId, &Run)> {
        let (ready, away) = (self.ready.next(from), self.away.next(from));
        match (ready, away) {
            (Some(ready), Some(away)) => Some(if ready.0 < away.0 { ready } else { away }),
            (ready, away) => ready.or(away),
        }
    }

    fn side(&self, ready: bool) -> &Runs {
        if ready { &self.ready } else { &self.away }
    }

    fn side_mut(&mut self, ready: bool) -> &mut Runs {
        if ready { &mut self.ready } else { &mut self.away }
    }

    pub fn link(&mut self, id: MessageId, run: Run) {
        *self.counts.of(run.state) += u64::from(run.count);
        self.bytes = self.bytes.wrapping_add(run.bytes);
        self.hold(run.state, true);
        self.ready_bytes = self.ready_bytes.wrapping_add(if run.state.is_ready() { run.bytes } else { 0 });
        if let Some(at) = run.timer() {
            self.timers.insert((at, id.0));
        }
        self.side_mut(run.state.is_ready()).insert(id, run);
    }

    /// Keeps the count of a holder's runs, which is one more or one less.
    fn hold(&mut self, state: State, more: bool) {
        let State::Leased { holder, .. } = state else {
            return;
        };
        let place = self.held.binary_search_by_key(&holder, |(known, _)| *known);
        match (place, more) {
            (Ok(at), true) => self.held[at].1 += 1,
            (Err(at), true) => self.held.insert(at, (holder, 1)),
            (Ok(at), false) if self.held[at].1 > 1 => self.held[at].1 -= 1,
            (Ok(at), false) => drop(self.held.remove(at)),
            (Err(_), false) => {}
        }
    }

    /// The peers that hold leases here, in the order of their names.
    pub(super) fn holders(&self) -> impl Iterator<Item = u64> {
        self.held.iter().map(|(holder, _)| *holder)
    }

    /// The first message of each run that a peer holds, oldest first.
    pub fn held_by(&self, peer: u64) -> Vec<MessageId> {
        let held = |(_, run): &(MessageId, &Run)| matches!(run.state, State::Leased { holder, .. } if holder == peer);
        let holds = self.holders().any(|holder| holder == peer);
        let runs = holds.then(|| self.away.from(MessageId(0)).filter(held));
        runs.into_iter().flatten().map(|(id, _)| id).collect()
    }

    /// Takes out a whole run by the id it starts with.
    pub fn unlink(&mut self, ready: bool, id: MessageId) -> Option<Run> {
        let run = self.side_mut(ready).remove(id)?;
        *self.counts.of(run.state) -= u64::from(run.count);
        self.bytes = self.bytes.wrapping_sub(run.bytes);
        self.hold(run.state, false);
        self.ready_bytes = self.ready_bytes.wrapping_sub(if ready { run.bytes } else { 0 });
        if let Some(at) = run.timer() {
            self.timers.remove((at, id.0));
        }
        Some(run)
    }

    /// Takes out every message of `first..first + count` that is ready, or that is away, and is wanted; runs that reach
    /// over the range are cut. What was taken comes in order of id.
    pub fn take(
        &mut self,
        ready: bool,
        first: MessageId,
        count: u32,
        wanted: &dyn Fn(&Run) -> bool,
    ) -> Vec<(MessageId, Run)> {
        let end = first.plus(count);
        let mut taken = Vec::new();
        let mut cursor = self.side(ready).up_to(first).map_or(first, |(id, _)| id);
        while let Some((start, run)) = self.side(ready).next(cursor).filter(|(start, _)| *start < end) {
            let stop = start.plus(run.count);
            cursor = stop;
            if stop <= first || !wanted(run) {
                continue;
            }
            let (mut id, Some(mut run)) = (start, self.unlink(ready, start)) else {
                continue;
            };
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
        let holds = |(start, run): &(MessageId, &Run)| id < start.plus(run.count);
        self.ready.up_to(id).filter(holds).or_else(|| self.away.up_to(id).filter(holds))
    }
}
