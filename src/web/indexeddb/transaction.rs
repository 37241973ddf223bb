//! One transaction on the journal's object store.

use std::rc::Rc;

use js_sys::{JsString, Object};
use wasm_bindgen::JsValue;
use web_sys::IdbDatabase;

use super::errors;
use super::operation::Operation;
use super::platform::{self, Database, Store, Transacting, property, set};

#[derive(Clone, Copy)]
pub struct Mode {
    pub write: bool,
    /// Flush to the disk before the commit is told.
    pub strict: bool,
}

pub const READ: Mode = Mode { write: false, strict: false };

/// `{ durability }`, made once.
pub struct Options {
    relaxed: JsValue,
    strict: JsValue,
}

pub struct Transaction {
    transaction: Transacting,
    pub store: Store,
    operation: Rc<Operation>,
}

impl Transaction {
    /// The operation hears a bad event when the transaction aborts.
    pub fn begin(
        operation: &Rc<Operation>,
        database: &Database,
        mode: Mode,
        options: &Options,
    ) -> Result<Self, JsValue> {
        let options = if mode.strict { &options.strict } else { &options.relaxed };
        let mode = if mode.write { &platform::READWRITE } else { &platform::READONLY };
        let transaction =
            platform::JOURNAL.with(|journal| mode.with(|mode| database.transaction(journal, mode, options)))?;
        let store = platform::JOURNAL.with(|journal| transaction.store(journal))?;
        transaction.set_onabort(operation.bad());
        Ok(Transaction { transaction, store, operation: operation.clone() })
    }

    /// Says that no request follows: saves a turn through the event loop. Where the platform has no `commit()` the
    /// transaction commits by itself.
    pub fn commit(&self) {
        let _ = self.transaction.commit();
    }

    /// The operation hears a good event when everything is committed.
    pub fn tell_complete(&self) {
        self.transaction.set_oncomplete(self.operation.good());
    }

    /// Undoes everything. Fails only when the transaction is aborted already.
    pub fn abort(&self) {
        let _ = self.transaction.abort();
    }

    /// Whether the platform says it will be flushed to the disk; not where it does not know the option.
    pub fn is_strict(&self) -> bool {
        property(&self.transaction, "durability") == "strict"
    }

    /// Why the transaction aborted.
    pub fn reason(&self) -> JsValue {
        let error = property(&self.transaction, "error");
        if error.is_object() {
            return error;
        }
        errors::platform_named("AbortError", "its connection was closed")
    }

    pub fn database(&self) -> IdbDatabase {
        self.transaction.db()
    }

    /// The error for a value at `key` that is not what the layout says.
    pub fn corrupt(&self, key: &JsValue) -> JsValue {
        let database = errors::quoted(&self.database().name());
        let key = JsString::from("").concat(key);
        errors::corruption(&[&database, " holds a damaged or foreign value at key ", &String::from(key)].concat())
    }
}

impl Drop for Transaction {
    /// The operation may be another's before this transaction has ended.
    fn drop(&mut self) {
        self.transaction.set_onabort(&JsValue::NULL);
    }
}

impl Options {
    pub fn new() -> Self {
        let of = |durability: &str| {
            let options = JsValue::from(Object::new());
            set(&options, "durability", &durability.into());
            options
        };
        Options { relaxed: of("relaxed"), strict: of("strict") }
    }
}
