//! After the commit: the record under way is applied in its place, and every outcome finds its way back.

use super::{
    Effect, Peer, Why,
    command::{Command, Order, SendOrder},
    demands::Demand,
    draft::{Flight, Origin},
    prefetch::Held,
};
use crate::{
    collections::pairs::Pairs,
    collections::sorted::Sorted,
    engine::{Outcome, Run, State},
    format::{Overflow, Whole},
    id::{MessageId, NEVER, QueueId},
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
        let Flight { record, origins, mut demands, ended, .. } = flight;
        // This context was left since it was decided: what it leases goes back, or has gone, and nobody is handed it.
        let left = self.hidden || record.writer != self.id;
        let mut events = Vec::new();
        let outcomes = self.engine.apply(number, &record, &mut events);
        self.clean.applied(number, record.chunk.is_some(), &events);
        let mut moved = 0;
        // Receives that got something.
        let mut served = Pairs::default();
        let mut back = Vec::new();
        for (outcome, origin) in outcomes.into_iter().zip(origins) {
            let rest = match (origin, outcome) {
                (Origin::Command(command), outcome) => self.resolve(command, outcome),
                (Origin::Redrive(last), outcome) => {
                    moved += if let Outcome::Done(count) = outcome { count } else { 0 };
                    last.and_then(|command| self.redriven(command, core::mem::take(&mut moved)))
                }
                (Origin::Demand(token, sent), Outcome::Leased(runs)) if !left => {
                    if !runs.is_empty() && !served.has((token.into(), 0)) {
                        served.insert((token.into(), 0));
                    }
                    for (id, run) in runs {
                        let held = held(id, run);
                        if let Some(queue) = sent {
                            self.ahead.get_or_insert(queue).send(&held);
                        }
                        self.effects.push(held.delivered(token));
                    }
                    None
                }
                (Origin::Ahead(queue), Outcome::Leased(runs)) if !left => {
                    if !runs.is_empty() {
                        let ahead = self.ahead.get_or_insert(queue);
                        ahead.add(runs.into_iter().map(|(id, run)| held(id, run)));
                    }
                    None
                }
                _ => None,
            };
            if let Some(command) = rest {
                back.push(command);
            }
        }
        for demand in &mut demands {
            let token = (demand.token.into(), 0);
            demand.wait &= !served.has(token) && !ended.has(token);
        }
        self.answer(demands);
        let (sends, others) = back.into_iter().partition(|command| matches!(command.order, Order::Send(_)));
        self.pending.put_before(others);
        self.park_again(sends);
        self.look_for_keys(&record);
        self.tell(events);
    }

    /// There was no room for these sends after all: they are first in their lines again, each with what was cut off it.
    fn park_again(&mut self, sends: Vec<Command>) {
        let mut batch = Vec::new();
        for mut command in sends.into_iter().rev() {
            let is_part = command.messages(Whole::Part).is_some();
            for rest in self.parked.remove(command.token).unwrap_or_default() {
                rejoin(&mut command, &rest);
            }
            let Order::Send(SendOrder { queue, .. }) = command.order else {
                continue;
            };
            batch.push(command);
            if !is_part {
                batch.reverse();
                self.parked.push_front(queue, core::mem::take(&mut batch));
            }
        }
        self.pending.extend(batch);
    }

    /// Receives that got something, or do not wait, are answered; the others ask again, before those that came later.
    fn answer(&mut self, demands: Vec<Demand>) {
        let mut again = Vec::new();
        for demand in demands {
            if demand.wait {
                again.push(demand);
            } else {
                self.effects.push(Effect::Received { token: demand.token });
            }
        }
        self.demands.put_back(again);
    }

    /// Tells what became of a command; answers what is left of it.
    fn resolve(&mut self, command: Command, outcome: Outcome) -> Option<Command> {
        let token = command.token;
        match (command.order, outcome) {
            (Order::Send(send), Outcome::Sent { first, runs }) => return self.sent(token, send, first, runs),
            (Order::Send(send), Outcome::NoKeys) => self.refuse(token, Why::NoKeys, &send),
            (Order::Send(_), Outcome::Duplicate(id)) => self.effects.push(Effect::Duplicate { token, id }),
            (Order::Send(send), _) => self.refuse(token, Why::NoQueue, &send),
            (Order::Settle { .. }, Outcome::Lost(lost)) => {
                for (first, count) in lost {
                    self.effects.push(Effect::Lost { token, first, count });
                }
                self.effects.push(Effect::Done { token, value: 1 });
            }
            (_, Outcome::Queue { queue, .. }) => {
                self.effects.push(Effect::Done { token, value: u64::from(queue) });
            }
            // Distinguished from every queue's number.
            (Order::Create { .. } | Order::Adopt { .. }, _) => self.effects.push(Effect::Done { token, value: NEVER }),
            (_, Outcome::Done(value)) => self.effects.push(Effect::Done { token, value }),
            (_, _) => self.effects.push(Effect::Done { token, value: 0 }),
        }
        None
    }

    /// What became of a send's messages; what waits for room is answered, and comes last.
    fn sent(&mut self, token: u32, mut send: SendOrder, first: MessageId, runs: Vec<(u32, bool)>) -> Option<Command> {
        let waits = self.engine.queue(send.queue).is_some_and(|queue| queue.policy.overflow == Overflow::Wait);
        let mut first = first;
        for (count, accepted) in runs {
            if accepted {
                self.effects.push(Effect::Sent { token, first, count });
            } else if waits {
                return Some(Command { token, order: Order::Send(send) });
            } else {
                self.effects.push(Effect::Refused { token, why: Why::Full, count });
            }
            first = first.plus(count);
            send.sizes.split_front(count);
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
        let Flight { origins, demands, ended, .. } = flight;
        let mut back = Vec::new();
        for origin in origins {
            match origin {
                Origin::Command(command) | Origin::Redrive(Some(command)) => back.push(command),
                // What was given back the next receiver may have, or it goes with a later step.
                Origin::Rider { queue, held, start } => {
                    if let Some(ahead) = self.ahead.get_mut(queue) {
                        ahead.take_back(held, start);
                        self.demands.look(queue);
                    }
                }
                // A last attempt that ran out is looked at again for whoever waits.
                Origin::Ahead(queue) => self.demands.look(queue),
                Origin::Redrive(None) | Origin::Demand(..) => {}
            }
        }
        // What waits behind them comes behind them again.
        let queues: Vec<_> = back.iter().filter_map(queue_of).collect();
        for queue in queues {
            back.append(&mut self.parked.take(queue));
        }
        self.pending.put_before(back);
        self.rejoin_sends();
        self.ask_again(demands, &ended);
    }

    /// A send that was cut for the step stands before its own rest: they are one again, so that the order of bodies stays whole.
    fn rejoin_sends(&mut self) {
        let commands = self.pending.take();
        let mut whole: Vec<Command> = Vec::with_capacity(commands.len());
        let mut sends = Sorted::default();
        for command in commands {
            if let Order::Send(_) = command.order {
                let at = *sends.get_or_insert(command.token, whole.len());
                if let Some(known) = whole.get_mut(at) {
                    rejoin(known, &command);
                    continue;
                }
            }
            whole.push(command);
        }
        self.pending.extend(whole);
    }

    /// The receives of a step that brought them nothing.
    fn ask_again(&mut self, mut demands: Vec<Demand>, ended: &Pairs) {
        for demand in &mut demands {
            demand.wait &= !ended.has((demand.token.into(), 0));
        }
        self.demands.put_back(demands);
    }

    /// The step's outcome is lost: what it may have done must not be done again blindly.
    fn unknown(&mut self, flight: Flight) {
        let Flight { origins, demands, ended, .. } = flight;
        let mut back = Vec::new();
        for origin in origins {
            match origin {
                Origin::Command(Command { token, order: Order::Send(send) }) => {
                    self.refuse(token, Why::Unknown, &send);
                }
                // A settlement is checked against its lease: it can be said again, and will stand or be lost.
                Origin::Command(command) | Origin::Redrive(Some(command)) => back.push(command),
                Origin::Redrive(None) | Origin::Demand(..) | Origin::Ahead(_) | Origin::Rider { .. } => {}
            }
        }
        self.pending.put_before(back);
        self.ask_again(demands, &ended);
    }
}

/// The queue to which a command sends.
fn queue_of(command: &Command) -> Option<QueueId> {
    if let Order::Send(send) = &command.order { Some(send.queue) } else { None }
}

/// A send goes on with what was cut off it.
fn rejoin(command: &mut Command, rest: &Command) {
    if let (Order::Send(send), Order::Send(rest)) = (&mut command.order, &rest.order) {
        send.sizes.append(&rest.sizes);
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
