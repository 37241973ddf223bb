//! The engine: what the journal says, as a state, and the one rule by which records change it.
//!
//! An engine is a replica. Every peer of a journal has one, and all agree to the byte, because [`Engine::apply`] is the
//! only way to change one and depends on nothing but the records. It is frozen with the format.
//!
//! The replay rule: items take effect one by one in journal order, at the later of their record's time and the
//! journal's. Before them, everything that was due by then happens: delays end, leases run out, messages expire. A send
//! stands unless its key or the queue's capacity refuses it there. A lease stands for the messages that are ready
//! there. A settlement stands where its lease is current there, or has run out and nobody has taken the message since. A
//! peer that has left holds nothing from there on. What does not stand is void, for everyone alike.

mod admin;
mod keys;
mod pick;
mod queue;
mod run;
mod runs;
mod send;
mod settle;
mod snapshot;
mod timers;

pub use keys::sums as key_sums;
pub use pick::Pick;
pub use queue::{Cause, Counts, Queue, Tally};
pub use run::{Lease, Note, Run, State};
pub use send::Needs;
pub use timers::{MessageState, Standing};

use crate::{
    collections::pairs::Pairs,
    collections::sorted::Sorted,
    format::{Item, Record},
    id::{MessageId, NEVER, QueueId, Time},
};

/// A replica of one journal: all its queues.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Engine {
    base: u64,
    time: Time,
    queues: Sorted<Queue>,
    /// Where to look for a name: its sums, and the queue.
    names: Pairs,
    next_queue: QueueId,
    /// When the first timer of each queue that has one is due.
    wake: Pairs,
    touched: Touched,
}

/// Queues that the last record may have changed. No part of the state.
#[derive(Clone, Debug, Default)]
struct Touched(Vec<QueueId>);

impl PartialEq for Touched {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Where a record is being replayed.
#[derive(Default)]
struct Place {
    /// Of the next body.
    index: u32,
    /// What became of the batch that the last send was of.
    fate: Fate,
}

/// What becomes of a send.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Fate {
    Stands,
    #[default]
    NoRoom,
    /// Its queue can remember no more keys.
    NoKeys,
}

/// What became of one item.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It stood; how many messages (or things) it was about.
    Done(u64),
    /// It was void: there was nothing for it to be about.
    Void,
    /// The queue is there; `made` is false when it was there before.
    Queue { queue: QueueId, made: bool },
    /// The messages of the send from `first` on, as runs: how many, and whether they were accepted.
    Sent { first: MessageId, runs: Vec<(u32, bool)> },
    /// The send has a key, and its queue can remember no more of them.
    NoKeys,
    /// The key named this message already.
    Duplicate(MessageId),
    /// The messages that are leased now.
    Leased(Vec<(MessageId, Run)>),
    /// The messages whose settlement did not stand.
    Lost(Vec<(MessageId, u32)>),
}

/// What happened to messages without their holder or sender having asked.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    DeadLettered {
        queue: QueueId,
        first: MessageId,
        count: u32,
        reason: Box<str>,
    },
    Dropped {
        queue: QueueId,
        first: MessageId,
        count: u32,
        cause: Cause,
    },
    /// What its holder says of it stands no more.
    LeaseEnded {
        queue: QueueId,
        holder: u64,
        first: MessageId,
        count: u32,
        grant: u64,
    },
    /// What was leased ahead was not handed out in time, as far as the journal knows.
    Lapsed {
        queue: QueueId,
        holder: u64,
        first: MessageId,
        count: u32,
        grant: u64,
    },
    /// These bodies are needed no more.
    Gone {
        first: MessageId,
        count: u32,
        bytes: u64,
    },
    QueueGone {
        queue: QueueId,
    },
}

impl Engine {
    /// The number of the last record applied.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The journal's time.
    pub fn time(&self) -> Time {
        self.time
    }

    pub fn queue(&self, queue: QueueId) -> Option<&Queue> {
        self.queues.get(queue)
    }

    pub fn queues(&self) -> impl Iterator<Item = (QueueId, &Queue)> {
        self.queues.iter().map(|(id, queue)| (*id, queue))
    }

