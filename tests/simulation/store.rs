//! A store in memory that does what stores promise: numbers that only grow (with gaps), one atomic step at a time, a
//! snapshot that really takes the place of what it deletes.

use std::collections::{BTreeMap, BTreeSet};

use posthaste::format::Record;

/// What is written since some number.
pub struct Tail {
    /// To be loaded before the records: those in between were cleaned away.
    pub snapshot: Option<(u64, Vec<u8>)>,
    pub records: Vec<(u64, Vec<u8>)>,
}

/// A record's value: its bytes, and the tags that stand for bodies.
struct Value {
    record: Vec<u8>,
    bodies: Vec<u32>,
    /// Parts of the bodies that were deleted.
    gone: BTreeSet<u64>,
}

#[derive(Default)]
pub struct Store {
    last: u64,
    values: BTreeMap<u64, Value>,
    snapshot: Option<(u64, Vec<u8>)>,
    floor: u64,
}

impl Store {
    /// Commits a record; `gap` numbers are left out before it, as after failed transactions.
    pub fn append(&mut self, record: Vec<u8>, bodies: Vec<u32>, gap: u64) -> u64 {
        self.last += 1 + gap;
        self.values.insert(self.last, Value { record, bodies, gone: BTreeSet::new() });
        self.last
    }

    pub fn read(&self, from: u64) -> Tail {
        let cut = from <= self.floor || from == 1;
        let snapshot = self.snapshot.clone().filter(|_| cut);
        let from = snapshot.as_ref().map_or(from, |(number, _)| number + 1);
        let records = self.values.range(from..).map(|(&number, value)| (number, value.record.clone())).collect();
        Tail { snapshot, records }
    }

    /// False when a snapshot at or past `number` is there.
    pub fn write_snapshot(
        &mut self,
        number: u64,
        floor: u64,
        bytes: Vec<u8>,
        ranges: &[(u64, u64)],
        parts: &[[u64; 3]],
    ) -> bool {
        if self.snapshot.as_ref().is_some_and(|(known, _)| *known >= number) {
            return false;
        }
        self.snapshot = Some((number, bytes));
        self.floor = self.floor.max(floor);
        self.values.retain(|number, _| !ranges.iter().any(|(from, to)| (from..=to).contains(&number)));
        for &[number, first, last] in parts {
            if let Some(value) = self.values.get_mut(&number) {
                let end = value.bodies.len() as u64;
                value.gone.extend(first..=last.min(end));
            }
        }
        true
    }

    /// The body at a place, unless it was deleted.
    pub fn body(&self, number: u64, index: u32) -> Option<u32> {
        let value = self.values.get(&number)?;
        let chunk = Record::decode(&value.record).ok()?.chunk;
        let gone = chunk.is_some_and(|chunk| value.gone.contains(&(u64::from(index) >> chunk)));
        value.bodies.get(index as usize).filter(|_| !gone).copied()
    }

    /// Deletes a value behind everyone's back.
    pub fn damage(&mut self, number: u64) {
        self.values.remove(&number);
    }

    pub fn floor(&self) -> u64 {
        self.floor
    }
}
