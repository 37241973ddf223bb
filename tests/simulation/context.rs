//! One context: a peer, a clock of its own, and what its application asked for and was told.
//!
//! It drives the peer as the peer's contract allows, in any order and at any pace: it is for the engine alone, and no copy of the
//! loop that ships (`pkg/src/journal/durable.ts`), which tests/sim runs as it is packed.

use std::collections::{BTreeMap, VecDeque};

use posthaste::{
    format::Whole,
    id::{MessageId, QueueId, Time},
    peer::{Effect, Peer, SendOrder, Settle},
};

use super::{
    history::{Check, History},
    ledger::{Ledger, Said},
    store::{Store, Tail},
};

/// Where a context is in its loop.
pub enum Phase {
    Idle,
    /// A step is decided and not yet committed.
    Decided {
        record: Vec<u8>,
        bodies: Vec<u32>,
    },
    /// It was committed, and the context does not know yet.
    Committed {
        number: u64,
    },
    /// A snapshot is taken and not yet written.
    Snapshot {
        number: u64,
        floor: u64,
        bytes: Vec<u8>,
        ranges: Vec<(u64, u64)>,
        parts: Vec<[u64; 3]>,
    },
}

/// What a token stands for.
enum Ask {
    Send { queue: QueueId, tags: VecDeque<u32>, atomic: bool, key: Option<Box<str>> },
    Receive(QueueId),
    Settle { first: MessageId, count: u32, grant: u64, said: Said, lost: Vec<(MessageId, u32)> },
    Cancel(MessageId),
    Other,
}

/// What the application holds.
#[derive(Clone, Copy)]
pub struct Holding {
    pub queue: QueueId,
    pub first: MessageId,
    pub count: u32,
    pub grant: u64,
}

pub struct Context {
    pub id: u64,
    pub peer: Peer,
    pub phase: Phase,
    /// How far its clock is from the true time.
    pub skew: i64,
    pub asleep: bool,
    pub held: Vec<Holding>,
    asks: BTreeMap<u32, Ask>,
    /// Effects of deciding that are heard with those of the step.
    unheard: Vec<Effect>,
    token: u32,
}

/// Everything a context's effects are checked against.
pub struct Witness<'a> {
    pub store: &'a Store,
    pub history: &'a History,
    pub ledger: &'a mut Ledger,
    pub now: Time,
    /// Whether no clock differs from any other, or jumps.
    pub one_clock: bool,
}

/// Notes a message that the application holds, as one run with its neighbour where it can be.
fn hold(held: &mut Vec<Holding>, queue: QueueId, id: MessageId, grant: u64) {
    match held.last_mut() {
        Some(last) if (last.queue, last.grant) == (queue, grant) && last.first.plus(last.count) == id => {
            last.count += 1
        }
        _ => held.push(Holding { queue, first: id, count: 1, grant }),
    }
}

impl Context {
    pub fn new(id: u64, skew: i64) -> Self {
        let peer = Peer::new(id, id, false);
        let (asks, unheard) = (BTreeMap::new(), Vec::new());
        Self { id, peer, phase: Phase::Idle, skew, asleep: false, held: Vec::new(), asks, unheard, token: 0 }
    }

    fn ask(&mut self, ask: Ask) -> u32 {
        self.token += 1;
        self.asks.insert(self.token, ask);
        self.token
    }

    /// A token for a command of which only the end matters.
    pub fn other(&mut self) -> u32 {
        self.ask(Ask::Other)
    }

    pub fn send(&mut self, order: SendOrder, tags: impl Iterator<Item = u32>) {
        let (queue, atomic, key) = (order.queue, order.whole != Whole::No, order.key.clone());
        let token = self.ask(Ask::Send { queue, tags: tags.collect(), atomic, key });
        self.peer.send(token, order);
    }

    pub fn receive(&mut self, queue: QueueId, max: u32, wait: bool, wall: Time) -> u32 {
        let token = self.ask(Ask::Receive(queue));
        self.peer.receive(token, queue, max, None, wait, wall);
        token
    }

    pub fn settle(&mut self, holding: Holding, how: Settle) {
        let Holding { queue, first, count, grant } = holding;
        let said = match how {
            Settle::Ack => Said::Ack,
            Settle::Extend { .. } => Said::Extend,
            _ => Said::GiveUp,
        };
        let token = self.ask(Ask::Settle { first, count, grant, said, lost: Vec::new() });
        self.peer.settle(token, queue, first, count, grant, how);
    }

    pub fn cancel(&mut self, queue: QueueId, id: MessageId) {
        let token = self.ask(Ask::Cancel(id));
        self.peer.cancel(token, queue, id);
    }

    /// Forgets a send that is not under way, as when its signal is aborted.
    pub fn unsend(&mut self) {
        let send = self.asks.iter().find(|(_, ask)| matches!(ask, Ask::Send { .. }));
        let Some(token) = send.map(|(&token, _)| token) else {
            return;
        };
        if matches!(self.phase, Phase::Idle) && self.peer.unsend(token) {
            self.asks.remove(&token);
        }
    }

    /// Whether nothing is asked that is not answered, but receives.
    pub fn is_quiet(&self) -> bool {
        self.asks.values().all(|ask| matches!(ask, Ask::Receive(_)))
    }

