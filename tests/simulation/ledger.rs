//! What was promised to applications, and the checks of it against the history. It knows the peers only by what they
//! told.

use std::collections::BTreeMap;

use posthaste::{
    engine::Cause,
    id::{MessageId, QueueId},
};

use super::history::{Check, End, History};

/// A message that an application was given.
#[derive(Clone, Copy)]
struct Claim {
    holder: u64,
    queue: QueueId,
    grant: u64,
}

/// What an application said of a message, when it was told that this stands.
#[derive(Clone, Copy, PartialEq)]
pub enum Said {
    Ack,
    Extend,
    /// Retry, release, dead letter.
    GiveUp,
}

#[derive(Default)]
pub struct Ledger {
    /// Messages whose send was confirmed.
    promised: BTreeMap<MessageId, u32>,
    claims: BTreeMap<MessageId, Vec<Claim>>,
    /// By queue and key: the messages that were accepted under it.
    keyed: BTreeMap<(QueueId, Box<str>), Vec<MessageId>>,
    pub deliveries: u64,
}

impl Ledger {
    /// A send was confirmed; the message is at this place.
    pub fn sent(&mut self, history: &History, id: MessageId, tag: u32) -> Check {
        if history.body(id) != Some(tag) {
            return Err(format!("{id:?} was promised for body {tag}, and holds {:?}", history.body(id)));
        }
        match self.promised.insert(id, tag) {
            None => Ok(()),
            Some(_) => Err(format!("{id:?} was promised twice")),
        }
    }

    pub fn sent_with_key(&mut self, history: &History, queue: QueueId, key: &str, id: MessageId) -> Check {
        let window = history.engine.queue(queue).map_or(0, |queue| queue.policy.window_ms);
        let known = self.keyed.entry((queue, key.into())).or_default();
        for other in known.iter() {
            let apart = history.time_at(id.number()).abs_diff(history.time_at(other.number()));
            // What found no room is not remembered.
            let refused = history.dropped.get(other) == Some(&(Cause::Overflow, other.number()));
            if apart < window && !refused {
                return Err(format!("{id:?} and {other:?} have the key {key} within {apart} ms"));
            }
        }
        known.push(id);
        Ok(())
    }

    /// A message is to be handed to an application; `body` is what the store has for it now. False: the context finds
    /// no body because it was slow. The lease had ended when it took the message out of those leased ahead, and nobody
    /// is shown anything.
    pub fn delivered(
        &mut self,
        history: &History,
        id: MessageId,
        (holder, queue, grant): (u64, QueueId, u64),
        body: Option<u32>,
    ) -> Result<bool, String> {
        self.deliveries += 1;
        let Some((end, _)) = history.lease(id, queue, grant, holder) else {
            return Err(format!("{id:?} was delivered without a lease"));
        };
        if body.is_none() && end != End::Running {
            return Ok(false);
        }
        if body.is_none() || body != history.body(id) {
            return Err(format!("the body of {id:?} is lost: {body:?} for {:?}", history.body(id)));
        }
        if history.was_paused(queue, grant) {
            return Err(format!("{id:?} was delivered from a paused queue"));
        }
        let claims = self.claims.entry(id).or_default();
        if claims.iter().any(|claim| claim.grant == grant) {
            return Err(format!("{id:?} was delivered twice under one lease"));
        }
        claims.push(Claim { holder, queue, grant });
        self.check_claims(history, id)?;
        Ok(true)
    }

