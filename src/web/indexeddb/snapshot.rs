//! Replacing old records by a snapshot, in one atomic step.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use super::job::{Job, Next};
use super::layout::{self, Header};
use super::platform::{Request, between};
use super::transaction::{Mode, Transaction};

/// A snapshot after record `number`, and what may go with it. Answers whether it was written; not when there is one as new.
pub struct Replacement {
    number: f64,
    floor: f64,
    bytes: Uint8Array,
    /// Pairs (low, high) of records, inclusive, none past the floor.
    ranges: Vec<f64>,
    /// Triples (record, first, last) of chunks of records that stay.
    parts: Vec<f64>,
    /// As safe as what it replaces.
    strict: bool,
    header: Option<Request>,
}

impl Replacement {
    pub fn new(number: f64, floor: f64, bytes: &Uint8Array, ranges: Vec<f64>, parts: Vec<f64>, strict: bool) -> Self {
        Replacement { number, floor, bytes: layout::own(bytes), ranges, parts, strict, header: None }
    }
}

impl Job for Replacement {
    fn mode(&self) -> Mode {
        Mode { write: true, strict: self.strict }
    }

    fn outlives(&self) -> bool {
        false
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let store = &transaction.store;
        let Some(header) = &self.header else {
            let request = store.get(&layout::HEADER_KEY.into())?;
            self.header = Some(request.clone());
            return Ok(Next::Wait(request));
        };
        let header = Header::read(&header.result(), transaction)?;
        if header.number >= self.number {
            return Ok(Next::Done(JsValue::FALSE));
        }
        let next = Header { number: self.number, floor: header.floor.max(self.floor), ..header };
        store.put_at(&self.bytes, &layout::SNAPSHOT_KEY.into())?;
        store.put_at(&next.write(), &layout::HEADER_KEY.into())?;
        for range in self.ranges.chunks_exact(2) {
            store.delete(&layout::records_between(range[0], range[1])?)?;
            store.delete(&layout::chunks_between(range[0], range[1])?)?;
        }
        for part in self.parts.chunks_exact(3) {
            let number = part[0].into();
            store.delete(&between(&layout::chunk_key(&number, part[1]), &layout::chunk_key(&number, part[2]))?)?;
        }
        Ok(Next::Commit(None))
    }
}
