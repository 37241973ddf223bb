//! The append: one record and its bodies, in one transaction, under the next number.

use js_sys::{Array, Function, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::job::Next;
use super::layout;
use super::tail::Reading;
use super::transaction::Transaction;
use crate::web::crossing::named;
use crate::web::platform::{property, run};

pub struct Append {
    decide: Function,
    /// The tail, while it is being read.
    reading: Option<Reading>,
    /// What was decided.
    step: Option<Step>,
    /// The record's number is awaited for the chunks.
    numbering: bool,
}

/// What is to be written, checked.
struct Step {
    record: Uint8Array,
    bodies: Array,
    headers: JsValue,
    /// Bodies apart: this many a value.
    apart: Option<u32>,
}

impl Append {
    pub fn new(from: f64, decide: Function) -> Self {
        let reading = (from > 0.0).then(|| Reading::new(from));
        Append { decide, reading, step: None, numbering: false }
    }

    /// Calls `decide`; answers whether there is anything to write. What it throws is what the append rejects with.
    fn ask(&mut self, tail: &JsValue) -> Result<bool, JsValue> {
        let answer = run(&self.decide, tail)?;
        if answer.is_undefined() {
            return Ok(false);
        }
        self.step = Step::of(&answer);
        if self.step.is_some() { Ok(true) } else { Err(named("TypeError", "no record with its bodies")) }
    }

    pub fn prepare(&mut self) -> Option<Result<JsValue, JsValue>> {
        if self.reading.is_some() {
            return None;
        }
        match self.ask(&JsValue::UNDEFINED) {
            Ok(true) => None,
            Ok(false) => Some(Ok(0.into())),
            Err(error) => Some(Err(error)),
        }
    }

    pub fn step(&mut self, transaction: &mut Transaction) -> Result<Next, JsValue> {
        if let Some(reading) = &mut self.reading {
            let Some(tail) = reading.step(transaction)? else {
                return Ok(Next::Wait);
            };
            self.reading = None;
            self.ask(&tail)?;
        }
        let Some(step) = &self.step else {
            return Ok(Next::Done(0.into()));
        };
        Ok(match step.apart {
            None => {
                step.put(transaction, &step.bodies);
                Next::Commit(JsValue::UNDEFINED)
            }
            Some(size) if self.numbering => {
                let number = transaction.found();
                step.put_chunks(transaction, number.as_f64().unwrap_or_default(), size);
                // The record has succeeded, the chunks may not: then nothing may stay.
                Next::Complete(number)
            }
            Some(_) => {
                step.put(transaction, &0.into());
                self.numbering = true;
                Next::Wait
            }
        })
    }

    /// Decided once is decided: what was decided is put again as it is, and stands as far as it can where it lands then.
    pub fn restart(&mut self) {
        self.numbering = false;
        if let Some(reading) = &mut self.reading {
            reading.restart();
        }
    }
}

impl Step {
    fn of(answer: &JsValue) -> Option<Self> {
        let record = layout::own(property(answer, "record").dyn_ref()?);
        let bodies = property(answer, "bodies").dyn_into().ok()?;
        let chunk = property(answer, "chunk").as_f64().filter(|chunk| *chunk >= 0.0);
        let apart = chunk.map(|chunk| 1 << (chunk as u32).min(20));
        Some(Step { record, bodies, headers: property(answer, "headers"), apart })
    }

    fn put(&self, transaction: &mut Transaction, bodies: &JsValue) {
        let value = Array::new();
        value.push(&self.record);
        value.push(bodies);
        if self.apart.is_none() && !self.headers.is_undefined() {
            value.push(&self.headers);
        }
        transaction.put(&value, JsValue::UNDEFINED);
    }

    fn put_chunks(&self, transaction: &mut Transaction, number: f64, size: u32) {
        let (mut first, mut chunk) = (0, 0.0);
        while first < self.bodies.length() {
            let value = Array::new();
            value.push(&self.bodies.slice(first, first + size));
            if let Some(headers) = self.headers_between(first, size) {
                value.push(&headers);
            }
            transaction.put(&value, layout::chunk_key(number, chunk));
            first += size;
            chunk += 1.0;
        }
    }

    /// The headers of `size` messages from `first` on, by their place among these, where any have some.
    fn headers_between(&self, first: u32, size: u32) -> Option<Object> {
        // They are no array, but an array's elements are read as theirs are.
        let headers: &Array = Some(&self.headers).filter(|headers| headers.is_object())?.unchecked_ref();
        let mut found: Option<Object> = None;
        for place in 0..size.min(self.bodies.length() - first) {
            let own = headers.get(first + place);
            if !own.is_undefined() {
                found.get_or_insert_default().unchecked_ref::<Array>().set(place, own);
            }
        }
        found
    }
}
