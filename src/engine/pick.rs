//! Which messages can be leased: looked up on the replica, at the present time, changing nothing.

use super::{Queue, Run};
use crate::{
    collections::pairs::Pairs,
    id::{MessageId, QueueId, Time},
    limits,
};

/// Neighbouring messages that can be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pick {
    pub first: MessageId,
    pub count: u32,
    /// Someone may still settle them: they are for who asks now, not to be leased ahead.
    pub lapsed: bool,
    /// Their last attempt lapsed: to take them makes dead letters of them, and nobody gets any.
    pub spent: bool,
    /// When it is dropped if nobody has taken it.
    pub expires: Time,
}

/// Messages, up to so many.
struct Picked<'a> {
    picks: Vec<Pick>,
    left: u64,
    now: Time,
    max_retries: u32,
    /// Messages of which something is just being said, as id and count.
    said: &'a Pairs,
}

impl Picked<'_> {
    fn is_full(&self) -> bool {
        self.left == 0 || self.picks.len() >= limits::DRAFT_ITEMS_MAX
    }

    /// Adds what is not just being settled of a run.
    fn add(&mut self, id: MessageId, run: &Run) {
        let end = id.plus(run.count);
        let mut cursor = id;
        let before = self.said.before((id.0.saturating_add(1), 0));
        for (from, count) in before.into_iter().chain(self.said.from((id.0.saturating_add(1), 0))) {
            if from >= end.0 {
                break;
            }
            if from > cursor.0 {
                self.push(cursor, MessageId(from).since(cursor), run);
            }
            cursor = cursor.max(MessageId(from.saturating_add(count)));
        }
        if cursor < end {
            self.push(cursor, end.since(cursor), run);
        }
    }

    fn push(&mut self, first: MessageId, count: u32, run: &Run) {
        let (lapsed, spent) = (run.is_lapsed(self.now), run.is_spent(self.max_retries));
        let count = if spent { count } else { u64::from(count).min(self.left) as u32 };
        if count > 0 {
            self.left -= if spent { 0 } else { u64::from(count) };
            self.picks.push(Pick { first, count, lapsed, spent, expires: run.expires });
        }
    }
}

impl Queue {
    /// The oldest messages that are ready at `now`, `want` at most beside those that are spent, in order of id. It sees
    /// what will be ready once the journal's time is `now`, and leaves out what is `said`: ids and counts.
    pub fn pick(&self, now: Time, want: u64, said: &Pairs) -> Vec<Pick> {
        let max_retries = self.policy.max_retries;
        let mut picked = Picked { picks: Vec::new(), left: want, now, max_retries, said };
        if self.paused || want == 0 {
            return picked.picks;
        }
        let mut returning = Vec::new();
        for (id, run, ready) in self.overdue(now) {
            if ready && !run.state.is_ready() {
                returning.push(id.0);
            }
        }
        returning.sort_unstable();
        let (mut waiting, mut returning) = (self.ready.from(MessageId(0)), returning.into_iter());
        let (mut first, mut back) = (waiting.next(), returning.next());
        while !picked.is_full() {
            match (first, back) {
                (Some((_, run)), _) if run.expires <= now => first = waiting.next(),
                (Some((id, run)), _) if back.is_none_or(|back| id.0 < back) => {
                    picked.add(id, run);
                    first = waiting.next();
                }
                (_, Some(id)) => {
                    if let Some((id, run)) = self.away.up_to(MessageId(id)) {
                        picked.add(id, run);
                    }
                    back = returning.next();
                }
                (_, None) => break,
            }
        }
        picked.picks
    }

    /// Messages that are ready at `now` and came as dead letters of `origin` (or of any queue), `max` at most. It sees what will
    /// be ready once the journal's time is `now`: a dead letter whose lease just ended, too.
    pub fn dead_letters(&self, origin: Option<QueueId>, max: u64, now: Time) -> Vec<(MessageId, u32)> {
        let returning = self.overdue(now).into_iter().filter(|(_, run, ready)| *ready && !run.state.is_ready());
        let waiting = self.ready.from(MessageId(0)).filter(|(_, run)| run.expires > now);
        let (mut found, mut left) = (Vec::new(), max);
        for (id, run) in waiting.chain(returning.map(|(id, run, _)| (id, run))) {
            if left == 0 {
                break;
            }
            if run.origin().is_some_and(|from| origin.is_none_or(|origin| origin == from)) {
                let count = u64::from(run.count).min(left);
                left -= count;
                found.push((id, count as u32));
            }
        }
        found
    }
}
