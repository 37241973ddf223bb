//! What peers tell, held against the ledger: an effect that a promise forbids is an error.

use posthaste::{id::MessageId, peer::Effect};

use super::{Ask, Check, Finish, Held, Journal, NEWEST, POLICIES};

impl Journal {
    /// Takes in what took effect. `own`: by a record of this peer, just committed.
    pub(super) fn hear(&mut self, at: usize, own: bool) -> Check {
        let effects = self.peers[at].effects();
        self.dropping.clear();
        if own {
            self.hear_drops(&effects);
        }
        let mut losing = Vec::new();
        for effect in effects {
            match effect {
                Effect::Sent { token, first, count } => self.heard_sent(token, first, count)?,
                Effect::Refused { token, count, .. } => self.answered(token, count),
                Effect::Duplicate { token, .. } => self.answered(token, 1),
                Effect::Delivered { token, first, count, grant, until, attempt, .. } => {
                    let Some(&Ask::Receive(queue)) = self.asks.get(&token) else { return Err("for no one".into()) };
                    for id in (0..count).map(|place| first.plus(place)) {
                        self.heard_delivered(Held { id, peer: at, queue, grant, until }, attempt)?;
                    }
                }
                Effect::Lost { token, first, .. } => {
                    if let Some(Ask::Finish { lost, held, .. }) = self.asks.get_mut(&token) {
                        lost.insert(first);
                        losing.push(*held);
                    }
                }
                Effect::LeaseLost { first, count, grant, .. } => self.heard_lease_lost(first, count, grant),
                Effect::Done { token, value } => self.heard_done(token, value)?,
                Effect::Dropped { first, count, .. } if own => {
                    for id in (0..count).map(|place| first.plus(place)) {
                        self.leases.remove(&id);
                        if !self.dropped.insert(id) {
                            return Err(format!("{id:?} was dropped twice"));
                        }
                    }
                }
                Effect::Dead { first, count, .. } if own => {
                    (0..count).for_each(|place| {
                        self.attempts.remove(&first.plus(place));
                        self.leases.remove(&first.plus(place));
                    });
                }
                _ => {}
            }
        }
        // Why it is lost may be told behind that.
        let taken = |held: &Held| self.leases.get(&held.id).is_none_or(|current| current.grant != held.grant);
        match losing.iter().find(|held| !taken(held)) {
            Some(held) => Err(format!("nobody took {held:?}, and it is lost")),
            None => Ok(()),
        }
    }

    fn heard_lease_lost(&mut self, first: MessageId, count: u32, grant: u64) {
        for id in (0..count).map(|place| first.plus(place)) {
            if self.leases.get(&id).is_some_and(|current| current.grant == grant) {
                self.leases.remove(&id);
            }
        }
    }

    /// What the record just committed dropped counts before anything else it did: a key does not name what was dropped,
    /// and that is told behind the sends.
    fn hear_drops(&mut self, effects: &[Effect]) {
        let (newest, number) = (self.queue(NEWEST), self.records.len() as u64);
        for effect in effects {
            let Effect::Dropped { queue, first, count, .. } = effect else { continue };
            let ids = (0..*count).map(|place| first.plus(place));
            if *queue == newest && first.number() == number {
                self.overflowed.extend(ids.clone());
            }
            self.dropping.extend(ids);
        }
    }

    /// So many messages of a send have their answer.
    fn answered(&mut self, token: u32, count: u32) {
        if let Some(Ask::Send { sizes, .. }) = self.asks.get_mut(&token) {
            sizes.drain(..count as usize);
            if sizes.is_empty() {
                self.asks.remove(&token);
            }
        }
    }

    fn heard_sent(&mut self, token: u32, first: MessageId, accepted: u32) -> Check {
        let Some(Ask::Send { atomic, queue, sizes, key }) = self.asks.get(&token) else {
            return Err("by no one".into());
        };
        if *atomic && accepted as usize != sizes.len() {
            return Err(format!("{accepted} of an all-or-nothing batch of {} stand", sizes.len()));
        }
        self.sizes.extend((0..accepted).map(|place| (first.plus(place), sizes[place as usize])));
        if let Some(key) = key {
            let time = self.peers.iter().map(|peer| peer.engine().time()).max().unwrap_or(0);
            let window = self.engine().queue(*queue).map_or(0, |queue| queue.policy.window_ms);
            let before = self.keyed.insert((*queue, key.clone()), (first, time));
            // What was dropped for want of room is not remembered.
            let known = before
                .filter(|(id, sent)| time < sent + window && !self.dropped.contains(id) && !self.dropping.contains(id));
            if let Some((other, sent)) = known {
                return Err(format!("{first:?} and {other:?} of {sent} have the key {key}"));
            }
        }
        self.sent.extend((0..accepted).map(|place| first.plus(place)));
        self.taken.insert(token, first);
        self.answered(token, accepted);
        Ok(())
    }

    fn heard_delivered(&mut self, held: Held, attempt: u32) -> Check {
        let id = held.id;
        if self.acked.contains(&id) || self.dropped.contains(&id) || self.cancelled.contains(&id) {
            return Err(format!("{id:?} was acked, cancelled or dropped, and delivered"));
        }
        if let Some(other) = self.leases.remove(&id) {
            if other.until > self.written {
                return Err(format!("two hold {id:?}: {other:?} and {held:?}"));
            }
            self.count_attempt(other);
        }
        let queue = self.peers[held.peer].engine().queue(held.queue).ok_or("delivered from no queue")?;
        if queue.paused {
            return Err(format!("{id:?} was delivered from {}, which is paused", queue.name));
        }
        let counted = self.attempts.get(&id).filter(|(queue, _)| *queue == held.queue).map_or(0, |(_, count)| *count);
        self.attempts.insert(id, (held.queue, counted));
        if attempt != counted + 1 {
            return Err(format!("{id:?}: attempt {attempt} after {counted}"));
        }
        if !self.delivered.contains(&id) {
            self.delivered.push(id);
        }
        self.leases.insert(id, held);
        Ok(())
    }

    fn heard_done(&mut self, token: u32, value: u64) -> Check {
        match self.asks.remove(&token) {
            Some(Ask::Finish { held, finish, lost }) if !lost.contains(&held.id) => {
                let current = self.leases.get_mut(&held.id).filter(|current| current.grant == held.grant);
                let Some(current) = current else { return Err(format!("{held:?} is over, and {finish:?} stands")) };
                match finish {
                    Finish::Extend(ms) => {
                        current.until = self.written + ms;
                        return Ok(());
                    }
                    Finish::Ack => drop(self.acked.insert(held.id)),
                    Finish::Retry(_) => self.count_attempt(held),
                    // A keeper keeps it, and the delivery counts; elsewhere it begins anew as a dead letter.
                    Finish::DeadLetter if held.queue == self.queue(POLICIES) => {
                        self.count_attempt(held);
                    }
                    Finish::DeadLetter | Finish::Release => {}
                }
                self.leases.remove(&held.id);
            }
            Some(Ask::Cancel(id)) if value == 1 => drop(self.cancelled.insert(id)),
            _ => {}
        }
        Ok(())
    }
}
