//! An operation: a job done in a transaction, once more where the connection was lost on the way and that is safe.
//!
//! It goes on inside the handler of the event it waits for, so the transaction is still active, and no microtask lies between
//! an event and its consequence. It waits for one thing at a time. Operations are used again, with their handlers: an append
//! makes no closure.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::JsValue;

use super::connection::Connection;
use super::errors;
use super::job::{Job, Next};
use super::transaction::{Mode, Transaction};
use crate::web::platform::{handler, property};

/// How many operations are kept for the next ones. A peer has an append, a load of bodies and little else in flight.
const IDLE_MAX: usize = 8;

thread_local! {
    /// With their handlers, which keep them.
    static IDLE: RefCell<Vec<(Rc<Operation>, JsValue)>> = const { RefCell::new(Vec::new()) };
}

/// Tells what became of a job: whether it went well, and the answer or the error; undefined: the store is closed.
pub fn answer(done: &Function, result: Result<JsValue, JsValue>) {
    let good = result.is_ok();
    let (Ok(value) | Err(value)) = result;
    let told = done.call2(&JsValue::UNDEFINED, &good.into(), &value);
    debug_assert!(told.is_ok());
}

#[derive(Default)]
pub struct Operation {
    /// Not while it goes on.
    work: Cell<Option<Box<Work>>>,
}

struct Work {
    handler: JsValue,
    connection: Rc<Connection>,
    mode: Mode,
    job: Job,
    done: Function,
    /// None: waits for the connection.
    transaction: Option<Box<Transaction>>,
    /// The commit is awaited.
    end: Option<End>,
    /// It may begin once more.
    again: bool,
}

struct End {
    /// Undefined: what the last request found.
    answer: JsValue,
    /// It was asked for.
    asked: bool,
}

impl Operation {
    pub fn start(connection: Rc<Connection>, mode: Mode, mut job: Job, done: Function) {
        let (operation, handler) = IDLE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            let operation = Rc::<Operation>::default();
            let hearing = operation.clone();
            (operation, handler(move |event| hearing.hear(event)))
        });
        let answer = job.prepare();
        let work = Box::new(Work { handler, connection, mode, job, done, transaction: None, end: None, again: true });
        match answer {
            Some(answer) => operation.settle(work, answer),
            None => operation.begin(work),
        }
    }

    fn begin(self: &Rc<Self>, mut work: Box<Work>) {
        let begun = work.connection.begin(work.mode, &work.handler);
        match begun {
            Ok(Some(transaction)) => {
                work.transaction = Some(transaction);
                self.step(work);
            }
            Ok(None) => {
                let (connection, handler) = (work.connection.clone(), work.handler.clone());
                self.work.set(Some(work));
                connection.open(handler);
            }
            Err(error) => self.fail(work, error),
        }
    }

    /// The connection is open, or (an error) it is not.
    fn connected(self: &Rc<Self>, work: Box<Work>, error: JsValue) {
        let open = error.is_undefined();
        match &work.job {
            Job::Open if open => {
                let strict = work.connection.strict.get().into();
                self.settle(work, Ok(strict));
            }
            job if open && job.outlives() => self.begin(work),
            // What was made for the connection that was lost finds it closed.
            _ => self.settle(work, Err(error)),
        }
    }

    fn step(self: &Rc<Self>, mut work: Box<Work>) {
        let Work { handler, job, transaction: Some(transaction), end, .. } = &mut *work else {
            return;
        };
        let next = job.step(transaction);
        match transaction.wrong.take().map_or(next, Err) {
            Err(error) => return self.fail(work, error),
            Ok(Next::Done(answer)) => {
                transaction.commit();
                return self.settle(work, Ok(answer));
            }
            Ok(Next::Wait) => transaction.tell_found(handler),
            Ok(Next::Commit(answer)) => {
                transaction.commit();
                transaction.tell_complete(handler);
                *end = Some(End { answer, asked: true });
            }
            Ok(Next::Complete(answer)) => {
                transaction.tell_complete(handler);
                *end = Some(End { answer, asked: false });
            }
        }
        self.work.set(Some(work));
    }

    fn fail(self: &Rc<Self>, mut work: Box<Work>, error: JsValue) {
        if let Some(transaction) = work.transaction.take() {
            transaction.abort();
            work.connection.let_go_if_lost(&transaction.database(), &error);
            if errors::is_unknown(&error) || !work.job.restart() {
                return self.settle(work, Err(error));
            }
        }
        if work.again && errors::lost_connection(&error) {
            work.again = false;
            self.begin(work);
        } else {
            self.settle(work, Err(error));
        }
    }

    // Unboxed by each who calls it, it would be moved as often.
    #[allow(clippy::boxed_local)]
    fn settle(self: &Rc<Self>, work: Box<Work>, result: Result<JsValue, JsValue>) {
        let Work { handler, done, transaction, .. } = *work;
        drop(transaction);
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < IDLE_MAX {
                idle.push((self.clone(), handler));
            }
        });
        answer(&done, result);
    }

    fn hear(self: &Rc<Self>, event: JsValue) {
        let Some(mut work) = self.work.take() else {
            return;
        };
        let Some(transaction) = &work.transaction else {
            return self.connected(work, event);
        };
        let aborted = property(&event, "type") == "abort";
        match work.end.take() {
            None if aborted => {
                let error = transaction.reason();
                self.fail(work, error);
            }
            None => self.step(work),
            Some(End { asked, .. }) if aborted => {
                // Where the last request failed, by itself or with one before it, there was no commit.
                let failed = !asked && transaction.failure().is_some();
                let error = errors::at_commit(transaction.reason(), !failed);
                self.fail(work, error);
            }
            Some(End { answer, .. }) => {
                // WebKit completes a transaction whose request failed after the commit was asked for.
                if let Some(error) = transaction.failure() {
                    return self.fail(work, error);
                }
                let answer = if answer.is_undefined() { transaction.found() } else { answer };
                self.settle(work, Ok(answer));
            }
        }
    }
}
