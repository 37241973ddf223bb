//! One transaction on the journal's object store.

use js_sys::Object;
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbKeyRange};

use super::errors;
use crate::web::platform::{call, property, set, tell};

/// The object store, the only one there is.
pub const JOURNAL: &str = "journal";

#[derive(Clone, Copy)]
pub struct Mode {
    pub write: bool,
    /// Flush to the disk before the commit is told.
    pub strict: bool,
}

pub const READ: Mode = Mode { write: false, strict: false };
pub const WRITE: Mode = Mode { write: true, strict: false };

/// Requests are made one after the other, and nobody asks whether each could be: whoever drives the transaction looks at
/// [`wrong`](Transaction::wrong), once, and aborts.
pub struct Transaction {
    transaction: JsValue,
    pub store: JsValue,
    /// The request that was made last.
    pub last: JsValue,
    /// Why the first request that could not be made was refused.
    pub wrong: Option<JsValue>,
}

#[wasm_bindgen]
extern "C" {
    /// `IDBDatabase` with transaction options.
    type Database;
    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Database, stores: &str, mode: &str, options: &JsValue) -> Result<JsValue, JsValue>;
}

impl Transaction {
    /// `handler` hears when the transaction aborts.
    pub fn begin(database: &IdbDatabase, mode: Mode, handler: &JsValue) -> Result<Box<Self>, JsValue> {
        let options = Object::new();
        set(&options, "durability", &if mode.strict { "strict" } else { "relaxed" }.into());
        let write = if mode.write { "readwrite" } else { "readonly" };
        let transaction = database.unchecked_ref::<Database>().transaction(JOURNAL, write, &options)?;
        let store = call(&transaction, "objectStore", &JOURNAL.into(), &JsValue::UNDEFINED)?;
        set(&transaction, "onabort", handler);
        Ok(Box::new(Transaction { transaction, store, last: JsValue::UNDEFINED, wrong: None }))
    }

    /// Asks for the value at `key`.
    pub fn get(&mut self, key: JsValue) {
        self.ask("get", &key, &JsValue::UNDEFINED);
    }

    /// Asks for up to `limit` values, or keys (`method`), from `low` to `high`, both included.
    pub fn get_all(&mut self, method: &str, low: &JsValue, high: &JsValue, limit: u32) {
        self.ask_range(method, low, high, &limit.into());
    }

    /// `key` undefined: under the next number.
    pub fn put(&mut self, value: &JsValue, key: JsValue) {
        self.ask("put", value, &key);
    }

    /// Deletes from `low` to `high`, both included.
    pub fn delete(&mut self, low: JsValue, high: JsValue) {
        self.ask_range("delete", &low, &high, &JsValue::UNDEFINED);
    }

    fn ask_range(&mut self, method: &str, low: &JsValue, high: &JsValue, limit: &JsValue) {
        match IdbKeyRange::bound(low, high) {
            Ok(range) => self.ask(method, &range, limit),
            Err(error) => self.refuse(error),
        }
    }

    fn ask(&mut self, method: &str, one: &JsValue, other: &JsValue) {
        match call(&self.store, method, one, other) {
            Ok(request) => self.last = request,
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: JsValue) {
        self.wrong.get_or_insert(error);
    }

    /// What the request that was made last found.
    pub fn found(&self) -> JsValue {
        property(&self.last, "result")
    }

    /// Says that no request follows: saves a turn through the event loop. Where the platform has no `commit()` the
    /// transaction commits by itself.
    pub fn commit(&self) {
        tell(&self.transaction, "commit");
    }

    /// `handler` hears when everything is committed.
    pub fn tell_complete(&self, handler: &JsValue) {
        set(&self.transaction, "oncomplete", handler);
    }

    /// `handler` hears when the last request has succeeded, and so all before it.
    pub fn tell_found(&self, handler: &JsValue) {
        set(&self.last, "onsuccess", handler);
    }

    /// Undoes everything. Fails only when the transaction is aborted already.
    pub fn abort(&self) {
        tell(&self.transaction, "abort");
    }

    /// Whether the platform says it will be flushed to the disk; not where it does not know the option.
    pub fn is_strict(&self) -> bool {
        property(&self.transaction, "durability") == "strict"
    }

    /// Why the transaction aborted.
    pub fn reason(&self) -> JsValue {
        let error = property(&self.transaction, "error");
        if error.is_object() { error } else { errors::platforms("AbortError", "its connection was closed") }
    }

    /// Why the last request failed, if it did.
    pub fn failure(&self) -> Option<JsValue> {
        Some(property(&self.last, "error")).filter(JsValue::is_object)
    }

    /// Whether an event of this target is the transaction's, or of the request made last.
    pub fn concerns(&self, target: &JsValue) -> bool {
        self.transaction == *target || self.last == *target
    }

    pub fn database(&self) -> JsValue {
        property(&self.transaction, "db")
    }

    /// The name of its database.
    pub fn name(&self) -> String {
        property(&self.database(), "name").as_string().unwrap_or_default()
    }

    /// The error for a value at `key` that is not what the layout says.
    pub fn corrupt(&self, key: &JsValue) -> JsValue {
        let key = call(key, "toString", &JsValue::UNDEFINED, &JsValue::UNDEFINED).unwrap_or_default();
        let key = key.as_string().unwrap_or_default();
        errors::corruption(&self.name(), &["holds a damaged or foreign value at key ", &key].concat())
    }
}

impl Drop for Transaction {
    /// Its handler may be another's before this transaction has ended.
    fn drop(&mut self) {
        set(&self.transaction, "onabort", &JsValue::NULL);
    }
}
