//! When to write a snapshot, and which bodies may be deleted with it.

use super::Peer;
use crate::{
    engine::{Engine, Event},
    id::MessageId,
    limits,
};

/// What this peer knows of the journal's length and garbage.
#[derive(Default)]
pub(super) struct Clean {
    /// Records applied since the last snapshot.
    tail: u64,
    /// Bytes of bodies needed no more since then.
    garbage: u64,
    /// Size of the last snapshot.
    size: u64,
    /// Records up to `kept_to` that may still have bodies in the store; later ones may have them too.
    kept: Vec<u64>,
    kept_to: u64,
    /// How many parts of a record's bodies are still in the store, where that is known: number and count, ascending.
    parts: Vec<(u64, u64)>,
    /// Records after the floor whose bodies lie in parts, ascending.
    apart: Vec<u64>,
    /// The snapshot being written.
    plan: Option<Plan>,
}

/// A snapshot to write, and what may be deleted in the same step.
struct Plan {
    tail: u64,
    garbage: u64,
    size: u64,
    floor: u64,
    ranges: Vec<(u64, u64)>,
    live: Vec<u64>,
    /// A record's number, and the first and last of its parts that go.
    dead_parts: Vec<[u64; 3]>,
    parts: Vec<(u64, u64)>,
}

impl Clean {
    /// Ranges up to `floor` without a record in `live`, as far as the store may have values there.
    fn drained(&self, live: &[u64], floor: u64) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        let mut from = 1;
        for stop in live.iter().copied().chain([u64::MAX]) {
            let stop = stop.min(floor + 1);
            if stop > from && self.may_have(from, stop - 1) && ranges.len() < limits::DRAINED_RANGES_MAX {
                ranges.push((from, stop - 1));
            }
            if stop > floor {
                break;
            }
            from = stop + 1;
        }
        ranges
    }

    /// The parts that are not in `live`, of records that stay, as far as the store may have them; and how many it has then of
    /// each. The newest records stay for peers that are behind, their bodies are nobody's all the same.
    fn dead_parts(&self, live: &[(u64, u32)], floor: u64) -> (Vec<[u64; 3]>, Vec<(u64, u64)>) {
        let (mut dead, mut left) = (Vec::new(), Vec::new());
        for of_one in live.chunk_by(|one, next| one.0 == next.0) {
            let (number, count) = (of_one[0].0, of_one.len() as u64);
            let known = self.parts.binary_search_by_key(&number, |part| part.0).map(|at| self.parts[at].1);
            if known != Ok(count) {
                if !dead.is_empty() && dead.len() + of_one.len() > limits::DRAINED_RANGES_MAX {
                    left.extend(known.ok().map(|count| (number, count)));
                    continue;
                }
                let mut from = 0;
                for part in of_one.iter().map(|part| u64::from(part.1)) {
                    if part > from {
                        dead.push([number, from, part - 1]);
                    }
                    from = part + 1;
                }
                dead.push([number, from, u64::from(MessageId::INDEX_MAX)]);
            }
            left.push((number, count));
        }
        for &number in self.apart.iter().filter(|number| **number > floor) {
            let gone = live.binary_search_by_key(&number, |part| part.0).is_err();
            let known = self.parts.binary_search_by_key(&number, |part| part.0).map(|at| self.parts[at].1);
            if gone && (known == Ok(0) || dead.len() < limits::DRAINED_RANGES_MAX) {
                if known != Ok(0) {
                    dead.push([number, 0, u64::from(MessageId::INDEX_MAX)]);
                }
                left.push((number, 0));
            }
        }
        left.sort_unstable();
        (dead, left)
    }

    /// Whether the store may have values of these records, both ends included.
    fn may_have(&self, from: u64, to: u64) -> bool {
        let next = self.kept.partition_point(|&number| number < from);
        to > self.kept_to || self.kept.get(next).is_some_and(|&number| number <= to)
    }

    /// Whether there are enough records since the last snapshot for another.
    fn is_long(&self) -> bool {
        self.tail >= limits::SNAPSHOT_RECORDS_MIN.max(self.size / limits::SNAPSHOT_BYTES_A_RECORD)
    }

    pub fn loaded(&mut self, engine: &Engine) {
        *self = Self { kept: engine.live_records(), kept_to: engine.base(), ..Self::default() };
    }

    /// `apart`: the record's bodies lie in parts.
    pub fn applied(&mut self, number: u64, apart: bool, events: &[Event]) {
        self.tail += 1;
        if apart {
            self.apart.push(number);
        }
        for event in events {
            if let Event::Gone { bytes, .. } = event {
                self.garbage += bytes;
            }
        }
    }
}

