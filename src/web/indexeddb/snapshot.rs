//! Replacing old records by a snapshot, in one atomic step.

use wasm_bindgen::JsValue;

use super::job::Next;
use super::layout::{self, Header, chunk_key};
use super::transaction::Transaction;

/// A snapshot after record `number`, and what may go with it. Answers whether it was written; not when there is one as new.
pub struct Replacement {
    pub number: f64,
    pub floor: f64,
    pub bytes: JsValue,
    /// Pairs (low, high) of records, inclusive, none past the floor.
    pub ranges: Vec<f64>,
    /// Triples (record, first, last) of chunks of records that stay.
    pub parts: Vec<f64>,
    pub asked: bool,
}

impl Replacement {
    pub fn step(&mut self, transaction: &mut Transaction) -> Result<Next, JsValue> {
        if !self.asked {
            self.asked = true;
            transaction.get(layout::HEADER_KEY.into());
            return Ok(Next::Wait);
        }
        let header = Header::read(transaction)?;
        if header.number >= self.number {
            return Ok(Next::Done(JsValue::FALSE));
        }
        let next = Header { number: self.number, floor: header.floor.max(self.floor), ..header };
        transaction.put(&self.bytes, layout::SNAPSHOT_KEY.into());
        transaction.put(&next.write(), layout::HEADER_KEY.into());
        for range in self.ranges.chunks_exact(2) {
            transaction.delete(range[0].into(), range[1].into());
            let (first, last) = layout::chunk_keys(range[0], range[1]);
            transaction.delete(first, last);
        }
        for part in self.parts.chunks_exact(3) {
            transaction.delete(chunk_key(part[0], part[1]), chunk_key(part[0], part[2]));
        }
        Ok(Next::Commit(JsValue::TRUE))
    }
}
