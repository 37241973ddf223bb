//! The IndexedDB store: one database is one journal, shared by every context of the origin.
//!
//! What lies where is in [`layout`]. Each file does one thing the store does: [`append`], [`tail`] (reading), [`values`]
//! (bodies), [`snapshot`], [`reserve`], [`hint`], [`trial`], [`usage`]. Below them [`connection`] keeps a connection or gets a new one,
//! [`opening`] makes and proves databases, [`transaction`] and [`operation`] turn events into things to wait for.
//!
//! JavaScript is called from here in three places: `decide` in an append, and the two callbacks of `watch`. None of them
//! is called while anything of the store is borrowed.

mod append;
mod connection;
mod errors;
mod hint;
mod job;
mod layout;
pub(super) mod opening;
pub(super) mod operation;
pub(super) mod platform;
mod reserve;
mod snapshot;
mod tail;
mod transaction;
mod trial;
mod usage;
mod values;

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::{Array, Function, JsString, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use append::Append;
use connection::Connection;
use hint::Hints;
use job::Job;
use reserve::Reserve;
use snapshot::Replacement;
use tail::Read;
use trial::Trial;
use values::Values;

/// A journal in IndexedDB, open in this context. The methods are those of `Store` in the package's `store.ts`.
#[wasm_bindgen]
pub struct IndexedDb {
    connection: Rc<Connection>,
    /// Made when first needed: a channel that nobody uses is one more thing that keeps a page out of the back-forward cache.
    hints: OnceCell<Rc<Hints>>,
}

#[wasm_bindgen]
impl IndexedDb {
    /// Opens the journal in the database `name`, and makes it where there is none. Rejects with `CorruptionError` when the
    /// database is something else, `VersionError` when a newer posthaste wrote it (it is not touched then), `TimeoutError`
    /// after 10 s.
    #[wasm_bindgen(unchecked_return_type = "Promise<IndexedDb>")]
    pub fn open(name: String) -> Promise {
        operation::run(async move |operation| {
            let connection = Connection::open(&operation, name).await?;
            Ok(IndexedDb { connection, hints: OnceCell::new() }.into())
        })
    }

    /// Whether there is a database `name`; true where the platform cannot tell.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn exists(name: String) -> Promise {
        operation::run(|operation| opening::exists(operation, name))
    }

    /// "indexeddb".
    #[wasm_bindgen(getter)]
    pub fn kind(&self) -> JsString {
        JsString::from("indexeddb")
    }

    /// The most that `append` can give: "strict" where the platform takes that option, else "relaxed".
    #[wasm_bindgen(getter, unchecked_return_type = "\"relaxed\" | \"strict\"")]
    pub fn durability(&self) -> JsString {
        JsString::from(if self.connection.strict() { "strict" } else { "relaxed" })
    }

    /// One atomic step: what `decide` answers becomes the next record. `from` 0: nothing is read and `decide` is called at
    /// once, without a tail. Else the tail from number `from` is read in the same transaction and given to it. Resolves,
    /// after the commit, with the record's number; 0 when `decide` answered undefined.
    #[wasm_bindgen(unchecked_return_type = "Promise<number>")]
    pub fn append(
        &self,
        from: f64,
        #[wasm_bindgen(unchecked_param_type = "(tail: any) => any")] decide: Function,
        strict: bool,
    ) -> Promise {
        self.perform(Append::new(from, decide, strict))
    }

    /// The tail from number `from` (1: everything).
    pub fn read(&self, from: f64) -> Promise {
        self.perform(Read::new(from))
    }

    /// The bodies at `keys`, flat pairs (number, part): part -1 is the record's own value, else a chunk.
    #[wasm_bindgen(unchecked_return_type = "Promise<any[]>")]
    pub fn values(&self, #[wasm_bindgen(unchecked_param_type = "ArrayLike<number>")] keys: Vec<f64>) -> Promise {
        self.perform(Values::new(keys))
    }

    /// Puts a snapshot after record `number` in the place of the records in `ranges` (flat pairs low, high; inclusive).
    /// Resolves with false when there is one as new. Makes up for a reserve that was given up.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn snapshot(
        &self,
        number: f64,
        floor: f64,
        bytes: Uint8Array,
        #[wasm_bindgen(unchecked_param_type = "ArrayLike<number>")] ranges: Vec<f64>,
        #[wasm_bindgen(unchecked_param_type = "ArrayLike<number>")] parts: Option<Vec<f64>>,
    ) -> Promise {
        let parts = parts.unwrap_or_default();
        let connection = self.connection.clone();
        let replacement = Box::new(Replacement::new(number, floor, &bytes, ranges, parts, connection.strict_used()));
        operation::run(async move |operation| {
            let written = job::perform(connection.clone(), operation.clone(), replacement).await?;
            if written.is_truthy() {
                // Where there is no room for it yet there may be after the next snapshot.
                let _ = job::perform(connection, operation, Box::new(Reserve::new(true))).await;
            }
            Ok(written)
        })
    }

    /// Gives up the room that is kept for steps in a full storage. Resolves with false when there is none left.
    #[wasm_bindgen(unchecked_return_type = "Promise<boolean>")]
    pub fn release(&self) -> Promise {
        self.perform(Reserve::new(false))
    }

    /// `moved` is called when the journal may have new records (true: or be an older copy, as it was opened again), `lost` once when the
    /// store is lost for good.
    pub fn watch(
        &self,
        #[wasm_bindgen(unchecked_param_type = "(anew: boolean) => void")] moved: Function,
        #[wasm_bindgen(unchecked_param_type = "(error: any) => void")] lost: Function,
    ) {
        self.hints();
        self.connection.watch(moved, lost);
    }

    /// Tells other peers that the journal moved.
    pub fn hint(&self) {
        self.hints().hint();
    }

    /// Bytes used in IndexedDB by the origin, where the platform tells.
    #[wasm_bindgen(unchecked_return_type = "Promise<number | undefined>")]
    pub fn usage(&self) -> Promise {
        operation::run(usage::usage)
    }

    /// For each body the error that the store refuses it with, or undefined.
    #[wasm_bindgen(unchecked_return_type = "Promise<unknown[]>")]
    pub fn refused(&self, bodies: Array) -> Promise {
        self.perform(Trial(bodies))
    }

    /// Closes; what is in flight still ends as it would, everything later rejects with `InvalidStateError`. Idempotent.
    pub fn close(&self) {
        self.connection.close();
        if let Some(hints) = self.hints.get() {
            hints.close();
        }
    }

    fn perform(&self, job: impl Job + 'static) -> Promise {
        let connection = self.connection.clone();
        let job = Box::new(job);
        operation::run(move |operation| job::perform(connection, operation, job))
    }

    fn hints(&self) -> &Hints {
        self.hints.get_or_init(|| Hints::new(&self.connection))
    }
}

/// Not for JavaScript.
impl IndexedDb {
    /// Deletes the database `name`, journal or not. Peers that have it open close it.
    pub fn delete_database(name: String) -> Promise {
        operation::run(|operation| opening::delete(operation, name))
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        self.close();
    }
}
