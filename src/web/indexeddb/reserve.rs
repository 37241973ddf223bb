//! Room that is kept for a full storage: what drains a queue has to write a little first, its leases and acks.
//!
//! The reserve is one value that says nothing. It is large enough for Chromium to keep it in a file of its own (values past
//! 64 KiB), so that its room is free at once when it is deleted; what lies in the log is only free after a compaction.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::job::{Job, Next};
use super::layout;
use super::platform::{Request, Store};
use super::transaction::{Mode, Transaction};

const BYTES: u32 = 72 << 10;

/// Sees that the room is there (`keep`), or gives it up. Answers whether that changed anything.
pub struct Reserve {
    keep: bool,
    asked: Option<Request>,
}

impl Reserve {
    pub fn new(keep: bool) -> Self {
        Reserve { keep, asked: None }
    }
}

/// Puts a reserve.
pub fn put(store: &Store) -> Result<(), JsValue> {
    store.put_at(&noise(), &layout::RESERVE_KEY.into()).map(|_| ())
}

impl Job for Reserve {
    fn mode(&self) -> Mode {
        Mode { write: true, strict: false }
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let key = JsValue::from_f64(layout::RESERVE_KEY);
        let Some(asked) = &self.asked else {
            let request = transaction.store.get_all_keys(&key, 1)?;
            self.asked = Some(request.clone());
            return Ok(Next::Wait(request));
        };
        let found: Array = asked.result().unchecked_into();
        if self.keep == (found.length() > 0) {
            return Ok(Next::Done(JsValue::FALSE));
        }
        if self.keep {
            put(&transaction.store)?;
        } else {
            transaction.store.delete(&key)?;
        }
        Ok(Next::Commit(None))
    }
}

/// Bytes that no store can make smaller: a Weyl sequence, mixed.
fn noise() -> Uint8Array {
    let mut state = 0u32;
    let mut bytes = Vec::with_capacity(BYTES as usize);
    for _ in 0..BYTES {
        state = state.wrapping_add(0x9E37_79B9);
        let mixed = (state ^ (state >> 16)).wrapping_mul(0x85EB_CA6B);
        bytes.push((mixed >> 24) as u8);
    }
    Uint8Array::from(&bytes[..])
}
