//! The platform as this module sees it: objects whose properties and methods go by name.
//!
//! A binding of its own for each property or method is a function here and one in the glue; by name, three do for all.

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

/// A property; `undefined` where there is none, or nothing that could have one.
pub fn property(of: &JsValue, name: &str) -> JsValue {
    of.unchecked_ref::<Any>().get(name).unwrap_or_default()
}

/// Sets a property of an object.
pub fn set(of: &JsValue, name: &str, value: &JsValue) {
    of.unchecked_ref::<Any>().set(name, value);
}

/// Calls a method with two arguments. Those that take fewer get `undefined`, which is to them as if it were not there.
pub fn call(of: &JsValue, method: &str, one: &JsValue, other: &JsValue) -> Result<JsValue, JsValue> {
    property(of, method).unchecked_ref::<Function>().call2(of, one, other)
}

/// Calls a function with one argument: with two, as methods are called, so that one binding does for both.
pub fn run(function: &Function, argument: &JsValue) -> Result<JsValue, JsValue> {
    function.call2(&JsValue::UNDEFINED, argument, &JsValue::UNDEFINED)
}

/// Calls a method without arguments, whatever becomes of it.
pub fn tell(of: &JsValue, method: &str) {
    let _ = call(of, method, &JsValue::UNDEFINED, &JsValue::UNDEFINED);
}

/// A function for JavaScript. It is kept until JavaScript does not reach it any more.
pub fn handler(hear: impl Fn(JsValue) + 'static) -> JsValue {
    Closure::<dyn Fn(JsValue)>::new(hear).into_js_value()
}

/// An array of two.
pub fn pair(one: &JsValue, other: &JsValue) -> Array {
    let pair = Array::new();
    pair.push(one);
    pair.push(other);
    pair
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(handler: &JsValue, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(handle: &JsValue);

    /// Any object.
    type Any;
    #[wasm_bindgen(method, catch, indexing_getter)]
    fn get(this: &Any, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, indexing_setter)]
    fn set(this: &Any, name: &str, value: &JsValue);
}
