//! When to write a snapshot, and which bodies may be deleted with it.

use super::Peer;
use crate::{
    engine::{Engine, Event},
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

    pub fn applied(&mut self, events: &[Event]) {
        self.tail += 1;
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
        let Clean { tail, garbage, .. } = self.clean;
        let full = garbage >= limits::GARBAGE_BYTES_MAX && tail > limits::FLOOR_GRACE_FULL;
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
        self.clean.plan = Some(Plan { tail, garbage, size: bytes.len() as u64, floor, ranges, live });
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
