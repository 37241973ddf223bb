//! Leasing ahead: a busy receiver is given a few messages more than it asked for, so that receiving and acking one by
//! one costs one step a message. What was leased ahead and not asked for goes back soon; only what was handed out counts
//! as an attempt.

use super::{Effect, Peer, demands::Demand};
use crate::{
    collections::pairs::Pairs,
    collections::sorted::Sorted,
    id::{MessageId, NEVER, QueueId, Time},
    limits,
};

/// A run leased by this peer.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Held {
    pub first: MessageId,
    pub count: u32,
    pub grant: u64,
    pub until: Time,
    pub attempt: u32,
    pub sent: Time,
    pub chunk: Option<u8>,
}

/// What is leased ahead on one queue.
#[derive(Default)]
pub(super) struct Ahead {
    /// Oldest first.
    held: Vec<Held>,
    /// Sent to who has said of it neither that it was handed out nor anything else.
    sent: Vec<Held>,
    /// Handed out, and the journal does not know yet.
    started: Vec<Held>,
    started_at: Time,
    /// When a receiver last came, and how many it wanted.
    asked_at: Time,
    asked: u32,
    /// Whether it came back quickly the last time.
    busy: bool,
    /// When something is to be done about it, as was noted.
    noted: Time,
}

/// What is leased ahead, by queue; and which of them a step must look at.
#[derive(Default)]
pub(super) struct Aheads {
    /// Of each queue that anyone received from here.
    queues: Sorted<Ahead>,
    /// When each of them is due that has a deadline.
    due: Pairs,
    /// Those with something that was handed out.
    starting: Sorted<()>,
    /// Those that may have changed since that was noted.
    changed: Vec<QueueId>,
}

impl Aheads {
    pub fn get(&self, queue: QueueId) -> Option<&Ahead> {
        self.queues.get(queue)
    }

    pub fn get_mut(&mut self, queue: QueueId) -> Option<&mut Ahead> {
        self.change(queue);
        self.queues.get_mut(queue)
    }

    pub fn get_or_insert(&mut self, queue: QueueId) -> &mut Ahead {
        self.change(queue);
        self.queues.get_or_insert(queue, Ahead { noted: NEVER, ..Ahead::default() })
    }

    fn change(&mut self, queue: QueueId) {
        if self.changed.last() != Some(&queue) {
            self.changed.push(queue);
        }
    }

    pub fn remove(&mut self, queue: QueueId) {
        self.note();
        if let Some(ahead) = self.queues.remove(queue) {
            self.due.remove((ahead.noted, queue.into()));
            self.starting.remove(queue);
        }
    }

    /// Notes what has changed.
    fn note(&mut self) {
        for queue in core::mem::take(&mut self.changed) {
            let Some(ahead) = self.queues.get_mut(queue) else {
                continue;
            };
            let at = ahead.deadline();
            if at != ahead.noted {
                self.due.remove((ahead.noted, queue.into()));
                if at != NEVER {
                    self.due.insert((at, queue.into()));
                }
                ahead.noted = at;
            }
            if ahead.started.is_empty() {
                self.starting.remove(queue);
            } else {
                self.starting.get_or_insert(queue, ());
            }
        }
    }

    /// When something is to be done first.
    pub fn deadline(&mut self) -> Time {
        self.note();
        self.due.from((0, 0)).next().map_or(NEVER, |(at, _)| at)
    }

    /// Where something is to be done by `now`.
    pub fn due(&mut self, now: Time) -> Vec<QueueId> {
        self.note();
        self.due.from((0, 0)).take_while(|(at, _)| *at <= now).map(|(_, queue)| queue as QueueId).collect()
    }

    /// Where something was handed out, which the journal does not know yet.
    pub fn starting(&mut self) -> Vec<QueueId> {
        self.note();
        self.starting.iter().map(|(queue, ())| *queue).collect()
    }

    pub fn starts_due(&mut self, now: Time) -> bool {
        let due = self.due(now);
        due.into_iter().any(|queue| self.get(queue).is_some_and(|ahead| ahead.starts_due(now)))
    }

    /// Makes everything go back with the next step.
    pub fn give_back_all(&mut self) {
        for (queue, ahead) in self.queues.iter_mut() {
            ahead.give_back_all();
            self.changed.push(*queue);
        }
    }
}

impl Ahead {
    pub fn count(&self) -> u32 {
        self.held.iter().map(|held| held.count).sum()
    }

