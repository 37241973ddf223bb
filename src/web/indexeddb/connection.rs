//! The connection of one store to its database: kept, lost, opened again.
//!
//! Browsers drop connections on their own (WebKit when its network process dies or an app sleeps, Chromium when a backing
//! store fails). The cure is a new connection, never a new try on the old one. It must lead to the same journal: a database
//! that was deleted is not made anew in silence, the store is lost then.
//!
//! All that a connection waits for comes to one function, [`hear`](Connection::hear), and what is to be done follows from the
//! state. Nothing here waits for ever.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DomException, IdbFactory};

use super::errors;
use super::layout::Header;
use super::opening::{self, Database};
use super::transaction::{Mode, Transaction};
use crate::web::platform::{clear_timeout, handler, property, run, set, set_timeout};

/// How long opening may take before it counts as blocked by another connection or a sick browser.
const PATIENCE_MS: f64 = 10_000.0;

enum State {
    /// Dropped; the next operation opens it again.
    Gone,
    Opening(Box<Opening>),
    /// Its header is being read.
    Proving(Database, Box<Transaction>),
    Open(Database),
    /// Closed by its owner (undefined), or lost for good: with the error.
    Over(JsValue),
}

/// A request for the database; its patience ends when it is dropped.
struct Opening {
    request: JsValue,
    handler: JsValue,
    timer: JsValue,
    /// The browser's storage service may just have died: a second try starts it again.
    again: bool,
}

pub struct Connection {
    factory: IdbFactory,
    name: String,
    /// The mark of the journal this store was opened on.
    birth: Cell<Option<f64>>,
    /// Whether the platform takes `durability: "strict"`.
    pub strict: Cell<bool>,
    /// Whether a strict commit was ever asked for: what replaces its record must be as safe.
    pub strict_used: Cell<bool>,
    state: RefCell<State>,
    /// The browser closed the connection: if the journal is not there any more the store is lost.
    recovering: Cell<bool>,
    /// Functions that wait for the connection: called with the error when it could not be opened; without one to look again.
    waiting: RefCell<Vec<JsValue>>,
    /// Called with the error when the store is lost for good; without one when the journal was opened again: it may be an
    /// older copy.
    tell: Function,
}

impl Connection {
    pub fn new(factory: IdbFactory, name: String, tell: Function) -> Rc<Self> {
        Rc::new(Connection {
            factory,
            name,
            birth: Cell::default(),
            strict: Cell::default(),
            strict_used: Cell::default(),
            state: RefCell::new(State::Gone),
            recovering: Cell::default(),
            waiting: RefCell::default(),
            tell,
        })
    }

    /// Begins a transaction; none: the connection is to be opened first.
    pub fn begin(&self, mode: Mode, handler: &JsValue) -> Result<Option<Box<Transaction>>, JsValue> {
        let begun = match &*self.state.borrow() {
            State::Open(database) => database.begin(mode, handler),
            State::Over(error) => return Err(error.clone()),
            _ => return Ok(None),
        };
        if mode.strict {
            self.strict_used.set(true);
        }
        if begun.as_ref().is_err_and(errors::lost_connection) {
            self.state.replace(State::Gone);
        }
        begun.map(Some)
    }

    /// Drops the connection on which something failed, where the error says that it is lost; the next operation opens it again.
    pub fn let_go_if_lost(&self, failed: &JsValue, error: &JsValue) {
        if errors::lost_connection(error) && matches!(&*self.state.borrow(), State::Open(open) if open.is(failed)) {
            self.state.replace(State::Gone);
        }
    }

    /// Opens the journal, unless that is under way, and makes it where there never was one.
    pub fn open(self: &Rc<Self>, waiting: JsValue) {
        self.waiting.borrow_mut().push(waiting);
        self.reopen();
    }

    /// What is in flight still ends as it would, everything later rejects.
    pub fn close(&self) {
        self.state.replace(State::Over(JsValue::UNDEFINED));
        self.wake(&JsValue::UNDEFINED);
    }

    fn reopen(self: &Rc<Self>) {
        let gone = matches!(&*self.state.borrow(), State::Gone);
        if gone {
            self.ask(true);
        }
    }

    fn ask(self: &Rc<Self>, again: bool) {
        // No version: a database of another kind is opened as it is, and never upgraded.
        let request: JsValue = match self.factory.open(&self.name) {
            Ok(request) => request.into(),
            Err(error) => return self.refused(error, again),
        };
        let connection = self.clone();
        let handler = handler(move |event| connection.hear(event));
        for event in ["onsuccess", "onupgradeneeded", "onerror"] {
            set(&request, event, &handler);
        }
        let timer = set_timeout(&handler, PATIENCE_MS);
        self.state.replace(State::Opening(Box::new(Opening { request, handler, timer, again })));
    }

