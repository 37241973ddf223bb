//! The connection of one store to its database: kept, lost, opened again.
//!
//! Browsers drop connections on their own (WebKit when its network process dies or an app sleeps, Chromium when a backing
//! store fails). The cure is a new connection, never a new try on the old one. It must lead to the same journal: a database
//! that was deleted is not made anew in silence, the store is lost then.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::{DomException, IdbDatabase};

use super::errors;
use super::opening;
use super::operation::{self, Operation, Part};
use super::platform::{Database, property, set};
use super::transaction::{Mode, Options, Transaction};

enum State {
    Open(Database),
    /// Dropped; the next operation opens it again.
    Gone,
    /// An operation is opening it; once there, the database that is being proved.
    Opening(Option<Database>),
    /// For good, with the reason.
    Lost(JsValue),
    Closed,
}

/// Who is told what happens to the journal.
struct Watch {
    moved: Function,
    lost: Function,
}

pub struct Connection {
    pub name: String,
    /// The mark of the journal this store was opened on.
    birth: Cell<Option<f64>>,
    strict: Cell<bool>,
    state: RefCell<State>,
    /// Operations that wait for the one that is opening.
    waiting: RefCell<Vec<Rc<Operation>>>,
    watch: RefCell<Option<Watch>>,
    strict_used: Cell<bool>,
    options: Options,
    on_version_change: Closure<dyn Fn(JsValue)>,
    on_close: Closure<dyn Fn(JsValue)>,
}

impl Connection {
    /// Opens the journal `name`, and makes it where there is none.
    pub async fn open(operation: &Rc<Operation>, name: String) -> Result<Rc<Self>, JsValue> {
        let connection = Rc::new_cyclic(|this: &Weak<Self>| {
            let (changed, dropped) = (this.clone(), this.clone());
            Connection {
                name,
                birth: Cell::default(),
                strict: Cell::default(),
                state: RefCell::new(State::Gone),
                waiting: RefCell::default(),
                watch: RefCell::default(),
                strict_used: Cell::default(),
                options: Options::new(),
                on_version_change: Closure::new(move |event: JsValue| {
                    if let Some(connection) = changed.upgrade() {
                        connection.give_way(&event);
                    }
                }),
                on_close: Closure::new(move |_event: JsValue| {
                    if let Some(connection) = dropped.upgrade() {
                        connection.recover();
                    }
                }),
            }
        });
        connection.reopen(operation).await?;
        Ok(connection)
    }

    /// Whether the platform takes `durability: "strict"`.
    pub fn strict(&self) -> bool {
        self.strict.get()
    }

    /// Whether a strict commit was ever asked for: what replaces its record must be as safe.
    pub fn strict_used(&self) -> bool {
        self.strict_used.get()
    }

    /// Begins a transaction; none: the connection is to be opened again first.
    pub fn begin(&self, operation: &Rc<Operation>, mode: Mode) -> Result<Option<Transaction>, JsValue> {
        let Some(database) = self.open_database()? else {
            return Ok(None);
        };
        if mode.strict {
            self.strict_used.set(true);
        }
        let begun = Transaction::begin(operation, &database, mode, &self.options);
        if let Err(error) = &begun {
            self.let_go_if_lost(&database, error);
        }
        begun.map(Some)
    }

    /// Drops a connection on which something failed, where the error says that it is lost; the next operation opens it again.
    pub fn let_go_if_lost(&self, failed: &IdbDatabase, error: &JsValue) {
        if errors::lost_connection(error) {
            self.let_go(failed);
        }
    }

    pub fn watch(&self, moved: Function, lost: Function) {
        let late = match &*self.state.borrow() {
            State::Lost(error) => Some(error.clone()),
            _ => None,
        };
        if let Some(error) = late {
            call(&lost, &error);
        }
        *self.watch.borrow_mut() = Some(Watch { moved, lost });
    }

    /// Tells the watcher that there may be new records; `anew`: or an older copy of all of them.
    pub fn moved(&self, anew: bool) {
        let moved = self.watch.borrow().as_ref().map(|watch| watch.moved.clone());
        if let Some(moved) = moved {
            call(&moved, &anew.into());
        }
    }

    pub fn close(&self) {
        self.end(State::Closed);
        *self.watch.borrow_mut() = None;
    }

    fn let_go(&self, failed: &IdbDatabase) {
        let mut state = self.state.borrow_mut();
        if let State::Open(database) = &*state
            && **database == *failed
        {
            release(database);
            *state = State::Gone;
        }
    }

