//! Sending: what a send needs to stand, and what gives way to it.

use super::{Cause, Engine, Event, Fate, Outcome, Queue, Run, State, keys::Keys, settle::drop_run};
use crate::{
    collections::sizes::Sizes,
    format::{Item, Overflow, Send, Whole},
    id::{MessageId, NEVER, QueueId, Time},
};

/// What a batch needs in order to stand. A message whose key is known, or is another's before it in the batch, needs nothing.
#[derive(Default)]
pub struct Needs {
    pub messages: u64,
    pub bytes: u64,
    /// New keys.
    keys: Keys,
}

impl Needs {
    /// Adds messages to the batch, as they are at `now` in the queue.
    pub fn add(&mut self, queue: &Queue, sizes: &Sizes, key: Option<&str>, now: Time) {
        // Without a window no key is remembered: every message is one of its own.
        if let Some(key) = key.filter(|_| queue.policy.window_ms > 0) {
            if queue.keys.get(key, now).or_else(|| self.keys.get(key, now)).is_some() {
                return;
            }
            self.keys.remember(key.into(), MessageId(0), NEVER);
        }
        self.messages += u64::from(sizes.count());
        self.bytes = self.bytes.saturating_add(sizes.total());
    }
}

impl Queue {
    /// How many more messages, and how many more bytes, fit now.
    fn free(&self) -> (u64, u64) {
        let Self { policy, .. } = self;
        let bytes =
            if policy.capacity_bytes == NEVER { NEVER } else { policy.capacity_bytes.saturating_sub(self.bytes()) };
        (policy.capacity_messages.saturating_sub(self.backlog()), bytes)
    }

    /// As [`Queue::free`], once nothing is ready any more. Dead letters may have filled a queue past its capacity.
    fn free_at_most(&self) -> (u64, u64) {
        let Self { policy, .. } = self;
        let (stay, stay_bytes) = (self.backlog() - self.counts().ready, self.bytes() - self.ready_bytes());
        let bytes =
            if policy.capacity_bytes == NEVER { NEVER } else { policy.capacity_bytes.saturating_sub(stay_bytes) };
        (policy.capacity_messages.saturating_sub(stay), bytes)
    }

    /// How many of these messages, from the first on, fit now, on top of what is `added` already: messages and bytes.
    pub fn room(&self, sizes: &Sizes, added: (u64, u64)) -> u32 {
        let (messages, bytes) = self.free();
        let by_bytes = if bytes == NEVER { sizes.count() } else { sizes.fitting(bytes.saturating_sub(added.1)) };
        u64::from(by_bytes).min(messages.saturating_sub(added.0)) as u32
    }

    /// Whether a batch can ever fit.
    pub fn fits(&self, needs: &Needs) -> bool {
        needs.messages <= self.policy.capacity_messages && needs.bytes <= self.policy.capacity_bytes
    }

    /// Whether it fits now, on top of what is `added` already.
    pub fn has_room(&self, needs: &Needs, added: (u64, u64)) -> bool {
        let (messages, bytes) = self.free();
        needs.messages == 0
            || (needs.messages <= messages.saturating_sub(added.0)
                && (bytes == NEVER || needs.bytes <= bytes.saturating_sub(added.1)))
    }
}

impl Engine {
    /// Sends what the first of these items says; the others are what follows it in the record.
    pub(super) fn send(
        &mut self,
        first: MessageId,
        chunk: Option<u8>,
        items: &[Item],
        fate: &mut Fate,
        events: &mut Vec<Event>,
    ) -> Outcome {
        let Some(Item::Send(send)) = items.first() else {
            return Outcome::Void;
        };
        let time = self.time;
        let (count, bytes) = (send.sizes.count(), send.sizes.total());
        let Some(queue) = self.touch(send.queue) else {
            events.push(Event::Gone { first, count, bytes });
            return Outcome::Void;
        };
        queue.keys.advance(time);
        let known = send.key.as_ref().and_then(|key| queue.keys.get(key, time));
        match send.whole {
            Whole::Part => {}
            // A message with a key is a batch of one: the same is asked of both.
            Whole::No if send.key.is_none() => *fate = Fate::Stands,
            _ => *fate = fate_of(queue, items, time, events),
        }
        if let Some(known) = known.filter(|_| *fate == Fate::Stands || send.whole == Whole::No) {
            queue.tally.duplicates += 1;
            events.push(Event::Gone { first, count, bytes });
            return Outcome::Duplicate(known);
        }
        let mut arrival = Arrival { queue_id: send.queue, queue, id: first, runs: Vec::new(), events };
        let run = arriving(arrival.queue, time, chunk, send);
        if *fate == Fate::NoKeys {
            arrival.refuse(run, false);
            return Outcome::NoKeys;
        }
        if *fate == Fate::NoRoom {
            arrival.refuse(run, true);
        } else if send.whole == Whole::No && send.key.is_none() {
            arrival.judge(run);
        } else {
            arrival.accept(run);
        }
        let runs = arrival.runs;
        if let Some(key) = send.key.as_ref().filter(|_| *fate == Fate::Stands) {
            queue.keys.remember(key.clone(), first, time.saturating_add(queue.policy.window_ms));
        }
        Outcome::Sent { first, runs }
    }
}