impl Peer {
    /// Whether the journal has grown enough since the last snapshot, or has enough to delete; `pressed`, for want of room:
    /// anything.
    pub fn wants_snapshot(&self, pressed: bool) -> bool {
        let garbage = self.clean.garbage;
        let full = garbage >= limits::GARBAGE_BYTES_MAX;
        !self.memory && self.clean.plan.is_none() && (self.clean.is_long() || full || (pressed && garbage > 0))
    }

    /// The state at the present base, to be written together with [`Peer::floor`] and [`Peer::drained`] as they are now.
    pub fn snapshot(&mut self) -> Vec<u8> {
        let for_room = self.clean.garbage >= limits::GARBAGE_BYTES_MAX || !self.clean.is_long();
        let grace = if for_room { limits::FLOOR_GRACE_FULL } else { limits::FLOOR_GRACE };
        let bytes = self.engine.snapshot();
        let Clean { tail, garbage, .. } = self.clean;
        let floor = self.engine.base().saturating_sub(grace);
        let live = self.engine.live_records();
        let ranges = self.clean.drained(&live, floor);
        let (dead_parts, parts) = self.clean.dead_parts(&self.engine.live_parts(), floor);
        let size = bytes.len() as u64;
        self.clean.plan = Some(Plan { tail, garbage, size, floor, ranges, live, dead_parts, parts });
        bytes
    }

    /// Records up to this number may be missing once the snapshot is written.
    pub fn floor(&self) -> u64 {
        self.clean.plan.as_ref().map_or(0, |plan| plan.floor)
    }

    /// Ranges of record numbers, both ends included, whose values are needed no more once the snapshot is written.
    pub fn drained(&self) -> &[(u64, u64)] {
        self.clean.plan.as_ref().map_or(&[], |plan| &plan.ranges)
    }

    /// Of records that stay: the record's number, the first and the last of its parts of bodies that are needed no more once
    /// the snapshot is written. There may be fewer.
    pub fn dead_parts(&self) -> &[[u64; 3]] {
        self.clean.plan.as_ref().map_or(&[], |plan| &plan.dead_parts)
    }

    /// The snapshot is in the store, or (`written` false) it is not because another peer's newer one is, or it failed.
    pub fn snapshot_over(&mut self, written: bool) {
        let Some(plan) = self.clean.plan.take() else {
            return;
        };
        let clean = &mut self.clean;
        clean.tail = clean.tail.saturating_sub(plan.tail);
        clean.garbage = clean.garbage.saturating_sub(plan.garbage);
        clean.size = plan.size;
        if !written {
            return;
        }
        clean.parts = plan.parts;
        clean.apart.retain(|number| *number > plan.floor);
        let cut = plan.ranges.len() == limits::DRAINED_RANGES_MAX;
        let done = if cut { plan.ranges.last().map_or(0, |&(_, to)| to) } else { plan.floor };
        let mut kept = plan.live;
        for &number in &clean.kept {
            if cut && number > done {
                kept.push(number);
            }
        }
        kept.sort_unstable();
        kept.dedup();
        (clean.kept, clean.kept_to) = (kept, clean.kept_to.max(done));
    }
}
