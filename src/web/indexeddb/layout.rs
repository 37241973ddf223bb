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
use super::transaction::Transaction;
use crate::web::platform::{pair, property, set};

pub const VERSION: f64 = 1.0;
const FORMAT: f64 = 1.0;
pub const HEADER_KEY: f64 = 0.0;
pub const SNAPSHOT_KEY: f64 = -1.0;
/// No record can have it: where bodies are tried.
pub const TRIAL_KEY: f64 = -2.0;
/// Room for a full storage.
pub const RESERVE_KEY: f64 = -3.0;
/// Bytes of the reserve. Chromium keeps values past 64 KiB in a file of their own.
const RESERVE: usize = 72 << 10;
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

    /// The header that the last request found.
    pub fn read(transaction: &Transaction) -> Result<Self, JsValue> {
        let value = transaction.found();
        // What is no number is NaN, and fails below.
        let number = |name: &str| property(&value, name).as_f64().unwrap_or(f64::NAN);
        let (format, read) =
            (number("format"), Header { birth: number("birth"), number: number("number"), floor: number("floor") });
        if format > FORMAT {
            return Err(errors::newer(&transaction.name()));
        }
        let good = format == FORMAT
            && is_integer(read.birth, BIRTH_END)
            && is_integer(read.number, NUMBER_END)
            && is_integer(read.floor, NUMBER_END)
            && read.floor <= read.number;
        if good { Ok(read) } else { Err(transaction.corrupt(&HEADER_KEY.into())) }
    }
}

pub fn chunk_key(number: f64, chunk: f64) -> JsValue {
    pair(&number.into(), &chunk.into()).into()
}

/// Before and after the keys of all chunks of records `low` to `high`: an array sorts after every number.
pub fn chunk_keys(low: f64, high: f64) -> (JsValue, JsValue) {
    (chunk_key(low, f64::NEG_INFINITY), pair(&high.into(), &Array::new()).into())
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
    let (bodies, headers) = (value.get(place), value.get(place + 1));
    if !Array::is_array(&bodies) || !(headers.is_undefined() || headers.is_object()) {
        return None;
    }
    let found = JsValue::from(Object::new());
    set(&found, "bodies", &bodies);
    if !headers.is_undefined() {
        set(&found, "headers", &headers);
    }
    Some(found)
}

/// Bytes that no store can make smaller: a Weyl sequence, mixed.
pub fn reserve() -> JsValue {
    let mut bytes = vec![0; RESERVE];
    for (place, byte) in (1u32..).zip(&mut bytes) {
        let state = place.wrapping_mul(0x9E37_79B9);
        *byte = ((state ^ (state >> 16)).wrapping_mul(0x85EB_CA6B) >> 24) as u8;
    }
    Uint8Array::from(&bytes[..]).into()
}

fn is_integer(value: f64, end: f64) -> bool {
    (0.0..end).contains(&value) && value.trunc() == value
}
