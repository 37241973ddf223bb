//! An operation: one piece of work that waits for events of IndexedDB and settles one promise.
//!
//! Its future is polled inside the handler of the event it waits for, so the transaction is still active when the work goes
//! on, and no microtask lies between an event and its consequence. An operation waits for one thing at a time; what it
//! waits for is attached to its two handlers. Operations are used again, with their handlers: an append makes no closure.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

pub type Answer = Result<JsValue, JsValue>;

/// A part of an operation. Boxed where several operations share it: a future that is built into each of them is there, with
/// all that drops it, as often in the wasm.
pub type Part<'a, T> = Pin<Box<dyn Future<Output = Result<T, JsValue>> + 'a>>;

/// How many operations are kept for the next ones. A peer has an append, a load of bodies and little else in flight.
const IDLE_MAX: usize = 8;

thread_local! {
    static IDLE: RefCell<Vec<Rc<Operation>>> = const { RefCell::new(Vec::new()) };
}

pub struct Operation {
    work: RefCell<Option<Part<'static, JsValue>>>,
    settle: RefCell<Option<(Function, Function)>>,
    heard: Cell<Option<bool>>,
    value: RefCell<JsValue>,
    good: Closure<dyn Fn(JsValue)>,
    bad: Closure<dyn Fn(JsValue)>,
}

/// Starts `work` at once; the promise settles with its answer.
pub fn run<F: Future<Output = Answer> + 'static>(work: impl FnOnce(Rc<Operation>) -> F) -> Promise {
    let operation = Operation::take();
    let work = Box::pin(work(operation.clone()));
    operation.start(work)
}

impl Operation {
    /// The handler of the event that is hoped for.
    pub fn good(&self) -> &Function {
        self.good.as_ref().unchecked_ref()
    }

    /// The handler of the event that ends the hope.
    pub fn bad(&self) -> &Function {
        self.bad.as_ref().unchecked_ref()
    }

    /// Waits for either handler; true: the good one.
    pub async fn event(&self) -> bool {
        poll_fn(|_| match self.heard.take() {
            Some(good) => Poll::Ready(good),
            None => Poll::Pending,
        })
        .await
    }

    /// What the last handler was called with.
    pub fn value(&self) -> JsValue {
        self.value.replace(JsValue::UNDEFINED)
    }

    /// What a handler does; an operation may call it for another that waits for it.
    pub fn hear(self: &Rc<Self>, good: bool, value: JsValue) {
        *self.value.borrow_mut() = value;
        self.heard.set(Some(good));
        self.poll();
    }

    fn take() -> Rc<Self> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        idle.unwrap_or_else(|| {
            Rc::new_cyclic(|this| Operation {
                work: RefCell::default(),
                settle: RefCell::default(),
                heard: Cell::default(),
                value: RefCell::default(),
                good: handler(this.clone(), true),
                bad: handler(this.clone(), false),
            })
        })
    }

    fn start(self: Rc<Self>, work: Part<'static, JsValue>) -> Promise {
        let promise = Promise::new(&mut |resolve, reject| {
            *self.settle.borrow_mut() = Some((resolve.unchecked_into(), reject.unchecked_into()));
        });
        *self.work.borrow_mut() = Some(work);
        self.poll();
        promise
    }

    fn poll(self: &Rc<Self>) {
        // Borrowed: an event came while the work runs. It is kept in `heard` until the work asks.
        let Ok(mut work) = self.work.try_borrow_mut() else {
            return;
        };
        let Some(future) = work.as_mut() else { return };
        let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return;
        };
        *work = None;
        drop(work);
        self.heard.set(None);
        self.value.replace(JsValue::UNDEFINED);
        let settle = self.settle.take();
        IDLE.with_borrow_mut(|idle| {
            if idle.len() < IDLE_MAX {
                idle.push(self.clone());
            }
        });
        if let Some((resolve, reject)) = settle {
            let settled = match answer {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(error) => reject.call1(&JsValue::UNDEFINED, &error),
            };
            debug_assert!(settled.is_ok());
        }
    }
}

fn handler(operation: Weak<Operation>, good: bool) -> Closure<dyn Fn(JsValue)> {
    Closure::new(move |value: JsValue| {
        if let Some(operation) = operation.upgrade() {
            operation.hear(good, value);
        }
    })
}
