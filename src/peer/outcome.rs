//! After the commit: the record under way is applied in its place, and every outcome finds its way back.

use std::collections::BTreeMap;

use super::{
    Effect, Peer, Why,
    command::{Command, Order},
    draft::{Flight, Origin},
    prefetch::Held,
};
use crate::{
    engine::{Outcome, Run, State},
    id::MessageId,
};

impl Peer {
    /// The record under way was committed under `number`, and everything before it is applied. When the replica is
    /// already past it (a snapshot was loaded that contains it), what it did can't be known any more.
    pub fn committed(&mut self, number: u64) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        if number <= self.engine.base() {
            return self.unknown(flight);
        }
        let Flight { record, origins, mut demands, .. } = flight;
        let mut events = Vec::new();
        let outcomes = self.engine.apply(number, &record, &mut events);
        self.clean.applied(&events);
        let mut moved = 0;
        let mut back = Vec::new();
        for (outcome, origin) in outcomes.into_iter().zip(origins) {
            match origin {
                Origin::Command(command) => back.extend(self.resolve(command, outcome)),
                Origin::Redrive(last) => {
                    moved += if let Outcome::Done(count) = outcome { count } else { 0 };
                    if let Some(command) = last {
                        back.extend(self.redriven(command, core::mem::take(&mut moved)));
                    }
                }
                Origin::Demand(token) => {
                    let Outcome::Leased(runs) = outcome else {
                        continue;
                    };
                    if !runs.is_empty() {
                        demands.retain_mut(|demand| {
                            demand.wait &= demand.token != token;
                            true
                        });
                    }
                    self.effects.extend(runs.into_iter().map(|(id, run)| held(id, run).delivered(token)));
                }
                Origin::Ahead(queue) => {
                    let Outcome::Leased(runs) = outcome else {
                        continue;
                    };
                    let ahead = self.ahead.entry(queue).or_default();
                    runs.into_iter().for_each(|(id, run)| ahead.add(held(id, run)));
                }
                Origin::GiveBack | Origin::Start(..) => {}
            }
        }
        self.answer(demands);
        back.into_iter().rev().for_each(|command| self.pending.push_front(command));
        self.tell(events);
    }

    /// Receives that got something, or do not wait, are answered; the others ask again, before those that came later.
    fn answer(&mut self, demands: Vec<super::command::Demand>) {
        let (again, over): (Vec<_>, Vec<_>) = demands.into_iter().partition(|demand| demand.wait);
        self.effects.extend(over.into_iter().map(|demand| Effect::Received { token: demand.token }));
        self.demands.splice(0..0, again);
    }

    /// Tells what became of a command; answers what is left of it.
    fn resolve(&mut self, command: Command, outcome: Outcome) -> Option<Command> {
        let token = command.token;
        match (command.order, outcome) {
            (Order::Send(mut send), Outcome::Sent { first, accepted }) => {
                if accepted > 0 {
                    self.effects.push(Effect::Sent { token, first, count: accepted });
                }
                let refused = send.count - accepted;
                if refused == 0 {
                    return None;
                }
                let waits = self
                    .engine
                    .queue(send.queue)
                    .is_some_and(|queue| queue.policy.overflow == crate::format::Overflow::Wait);
                if !waits {
                    self.effects.push(Effect::Refused { token, why: Why::Full, count: refused });
                    return None;
                }
                send.bytes = (u128::from(send.bytes) * u128::from(refused) / u128::from(send.count)) as u64;
                send.count = refused;
                return Some(Command { token, order: Order::Send(send) });
            }
            (Order::Send(_), Outcome::Duplicate(id)) => self.effects.push(Effect::Duplicate { token, id }),
            (Order::Send(send), _) => {
                self.effects.push(Effect::Refused { token, why: Why::NoQueue, count: send.count });
            }
            (Order::Settle { .. }, Outcome::Lost(lost)) => {
                let lost = lost.into_iter().map(|(first, count)| Effect::Lost { token, first, count });
                self.effects.extend(lost);
                self.effects.push(Effect::Done { token, value: 1 });
            }
            (_, Outcome::Queue { queue, .. }) => {
                self.effects.push(Effect::Done { token, value: u64::from(queue) });
            }
            (_, Outcome::Done(value)) => self.effects.push(Effect::Done { token, value }),
            (_, _) => self.effects.push(Effect::Done { token, value: 0 }),
        }
        None
    }

    fn redriven(&mut self, command: Command, count: u64) -> Option<Command> {
        let Order::Redrive { queue, to, max, moved } = command.order else {
            return None;
        };
        let (moved, left) = (moved + count, max.saturating_sub(count));
        if count == 0 || left == 0 {
            self.effects.push(Effect::Done { token: command.token, value: moved });
            return None;
        }
        Some(Command { token: command.token, order: Order::Redrive { queue, to, max: left, moved } })
    }

    /// Nothing of the step took place: what asked for it is pending again, in its old order.
    pub(super) fn take_back(&mut self, flight: Flight) {
        let Flight { origins, demands, .. } = flight;
        self.demands.splice(0..0, demands);
        for origin in origins.into_iter().rev() {
            match origin {
                Origin::Command(command) | Origin::Redrive(Some(command)) => self.pending.push_front(command),
                Origin::Start(queue, held) => self.ahead.entry(queue).or_default().started.push(held),
                // What could not be given back will be when its lease runs out.
                Origin::GiveBack | Origin::Redrive(None) | Origin::Demand(_) | Origin::Ahead(_) => {}
            }
        }
        self.rejoin_sends();
    }

    /// A send that was cut for the step and taken back stands before its own rest: they are one again, so that an
    /// all-or-nothing batch and the order of bodies stay whole.
    fn rejoin_sends(&mut self) {
        let mut whole: Vec<Command> = Vec::with_capacity(self.pending.len());
        let mut sends = BTreeMap::new();
        for command in self.pending.drain(..) {
            if let Order::Send(rest) = &command.order {
                let at = *sends.entry(command.token).or_insert(whole.len());
                if let Some(Command { order: Order::Send(known), .. }) = whole.get_mut(at) {
                    known.count += rest.count;
                    known.bytes += rest.bytes;
                    continue;
                }
            }
            whole.push(command);
        }
        self.pending = whole.into();
    }

    /// The step's outcome is lost: what it may have done must not be done again blindly.
    fn unknown(&mut self, flight: Flight) {
        let Flight { origins, demands, .. } = flight;
        for origin in origins.into_iter().rev() {
            match origin {
                Origin::Command(Command { token, order: Order::Send(send) }) => {
                    self.effects.push(Effect::Refused { token, why: Why::Unknown, count: send.count });
                }
                // A settlement is checked against its lease: it can be said again, and will stand or be lost.
                Origin::Command(command) | Origin::Redrive(Some(command)) => self.pending.push_front(command),
                Origin::Redrive(None) | Origin::Demand(_) | Origin::Ahead(_) | Origin::GiveBack | Origin::Start(..) => {
                }
            }
        }
        self.demands.splice(0..0, demands);
    }
}

fn held(first: MessageId, run: Run) -> Held {
    let (until, grant) = match run.state {
        State::Leased { until, grant, .. } => (until, grant),
        _ => (0, 0),
    };
    let Run { count, sent, attempts, chunk, .. } = run;
    Held { first, count, grant, until, attempt: attempts.saturating_add(1), sent, chunk }
}
