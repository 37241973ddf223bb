//! What crosses the border to JavaScript: numbers, errors, and the memory in which all else is read.

use js_sys::Error;
use wasm_bindgen::prelude::*;

use crate::id::NEVER;

/// The memory of this module, in which all of it lies.
#[wasm_bindgen(js_name = moduleMemory)]
pub fn module_memory() -> JsValue {
    wasm_bindgen::memory()
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
