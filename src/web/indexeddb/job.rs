//! A job: what one operation does in one transaction, request by request.
//!
//! Jobs are stepped, not awaited: one future drives them all. A future for each, with all that drops it, made twice the
//! wasm.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::connection::Connection;
use super::errors;
use super::operation::{Answer, Operation};
use super::platform::{Request, property};
use super::transaction::{Mode, Transaction};

pub enum Next {
    /// Step again once this request has succeeded, and so all before it.
    Wait(Request),
    /// Commit. The answer is the result of this request, or true.
    Commit(Option<Request>),
    /// The same, but let the platform commit when all requests have succeeded, of which the second is the last.
    Complete(Request, Request),
    /// The answer is there already; nothing was written that is to stay.
    Done(JsValue),
}

pub trait Job {
    fn mode(&self) -> Mode;

    /// Before any transaction: the answer, where that is all.
    fn prepare(&mut self) -> Result<Option<JsValue>, JsValue> {
        Ok(None)
    }

    /// Makes the requests that can be made now. On an error the transaction is aborted.
    fn step(&mut self, transaction: &Transaction) -> Result<Next, JsValue>;

    /// Whether it may begin in what was opened again: that may be an older copy of what it was made for.
    fn outlives(&self) -> bool {
        true
    }

    /// Goes back to the start, for a new transaction; false where that could do something twice.
    fn restart(&mut self) -> bool {
        false
    }
}

/// Does the job, once more where the connection was lost on the way and that is safe.
pub async fn perform(connection: Rc<Connection>, operation: Rc<Operation>, mut job: Box<dyn Job>) -> Answer {
    if let Some(answer) = job.prepare()? {
        return Ok(answer);
    }
    let mut again = true;
    loop {
        let error = match connection.begin(&operation, job.mode()) {
            Ok(Some(transaction)) => match steps(&transaction, &operation, &mut *job).await {
                Err(error) => {
                    transaction.abort();
                    connection.let_go_if_lost(&transaction.database(), &error);
                    if errors::is_unknown(&error) || !job.restart() {
                        return Err(error);
                    }
                    error
                }
                answer => return answer,
            },
            Ok(None) => {
                connection.reopen(&operation).await?;
                if job.outlives() {
                    continue;
                }
                return Err(errors::closed(&connection.name));
            }
            Err(error) => error,
        };
        if !again || !errors::lost_connection(&error) {
            return Err(error);
        }
        again = false;
    }
}

async fn steps(transaction: &Transaction, operation: &Operation, job: &mut dyn Job) -> Answer {
    loop {
        let (commit, last) = match job.step(transaction)? {
            Next::Wait(request) => {
                request.set_onsuccess(operation.good());
                (None, None)
            }
            Next::Commit(request) => {
                transaction.commit();
                transaction.tell_complete();
                (Some(request), None)
            }
            Next::Complete(request, last) => {
                transaction.tell_complete();
                (Some(Some(request)), Some(last))
            }
            Next::Done(answer) => {
                transaction.commit();
                return Ok(answer);
            }
        };
        let good = operation.event().await;
        match (good, commit) {
            (true, None) => {}
            (true, Some(None)) => return Ok(JsValue::TRUE),
            (true, Some(Some(request))) => {
                // WebKit completes a transaction whose request failed after the commit was asked for.
                let error = property(&request, "error");
                return if error.is_object() { Err(error) } else { Ok(request.result()) };
            }
            (false, None) => return Err(transaction.reason()),
            (false, Some(_)) => {
                // Where the last request failed, by itself or with one before it, there was no commit.
                let failed = last.is_some_and(|last| property(&last, "error").is_object());
                return Err(errors::at_commit(transaction.reason(), !failed));
            }
        }
    }
}
