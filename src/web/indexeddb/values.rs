//! Loading bodies, when messages are handed out.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use super::job::Next;
use super::layout;
use super::transaction::Transaction;
use crate::web::platform::property;

/// Part of a key that names the record's own value.
const OWN: f64 = -1.0;

pub struct Values {
    /// Flat pairs (number, part).
    keys: Vec<f64>,
    runs: Vec<Run>,
    asked: bool,
}

/// Keys that follow each other in the store: one request for all.
struct Run {
    number: f64,
    part: f64,
    count: u32,
    request: JsValue,
}

impl Values {
    pub fn new(keys: Vec<f64>) -> Self {
        let mut values = Values { keys, runs: Vec::new(), asked: false };
        values.divide(true);
        values
    }

    /// Goes back to the start: with runs, or each value by itself.
    pub fn divide(&mut self, together: bool) {
        self.asked = false;
        self.runs.clear();
        for pair in self.keys.chunks_exact(2) {
            let (number, part) = (pair[0], pair[1]);
            match self.runs.last_mut() {
                Some(run) if together && run.goes_on_with(number, part) => run.count += 1,
                _ => self.runs.push(Run { number, part, count: 1, request: JsValue::UNDEFINED }),
            }
        }
    }

    pub fn step(&mut self, transaction: &mut Transaction) -> Result<Next, JsValue> {
        let found = Array::new();
        if self.asked && !self.collect(transaction, &found)? {
            self.divide(false);
        }
        if self.asked || self.runs.is_empty() {
            return Ok(Next::Done(found.into()));
        }
        self.asked = true;
        for run in &mut self.runs {
            run.ask(transaction);
        }
        Ok(Next::Wait)
    }

    /// Adds the bodies to those found; false when some of a run are gone: which, only each by itself can tell.
    fn collect(&self, transaction: &Transaction, found: &Array) -> Result<bool, JsValue> {
        for run in &self.runs {
            let result = property(&run.request, "result");
            let values = if run.count == 1 { Array::of1(&result) } else { result.unchecked_into() };
            if values.length() != run.count {
                return Ok(false);
            }
            for place in 0..run.count {
                found.push(&run.bodies(transaction, place, &values.get(place))?);
            }
        }
        Ok(true)
    }
}

impl Run {
    fn goes_on_with(&self, number: f64, part: f64) -> bool {
        let count = f64::from(self.count);
        if part == OWN {
            self.part == OWN && number == self.number + count
        } else {
            self.part != OWN && number == self.number && part == self.part + count
        }
    }

    fn key(&self, place: u32) -> JsValue {
        let place = f64::from(place);
        if self.part == OWN { (self.number + place).into() } else { layout::chunk_key(self.number, self.part + place) }
    }

    fn ask(&mut self, transaction: &mut Transaction) {
        if self.count == 1 {
            transaction.get(self.key(0));
        } else {
            transaction.get_all("getAll", &self.key(0), &self.key(self.count - 1), self.count);
        }
        self.request = transaction.last.clone();
    }

    fn bodies(&self, transaction: &Transaction, place: u32, value: &JsValue) -> Result<JsValue, JsValue> {
        if value.is_undefined() {
            return Ok(JsValue::UNDEFINED);
        }
        layout::bodies_of(value, self.part != OWN).ok_or_else(|| transaction.corrupt(&self.key(place)))
    }
}