    /// Decides a step, and takes the bodies that go with it.
    pub fn decide(&mut self, wall: Time) -> Option<(Vec<u8>, Vec<u32>)> {
        if !self.peer.decide(wall) {
            return None;
        }
        // As in the package: who is refused hears it before bodies are taken, and takes its own away.
        for effect in self.peer.effects() {
            match effect {
                Effect::Refused { token, count, .. } => self.forget_bodies(token, count),
                other => self.unheard.push(other),
            }
        }
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        let mut bodies = Vec::new();
        for &(token, count) in self.peer.sends() {
            let Some(Ask::Send { tags, .. }) = self.asks.get(&token) else {
                continue;
            };
            let from = taken.entry(token).or_default();
            bodies.extend(tags.iter().skip(*from).take(count as usize));
            *from += count as usize;
        }
        Some((self.peer.record().to_vec(), bodies))
    }

    /// Applies what others wrote, and the own record in its place.
    pub fn meet(&mut self, tail: Tail, own: Option<u64>) -> Check {
        let corrupt = |error| format!("what a peer wrote can't be read: {error:?}");
        if let Some((number, bytes)) = tail.snapshot {
            self.peer.load(number, &bytes).map_err(corrupt)?;
            if own.is_some_and(|own| own <= number) {
                self.peer.committed(own.unwrap_or(0));
            }
        }
        for (number, record) in tail.records {
            if own == Some(number) {
                self.peer.committed(number);
            } else {
                self.peer.apply(number, &record).map_err(corrupt)?;
            }
        }
        Ok(())
    }

    /// The step was committed under `number`.
    pub fn land(&mut self, store: &Store, number: u64) -> Check {
        if number == self.peer.engine().base() + 1 {
            self.peer.committed(number);
            return Ok(());
        }
        self.meet(store.read(self.peer.engine().base() + 1), Some(number))?;
        if self.peer.record().is_empty() { Ok(()) } else { Err(format!("what was committed under {number} is lost")) }
    }

    /// Opens the store again and looks for its own record.
    pub fn reconnect(&mut self, store: &Store) -> Check {
        let tail = store.read(self.peer.engine().base() + 1);
        let own = tail.records.iter().find(|(_, record)| self.peer.is_own(record)).map(|(number, _)| *number);
        // Where a snapshot is in the way, it may be in there.
        let own = own.or(tail.snapshot.as_ref().map(|(number, _)| *number));
        self.meet(tail, own)?;
        if own.is_none() {
            self.peer.abandoned();
        }
        Ok(())
    }

    /// Takes in what took effect, and has it checked.
    pub fn hear(&mut self, witness: Witness) -> Check {
        let Witness { store, history, ledger, now, one_clock } = witness;
        history.check_replica(self.peer.engine())?;
        for effect in core::mem::take(&mut self.unheard).into_iter().chain(self.peer.effects()) {
            match effect {
                Effect::Sent { token, first, count } => self.sent(history, ledger, token, first, count)?,
                Effect::Refused { token, count, .. } => self.forget_bodies(token, count),
                Effect::Duplicate { token, .. } => self.forget_bodies(token, 1),
                Effect::Delivered { token, first, count, grant, until, .. } => {
                    // Where clocks differ, what was leased ahead may be handed out too late.
                    let on_time = one_clock && until > now;
                    let Some(Ask::Receive(queue)) = self.asks.get(&token) else {
                        return Err(format!("{first:?} was delivered to no one"));
                    };
                    for id in (0..count).map(|place| first.plus(place)) {
                        if on_time && !history.lease_stands(id, *queue, grant, self.id) {
                            return Err(format!("{id:?} was delivered after its lease, at {now} until {until}"));
                        }
                        let body = store.body(id.number(), id.index());
                        if ledger.delivered(history, id, (self.id, *queue, grant), body)? {
                            hold(&mut self.held, *queue, id, grant);
                        }
                    }
                }
                Effect::Lost { token, first, count } => {
                    if let Some(Ask::Settle { lost, .. }) = self.asks.get_mut(&token) {
                        lost.push((first, count));
                    }
                }
                Effect::Received { token } => {
                    self.asks.remove(&token);
                }
                Effect::Done { token, value } => self.done(history, ledger, token, value)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn sent(&mut self, history: &History, ledger: &mut Ledger, token: u32, first: MessageId, count: u32) -> Check {
        let Some(Ask::Send { queue, tags, atomic, key }) = self.asks.get_mut(&token) else {
            return Err(format!("{first:?} was sent by no one"));
        };
        if *atomic && count as usize != tags.len() {
            return Err(format!("{count} of an all-or-nothing batch of {} stand", tags.len()));
        }
        if let Some(key) = key {
            ledger.sent_with_key(history, *queue, key, first)?;
        }
        for place in 0..count {
            let Some(tag) = tags.pop_front() else {
                return Err(format!("more than was asked: {first:?}"));
            };
            ledger.sent(history, first.plus(place), tag)?;
        }
        if tags.is_empty() {
            self.asks.remove(&token);
        }
        Ok(())
    }

    fn forget_bodies(&mut self, token: u32, count: u32) {
        let Some(Ask::Send { tags, .. }) = self.asks.get_mut(&token) else {
            return;
        };
        tags.drain(..(count as usize).min(tags.len()));
        if tags.is_empty() {
            self.asks.remove(&token);
        }
    }

    fn done(&mut self, history: &History, ledger: &mut Ledger, token: u32, value: u64) -> Check {
        match self.asks.remove(&token) {
            Some(Ask::Settle { first, count, grant, said, lost }) => {
                let is_lost = |id: MessageId| lost.iter().any(|&(from, count)| from <= id && id < from.plus(count));
                (0..count).map(|place| first.plus(place)).try_for_each(|id| match is_lost(id) {
                    true => ledger.lost(history, id, grant),
                    false => ledger.stands(history, id, grant, said),
                })
            }
            Some(Ask::Cancel(id)) if value == 1 => ledger.cancelled(history, id),
            _ => Ok(()),
        }
    }
}
