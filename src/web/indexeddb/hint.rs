//! Hints: a broadcast that the journal moved. May be lost, means nothing by itself; a peer that hears one looks earlier.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::Date;
use wasm_bindgen::prelude::*;
use web_sys::BroadcastChannel;

use super::connection::Connection;
use super::platform;

/// Peers look no more often than this, however fast the journal grows.
const PAUSE_MS: f64 = 10.0;

pub struct Hints {
    /// None where the platform has no broadcasts: polls find what hints would have told.
    channel: Option<BroadcastChannel>,
    last: Cell<f64>,
    timer: RefCell<Option<JsValue>>,
    on_timer: Closure<dyn Fn(JsValue)>,
    on_message: Closure<dyn Fn(JsValue)>,
}

impl Hints {
    pub fn new(connection: &Rc<Connection>) -> Rc<Self> {
        let hints = Rc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let watched = Rc::downgrade(connection);
            Hints {
                channel: BroadcastChannel::new(&["posthaste:", &connection.name].concat()).ok(),
                last: Cell::new(0.0),
                timer: RefCell::default(),
                on_timer: Closure::new(move |_: JsValue| {
                    if let Some(hints) = this.upgrade() {
                        hints.timer.take();
                        hints.send();
                    }
                }),
                on_message: Closure::new(move |_: JsValue| {
                    if let Some(connection) = watched.upgrade() {
                        connection.moved(false);
                    }
                }),
            }
        });
        if let Some(channel) = &hints.channel {
            platform::set(channel, "onmessage", hints.on_message.as_ref());
        }
        hints
    }

    /// At once if the last was long ago, else once for all that come meanwhile.
    pub fn hint(&self) {
        if self.timer.borrow().is_some() {
            return;
        }
        let since = Date::now() - self.last.get();
        // Below 0: the clock was set back.
        if !(0.0..PAUSE_MS).contains(&since) {
            return self.send();
        }
        let timer = platform::set_timeout(self.on_timer.as_ref().unchecked_ref(), PAUSE_MS - since);
        *self.timer.borrow_mut() = Some(timer);
    }

    pub fn close(&self) {
        if let Some(timer) = self.timer.take() {
            platform::clear_timeout(&timer);
        }
        if let Some(channel) = &self.channel {
            platform::set(channel, "onmessage", &JsValue::NULL);
            channel.close();
        }
    }

    fn send(&self) {
        self.last.set(Date::now());
        if let Some(channel) = &self.channel {
            // Fails once the channel is closed.
            let _ = channel.post_message(&JsValue::NULL);
        }
    }
}
