//! The append: one record and its bodies, in one transaction, under the next number.

use js_sys::{Array, Function, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::job::{Job, Next};
use super::layout;
use super::platform::{self, Request, array};
use super::tail::Reading;
use super::transaction::{Mode, Transaction};

pub struct Append {
    decide: Function,
    strict: bool,
    /// The tail, while it is being read.
    reading: Option<Reading>,
    /// What was decided.
    step: Option<Step>,
    /// The record's put, while its number is awaited for the chunks.
    record: Option<Request>,
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
    pub fn new(from: f64, decide: Function, strict: bool) -> Self {
        let reading = (from > 0.0).then(|| Reading::new(from));
        Append { decide, strict, reading, step: None, record: None }
    }

    /// Calls `decide`; answers whether there is anything to write. What it throws is what the append rejects with.
    fn ask(&mut self, tail: &JsValue) -> Result<bool, JsValue> {
        let answer = self.decide.call1(&JsValue::UNDEFINED, tail)?;
        if answer.is_undefined() {
            return Ok(false);
        }
        self.step = Step::of(&answer);
        if self.step.is_some() { Ok(true) } else { Err(js_sys::TypeError::new("no record with its bodies").into()) }
    }
}

impl Job for Append {
    fn mode(&self) -> Mode {
        Mode { write: true, strict: self.strict }
    }

    fn prepare(&mut self) -> Result<Option<JsValue>, JsValue> {
        let done = self.reading.is_none() && !self.ask(&JsValue::UNDEFINED)?;
        Ok(done.then(|| JsValue::from_f64(0.0)))
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        if let Some(reading) = &mut self.reading {
            if let Some(request) = reading.step(transaction)? {
                return Ok(Next::Wait(request));
            }
            let tail = reading.tail(transaction)?;
            self.reading = None;
            if !self.ask(&tail)? {
                return Ok(Next::Done(JsValue::from_f64(0.0)));
            }
        }
        if let Some(record) = self.record.take() {
            let last =
                self.step.as_ref().map(|step| step.put_chunks(transaction, &record.result())).transpose()?.flatten();
            // The record has succeeded, the chunks may not: then nothing may stay.
            return Ok(Next::Complete(record.clone(), last.unwrap_or(record)));
        }
        match &self.step {
            Some(step @ Step { apart: None, .. }) => Ok(Next::Commit(Some(step.put(transaction, &step.bodies)?))),
            Some(step) => {
                let request = step.put(transaction, &JsValue::from_f64(0.0))?;
                self.record = Some(request.clone());
                Ok(Next::Wait(request))
            }
            None => Ok(Next::Done(JsValue::from_f64(0.0))),
        }
    }

    /// Decided once is decided: what was decided is put again as it is, and stands as far as it can where it lands then.
    fn restart(&mut self) -> bool {
        self.record = None;
        if let Some(reading) = &mut self.reading {
            reading.restart();
        }
        true
    }
}

impl Step {
    fn of(answer: &JsValue) -> Option<Self> {
        if !answer.is_object() {
            return None;
        }
        let answer: &platform::Append = answer.unchecked_ref();
        let record = layout::own(answer.record().dyn_ref()?);
        let bodies = answer.bodies().dyn_into().ok()?;
        let chunk = answer.chunk();
        let apart = (chunk >= 0.0).then(|| 1 << (chunk as u32).min(20));
        Some(Step { record, bodies, headers: answer.headers(), apart })
    }

    fn put(&self, transaction: &Transaction, bodies: &JsValue) -> Result<Request, JsValue> {
        let value = array(&[&self.record, bodies]);
        if self.apart.is_none() && !self.headers.is_undefined() {
            value.push(&self.headers);
        }
        transaction.store.put(&value)
    }

    /// Answers the last request.
    fn put_chunks(&self, transaction: &Transaction, number: &JsValue) -> Result<Option<Request>, JsValue> {
        let mut last = None;
        let size = self.apart.unwrap_or(1);
        let (mut first, mut chunk) = (0, 0.0);
        while first < self.bodies.length() {
            let value = array(&[&self.bodies.slice(first, first + size)]);
            let headers = self.headers_between(first, size);
            if headers.is_object() {
                value.push(&headers);
            }
            last = Some(transaction.store.put_at(&value, &layout::chunk_key(number, chunk))?);
            first += size;
            chunk += 1.0;
        }
        Ok(last)
    }

    /// The headers of `size` messages from `first` on, by their place among these; undefined: none has any.
    fn headers_between(&self, first: u32, size: u32) -> JsValue {
        let mut found = JsValue::UNDEFINED;
        if !self.headers.is_object() {
            return found;
        }
        for place in 0..size.min(self.bodies.length() - first) {
            // They are no array, but an array's elements are read as theirs are.
            let own = self.headers.unchecked_ref::<Array>().get(first + place);
            if own.is_undefined() {
                continue;
            }
            if found.is_undefined() {
                found = Object::new().into();
            }
            found.unchecked_ref::<Array>().set(place, own);
        }
        found
    }
}