    pub fn held(&self) -> core::slice::Iter<'_, Held> {
        self.held.iter()
    }

    pub fn sent(&self) -> &[Held] {
        &self.sent
    }

    pub fn take_all(&mut self) -> Vec<Held> {
        core::mem::take(&mut self.held)
    }

    /// Whether it was handed out, and the journal does not know yet.
    pub fn has_started(&self, id: MessageId) -> bool {
        self.started.iter().any(|held| held.has(id))
    }

    /// Takes out neighbours that were leased together, if they are here.
    pub fn take(&mut self, first: MessageId, count: u32) -> Option<Held> {
        let end = first.plus(count);
        let held = self.held.iter().find(|held| held.first <= first && end <= held.first.plus(held.count))?;
        let taken = Held { first, count, ..held.clone() };
        cut(&mut self.held, first, count, taken.grant);
        Some(taken)
    }

    pub fn add(&mut self, runs: impl Iterator<Item = Held>) {
        self.held.extend(runs);
    }

    /// The step with this rider was not committed.
    pub fn take_back(&mut self, held: Held, start: bool) {
        let runs = if start { &mut self.started } else { &mut self.held };
        runs.push(held);
    }

    /// Notes that a receiver came. What is leased ahead has the queue's own lease: nothing is for who asks for another.
    pub fn ask(&mut self, max: u32, lease_ms: Option<u64>, now: Time) {
        if lease_ms.is_some() {
            return;
        }
        self.busy = now < self.asked_at.saturating_add(limits::PREFETCH_ACTIVE_MS);
        (self.asked_at, self.asked) = (now, max);
    }

    /// How many messages to lease ahead now, when `ready` more wait. Half of those are left to others.
    pub fn wanted(&self, ready: u64, now: Time) -> u32 {
        let target = self.asked.clamp(limits::PREFETCH_MIN, limits::PREFETCH_MAX);
        let have = self.count();
        let gone = now >= self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS);
        if !self.busy || gone || have > target / 2 {
            return 0;
        }
        u64::from(target - have).min(ready / 2) as u32
    }

    /// Takes up to `max` messages whose lease still runs until `until` at least.
    fn hand_out(&mut self, max: u32, until: Time) -> Option<Held> {
        let front = self.held.first_mut().filter(|held| held.until >= until)?;
        let mut given = front.clone();
        if given.count <= max {
            self.held.remove(0);
        } else {
            given.count = max;
            front.first = front.first.plus(max);
            front.count -= max;
        }
        Some(given)
    }

    pub fn send(&mut self, held: &Held) {
        join(&mut self.sent, held);
    }

    fn start(&mut self, held: &Held, now: Time) {
        cut(&mut self.sent, held.first, held.count, held.grant);
        if self.started.is_empty() {
            self.started_at = now;
        }
        join(&mut self.started, held);
    }

    /// A settlement tells by itself that the messages were handed out.
    pub fn settled(&mut self, first: MessageId, count: u32, grant: u64) {
        cut(&mut self.started, first, count, grant);
        cut(&mut self.sent, first, count, grant);
    }

    /// Drops what the journal took from us.
    pub fn forget(&mut self, first: MessageId, count: u32, grant: u64) {
        cut(&mut self.held, first, count, grant);
        cut(&mut self.sent, first, count, grant);
    }

    /// What should go back now, `room` runs at most: everything, when nobody asked for a while.
    pub fn give_back(&mut self, now: Time, room: &mut usize) -> Vec<Held> {
        if now < self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS) {
            return Vec::new();
        }
        front(&mut self.held, room)
    }

    /// What was handed out and not told yet, `room` runs at most.
    pub fn give_started(&mut self, room: &mut usize) -> Vec<Held> {
        front(&mut self.started, room)
    }

    /// Makes everything go back with the next step.
    pub fn give_back_all(&mut self) {
        (self.asked_at, self.busy) = (0, false);
    }

    pub fn starts_due(&self, now: Time) -> bool {
        !self.started.is_empty() && now >= self.started_at.saturating_add(limits::START_DELAY_MS)
    }

    pub fn deadline(&self) -> Time {
        let idle = if self.held.is_empty() { NEVER } else { self.asked_at.saturating_add(limits::PREFETCH_IDLE_MS) };
        let start =
            if self.started.is_empty() { NEVER } else { self.started_at.saturating_add(limits::START_DELAY_MS) };
        idle.min(start)
    }
}

/// Takes the first runs, as far as there is room.
fn front(runs: &mut Vec<Held>, room: &mut usize) -> Vec<Held> {
    let count = runs.len().min(*room);
    *room -= count;
    let rest = runs.split_off(count);
    core::mem::replace(runs, rest)
}

