//! What was leased ahead is as good as ready until someone is handed it: here it is told apart from what was handed out, which the
//! journal learns a little later.

use super::{
    Effect, Peer,
    command::{Command, Order},
    draft::{Draft, Origin},
    prefetch::Held,
};
use crate::{
    collections::sorted::Sorted,
    engine::{Run, State},
    format::Item,
    id::{MessageId, QueueId, Time},
};

/// Cancellations of what another holds ahead, and may hand out or give back, by queue.
#[derive(Default)]
pub(super) struct Undecided(Sorted<Vec<Command>>);

impl Undecided {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, queue: QueueId, command: Command) {
        self.0.get_or_insert(queue, Vec::new()).push(command);
    }

    pub fn take(&mut self, queue: QueueId) -> Vec<Command> {
        self.0.remove(queue).unwrap_or_default()
    }

    /// Those of all queues.
    pub fn take_all(&mut self) -> Vec<Command> {
        let mut all = Vec::new();
        for (_, commands) in core::mem::take(&mut self.0).iter_mut() {
            all.append(commands);
        }
        all
    }
}

/// Whether it is leased ahead at `now`, and the journal does not know of its being handed out.
fn is_ahead(run: &Run, now: Time) -> bool {
    matches!(run.state, State::Leased { started: false, until, .. } if until > now)
}

impl Peer {
    /// The messages of a queue that this peer has handed out though the journal does not know it, in order of id.
    pub fn handed_out(&self, queue: QueueId, now: Time) -> Vec<(MessageId, u32)> {
        let Some(known) = self.engine.queue(queue).filter(|known| known.counts().ahead > 0) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (id, run) in known.held_by(self.id).into_iter().filter_map(|id| known.find(id)) {
            if is_ahead(run, now) {
                out.push((id, run.count));
            }
        }
        self.without_kept(queue, None, out)
    }

    /// These ranges but for what this peer holds ahead by that lease, or is just giving back; by any: or has sent ahead.
    pub(super) fn without_kept(
        &self,
        queue: QueueId,
        grant: Option<u64>,
        mut ranges: Vec<(MessageId, u32)>,
    ) -> Vec<(MessageId, u32)> {
        let ahead = self.ahead.get(queue).into_iter().flat_map(|ahead| ahead.held());
        let back = self.flight.iter().flat_map(|flight| &flight.back);
        let back = back.filter(|(of, _)| *of == queue).map(|(_, held)| held);
        let sent = self.ahead.get(queue).filter(|_| grant.is_none()).map_or(&[][..], |ahead| ahead.sent());
        for held in ahead.chain(back).chain(sent).filter(|held| grant.is_none_or(|grant| grant == held.grant)) {
            ranges = ranges.into_iter().flat_map(|range| without(range, held)).collect();
        }
        ranges
    }

    /// Up to `max` dead letters in `from` that came from `origin`, or any: those held ahead here, and those that are ready at `now`.
    pub(super) fn letters(&self, from: QueueId, origin: Option<QueueId>, max: u64, now: Time) -> Vec<(MessageId, u32)> {
        let Some(queue) = self.engine.queue(from) else {
            return Vec::new();
        };
        let (mut letters, mut left) = (Vec::new(), max);
        for Held { first, count, .. } in self.ahead.get(from).into_iter().flat_map(|ahead| ahead.held()) {
            let count = u64::from(*count).min(left);
            let its = queue.find(*first).and_then(|(_, run)| run.origin());
            if count > 0 && its.is_some_and(|its| origin.is_none_or(|origin| origin == its)) {
                left -= count;
                letters.push((*first, count as u32));
            }
        }
        letters.append(&mut queue.dead_letters(origin, left, now));
        letters
    }

    /// A message that nobody was handed is given back first, where it is held ahead here; where another peer holds it, that
    /// one is waited for.
    pub(super) fn place_cancel(&mut self, command: Command, draft: &mut Draft) {
        let Order::Cancel { queue, id } = command.order else {
            return;
        };
        let run = self.engine.queue(queue).and_then(|known| known.find(id)).map(|(_, run)| run);
        if let Some(run) = run.filter(|run| is_ahead(run, draft.now)) {
            let own = run.state.lease().is_some_and(|lease| lease.holder == self.id);
            let ahead = self.ahead.get_mut(queue).filter(|_| own);
            match ahead.map(|ahead| (ahead.take(id, 1), ahead.has_started(id))) {
                Some((Some(held), _)) => draft.ride(queue, held, false),
                Some((None, true)) => return self.effects.push(Effect::Done { token: command.token, value: 0 }),
                // What is said of it where it was handed out, or of its going back, is on its way.
                _ => return self.undecided.push(queue, command),
            }
        }
        draft.push(Item::Cancel { queue, id }, Origin::Command(command));
    }
}

/// What is left of a range without what is held.
fn without((first, count): (MessageId, u32), held: &Held) -> impl Iterator<Item = (MessageId, u32)> + use<> {
    let end = first.plus(count);
    let before = (first, held.first.clamp(first, end).since(first));
    let after = held.first.plus(held.count).clamp(first, end);
    [before, (after, end.since(after))].into_iter().filter(|(_, count)| *count > 0)
}
