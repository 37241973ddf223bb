//! Reading the journal: what came since a number, by way of the snapshot where records were cleaned away.

use std::mem;

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::layout::{self, Header};
use super::transaction::Transaction;
use crate::web::platform::{property, set};

/// Records read at once. They may bring their bodies: this bounds what an opening holds in memory.
const PAGE: u32 = 256;

/// The tail from a number on, as far as it was read.
pub struct Reading {
    from: f64,
    stage: Stage,
    /// Of up to `PAGE` records the requests for values and for keys, while they are under way.
    page: Option<(JsValue, JsValue)>,
    tail: JsValue,
    snapshot: JsValue,
    numbers: Array,
    records: Array,
}

/// What was asked for last.
enum Stage {
    Nothing,
    Header,
    Snapshot,
    Records,
}

impl Reading {
    pub fn new(from: f64) -> Self {
        let (tail, numbers, records) = (Object::new().into(), Array::new(), Array::new());
        set(&tail, "numbers", &numbers);
        set(&tail, "records", &records);
        Reading { from, stage: Stage::Nothing, page: None, tail, snapshot: Object::new().into(), numbers, records }
    }

    pub fn restart(&mut self) {
        *self = Reading::new(self.from);
    }

    /// Takes what was asked for, and asks for what follows. Answers the tail when everything is read.
    pub fn step(&mut self, transaction: &mut Transaction) -> Result<Option<JsValue>, JsValue> {
        match mem::replace(&mut self.stage, Stage::Records) {
            Stage::Nothing => {
                // From the start there may be a snapshot, and then most records need not be read.
                if self.from > 1.0 {
                    self.ask(transaction, self.from);
                }
                transaction.get(layout::HEADER_KEY.into());
                self.stage = Stage::Header;
                return Ok(None);
            }
            Stage::Header => {
                let header = Header::read(transaction)?;
                set(&self.tail, "birth", &header.birth.into());
                if header.number > 0.0 && (self.from <= 1.0 || self.from <= header.floor) {
                    set(&self.snapshot, "number", &header.number.into());
                    set(&self.tail, "snapshot", &self.snapshot);
                    self.ask(transaction, header.number + 1.0);
                    transaction.get(layout::SNAPSHOT_KEY.into());
                    self.stage = Stage::Snapshot;
                    return Ok(None);
                }
            }
            Stage::Snapshot => {
                let bytes = transaction.found();
                if !bytes.is_instance_of::<Uint8Array>() {
                    return Err(transaction.corrupt(&layout::SNAPSHOT_KEY.into()));
                }
                set(&self.snapshot, "bytes", &bytes);
            }
            Stage::Records => {}
        }
        let next = match self.page.take() {
            Some((values, keys)) => self.take(transaction, &values, &keys)?,
            None => Some(self.from),
        };
        if let Some(next) = next {
            self.ask(transaction, next);
        }
        Ok(next.is_none().then(|| self.tail.clone()))
    }

    fn ask(&mut self, transaction: &mut Transaction, from: f64) {
        let (low, high) = (from.into(), f64::INFINITY.into());
        transaction.get_all("getAll", &low, &high, PAGE);
        let values = transaction.last.clone();
        transaction.get_all("getAllKeys", &low, &high, PAGE);
        self.page = Some((values, transaction.last.clone()));
    }

    /// Adds a page to what was read. Answers the number after its last where there may be more.
    fn take(&self, transaction: &Transaction, values: &JsValue, keys: &JsValue) -> Result<Option<f64>, JsValue> {
        let keys: Array = property(keys, "result").unchecked_into();
        let values: Array = property(values, "result").unchecked_into();
        let mut last = 0.0;
        for place in 0..keys.length() {
            let key = keys.get(place);
            let found = layout::number_of(&key).zip(layout::record_of(&values.get(place)));
            let Some((number, record)) = found else {
                return Err(transaction.corrupt(&key));
            };
            last = number;
            self.numbers.push(&key);
            self.records.push(&record);
        }
        Ok((keys.length() == PAGE).then_some(last + 1.0))
    }
}