    fn opened(self: &Rc<Self>, opening: Box<Opening>, event: &str) {
        let request = &opening.request;
        match event {
            "success" => self.prove(property(request, "result"), &opening.handler),
            "upgradeneeded" => match self.make(request) {
                Ok(()) => drop(self.state.replace(State::Opening(opening))),
                Err(error) => {
                    opening::undo(request, event);
                    self.refused(error, opening.again);
                }
            },
            "error" => self.refused(property(request, "error"), opening.again),
            // The timer. The request may still come true, and is undone then.
            _ => self.fail(errors::blocked(&self.name)),
        }
    }

    fn make(&self, request: &JsValue) -> Result<(), JsValue> {
        if self.birth.get().is_some() {
            return Err(errors::storage_lost(&self.name, "was deleted"));
        }
        opening::make(property(request, "result"))
    }

    fn refused(self: &Rc<Self>, error: JsValue, again: bool) {
        if again && errors::lost_connection(&error) { self.ask(false) } else { self.fail(error) }
    }

    fn prove(&self, database: JsValue, handler: &JsValue) {
        // Before anything else is awaited: whoever deletes the database must never wait for this connection.
        let database = Database::new(database, handler);
        match opening::prove(&database, &self.name, handler) {
            Ok(transaction) => drop(self.state.replace(State::Proving(database, transaction))),
            Err(error) => {
                drop(database);
                self.fail(error);
            }
        }
    }

    fn proved(&self, database: Database, transaction: &Transaction, event: &str) {
        let header = if event == "abort" { Err(transaction.reason()) } else { Header::read(transaction) };
        let known = self.birth.get();
        let proof = header.and_then(|Header { birth, .. }| match known {
            Some(known) if known != birth => Err(errors::storage_lost(&self.name, "was deleted and made anew")),
            _ => Ok(birth),
        });
        match proof {
            Err(error) => {
                drop(database);
                self.fail(error);
            }
            Ok(birth) => {
                self.birth.set(Some(birth));
                self.strict.set(transaction.is_strict());
                self.recovering.set(false);
                self.state.replace(State::Open(database));
                if known.is_some() {
                    hand(&self.tell, &JsValue::UNDEFINED);
                }
                self.wake(&JsValue::UNDEFINED);
            }
        }
    }

    /// What the platform says of an opening may pass; what was found in the database stays.
    fn fail(&self, error: JsValue) {
        if self.recovering.get() || !error.is_instance_of::<DomException>() {
            self.lose(error);
        } else {
            self.wake(&error);
        }
    }

    fn lose(&self, error: JsValue) {
        self.state.replace(State::Over(error.clone()));
        hand(&self.tell, &error);
        self.wake(&error);
    }

    fn wake(&self, error: &JsValue) {
        for waiting in self.waiting.take() {
            hand(waiting.unchecked_ref(), error);
        }
    }

    /// The database is to be deleted or upgraded by someone: this connection must not stand in the way.
    fn give_way(&self, event: &JsValue) {
        self.lose(if property(event, "newVersion") == JsValue::NULL {
            errors::storage_lost(&self.name, "was deleted")
        } else {
            errors::version(&self.name, "is being upgraded by a newer posthaste")
        });
    }

    fn hear(self: &Rc<Self>, event: JsValue) {
        let name = property(&event, "type").as_string().unwrap_or_default();
        let target = property(&event, "target");
        let state = self.state.replace(State::Gone);
        match (name.as_str(), state) {
            ("versionchange", state) => {
                drop(state);
                self.give_way(&event);
            }
            // The browser closed the connection: tried at once whether the journal is still there, for a watcher that waits.
            ("close", state) => {
                self.recovering.set(true);
                match state {
                    State::Proving(..) => drop(self.state.replace(state)),
                    lost => drop(lost),
                }
                self.reopen();
            }
            (event, State::Opening(opening)) if event.is_empty() || opening.request == target => {
                self.opened(opening, event)
            }
            (event, State::Proving(database, transaction)) if transaction.concerns(&target) => {
                self.proved(database, &transaction, event);
            }
            (event, state) => {
                self.state.replace(state);
                opening::undo(&target, event);
            }
        }
    }
}

/// Whoever is called and throws harms itself alone.
fn hand(callback: &Function, error: &JsValue) {
    let _ = run(callback, error);
}

impl Drop for Opening {
    fn drop(&mut self) {
        clear_timeout(&self.timer);
    }
}