    /// None: to be opened again.
    fn open_database(&self) -> Result<Option<Database>, JsValue> {
        match &*self.state.borrow() {
            State::Open(database) => Ok(Some(database.clone())),
            State::Gone | State::Opening(_) => Ok(None),
            State::Lost(error) => Err(error.clone()),
            State::Closed => Err(errors::closed(&self.name)),
        }
    }

    /// Opens the journal, or waits for the operation that does.
    pub fn reopen<'a>(&'a self, operation: &'a Rc<Operation>) -> Part<'a, ()> {
        Box::pin(async move {
            if self.open_database()?.is_some() {
                return Ok(());
            }
            if matches!(&*self.state.borrow(), State::Opening(_)) {
                self.waiting.borrow_mut().push(operation.clone());
                return if operation.event().await { Ok(()) } else { Err(operation.value()) };
            }
            *self.state.borrow_mut() = State::Opening(None);
            let result = self.connect(operation).await;
            if let Err(error) = &result {
                self.give_up(error);
            }
            for other in self.waiting.take() {
                other.hear(result.is_ok(), result.clone().err().unwrap_or_default());
            }
            result
        })
    }

    async fn connect(&self, operation: &Rc<Operation>) -> Result<(), JsValue> {
        let known = self.birth.get();
        let database = opening::connect(operation, &self.name, known.is_none()).await?;
        self.still_opening(&database)?;
        // Before anything else is awaited: whoever deletes the database must never wait for this connection.
        set(&database, "onversionchange", self.on_version_change.as_ref());
        set(&database, "onclose", self.on_close.as_ref());
        *self.state.borrow_mut() = State::Opening(Some(database.clone()));
        let proof = opening::prove(operation, &database, &self.options).await?;
        self.still_opening(&database)?;
        if known.is_some_and(|birth| birth != proof.birth) {
            return Err(errors::storage_lost(&[&errors::quoted(&self.name), " was deleted and made anew"].concat()));
        }
        self.birth.set(Some(proof.birth));
        self.strict.set(proof.strict);
        *self.state.borrow_mut() = State::Open(database);
        if known.is_some() {
            self.moved(true);
        }
        Ok(())
    }

    /// Error: the store was closed or lost meanwhile.
    fn still_opening(&self, database: &Database) -> Result<(), JsValue> {
        let refused = self.open_database().err();
        if refused.is_some() {
            database.close();
        }
        refused.map_or(Ok(()), Err)
    }

    /// What the platform says of an opening may pass; what was found in the database stays.
    fn give_up(&self, error: &JsValue) {
        if !error.is_instance_of::<DomException>() {
            self.lose(error);
        } else if matches!(&*self.state.borrow(), State::Opening(_)) {
            self.end(State::Gone);
        }
    }

    /// The database is to be deleted or upgraded by someone: this connection must not stand in the way.
    fn give_way(&self, event: &JsValue) {
        let name = errors::quoted(&self.name);
        self.lose(&if property(event, "newVersion").is_null() {
            errors::storage_lost(&[&name, " was deleted"].concat())
        } else {
            errors::version(&[&name, " is being upgraded by a newer posthaste"].concat())
        });
    }

    /// The browser closed the connection: try at once whether the journal is still there, for a watcher that waits.
    fn recover(self: &Rc<Self>) {
        let open = match &*self.state.borrow() {
            State::Open(database) => Some(database.clone()),
            _ => None,
        };
        if let Some(database) = open {
            self.let_go(&database);
        }
        let connection = self.clone();
        let _ = operation::run(async move |operation| {
            if let Err(error) = connection.reopen(&operation).await {
                connection.lose(&error);
            }
            Ok(JsValue::UNDEFINED)
        });
    }

    fn lose(&self, error: &JsValue) {
        if matches!(&*self.state.borrow(), State::Lost(_) | State::Closed) {
            return;
        }
        self.end(State::Lost(error.clone()));
        let lost = self.watch.borrow().as_ref().map(|watch| watch.lost.clone());
        if let Some(lost) = lost {
            call(&lost, error);
        }
    }

    fn end(&self, state: State) {
        if let State::Open(database) | State::Opening(Some(database)) = self.state.replace(state) {
            release(&database);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end(State::Closed);
    }
}

/// Closes; what is in flight still ends as it would.
fn release(database: &Database) {
    set(database, "onversionchange", &JsValue::NULL);
    set(database, "onclose", &JsValue::NULL);
    database.close();
}

/// A watcher that throws harms itself alone.
fn call(callback: &Function, argument: &JsValue) {
    let _ = callback.call1(&JsValue::UNDEFINED, argument);
}
