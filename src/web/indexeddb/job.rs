//! A job: what is done in one transaction, request by request. An operation steps it.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::append::Append;
use super::layout;
use super::snapshot::Replacement;
use super::tail::Reading;
use super::transaction::Transaction;
use super::values::Values;

pub enum Job {
    /// Nothing but an open connection.
    Open,
    Append(Append),
    Read(Reading),
    Values(Values),
    Snapshot(Replacement),
    Reserve(Reserve),
    /// Answers for each of these bodies the error it cannot be stored for, or undefined.
    Trial(Array),
}

pub enum Next {
    /// Step again once the last request has succeeded, and so all before it.
    Wait,
    /// Commit. That is the answer; undefined: what the last request finds.
    Commit(JsValue),
    /// The same, but let the platform commit when all requests have succeeded.
    Complete(JsValue),
    /// The answer is there already; nothing was written that is to stay.
    Done(JsValue),
}

/// Room that is kept for a full storage: what drains a queue has to write a little first, its leases and acks. Sees that it is
/// there (`keep`), or gives it up; answers whether that changed anything.
///
/// It is one value that says nothing, in a file of its own: its room is free at once when it is deleted. What lies in the log is
/// only free after a compaction.
pub struct Reserve {
    pub keep: bool,
    pub asked: bool,
}

impl Job {
    /// Before any transaction: the answer, where that is all.
    pub fn prepare(&mut self) -> Option<Result<JsValue, JsValue>> {
        match self {
            Job::Append(append) => append.prepare(),
            _ => None,
        }
    }

    /// Makes the requests that can be made now. On an error the transaction is aborted.
    pub fn step(&mut self, transaction: &mut Transaction) -> Result<Next, JsValue> {
        match self {
            Job::Open => Ok(Next::Wait),
            Job::Append(append) => append.step(transaction),
            Job::Read(reading) => Ok(reading.step(transaction)?.map_or(Next::Wait, Next::Done)),
            Job::Values(values) => values.step(transaction),
            Job::Snapshot(replacement) => replacement.step(transaction),
            Job::Reserve(reserve) => Ok(reserve.step(transaction)),
            Job::Trial(bodies) => Ok(trial(bodies, transaction)),
        }
    }

    /// Whether it may begin in what was opened again: that may be an older copy of what it was made for.
    pub fn outlives(&self) -> bool {
        !matches!(self, Job::Snapshot(_))
    }

    /// Goes back to the start, for a new transaction; false where that could do something twice.
    pub fn restart(&mut self) -> bool {
        match self {
            Job::Append(append) => append.restart(),
            Job::Read(reading) => reading.restart(),
            Job::Values(values) => values.divide(true),
            _ => return false,
        }
        true
    }
}

impl Reserve {
    fn step(&mut self, transaction: &mut Transaction) -> Next {
        let key = JsValue::from_f64(layout::RESERVE_KEY);
        if !self.asked {
            self.asked = true;
            transaction.get_all("getAllKeys", &key, &key, 1);
            return Next::Wait;
        }
        let found: Array = transaction.found().into();
        if self.keep == (found.length() > 0) {
            return Next::Done(JsValue::FALSE);
        }
        if self.keep {
            transaction.put(&layout::reserve(), key);
        } else {
            transaction.delete(key.clone(), key);
        }
        Next::Commit(JsValue::TRUE)
    }
}

/// Each is put, and all are taken back: only the store itself knows what it clones.
fn trial(bodies: &Array, transaction: &mut Transaction) -> Next {
    let errors = Array::new();
    for index in 0..bodies.length() {
        transaction.put(&bodies.get(index), layout::TRIAL_KEY.into());
        errors.push(&transaction.wrong.take().unwrap_or_default());
    }
    transaction.abort();
    Next::Done(errors.into())
}
