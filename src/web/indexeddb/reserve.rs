//! Room that is kept for a full storage: what drains a queue has to write a little first, its leases and acks.
//!
//! The reserve is one value that says nothing. It is large enough for Chromium to keep it in a file of its own (values past
//! 64 KiB), so that its room is free at once when it is deleted; what lies in the log is only free after a compaction.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::IdbRequest;

use super::job::{Job, Next};
use super::layout;
use super::platform::Store;
use super::transaction::{Mode, Transaction};

const BYTES: u32 = 72 << 10;
const WRITE: Mode = Mode { write: true, strict: false };

/// Gives the room up. Answers whether there was any.
#[derive(Default)]
pub struct Release(Option<IdbRequest>);

/// Sees that the room is there.
#[derive(Default)]
pub struct Keep(Option<IdbRequest>);

/// Puts a reserve.
pub fn put(store: &Store) -> Result<(), JsValue> {
    store.put_number(&noise(), layout::RESERVE_KEY).map(|_| ())
}

impl Job for Release {
    fn mode(&self) -> Mode {
        WRITE
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let Some(found) = &self.0 else {
            let request = transaction.store.get_key(&JsValue::from_f64(layout::RESERVE_KEY))?;
            self.0 = Some(request.clone());
            return Ok(Next::Wait(request));
        };
        if found.result()?.is_undefined() {
            return Ok(Next::Done(JsValue::FALSE));
        }
        transaction.store.delete(&JsValue::from_f64(layout::RESERVE_KEY))?;
        Ok(Next::Commit(None))
    }
}

impl Job for Keep {
    fn mode(&self) -> Mode {
        WRITE
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let Some(found) = &self.0 else {
            let request = transaction.store.get_key(&JsValue::from_f64(layout::RESERVE_KEY))?;
            self.0 = Some(request.clone());
            return Ok(Next::Wait(request));
        };
        if !found.result()?.is_undefined() {
            return Ok(Next::Done(JsValue::FALSE));
        }
        put(&transaction.store)?;
        Ok(Next::Commit(None))
    }
}

/// Bytes that no store can make smaller: a Weyl sequence, mixed.
fn noise() -> Uint8Array {
    let mut state = 0u32;
    let bytes: Vec<u8> = (0..BYTES)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9);
            let mixed = (state ^ (state >> 16)).wrapping_mul(0x85EB_CA6B);
            (mixed >> 24) as u8
        })
        .collect();
    Uint8Array::from(&bytes[..])
}
