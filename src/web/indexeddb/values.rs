//! Loading bodies, when messages are handed out.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use super::job::{Job, Next};
use super::layout;
use super::platform::{Request, between};
use super::transaction::{Mode, READ, Transaction};

/// Part of a key that names the record's own value.
const OWN: f64 = -1.0;

pub struct Values {
    /// Flat pairs (number, part).
    keys: Vec<f64>,
    runs: Vec<Run>,
    /// A request for each run, once they are made.
    requests: Option<Array>,
}

/// Keys that follow each other in the store: one request for all.
#[derive(Clone, Copy)]
struct Run {
    number: f64,
    part: f64,
    count: u32,
}

impl Values {
    pub fn new(keys: Vec<f64>) -> Self {
        let mut values = Values { keys, runs: Vec::new(), requests: None };
        values.restart();
        values
    }

    fn divide(&mut self, together: bool) {
        self.requests = None;
        self.runs.clear();
        for pair in self.keys.chunks_exact(2) {
            let (number, part) = (pair[0], pair[1]);
            match self.runs.last_mut() {
                Some(run) if together && run.goes_on_with(number, part) => run.count += 1,
                _ => self.runs.push(Run { number, part, count: 1 }),
            }
        }
    }

    fn ask(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let requests = Array::new();
        let mut last = None;
        for run in &self.runs {
            let request = run.ask(transaction)?;
            requests.push(&request);
            last = Some(request);
        }
        self.requests = Some(requests);
        Ok(last.map_or_else(|| Next::Done(Array::new().into()), Next::Wait))
    }
}

impl Job for Values {
    fn mode(&self) -> Mode {
        READ
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let Some(requests) = &self.requests else {
            return self.ask(transaction);
        };
        let found = Array::new();
        for (place, run) in self.runs.iter().enumerate() {
            let request: Request = requests.get(place as u32).unchecked_into();
            if !run.collect(transaction, &request.result(), &found)? {
                self.divide(false);
                return self.ask(transaction);
            }
        }
        Ok(Next::Done(found.into()))
    }

    fn restart(&mut self) -> bool {
        self.divide(true);
        true
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
        if self.part == OWN {
            JsValue::from_f64(self.number + f64::from(place))
        } else {
            layout::chunk_key(&JsValue::from_f64(self.number), self.part + f64::from(place))
        }
    }

    fn ask(&self, transaction: &Transaction) -> Result<Request, JsValue> {
        let first = self.key(0);
        if self.count == 1 {
            return transaction.store.get(&first);
        }
        transaction.store.get_all(&between(&first, &self.key(self.count - 1))?, self.count)
    }

    /// Adds the bodies to those found; false when some of the run are gone: which, only each by itself can tell.
    fn collect(&self, transaction: &Transaction, result: &JsValue, found: &Array) -> Result<bool, JsValue> {
        if self.count == 1 {
            found.push(&self.bodies(transaction, 0, result)?);
            return Ok(true);
        }
        let values: &Array = result.unchecked_ref();
        if values.length() != self.count {
            return Ok(false);
        }
        for place in 0..self.count {
            found.push(&self.bodies(transaction, place, &values.get(place))?);
        }
        Ok(true)
    }

    fn bodies(&self, transaction: &Transaction, place: u32, value: &JsValue) -> Result<JsValue, JsValue> {
        if value.is_undefined() {
            return Ok(JsValue::UNDEFINED);
        }
        layout::bodies_of(value, self.part != OWN).ok_or_else(|| transaction.corrupt(&self.key(place)))
    }
}
