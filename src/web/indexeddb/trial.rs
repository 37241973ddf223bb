//! Finding the bodies that the store refuses to hold.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::job::{Job, Next};
use super::layout;
use super::transaction::{Mode, Transaction};

/// Answers for each body the error it cannot be stored for, or undefined. Each is put, and all are taken back: only the
/// store itself knows what it clones.
pub struct Trial(pub Array);

impl Job for Trial {
    fn mode(&self) -> Mode {
        Mode { write: true, strict: false }
    }

    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue> {
        let (errors, key) = (Array::new(), JsValue::from_f64(layout::TRIAL_KEY));
        for index in 0..self.0.length() {
            let put = transaction.store.put_at(&self.0.get(index), &key);
            errors.push(&put.err().unwrap_or(JsValue::UNDEFINED));
        }
        transaction.abort();
        Ok(Next::Done(errors.into()))
    }
}
