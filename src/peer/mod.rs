//! A peer: one replica of a journal, what its context asked for, and the steps that come of it.
//!
//! Sans I/O, and to be driven in this order. Commands ([`Peer::send`], [`Peer::receive`], [`Peer::settle`], …) only
//! collect. [`Peer::decide`] makes one record of everything pending. The caller commits it to the store and says how
//! that went: [`Peer::committed`] under the number it got, after [`Peer::apply`] for every record before that one, or
//! [`Peer::abandoned`]. [`Peer::effects`] then tells what took effect, and nothing may be shown to anyone before it says
//! so. [`Peer::deadline`] tells when to decide again by itself.
//!
//! While a step is under way nothing else may be decided; commands go on collecting for the next one. That is the
//! group commit.

mod clean;
mod command;
mod decide;
mod demands;
mod draft;
mod effect;
mod handed;
mod lines;
mod outcome;
mod parked;
mod pending;
mod prefetch;
mod sending;

pub use command::{Command, Order, SendOrder, Settle};
pub use effect::{Effect, Why};

use crate::{
    collections::sorted::Sorted,
    engine::{Engine, Event},
    format::{FormatError, Item, Record, Send},
    id::{MessageId, NEVER, QueueId, TIME_MAX, Time},
    limits,
};
use clean::Clean;
use demands::Demands;
use draft::Flight;
use handed::Undecided;
use parked::Parked;
use pending::Pending;
use prefetch::Aheads;

/// One context's part in a journal.
pub struct Peer {
    /// The name under which it leases.
    id: u64,
    /// Others can't know yet whether it lives: it leases nothing.
    hidden: bool,
    /// In a memory journal there are no other peers: records are not encoded, and bodies no longer needed are told.
    memory: bool,
    engine: Engine,
    random: Random,
    pending: Pending,
    parked: Parked,
    demands: Demands,
    ahead: Aheads,
    undecided: Undecided,
    flight: Option<Flight>,
    effects: Vec<Effect>,
    steps: u64,
    /// How far this peer's clock is behind the journal's time; added to it.
    clock_lag: u64,
    clean: Clean,
    /// The backlogs that were told, by queue.
    depths: Sorted<u64>,
}

impl Peer {
    /// `id` names the peer in the journal and must be random; `seed` is for the jitter of retries.
    pub fn new(id: u64, seed: u64, memory: bool) -> Self {
        Self {
            id,
            hidden: false,
            memory,
            engine: Engine::default(),
            random: Random(seed | 1),
            pending: Pending::default(),
            parked: Parked::default(),
            demands: Demands::default(),
            ahead: Aheads::default(),
            undecided: Undecided::default(),
            flight: None,
            effects: Vec::new(),
            steps: 0,
            clock_lag: 0,
            clean: Clean::default(),
            depths: Sorted::default(),
        }
    }

    /// It leases nothing before it is shown.
    pub fn hide(&mut self) {
        self.hidden = true;
    }

    /// Whether someone wants messages, and it may not lease any before it is shown.
    pub fn wants_showing(&self) -> bool {
        self.hidden && !self.demands.is_empty()
    }

    /// From its next step on it leases under the name `id`, by which others can know whether it lives.
    pub fn show(&mut self, id: u64) {
        (self.id, self.hidden) = (id, false);
    }

