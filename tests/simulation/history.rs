//! What was really committed, kept outside of the peers and never cleaned up: every record, the tags of its bodies, and
//! the reference replica that all others must equal to the byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use posthaste::{
    engine::{Cause, Engine, Event, Queue},
    format::{How, Item, Overflow, Record},
    id::{MessageId, QueueId, Time},
};

pub type Check = Result<(), String>;

/// One committed record.
struct Entry {
    number: u64,
    record: Record,
    /// The journal's time from here on.
    time: Time,
    bodies: Vec<u32>,
}

/// What became of a lease.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum End {
    Running,
    /// It ran out, and by this record someone took the message, or it went elsewhere.
    RanOut(u64),
    /// By a record of its holder.
    Acked(u64),
    /// By a record of its holder, or of someone who knew that it was dead.
    GivenUp(u64),
    /// Its queue was purged.
    Purged(u64),
    /// By a record of someone else: never right.
    Stolen(u64),
}

#[derive(Default)]
pub struct History {
    entries: Vec<Entry>,
    pub engine: Engine,
    /// The reference's state after each number.
    digests: BTreeMap<u64, u64>,
    /// Messages that ended without an ack: why, and under which number.
    pub dropped: BTreeMap<MessageId, (Cause, u64)>,
    /// Messages whose lease ended with a record that moved dead letters: it stays where there was no room for it.
    moved: BTreeSet<(MessageId, u64)>,
}

pub fn digest(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.snapshot().hash(&mut hasher);
    hasher.finish()
}

impl History {
    pub fn commit(&mut self, number: u64, bytes: &[u8], bodies: Vec<u32>) -> Check {
        let record = Record::decode(bytes).map_err(|error| format!("a record can't be read: {error:?}"))?;
        let mut events = Vec::new();
        self.engine.apply(number, &record, &mut events);
        let time = self.engine.time();
        self.digests.insert(number, digest(&self.engine));
        self.entries.push(Entry { number, record, time, bodies });
        let items = &self.entries[self.entries.len() - 1].record.items;
        let moves = items.iter().any(|item| matches!(item, Item::Redrive { .. }));
        for event in events {
            match event {
                Event::Dropped { queue, first, count, cause } => {
                    (0..count).try_for_each(|place| self.drop_one(number, queue, first.plus(place), cause))?;
                }
                Event::LeaseEnded { first, count, .. } if moves => {
                    self.moved.extend((0..count).map(|place| (first.plus(place), number)));
                }
                _ => {}
            }
        }
        self.check_counts()
    }

    fn drop_one(&mut self, number: u64, queue: QueueId, id: MessageId, cause: Cause) -> Check {
        if self.dropped.insert(id, (cause, number)).is_some() {
            return Err(format!("{id:?} was dropped twice"));
        }
        let Some(queue) = self.engine.queue(queue) else {
            return Err(format!("{id:?} dropped from no queue"));
        };
        let items = &self.entries[self.entries.len() - 1].record.items;
        let asked = items.iter().any(|item| matches!(item, Item::Purge { .. } | Item::Cancel { .. }));
        let policy = &queue.policy;
        let allowed = match cause {
            Cause::Expired => !queue.keeper,
            Cause::Overflow => {
                matches!(policy.overflow, Overflow::DropOldest | Overflow::DropNewest)
            }
            Cause::Purged => asked,
            Cause::NoDeadLetterQueue => policy.dead_letter_queue.is_none() && policy.max_retries != u32::MAX,
        };
        if allowed { Ok(()) } else { Err(format!("{id:?} was dropped from {} by {cause:?}", queue.name)) }
    }

    fn check_counts(&self) -> Check {
        for (_, queue) in self.engine.queues() {
            let tally = &queue.tally;
            let accounted = tally.acked + tally.dead_lettered + tally.dropped.iter().sum::<u64>() + queue.backlog();
            if tally.sent != accounted {
                return Err(format!("counts of {} do not add up: {tally:?}, backlog {}", queue.name, queue.backlog()));
            }
            // A dead letter is not refused for want of room.
            let letters = |other: &Queue| other.policy.dead_letter_queue.as_ref() == Some(&queue.name);
            let takes_letters = self.engine.queues().any(|(_, other)| letters(other));
            if queue.backlog() > queue.policy.capacity_messages && !takes_letters {
                return Err(format!("{} is over its capacity: {}", queue.name, queue.backlog()));
            }
        }
        Ok(())
    }

    /// Whether a replica is what it should be at its base.
    pub fn check_replica(&self, engine: &Engine) -> Check {
        let expected = self.digests.get(&engine.base()).copied().unwrap_or_else(|| digest(&Engine::default()));
        if digest(engine) == expected { Ok(()) } else { Err(format!("replicas disagree at {}", engine.base())) }
    }

