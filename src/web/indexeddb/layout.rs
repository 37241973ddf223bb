//! What lies where in the database. Version 1 for ever; formats change inside records.
//!
//! One object store, `journal`, with generated keys and no key path:
//!
//! | key | value |
//! |---|---|
//! | `n`, generated, from 1 | `[record, bodies, headers?]`: a record, and its bodies unless they lie apart (then 0) |
//! | `[n, c]` | `[bodies, headers?]`: chunk `c` of the bodies of record `n` |
//! | `0` | the header: `{ format: 1, birth, number, floor }`, `number` being the snapshot's (0: none) |
//! | `-1` | the snapshot: bytes |
//! | `-3` | the reserve: bytes that say nothing |
//!
//! Numbers sort before arrays, so the records are one range and the chunks of a range of records another.
//! Whatever is read here may have been written by anyone: nothing counts before it is checked.

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::errors;
use super::platform::{Bodies, array, between, property, set};
use super::transaction::Transaction;

pub const VERSION: f64 = 1.0;
const FORMAT: f64 = 1.0;
pub const HEADER_KEY: f64 = 0.0;
pub const SNAPSHOT_KEY: f64 = -1.0;
/// No record can have it: where bodies are tried.
pub const TRIAL_KEY: f64 = -2.0;
/// Room for a full storage.
pub const RESERVE_KEY: f64 = -3.0;
/// Numbers stay below 2^44: the engine packs them with an index.
const NUMBER_END: f64 = 17_592_186_044_416.0;
const BIRTH_END: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, Copy)]
pub struct Header {
    /// Random mark from the creation.
    pub birth: f64,
    /// Last record that is in the snapshot; 0: there is no snapshot.
    pub number: f64,
    /// Records up to here may be missing.
    pub floor: f64,
}

impl Header {
    pub fn born() -> Self {
        Header { birth: (js_sys::Math::random() * BIRTH_END).floor(), number: 0.0, floor: 0.0 }
    }

    pub fn write(self) -> JsValue {
        let header = JsValue::from(Object::new());
        let parts = [("format", FORMAT), ("birth", self.birth), ("number", self.number), ("floor", self.floor)];
        for (name, value) in parts {
            set(&header, name, &value.into());
        }
        header
    }

    pub fn read(value: &JsValue, transaction: &Transaction) -> Result<Self, JsValue> {
        let number = |name: &str| property(value, name).as_f64().unwrap_or(f64::NAN);
        let format = number("format");
        if format > FORMAT {
            return Err(errors::newer(&transaction.database().name()));
        }
        let read = Header { birth: number("birth"), number: number("number"), floor: number("floor") };
        // What is no number is NaN by now, and fails here.
        let good = format == FORMAT
            && is_integer(read.birth, BIRTH_END)
            && is_integer(read.number, NUMBER_END)
            && is_integer(read.floor, NUMBER_END)
            && read.floor <= read.number;
        if good { Ok(read) } else { Err(transaction.corrupt(&HEADER_KEY.into())) }
    }
}

pub fn chunk_key(number: &JsValue, chunk: f64) -> JsValue {
    array(&[number, &chunk.into()]).into()
}

/// Every record from `number` on.
pub fn records_from(number: f64) -> Result<JsValue, JsValue> {
    records_between(number, f64::INFINITY)
}

/// Records `low` to `high`.
pub fn records_between(low: f64, high: f64) -> Result<JsValue, JsValue> {
    between(&low.into(), &high.into())
}

/// All chunks of records `low` to `high`: `[low]` sorts before `[low, 0]`, and an array after every number.
pub fn chunks_between(low: f64, high: f64) -> Result<JsValue, JsValue> {
    between(&array(&[&low.into()]), &array(&[&high.into(), &Array::new()]))
}

/// The number in a key found among the records, if the generator could have made it.
pub fn number_of(key: &JsValue) -> Option<f64> {
    key.as_f64().filter(|number| *number >= 1.0 && is_integer(*number, NUMBER_END))
}

/// The same bytes in a buffer of their own: a clone of a view is a clone of all it looks into.
pub fn own(bytes: &Uint8Array) -> Uint8Array {
    bytes.slice(0, u32::MAX)
}

/// The record in the value at a record's key.
pub fn record_of(value: &JsValue) -> Option<Uint8Array> {
    value.dyn_ref::<Array>()?.get(0).dyn_into().ok()
}

/// The bodies in a record's own value (`apart` false) or in a chunk.
pub fn bodies_of(value: &JsValue, apart: bool) -> Option<JsValue> {
    let value: &Array = value.dyn_ref()?;
    if !apart && !value.get(0).is_instance_of::<Uint8Array>() {
        return None;
    }
    let place = u32::from(!apart);
    let bodies = value.get(place);
    let headers = value.get(place + 1);
    if !Array::is_array(&bodies) || !(headers.is_undefined() || headers.is_object()) {
        return None;
    }
    let object = JsValue::from(Object::new());
    let found: &Bodies = object.unchecked_ref();
    found.set_bodies(&bodies);
    if !headers.is_undefined() {
        found.set_headers(&headers);
    }
    Some(object)
}

fn is_integer(value: f64, end: f64) -> bool {
    (0.0..end).contains(&value) && value.trunc() == value
}