/// Adds a run; to the last one, where it is of the same lease and follows it: many that are alike in that stay one.
fn join(runs: &mut Vec<Held>, held: &Held) {
    match runs.last_mut() {
        Some(last) if last.grant == held.grant && last.first.plus(last.count) == held.first => last.count += held.count,
        _ => runs.push(held.clone()),
    }
}

/// Takes what that lease gave of `first..first + count` out of runs. The same messages may be leased anew by the record that
/// tells how their last lease ended.
fn cut(runs: &mut Vec<Held>, first: MessageId, count: u32, grant: u64) {
    let end = first.plus(count);
    let mut at = 0;
    while let Some(held) = runs.get_mut(at) {
        let (start, stop) = (held.first, held.first.plus(held.count));
        at += 1;
        if held.grant != grant || start >= end || stop <= first {
            continue;
        }
        let rest = (stop > end).then(|| Held { first: end, count: stop.since(end), ..held.clone() });
        if start < first {
            held.count = first.since(start);
            if let Some(rest) = rest {
                runs.insert(at, rest);
            }
        } else if let Some(rest) = rest {
            *held = rest;
        } else {
            at -= 1;
            runs.remove(at);
        }
    }
}

impl Peer {
    /// Messages that [`Peer::receive_ahead`] brought were handed out: the journal learns of it by a step that has another
    /// reason, or a little later.
    pub fn started(&mut self, queue: QueueId, first: MessageId, count: u32, grant: u64, wall: Time) {
        let now = self.now(wall);
        if self.engine.queue(queue).is_some() {
            let held = Held { first, count, grant, until: 0, attempt: 0, sent: 0, chunk: None };
            self.ahead.get_or_insert(queue).start(&held, now);
            self.look(queue);
        }
    }

    /// Answers a queue's receives out of what was leased ahead. With too little there, and more in the queue, the next step
    /// makes it a full batch.
    pub(super) fn serve_ahead(&mut self, queue: QueueId, now: Time) {
        if self.ahead.get(queue).is_none_or(|ahead| ahead.count() == 0) {
            return;
        }
        while let Some(mut demand) = self.demands.pop(queue) {
            if !self.hand_out(&mut demand, now, true) {
                return self.demands.put(demand);
            }
            self.effects.push(Effect::Received { token: demand.token });
        }
    }

    /// Gives a queue's receives what there is for them, as the beginning of what the step under decision brings: those that got
    /// some, and who came next.
    pub(super) fn begin_with_ahead(&mut self, queue: QueueId, now: Time) -> Vec<Demand> {
        let mut begun = Vec::new();
        let mut some = self.ahead.get(queue).is_some_and(|ahead| ahead.count() > 0);
        while some && let Some(mut demand) = self.demands.pop(queue) {
            some = self.hand_out(&mut demand, now, false);
            begun.push(demand);
        }
        begun
    }

    /// Gives a receive what was leased ahead; true when there was something. `last`: it is all that the receive gets.
    fn hand_out(&mut self, demand: &mut Demand, now: Time, last: bool) -> bool {
        let Self { ahead, engine, effects, .. } = self;
        let Some((queue, ahead)) = engine.queue(demand.queue).zip(ahead.get_mut(demand.queue)) else {
            return false;
        };
        // What another gave back may be older.
        let oldest = ahead.held.first().is_some_and(|held| queue.first_ready().is_none_or(|ready| held.first < ready));
        if queue.paused || !oldest || (last && ahead.count() < demand.max && queue.counts().ready > 0) {
            return false;
        }
        let until = now.saturating_add(demand.lease_ms.unwrap_or(queue.policy.visibility_ms));
        let asked = demand.max;
        while demand.max > 0 {
            let Some(held) = ahead.hand_out(demand.max, until) else {
                break;
            };
            demand.max -= held.count;
            // It has something: it waits no more.
            demand.wait = false;
            if demand.ahead {
                ahead.send(&held);
            } else {
                ahead.start(&held, now);
            }
            effects.push(held.delivered(demand.token));
        }
        let some = demand.max < asked;
        if some && last {
            ahead.ask(asked, demand.lease_ms, now);
        }
        some
    }
}

impl Held {
    fn has(&self, id: MessageId) -> bool {
        self.first <= id && id < self.first.plus(self.count)
    }

    pub fn delivered(self, token: u32) -> Effect {
        let Self { first, count, grant, until, attempt, sent, chunk } = self;
        Effect::Delivered { token, first, count, grant, until, attempt, sent, chunk }
    }
}
