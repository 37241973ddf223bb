//! Which messages can be leased: looked up on the replica, at the present time, changing nothing.

use super::{Queue, State};
use crate::id::{MessageId, Time};

impl Queue {
    /// The oldest messages that are ready at `now`, `want` at most, as runs in order of id. It sees what will be ready
    /// once the journal's time is `now`.
    pub fn pick(&self, now: Time, want: u64) -> Vec<(MessageId, u32)> {
        let mut picked = Vec::new();
        if self.paused || want == 0 {
            return picked;
        }
        let mut returning: Vec<(MessageId, u32)> = self
            .overdue(now)
            .filter(|(_, run, ready)| *ready && run.state != State::Ready)
            .map(|(id, run, _)| (id, run.count))
            .collect();
        returning.sort_unstable();
        let mut returning = returning.into_iter().peekable();
        let ready = self.ready.iter().filter(|(_, run)| run.expires > now).map(|(&id, run)| (id, run.count));
        let mut ready = ready.peekable();
        let mut left = want;
        while left > 0 {
            let next = match (ready.peek(), returning.peek()) {
                (Some(a), Some(b)) if b < a => returning.next(),
                (Some(_), _) => ready.next(),
                (None, _) => returning.next(),
            };
            let Some((id, count)) = next else { break };
            let count = u64::from(count).min(left) as u32;
            left -= u64::from(count);
            picked.push((id, count));
        }
        picked
    }

    /// Ready messages from `from` on that came as dead letters of `origin` (or of any queue), `max` at most.
    pub fn dead_letters(&self, origin: Option<u32>, max: u64) -> Vec<(MessageId, u32)> {
        let mut left = max;
        let letters = self
            .ready
            .iter()
            .filter(|(_, run)| run.origin().is_some_and(|from| origin.is_none_or(|origin| origin == from)));
        letters
            .map_while(|(&id, run)| {
                let count = u64::from(run.count).min(left) as u32;
                left -= u64::from(count);
                (count > 0).then_some((id, count))
            })
            .collect()
    }
}
