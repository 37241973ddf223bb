//! Reading the journal: what came since a number, by way of the snapshot where records were cleaned away.

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::job::{Job, Next};
use super::layout::{self, Header};
use super::platform::{Request, set};
use super::transaction::{Mode, READ, Transaction};

/// Records read at once. They may bring their bodies: this bounds what an opening holds in memory.
const PAGE: u32 = 256;

/// The job that does nothing but read.
pub struct Read(Reading);

/// The tail from a number on, as far as it was read.
pub struct Reading {
    from: f64,
    asked: Option<Request>,
    header: Option<Header>,
    snapshot: Option<Request>,
    page: Option<Page>,
    numbers: Array,
    records: Array,
}

/// Up to `PAGE` records, asked for.
struct Page {
    values: Request,
    numbers: Request,
}

impl Read {
    pub fn new(from: f64) -> Self {
        Read(Reading::new(from))
    }
}

impl Job for Read {
    fn mode(&self) -> Mode {
        READ
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        Ok(match self.0.step(transaction)? {
            Some(request) => Next::Wait(request),
            None => Next::Done(self.0.tail(transaction)?),
        })
    }

    fn restart(&mut self) -> bool {
        self.0.restart();
        true
    }
}

impl Reading {
    pub fn new(from: f64) -> Self {
        let (numbers, records) = (Array::new(), Array::new());
        Reading { from, asked: None, header: None, snapshot: None, page: None, numbers, records }
    }

    pub fn restart(&mut self) {
        *self = Reading::new(self.from);
    }

    /// Makes the next requests; answers the last of them, none when everything is read.
    pub fn step(&mut self, transaction: &Transaction) -> Result<Option<Request>, JsValue> {
        let Some(asked) = &self.asked else {
            let header = transaction.store.get(&layout::HEADER_KEY.into())?;
            self.asked = Some(header.clone());
            // From the start there may be a snapshot, and then most records need not be read.
            return if self.from > 1.0 { self.ask(transaction, self.from) } else { Ok(Some(header)) };
        };
        if self.header.is_none() {
            let header = Header::read(&asked.result(), transaction)?;
            self.header = Some(header);
            if header.number > 0.0 && (self.from <= 1.0 || self.from <= header.floor) {
                self.snapshot = Some(transaction.store.get(&layout::SNAPSHOT_KEY.into())?);
                return self.ask(transaction, header.number + 1.0);
            }
        }
        let Some(page) = self.page.take() else {
            return self.ask(transaction, self.from);
        };
        match page.take(transaction, &self.numbers, &self.records)? {
            Some(last) => self.ask(transaction, last + 1.0),
            None => Ok(None),
        }
    }

    /// What was read.
    pub fn tail(&self, transaction: &Transaction) -> Result<JsValue, JsValue> {
        let tail = JsValue::from(Object::new());
        if let Some(header) = &self.header {
            set(&tail, "birth", &header.birth.into());
            if let Some(request) = &self.snapshot {
                let bytes = request.result();
                if !bytes.is_instance_of::<Uint8Array>() {
                    return Err(transaction.corrupt(&layout::SNAPSHOT_KEY.into()));
                }
                let snapshot = JsValue::from(Object::new());
                set(&snapshot, "number", &header.number.into());
                set(&snapshot, "bytes", &bytes);
                set(&tail, "snapshot", &snapshot);
            }
        }
        set(&tail, "numbers", &self.numbers);
        set(&tail, "records", &self.records);
        Ok(tail)
    }

    fn ask(&mut self, transaction: &Transaction, from: f64) -> Result<Option<Request>, JsValue> {
        let range = layout::records_from(from)?;
        let values = transaction.store.get_all(&range, PAGE)?;
        let numbers = transaction.store.get_all_keys(&range, PAGE)?;
        let last = numbers.clone();
        self.page = Some(Page { values, numbers });
        Ok(Some(last))
    }
}

impl Page {
    /// Adds what was found. Answers the last number where there may be more.
    fn take(&self, transaction: &Transaction, numbers: &Array, records: &Array) -> Result<Option<f64>, JsValue> {
        let keys: Array = self.numbers.result().unchecked_into();
        let values: Array = self.values.result().unchecked_into();
        let count = keys.length();
        let mut last = 0.0;
        for place in 0..count {
            let key = keys.get(place);
            last = layout::number_of(&key).ok_or_else(|| transaction.corrupt(&key))?;
            let record = layout::record_of(&values.get(place)).ok_or_else(|| transaction.corrupt(&key))?;
            numbers.push(&key);
            records.push(&record);
        }
        Ok((count == PAGE).then_some(last))
    }
}
