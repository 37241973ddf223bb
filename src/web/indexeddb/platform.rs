//! Bindings for what web-sys lacks or keeps behind its unstable flag, and for the shapes of our own plain objects.

use js_sys::{Array, Function, JsString, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{IdbFactory, IdbKeyRange, IdbRequest, IdbTransaction};

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
    /// What `String(value)` gives.
    #[wasm_bindgen(js_name = String)]
    pub fn text(value: &JsValue) -> String;

    /// What `Number(value)` gives.
    #[wasm_bindgen(js_name = Number)]
    pub fn number(value: &JsValue) -> f64;

    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(handler: &Function, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(handle: &JsValue);

    /// A promise, with both handlers.
    pub type Thenable;
    #[wasm_bindgen(method)]
    pub fn then(this: &Thenable, good: &Function, bad: &Function);

    /// What every context has of the platform, if it has it.
    pub type Global;
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    pub static GLOBAL: Global;
    #[wasm_bindgen(method, getter, catch, js_name = indexedDB)]
    pub fn indexed_db(this: &Global) -> Result<Option<Factory>, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn navigator(this: &Global) -> Option<Navigator>;
    pub type Navigator;
    #[wasm_bindgen(method, getter)]
    pub fn storage(this: &Navigator) -> Option<Storage>;
    pub type Storage;
    #[wasm_bindgen(method, catch)]
    pub fn estimate(this: &Storage) -> Result<Promise, JsValue>;

    /// `IDBFactory` with `databases()`.
    #[wasm_bindgen(extends = IdbFactory)]
    pub type Factory;
    #[wasm_bindgen(method, catch)]
    pub fn databases(this: &Factory) -> Result<Promise, JsValue>;

    /// `IDBDatabase` with transaction options.
    #[wasm_bindgen(extends = web_sys::IdbDatabase)]
    #[derive(Clone, PartialEq)]
    pub type Database;
    #[wasm_bindgen(method, catch)]
    pub fn transaction(
        this: &Database,
        stores: &JsString,
        mode: &JsString,
        options: &TransactionOptions,
    ) -> Result<Transacting, JsValue>;

    #[derive(Clone)]
    pub type TransactionOptions;
    #[wasm_bindgen(method, setter)]
    pub fn set_durability(this: &TransactionOptions, value: &str);

    /// `IDBObjectStore`, with numbers for keys.
    #[wasm_bindgen(extends = web_sys::IdbObjectStore)]
    pub type Store;
    #[wasm_bindgen(method, catch, js_name = get)]
    pub fn get_number(this: &Store, key: f64) -> Result<IdbRequest, JsValue>;
    #[wasm_bindgen(method, catch, js_name = put)]
    pub fn put_number(this: &Store, value: &JsValue, key: f64) -> Result<IdbRequest, JsValue>;
    #[wasm_bindgen(js_namespace = IDBKeyRange, catch, js_name = bound)]
    pub fn bound_numbers(low: f64, high: f64) -> Result<IdbKeyRange, JsValue>;

    /// `IDBTransaction` with `commit()` and `durability`.
    #[wasm_bindgen(extends = IdbTransaction)]
    pub type Transacting;
    #[wasm_bindgen(method, catch)]
    pub fn commit(this: &Transacting) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = objectStore)]
    pub fn store(this: &Transacting, name: &JsString) -> Result<Store, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn durability(this: &Transacting) -> Option<String>;

    /// An error that may carry `outcomeUnknown`.
    pub type Marked;
    #[wasm_bindgen(method, getter, js_name = outcomeUnknown)]
    pub fn outcome_unknown(this: &Marked) -> JsValue;
    #[wasm_bindgen(method, setter, js_name = outcomeUnknown)]
    pub fn set_outcome_unknown(this: &Marked, value: bool);

    /// An event of `IDBDatabase`: `newVersion` is null for a deletion.
    pub type VersionChange;
    #[wasm_bindgen(method, getter, js_name = newVersion)]
    pub fn new_version(this: &VersionChange) -> JsValue;

    /// An entry of `databases()`.
    pub type Listed;
    #[wasm_bindgen(method, getter)]
    pub fn name(this: &Listed) -> JsValue;

    /// What `navigator.storage.estimate()` gives.
    pub type Estimate;
    #[wasm_bindgen(method, getter)]
    pub fn usage(this: &Estimate) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = usageDetails)]
    pub fn usage_details(this: &Estimate) -> JsValue;
    pub type UsageDetails;
    #[wasm_bindgen(method, getter, js_name = indexedDB)]
    pub fn indexed_db(this: &UsageDetails) -> JsValue;

    /// The value at key 0.
    pub type Header;
    #[wasm_bindgen(method, getter)]
    pub fn format(this: &Header) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub fn set_format(this: &Header, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn birth(this: &Header) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub fn set_birth(this: &Header, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn number(this: &Header) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub fn set_number(this: &Header, value: f64);
    #[wasm_bindgen(method, getter)]
    pub fn floor(this: &Header) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub fn set_floor(this: &Header, value: f64);

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

    /// What a reader gets of the journal.
    pub type Tail;
    #[wasm_bindgen(method, setter)]
    pub fn set_snapshot(this: &Tail, value: &Snapshot);
    #[wasm_bindgen(method, setter)]
    pub fn set_numbers(this: &Tail, value: &Array);
    #[wasm_bindgen(method, setter)]
    pub fn set_records(this: &Tail, value: &Array);
    #[wasm_bindgen(method, setter)]
    pub fn set_birth(this: &Tail, value: f64);

    pub type Snapshot;
    #[wasm_bindgen(method, setter)]
    pub fn set_number(this: &Snapshot, value: f64);
    #[wasm_bindgen(method, setter)]
    pub fn set_bytes(this: &Snapshot, value: &JsValue);

    /// Bodies of one value, with the headers some of them have.
    pub type Bodies;
    #[wasm_bindgen(method, setter)]
    pub fn set_bodies(this: &Bodies, value: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_headers(this: &Bodies, value: &JsValue);
}