    fn at(&self, number: u64) -> usize {
        self.entries.partition_point(|entry| entry.number < number)
    }

    /// The body that was committed at a place.
    pub fn body(&self, id: MessageId) -> Option<u32> {
        let entry = self.entries.get(self.at(id.number()))?;
        (entry.number == id.number()).then(|| entry.bodies.get(id.index() as usize).copied())?
    }

    /// The journal's time under a number.
    pub fn time_at(&self, number: u64) -> Time {
        self.entries.get(self.at(number)).map_or(0, |entry| entry.time)
    }

    /// What became of the lease that record `grant` of `holder` gave on a message of `queue`, and until when it goes;
    /// found out from the records alone. `None` when that record gave no such lease.
    pub fn lease(&self, id: MessageId, queue: QueueId, grant: u64, holder: u64) -> Option<(End, Time)> {
        let covers = |first: MessageId, count: u32| first <= id && id < first.plus(count);
        let start = self.at(grant);
        let given = self.entries.get(start).filter(|entry| entry.number == grant && entry.record.writer == holder)?;
        let mut until = given.record.items.iter().find_map(|item| match *item {
            Item::Lease { queue: of, first, count, until, .. } if of == queue && covers(first, count) => Some(until),
            _ => None,
        })?;
        let mut time = given.time;
        let mut paused = self.pauses(queue, &self.entries[..=start]).last().copied().unwrap_or(false);
        // It ran out, and nobody has taken the message.
        let mut lapsed = false;
        for entry in &self.entries[start + 1..] {
            let number = entry.number;
            lapsed |= entry.time > time && entry.time >= until;
            time = entry.time;
            let dropped = self.dropped.get(&id).filter(|(_, at)| *at == number).map(|(cause, _)| *cause);
            if dropped == Some(Cause::Expired) {
                return Some((End::RanOut(number), until));
            }
            for item in &entry.record.items {
                match item {
                    Item::Lease { queue: of, first, count, until: other, .. }
                        if lapsed && !paused && *of == queue && covers(*first, *count) && *other > time =>
                    {
                        return Some((End::RanOut(number), until));
                    }
                    Item::Redrive { queue: of, first, count, .. }
                        if *of == queue && covers(*first, *count) && self.moved.contains(&(id, number)) =>
                    {
                        return Some((End::RanOut(number), until));
                    }
                    Item::Send(send) if send.queue == queue && dropped == Some(Cause::Overflow) => {
                        return Some((End::RanOut(number), until));
                    }
                    Item::Pause { queue: of, paused: now } if *of == queue => paused = *now,
                    Item::Purge { queue: of } if *of == queue => {
                        return Some((End::Purged(number), until));
                    }
                    Item::Leave { peer, .. } if *peer == holder => return Some((End::GivenUp(number), until)),
                    Item::Settle { queue: of, first, count, grant: named, how }
                        if *of == queue && *named == grant && covers(*first, *count) =>
                    {
                        match how {
                            _ if entry.record.writer != holder => {
                                return Some((End::Stolen(number), until));
                            }
                            How::Start => {}
                            How::Extend { until: later } => (until, lapsed) = (*later, *later <= time),
                            How::Ack => return Some((End::Acked(number), until)),
                            _ => return Some((End::GivenUp(number), until)),
                        }
                    }
                    _ => {}
                }
            }
        }
        Some((End::Running, until))
    }

    /// What was said of the queue's deliveries in these records: whether they stop.
    fn pauses(&self, queue: QueueId, entries: &[Entry]) -> Vec<bool> {
        let of = |item: &Item| match *item {
            Item::Pause { queue: of, paused } if of == queue => Some(paused),
            _ => None,
        };
        entries.iter().flat_map(|entry| entry.record.items.iter().filter_map(of)).collect()
    }

    /// Whether nothing but a purge ended that lease.
    pub fn lease_stands(&self, id: MessageId, queue: QueueId, grant: u64, holder: u64) -> bool {
        let lease = self.lease(id, queue, grant, holder);
        matches!(lease, Some((End::Running | End::Purged(_), _)))
    }

    /// Whether deliveries of the queue were stopped when that record was committed, and all through it.
    pub fn was_paused(&self, queue: QueueId, number: u64) -> bool {
        let at = self.at(number);
        let before = self.pauses(queue, &self.entries[..at]).last().copied();
        let within =
            self.entries.get(at).is_some_and(|entry| !self.pauses(queue, std::slice::from_ref(entry)).is_empty());
        before.unwrap_or(false) && !within
    }

    /// Whether every queue is drained.
    pub fn is_empty(&self) -> bool {
        self.engine.queues().all(|(_, queue)| queue.backlog() == 0)
    }
}