    /// The other peers that hold leases, in the order of their names.
    pub fn others(&self) -> Vec<u64> {
        let mut holders = self.engine.holders();
        holders.retain(|holder| *holder != self.id);
        holders
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Replaces the replica by a snapshot. What this peer held leases on is lost to it, and a step under way has an
    /// unknown outcome.
    pub fn load(&mut self, number: u64, snapshot: &[u8]) -> Result<(), FormatError> {
        let engine = Engine::restore(snapshot)?;
        if engine.base() != number {
            return Err(FormatError::Corrupt("snapshot number"));
        }
        self.engine = engine;
        self.clean.loaded(&self.engine);
        self.ahead = Aheads::default();
        self.demands.look_everywhere();
        // Of keys, too, others may be known now.
        self.pending.put_before(self.parked.take_all());
        self.pending.extend(self.undecided.take_all());
        Ok(())
    }

    /// Replays a record of another peer, or an older one of this peer.
    pub fn apply(&mut self, number: u64, record: &[u8]) -> Result<(), FormatError> {
        let record = Record::decode(record)?;
        let mut events = Vec::new();
        self.engine.apply(number, &record, &mut events);
        self.clean.applied(number, record.chunk.is_some(), &events);
        self.look_for_keys(&record);
        self.tell(events);
        Ok(())
    }

    /// Whether these bytes are the record under way: how a peer that lost its connection learns that it was committed.
    pub fn is_own(&self, record: &[u8]) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.bytes == record)
    }

    /// The record was not committed: its commands are pending again, in their order.
    pub fn abandoned(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        self.take_back(flight);
    }

    /// What took effect since it was last asked.
    pub fn effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// The time to call [`Peer::decide`] again though nobody asked for anything; [`NEVER`]: no need.
    pub fn deadline(&mut self, wall: Time) -> Time {
        let now = self.now(wall);
        let mut at = NEVER;
        at = at.min(self.engine.next_timer(now));
        at = at.min(self.ahead.deadline());
        if at == NEVER { NEVER } else { at.saturating_sub(self.clock_lag).max(wall) }
    }

    /// Whether someone waits for what another peer may do: messages to come, or room.
    pub fn waiting(&self) -> bool {
        !self.parked.is_empty() || !self.demands.is_empty() || !self.undecided.is_empty()
    }

    /// Whether a step may find something to do at once, whatever the time is.
    pub fn is_restless(&self) -> bool {
        !self.pending.is_empty() || self.parked.is_due() || self.demands.is_due()
    }

    /// The present time as the journal counts it. The journal's time never goes back, a clock may: then it is taken to
    /// go on from where the journal is, so that leases and delays still end.
    pub fn now(&mut self, wall: Time) -> Time {
        let wall = wall.min(TIME_MAX);
        if wall >= self.engine.time() {
            self.clock_lag = 0;
        } else if wall + self.clock_lag < self.engine.time() {
            self.clock_lag = self.engine.time() - wall;
        }
        (wall + self.clock_lag).min(TIME_MAX)
    }

    /// Something may have happened in a queue for which some wait.
    fn look(&mut self, queue: QueueId) {
        if self.demands.has(queue) || self.ahead.get(queue).is_some() {
            self.demands.look(queue);
        }
        if self.parked.has(queue) {
            self.parked.look(queue);
        }
        self.pending.extend(self.undecided.take(queue));
    }

    /// A send whose key the record has made known needs no room any more.
    fn look_for_keys(&mut self, record: &Record) {
        if self.parked.is_empty() {
            return;
        }
        for item in &record.items {
            let Item::Send(Send { key: Some(key), .. }) = item else {
                continue;
            };
            for token in self.parked.keyed(key) {
                let sends = self.parked.get(token).unwrap_or_default();
                if self.needs(sends, self.engine.time()).messages == 0 {
                    self.pending.extend(self.parked.remove(token).unwrap_or_default());
                }
            }
        }
    }

    /// Drops what is not leased ahead any more.
    fn forget(&mut self, queue: QueueId, first: MessageId, count: u32, grant: u64) {
        if let Some(ahead) = self.ahead.get_mut(queue) {
            ahead.forget(first, count, grant);
        }
    }

    /// Turns what happened into effects for this peer's context.
    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::DeadLettered { queue, first, count, reason } => {
                    self.effects.push(Effect::Dead { queue, first, count, reason });
                }
                Event::Dropped { queue, first, count, cause } => {
                    self.effects.push(Effect::Dropped { queue, first, count, cause });
                }
                Event::LeaseEnded { queue, holder, first, count, grant } => {
                    if holder != self.id {
                        continue;
                    }
                    for (first, count) in self.without_kept(queue, Some(grant), vec![(first, count)]) {
                        self.effects.push(Effect::LeaseLost { queue, first, count, grant });
                    }
                    self.forget(queue, first, count, grant);
                }
                Event::Lapsed { queue, holder, first, count, grant } => {
                    if holder == self.id {
                        self.forget(queue, first, count, grant);
                    }
                }
                Event::Gone { first, count, .. } => {
                    if self.memory {
                        self.effects.push(Effect::Gone { first, count });
                    }
                }
                Event::QueueGone { queue } => {
                    self.ahead.remove(queue);
                    self.demands.forget(queue);
                    self.depths.remove(queue);
                    self.effects.push(Effect::QueueGone { queue });
                }
            }
        }
        for at in 0..self.engine.touched().len() {
            let queue = self.engine.touched()[at];
            self.look(queue);
            let Some(state) = self.engine.queue(queue) else {
                continue;
            };
            let backlog = state.backlog();
            let told = self.depths.get_or_insert(queue, 0);
            if *told != backlog {
                *told = backlog;
                self.effects.push(Effect::Depth { queue, backlog });
            }
        }
    }
}

/// xorshift64*: only spreads retries.
struct Random(u64);

impl Random {
    /// A number in 0..=999.
    fn thousandths(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % 1000
    }
}

/// Cuts text to what a note may hold, at a character.
fn bounded(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(limits::NOTE_BYTES_MAX)].into()
}
