//! Which messages can be leased: looked up on the replica, at the present time, changing nothing.

use super::{Queue, State};
use crate::id::{MessageId, QueueId, Time};

/// Messages as runs, up to so many.
struct Picked {
    runs: Vec<(MessageId, u32)>,
    left: u64,
}

impl Picked {
    fn up_to(most: u64) -> Self {
        Self { runs: Vec::new(), left: most }
    }

    fn add(&mut self, id: MessageId, count: u32) {
        let count = u64::from(count).min(self.left);
        self.left -= count;
        self.runs.push((id, count as u32));
    }
}

impl Queue {
    /// The oldest messages that are ready at `now`, `want` at most, as runs in order of id. It sees what will be ready
    /// once the journal's time is `now`.
    pub fn pick(&self, now: Time, want: u64) -> Vec<(MessageId, u32)> {
        let mut picked = Picked::up_to(want);
        if self.paused || want == 0 {
            return picked.runs;
        }
        let mut returning = Vec::new();
        for (id, run, ready) in self.overdue(now) {
            if ready && run.state != State::Ready {
                returning.push(id.0);
            }
        }
        returning.sort_unstable();
        let (mut waiting, mut returning) = (self.ready.from(MessageId(0)), returning.into_iter());
        let (mut first, mut back) = (waiting.next(), returning.next());
        while picked.left > 0 {
            match (first, back) {
                (Some((_, run)), _) if run.expires <= now => first = waiting.next(),
                (Some((id, run)), _) if back.is_none_or(|back| id.0 < back) => {
                    picked.add(id, run.count);
                    first = waiting.next();
                }
                (_, Some(id)) => {
                    if let Some((id, run)) = self.away.up_to(MessageId(id)) {
                        picked.add(id, run.count);
                    }
                    back = returning.next();
                }
                (_, None) => break,
            }
        }
        picked.runs
    }

    /// Ready messages that came as dead letters of `origin` (or of any queue), `max` at most.
    pub fn dead_letters(&self, origin: Option<QueueId>, max: u64) -> Vec<(MessageId, u32)> {
        let mut picked = Picked::up_to(max);
        for (id, run) in self.ready.from(MessageId(0)) {
            if picked.left == 0 {
                break;
            }
            if run.origin().is_some_and(|from| origin.is_none_or(|origin| origin == from)) {
                picked.add(id, run.count);
            }
        }
        picked.runs
    }
}
