//! Bindings for what web-sys lacks or makes too large, and for the shapes of our own plain objects.
//!
//! A binding of its own for each property is a function in the glue: what is read or written seldom goes by [`property`]
//! and [`set`] instead.

use js_sys::{Array, Function, JsString, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{IdbKeyRange, IdbTransaction};

/// A property, or what its getter throws.
pub fn try_property(of: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    of.unchecked_ref::<Any>().get(name)
}

/// A property; `undefined` where there is none, or nothing that could have one.
pub fn property(of: &JsValue, name: &str) -> JsValue {
    try_property(of, name).unwrap_or_default()
}

/// Sets a property of an object.
pub fn set(of: &JsValue, name: &str, value: &JsValue) {
    of.unchecked_ref::<Any>().set(name, value);
}

/// Calls a method without arguments that answers a promise.
pub fn promised(of: &JsValue, name: &str) -> Result<Promise, JsValue> {
    let method: Function = property(of, name).unchecked_into();
    Ok(method.call1(of, &JsValue::UNDEFINED)?.unchecked_into())
}

/// The range of keys from `low` to `high`, both included.
pub fn between(low: &JsValue, high: &JsValue) -> Result<JsValue, JsValue> {
    Ok(IdbKeyRange::bound(low, high)?.into())
}

/// An array of these.
pub fn array(values: &[&JsValue]) -> Array {
    let array = Array::new();
    for value in values {
        array.push(value);
    }
    array
}

// Strings that cross often, as JavaScript has them: no decoding. (rustfmt takes the values away.)
#[rustfmt::skip]
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, static_string)]
    pub static JOURNAL: JsString = "journal";
    #[wasm_bindgen(thread_local_v2, static_string)]
    pub static READONLY: JsString = "readonly";
    #[wasm_bindgen(thread_local_v2, static_string)]
    pub static READWRITE: JsString = "readwrite";
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(handler: &Function, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(handle: &JsValue);

    /// What every context has of the platform.
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    pub static GLOBAL: JsValue;

    /// Any object.
    type Any;
    #[wasm_bindgen(method, catch, indexing_getter)]
    fn get(this: &Any, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, indexing_setter)]
    fn set(this: &Any, name: &str, value: &JsValue);

    /// A promise, with both handlers.
    pub type Thenable;
    #[wasm_bindgen(method)]
    pub fn then(this: &Thenable, good: &Function, bad: &Function);

    /// `IDBDatabase` with transaction options.
    #[wasm_bindgen(extends = web_sys::IdbDatabase)]
    #[derive(Clone, PartialEq)]
    pub type Database;
    #[wasm_bindgen(method, catch)]
    pub fn transaction(
        this: &Database,
        stores: &JsString,
        mode: &JsString,
        options: &JsValue,
    ) -> Result<Transacting, JsValue>;

    /// `IDBObjectStore`, with one way to do each thing.
    pub type Store;
    #[wasm_bindgen(method, catch)]
    pub fn get(this: &Store, key: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn put(this: &Store, value: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = put)]
    pub fn put_at(this: &Store, value: &JsValue, key: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn delete(this: &Store, keys: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAll)]
    pub fn get_all(this: &Store, keys: &JsValue, limit: u32) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAllKeys)]
    pub fn get_all_keys(this: &Store, keys: &JsValue, limit: u32) -> Result<Request, JsValue>;

    /// `IDBRequest`. Its result is read once it is there.
    #[derive(Clone)]
    pub type Request;
    #[wasm_bindgen(method, getter)]
    pub fn result(this: &Request) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub fn set_onsuccess(this: &Request, handler: &JsValue);

    /// `IDBTransaction` with `commit()`.
    #[wasm_bindgen(extends = IdbTransaction)]
    pub type Transacting;
    #[wasm_bindgen(method, catch)]
    pub fn commit(this: &Transacting) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = objectStore)]
    pub fn store(this: &Transacting, name: &JsString) -> Result<Store, JsValue>;
    #[wasm_bindgen(method, setter)]
    pub fn set_onabort(this: &Transacting, handler: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_oncomplete(this: &Transacting, handler: &JsValue);

    /// What `decide` answers.
    pub type Append;
    #[wasm_bindgen(method, getter)]
    pub fn record(this: &Append) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn bodies(this: &Append) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn headers(this: &Append) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub fn chunk(this: &Append) -> f64;

    /// Bodies of one value, with the headers some of them have.
    pub type Bodies;
    #[wasm_bindgen(method, setter)]
    pub fn set_bodies(this: &Bodies, value: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_headers(this: &Bodies, value: &JsValue);
}
