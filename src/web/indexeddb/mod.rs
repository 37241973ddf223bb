//! The IndexedDB store: one database is one journal, shared by every context of the origin.
//!
//! What lies where is in [`layout`]. Each [`job`] is one thing the store does: [`append`], [`tail`] (reading), [`values`]
//! (bodies), [`snapshot`]. An [`operation`] does a job in a [`transaction`]; [`connection`] keeps a connection or gets a new
//! one, [`opening`] makes and proves databases.
//!
//! TypeScript makes promises of these functions (`indexeddb.ts`): each takes the store by the number that [`open`] gave, and
//! a function `done` that is called once, with whether it went well and the answer or the error, which is undefined when the
//! store is closed. JavaScript is called in three places more: `decide` in an append, `tell` of a connection, and what a body
//! does while it is cloned. The store is not borrowed then.

mod append;
mod connection;
mod errors;
mod job;
mod layout;
mod opening;
mod operation;
mod snapshot;
mod tail;
mod transaction;
mod values;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::IdbFactory;

use append::Append;
use connection::Connection;
use job::{Job, Reserve};
use operation::Operation;
use snapshot::Replacement;
use tail::Reading;
use transaction::{Mode, READ, WRITE};
use values::Values;

thread_local! {
    /// By number; those that are closed are gone, and their numbers not given again.
    static STORES: RefCell<Vec<Option<Rc<Connection>>>> = const { RefCell::new(Vec::new()) };
}

/// Opens the journal in the database `name`, and makes it where there is none; answers the store's number. Done with whether
/// the platform takes strict durability. Fails with `CorruptionError` when the database is something else, `VersionError`
/// when a newer posthaste wrote it (it is not touched then), `TimeoutError` after 10 s. `tell` is called with the error once
/// the store is lost for good, and without one before anything goes on in a journal that was opened again: it may be an older
/// copy.
#[wasm_bindgen(js_name = openIndexedDb)]
pub fn open(factory: IdbFactory, name: String, tell: Function, done: Function) -> u32 {
    let connection = Connection::new(factory, name, tell);
    let number = STORES.with_borrow_mut(|stores| {
        stores.push(Some(connection.clone()));
        stores.len() - 1
    });
    Operation::start(connection, READ, Job::Open, done);
    number as u32
}

/// One atomic step: what `decide` answers becomes the next record. `from` 0: nothing is read and `decide` is called at
/// once, without a tail. Else the tail from number `from` is read in the same transaction and given to it. Done after the
/// commit, with the record's number; 0 when `decide` answered undefined.
#[wasm_bindgen(js_name = appendTo)]
pub fn append(store: u32, from: f64, decide: Function, strict: bool, done: Function) {
    perform(store, Mode { write: true, strict }, Job::Append(Append::new(from, decide)), done);
}

/// The tail from number `from` (1: everything).
#[wasm_bindgen(js_name = readFrom)]
pub fn read(store: u32, from: f64, done: Function) {
    perform(store, READ, Job::Read(Reading::new(from)), done);
}

/// The bodies at `keys`, flat pairs (number, part): part -1 is the record's own value, else a chunk.
#[wasm_bindgen(js_name = valuesIn)]
pub fn values(store: u32, keys: Vec<f64>, done: Function) {
    perform(store, READ, Job::Values(Values::new(keys)), done);
}

/// Puts a snapshot after record `number` in the place of the records in `ranges` (flat pairs low, high; inclusive), and of
/// `parts` (triples record, first, last). Done with false when there is one as new.
#[wasm_bindgen(js_name = putSnapshot)]
pub fn snapshot(
    store: u32,
    number: f64,
    floor: f64,
    bytes: &Uint8Array,
    ranges: Vec<f64>,
    parts: Vec<f64>,
    done: Function,
) {
    let job = Replacement { number, floor, bytes: layout::own(bytes).into(), ranges, parts, asked: false };
    // As safe as what it replaces.
    let strict = connection(store).is_some_and(|connection| connection.strict_used.get());
    perform(store, Mode { write: true, strict }, Job::Snapshot(job), done);
}

/// Sees that there is room kept for steps in a full storage, or gives it up (`keep` false). Done with whether that changed
/// anything.
#[wasm_bindgen(js_name = reserve)]
pub fn reserve(store: u32, keep: bool, done: Function) {
    perform(store, WRITE, Job::Reserve(Reserve { keep, asked: false }), done);
}

/// For each body the error that the store refuses it with, or undefined.
#[wasm_bindgen(js_name = refusedBy)]
pub fn refused(store: u32, bodies: Array, done: Function) {
    perform(store, WRITE, Job::Trial(bodies), done);
}

/// Closes; what is in flight still ends as it would, everything later fails.
#[wasm_bindgen(js_name = closeIndexedDb)]
pub fn close(store: u32) {
    let closed = STORES.with_borrow_mut(|stores| stores.get_mut(store as usize).and_then(Option::take));
    if let Some(connection) = closed {
        connection.close();
    }
}

fn connection(store: u32) -> Option<Rc<Connection>> {
    STORES.with_borrow(|stores| stores.get(store as usize).cloned().flatten())
}

fn perform(store: u32, mode: Mode, job: Job, done: Function) {
    match connection(store) {
        Some(connection) => Operation::start(connection, mode, job, done),
        None => operation::answer(&done, Err(JsValue::UNDEFINED)),
    }
}