    /// The peers that hold leases, in the order of their names.
    pub fn holders(&self) -> Vec<u64> {
        let mut holders: Vec<u64> = self.queues.iter().flat_map(|(_, queue)| queue.holders()).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    pub fn named(&self, name: &str) -> Option<QueueId> {
        let sums = key_sums(name);
        let alike = self.names.from((sums, 0)).take_while(|(known, _)| *known == sums);
        alike.map(|(_, id)| id as QueueId).find(|id| self.queue(*id).is_some_and(|queue| *queue.name == *name))
    }

    /// The queues that the last record may have changed.
    pub fn touched(&self) -> &[QueueId] {
        &self.touched.0
    }

    /// The queue, which may be changed.
    fn touch(&mut self, id: QueueId) -> Option<&mut Queue> {
        if self.touched.0.last() != Some(&id) {
            self.touched.0.push(id);
        }
        self.queues.get_mut(id)
    }

    /// Forgets keys that are over, and notes first timers, of the queues that were touched.
    fn settle_touched(&mut self) {
        self.touched.0.sort_unstable();
        self.touched.0.dedup();
        for at in 0..self.touched.0.len() {
            let id = self.touched.0[at];
            if let Some(queue) = self.queues.get_mut(id) {
                queue.keys.advance(self.time);
            }
            self.note_timer(id);
        }
    }

    /// A queue is there from now on.
    fn put(&mut self, id: QueueId, queue: Queue) {
        self.names.insert((key_sums(&queue.name), id.into()));
        self.queues.get_or_insert(id, queue);
    }

    fn note_timer(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(id) else {
            return;
        };
        let at = queue.first_timer();
        if at != queue.wake {
            self.wake.remove((queue.wake, id.into()));
            if at != NEVER {
                self.wake.insert((at, id.into()));
            }
            queue.wake = at;
        }
    }

    /// Queues with a timer that is due by `now`.
    pub fn due(&self, now: Time) -> impl Iterator<Item = (QueueId, &Queue)> {
        let due = self.wake.from((0, 0)).take_while(move |(at, _)| *at <= now);
        due.filter_map(|(_, id)| Some((id as QueueId, self.queues.get(id as QueueId)?)))
    }

    /// When the first timer after `now` fires.
    pub fn next_timer(&self, now: Time) -> Time {
        let later = self.wake.from((now.saturating_add(1), 0)).next().map_or(NEVER, |(at, _)| at);
        self.due(now).map(|(_, queue)| queue.next_timer(now)).fold(later, Time::min)
    }

    /// Replays one record. Answers what became of each item, and adds to `events` what else happened. Never fails:
    /// an item that makes no sense here is void.
    pub fn apply(&mut self, number: u64, record: &Record, events: &mut Vec<Event>) -> Vec<Outcome> {
        self.base = number;
        self.touched.0.clear();
        self.advance(record.time, events);
        let mut place = Place::default();
        let mut outcomes = Vec::with_capacity(record.items.len());
        for at in 0..record.items.len() {
            outcomes.push(self.apply_item(number, record, at, &mut place, events));
        }
        self.settle_touched();
        outcomes
    }

    fn apply_item(
        &mut self,
        number: u64,
        record: &Record,
        at: usize,
        place: &mut Place,
        events: &mut Vec<Event>,
    ) -> Outcome {
        match &record.items[at] {
            Item::Create { name, policy } => self.create(name, policy),
            Item::Adopt { queue, policy } => self.adopt(*queue, policy),
            Item::Remove { queue } => self.remove(*queue, events),
            Item::Send(send) => {
                let first = MessageId::new(number, place.index);
                place.index = place.index.saturating_add(send.sizes.count());
                // Ids that ran over would be another record's.
                let Some(first) = first.filter(|_| place.index <= MessageId::INDEX_MAX + 1) else {
                    return Outcome::Void;
                };
                self.send(first, record.chunk, &record.items[at..], &mut place.fate, events)
            }
            Item::Lease { queue, first, count, until, started } => {
                let lease = State::Leased { until: *until, grant: number, holder: record.writer, started: *started };
                self.lease(*queue, *first, *count, lease, events)
            }
            Item::Settle { queue, first, count, grant, how } => {
                self.settle(*queue, *first, *count, *grant, how, events)
            }
            Item::Cancel { queue, id } => self.cancel(*queue, *id, events),
            Item::Purge { queue } => self.purge(*queue, events),
            Item::Pause { queue, paused } => self.pause(*queue, *paused),
            Item::Redrive { queue, first, count, to } => self.redrive(*queue, (*first, *count), *to, events),
            Item::Leave { peer, queue, counted } => self.leave(*peer, *queue, *counted, events),
        }
    }
}