fn arriving(queue: &Queue, time: Time, chunk: Option<u8>, send: &Send) -> Run {
    let retained = time.saturating_add(queue.policy.retention_ms);
    let expires = if send.expires == 0 { retained } else { send.expires.min(retained) };
    let state = if send.due > time { State::Delayed { due: send.due } } else { State::Ready };
    let sizes = send.sizes.clone();
    Run {
        count: sizes.count(),
        bytes: sizes.total(),
        sizes,
        sent: time,
        expires,
        attempts: 0,
        chunk,
        state,
        note: None,
    }
}

/// Whether a batch stands that these items begin with: there must be room for all of it, which then is made.
fn fate_of(queue: &mut Queue, items: &[Item], time: Time, events: &mut Vec<Event>) -> Fate {
    let mut needs = Needs::default();
    let mut id = 0;
    for (at, item) in items.iter().enumerate() {
        match item {
            Item::Send(send) if at == 0 || send.whole == Whole::Part => {
                id = send.queue;
                needs.add(queue, &send.sizes, send.key.as_deref(), time);
            }
            _ => break,
        }
    }
    if !queue.keys.has_room(&needs.keys) {
        return Fate::NoKeys;
    }
    if queue.policy.overflow == Overflow::DropOldest {
        let (messages, bytes) = queue.free_at_most();
        if needs.messages <= messages && needs.bytes <= bytes {
            evict(id, queue, needs.messages, needs.bytes, events);
        }
    }
    if queue.has_room(&needs, (0, 0)) { Fate::Stands } else { Fate::NoRoom }
}

/// Messages that arrive in a queue, and what became of those before `id`.
struct Arrival<'a> {
    queue_id: QueueId,
    queue: &'a mut Queue,
    id: MessageId,
    runs: Vec<(u32, bool)>,
    events: &'a mut Vec<Event>,
}

impl Arrival<'_> {
    fn tell(&mut self, count: u32, accepted: bool) {
        self.id = self.id.plus(count);
        match self.runs.last_mut() {
            Some((told, same)) if *same == accepted => *told += count,
            _ => self.runs.push((count, accepted)),
        }
    }

    fn accept(&mut self, run: Run) {
        let count = run.count;
        self.queue.tally.sent += u64::from(count);
        self.queue.link(self.id, run);
        self.tell(count, true);
    }

    /// There is no room for these, or (`dropping` false) it is not for want of it: they are refused, or dropped where the
    /// policy says so.
    fn refuse(&mut self, run: Run, dropping: bool) {
        let overflow = self.queue.policy.overflow;
        let dropping = dropping && matches!(overflow, Overflow::DropOldest | Overflow::DropNewest);
        if dropping {
            self.queue.tally.sent += u64::from(run.count);
            drop_run(self.queue_id, self.queue, self.id, &run, Cause::Overflow, self.events);
        } else {
            self.events.push(Event::Gone { first: self.id, count: run.count, bytes: run.bytes });
        }
        self.tell(run.count, dropping);
    }

    /// Judges messages one by one, as if each had been sent alone; what waits for room waits for those before it.
    fn judge(&mut self, mut run: Run) {
        while run.count > 0 {
            let oldest = self.queue.policy.overflow == Overflow::DropOldest;
            let (messages, bytes) = if oldest { self.queue.free_at_most() } else { self.queue.free() };
            let all = run.count;
            let fit = match messages {
                0 => 0,
                _ if oldest => run.sizes.leading(false, bytes, all),
                _ => self.queue.room(&run.sizes, (0, 0)),
            };
            if fit == 0 {
                let waits = messages == 0 || self.queue.policy.overflow == Overflow::Wait;
                let over = if waits { all } else { run.sizes.leading(true, bytes, all) };
                self.refuse(run.split_front(over), true);
            } else if oldest {
                self.push_in(run.split_front(fit), messages, bytes);
            } else {
                self.accept(run.split_front(fit));
            }
        }
    }

    /// The oldest that are ready give way to these, at last the first of these; so much fits once all did.
    fn push_in(&mut self, mut run: Run, messages: u64, bytes: u64) {
        evict(self.queue_id, self.queue, run.count.into(), run.bytes, self.events);
        let mut gone = u64::from(run.count).saturating_sub(messages) as u32;
        let mut left = run.bytes;
        for place in 0..run.count {
            if place >= gone && left <= bytes {
                break;
            }
            left -= run.sizes.at(place);
            gone = gone.max(place + 1);
        }
        if gone > 0 {
            self.refuse(run.split_front(gone), true);
        }
        self.accept(run);
    }
}

/// Drops the oldest ready messages until so much fits, or none are left.
fn evict(id: QueueId, queue: &mut Queue, messages: u64, bytes: u64, events: &mut Vec<Event>) {
    loop {
        let (free, free_bytes) = queue.free();
        if messages <= free && bytes <= free_bytes {
            return;
        }
        let Some((first, run)) = queue.ready.next(MessageId(0)) else {
            return;
        };
        let over = messages.saturating_sub(free).clamp(1, run.count.into()) as u32;
        for (first, run) in queue.take(true, first, over, &|_| true) {
            drop_run(id, queue, first, &run, Cause::Overflow, events);
        }
    }
}
