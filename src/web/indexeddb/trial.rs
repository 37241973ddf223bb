//! Finding the bodies that the store refuses to hold.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::job::{Job, Next};
use super::layout;
use super::transaction::{Mode, Transaction};

/// Answers the indices of those bodies that cannot be stored. Each is put, and all are taken back: only the store itself
/// knows what it clones.
pub struct Trial(pub Array);

impl Job for Trial {
    fn mode(&self) -> Mode {
        Mode { write: true, strict: false }
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let refused = Array::new();
        for index in 0..self.0.length() {
            if transaction.store.put_number(&self.0.get(index), layout::TRIAL_KEY).is_err() {
                refused.push(&JsValue::from(index));
            }
        }
        transaction.abort();
        Ok(Next::Done(refused.into()))
    }
}
