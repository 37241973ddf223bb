//! The border to JavaScript. What a call leaves is read where it lies, before the next call: an array made for each, here and
//! there, would cost more than all else about it. There is one place for numbers, whoever leaves them.

use core::cell::RefCell;
use js_sys::Error;
use wasm_bindgen::prelude::*;

use crate::id::NEVER;

thread_local! {
    static NUMBERS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// The memory of this module, in which all of it lies.
#[wasm_bindgen(js_name = moduleMemory)]
pub fn module_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Where the numbers lie that the last call left, which answered how many they are.
#[wasm_bindgen(js_name = numbersAt)]
pub fn numbers_at() -> *const f64 {
    NUMBERS.with_borrow(|numbers| numbers.as_ptr())
}

/// Leaves numbers, and answers how many.
pub fn leave(fill: impl FnOnce(&mut Vec<f64>)) -> usize {
    NUMBERS.with_borrow_mut(|numbers| {
        numbers.clear();
        fill(numbers);
        numbers.len()
    })
}

/// Leaves pairs of numbers, one behind the other.
pub fn leave_pairs(pairs: &[(u32, u32)]) -> usize {
    leave(|numbers| {
        for &(token, count) in pairs {
            numbers.extend_from_slice(&[token.into(), count.into()]);
        }
    })
}

/// Milliseconds or counts from JavaScript: whatever is no number, or too large to be exact, is bounded.
pub fn whole(value: f64) -> u64 {
    if value >= 9_007_199_254_740_991.0 { NEVER } else { value as u64 }
}

/// A time or count for JavaScript; "never" and "no limit" are Infinity.
pub fn real(value: u64) -> f64 {
    if value >= 1 << 53 { f64::INFINITY } else { value as f64 }
}

/// An error of this name.
pub fn named(name: &str, text: &str) -> JsValue {
    let error = Error::new(text);
    error.set_name(name);
    error.into()
}