    /// No two live leases on a message, none after its ack or its drop.
    fn check_claims(&self, history: &History, id: MessageId) -> Check {
        let mut claims = self.claims.get(&id).cloned().unwrap_or_default();
        claims.sort_unstable_by_key(|claim| claim.grant);
        for pair in claims.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            let end = history.lease(id, earlier.queue, earlier.grant, earlier.holder).map(|(end, _)| end);
            match end {
                Some(End::RanOut(at) | End::GivenUp(at)) if at <= later.grant => {}
                Some(End::Acked(_)) => return Err(format!("{id:?} was acked and delivered again")),
                _ => {
                    return Err(format!("{id:?} is leased twice: {} ended {end:?}, {}", earlier.grant, later.grant));
                }
            }
        }
        let last = claims.last().map_or(0, |claim| claim.grant);
        match history.dropped.get(&id) {
            Some((cause, at)) if last > *at => Err(format!("{id:?} was dropped ({cause:?}) and delivered")),
            _ => Ok(()),
        }
    }

    /// An application was told that what it said of this message stands.
    pub fn stands(&self, history: &History, id: MessageId, grant: u64, said: Said) -> Check {
        let claim = self.claims.get(&id).into_iter().flatten().find(|claim| claim.grant == grant);
        let Some(claim) = claim else {
            return Err(format!("{id:?} was settled without a claim"));
        };
        let end = history.lease(id, claim.queue, grant, claim.holder).map(|(end, _)| end);
        match (said, end) {
            (Said::Ack, Some(End::Acked(_))) | (Said::GiveUp, Some(End::GivenUp(_))) => self.check_claims(history, id),
            // Given back, and dropped for want of room by a send of the same record.
            (Said::GiveUp, Some(End::RanOut(at))) if history.dropped.get(&id) == Some(&(Cause::Overflow, at)) => Ok(()),
            (Said::Extend, Some(End::Stolen(_)) | None) => Err(format!("{id:?} was extended: {end:?}")),
            (Said::Extend, _) => Ok(()),
            _ => Err(format!("the settlement of {id:?} does not stand: {end:?}")),
        }
    }

    /// An application was told that what it said of this message does not stand: someone else had it, or it was gone.
    pub fn lost(&self, history: &History, id: MessageId, grant: u64) -> Check {
        let claim = self.claims.get(&id).into_iter().flatten().find(|claim| claim.grant == grant);
        let lease = claim.and_then(|claim| history.lease(id, claim.queue, grant, claim.holder));
        match lease {
            Some((End::Running, until)) => {
                Err(format!("{id:?} is lost, and nobody took it: its lease went until {until}"))
            }
            _ => Ok(()),
        }
    }

    pub fn cancelled(&self, history: &History, id: MessageId) -> Check {
        match history.dropped.get(&id) {
            Some((Cause::Purged, _)) => Ok(()),
            other => Err(format!("{id:?} was cancelled and is {other:?}")),
        }
    }

    /// A message that was confirmed and is not gone, for an application that wants to take it back.
    pub fn any_promised(&self, choice: u64) -> Option<MessageId> {
        let at = choice % (self.promised.len() as u64).max(1);
        self.promised.keys().rev().nth(at as usize).copied()
    }

    /// Messages that were confirmed and are neither acked nor dropped must still have their bodies.
    pub fn check_bodies(&self, history: &History, body: impl Fn(MessageId) -> Option<u32>) -> Check {
        for (&id, &tag) in &self.promised {
            if !history.dropped.contains_key(&id) && !self.is_acked(history, id) && body(id) != Some(tag) {
                let live = history.engine.queues().find_map(|(_, queue)| queue.find(id));
                let claims = self.claims.get(&id).into_iter().flatten();
                let leases: Vec<_> =
                    claims.map(|claim| history.lease(id, claim.queue, claim.grant, claim.holder)).collect();
                return Err(format!("the body of {id:?} is lost: {:?} for {tag}; {live:?}, {leases:?}", body(id)));
            }
        }
        Ok(())
    }

    fn is_acked(&self, history: &History, id: MessageId) -> bool {
        self.claims.get(&id).into_iter().flatten().any(|claim| {
            let lease = history.lease(id, claim.queue, claim.grant, claim.holder);
            matches!(lease, Some((End::Acked(_), _)))
        })
    }

    /// When all is drained: every promise was kept, and the engine's counts say the same.
    pub fn check_end(&self, history: &History) -> Check {
        for &id in self.promised.keys() {
            match (self.is_acked(history, id), history.dropped.contains_key(&id)) {
                (true, false) | (false, true) => {}
                (acked, dropped) => {
                    return Err(format!("{id:?} was lost: acked {acked}, dropped {dropped}"));
                }
            }
        }
        for &id in self.claims.keys() {
            self.check_claims(history, id)?;
        }
        let acked = self.claims.keys().filter(|id| self.is_acked(history, **id)).count() as u64;
        let counted: u64 = history.engine.queues().map(|(_, queue)| queue.tally.acked).sum();
        if acked == counted { Ok(()) } else { Err(format!("{acked} were acked, {counted} are counted")) }
    }
}
