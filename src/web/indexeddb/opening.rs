//! Making databases, and proving that one is a journal.

use js_sys::Object;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbDatabase;

use super::errors;
use super::layout::{self, Header, VERSION};
use super::transaction::{JOURNAL, Mode, READ, Transaction};
use crate::web::platform::{call, property, set, tell};

/// A connection to the database, closed when dropped; what is in flight on it still ends as it would.
pub struct Database(IdbDatabase);

impl Database {
    /// `handler` hears that another wants to delete or upgrade the database, and that the browser closed it.
    pub fn new(database: JsValue, handler: &JsValue) -> Self {
        let database = Database(database.unchecked_into());
        database.tell(handler);
        database
    }

    fn tell(&self, handler: &JsValue) {
        set(&self.0, "onversionchange", handler);
        set(&self.0, "onclose", handler);
    }

    pub fn begin(&self, mode: Mode, handler: &JsValue) -> Result<Box<Transaction>, JsValue> {
        Transaction::begin(&self.0, mode, handler)
    }

    pub fn is(&self, other: &JsValue) -> bool {
        AsRef::<JsValue>::as_ref(&self.0) == other
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.tell(&JsValue::NULL);
        tell(&self.0, "close");
    }
}

/// Makes the journal in a database that is being made.
pub fn make(database: JsValue) -> Result<(), JsValue> {
    let parameters = Object::new();
    set(&parameters, "autoIncrement", &JsValue::TRUE);
    let store = call(&database, "createObjectStore", &JOURNAL.into(), &parameters)?;
    call(&store, "put", &layout::reserve(), &layout::RESERVE_KEY.into())?;
    call(&store, "put", &Header::born().write(), &layout::HEADER_KEY.into()).map(|_| ())
}

/// Begins to prove that the database is a journal of this version: asks for its header. Writes nothing.
pub fn prove(database: &Database, name: &str, handler: &JsValue) -> Result<Box<Transaction>, JsValue> {
    let stores = property(&database.0, "objectStoreNames");
    let ours = call(&stores, "contains", &JOURNAL.into(), &JsValue::UNDEFINED)? == JsValue::TRUE;
    if ours && property(&database.0, "version").as_f64() > Some(VERSION) {
        return Err(errors::newer(name));
    }
    let foreign = || errors::corruption(name, "holds other things than a journal");
    if !ours || property(&stores, "length").as_f64() != Some(1.0) {
        return Err(foreign());
    }
    let mut transaction = database.begin(Mode { strict: true, ..READ }, handler)?;
    let store = &transaction.store;
    if property(store, "autoIncrement") != JsValue::TRUE || property(store, "keyPath") != JsValue::NULL {
        return Err(foreign());
    }
    transaction.get(layout::HEADER_KEY.into());
    if let Some(error) = transaction.wrong.take() {
        return Err(error);
    }
    transaction.tell_found(handler);
    Ok(transaction)
}

/// An opening that was given up came true all the same: it must neither leave an empty database nor hold one open.
pub fn undo(request: &JsValue, event: &str) {
    match event {
        "upgradeneeded" => tell(&property(request, "transaction"), "abort"),
        "success" => tell(&property(request, "result"), "close"),
        _ => {}
    }
}
