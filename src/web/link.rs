//! A link: frames over a port that also carries the application's own messages. Ours are arrays that begin with a mark; the
//! others are left alone.

use core::cell::RefCell;
use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;

use super::indexeddb::platform::property;

const MARK: &str = "posthaste";

#[wasm_bindgen]
extern "C" {
    /// What a `MessagePort`, a `Worker` and a worker's own scope have.
    #[derive(Clone)]
    pub type Port;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &Port, message: &JsValue, transfer: &Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &Port, kind: &str, listener: &Function);
    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &Port, kind: &str, listener: &Function);

    type Event;
    #[wasm_bindgen(method, getter)]
    fn data(this: &Event) -> JsValue;
}

/// One end of a port, as long as someone needs it.
#[wasm_bindgen]
pub struct Link {
    mark: JsValue,
    open: RefCell<Option<Open>>,
}

struct Open {
    port: Port,
    on_message: Closure<dyn Fn(JsValue)>,
    on_close: Closure<dyn Fn(JsValue)>,
}

#[wasm_bindgen]
impl Link {
    /// `heard` is called with each message of ours: what is in it, behind the mark, is not checked yet. `closed` is called when
    /// the platform says that the other side is gone.
    #[wasm_bindgen(constructor)]
    pub fn new(port: Port, heard: Function, closed: Function) -> Self {
        let mark = JsValue::from_str(MARK);
        let known = mark.clone();
        let on_message = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
            let data = event.unchecked_ref::<Event>().data();
            if Array::is_array(&data) && data.unchecked_ref::<Array>().get(0) == known {
                let _ = heard.call1(&JsValue::UNDEFINED, &data);
            }
        });
        let on_close = Closure::<dyn Fn(JsValue)>::new(move |event| {
            let _ = closed.call1(&JsValue::UNDEFINED, &event);
        });
        port.add_event_listener("message", on_message.as_ref().unchecked_ref());
        port.add_event_listener("close", on_close.as_ref().unchecked_ref());
        // A message port waits to be started; a worker does not.
        if let Some(start) = property(&port, "start").dyn_ref::<Function>() {
            let _ = start.call1(&port, &JsValue::UNDEFINED);
        }
        Self { mark, open: RefCell::new(Some(Open { port, on_message, on_close })) }
    }

    /// What a message of ours begins with.
    #[wasm_bindgen(getter)]
    pub fn mark(&self) -> JsValue {
        self.mark.clone()
    }

    /// Throws what the platform throws for a value that can't be cloned. Once it is closed nothing is posted.
    pub fn post(&self, message: &Array, transfer: &Array) -> Result<(), JsValue> {
        // What is posted may call back, and close.
        let port = self.open.borrow().as_ref().map(|open| open.port.clone());
        port.map_or(Ok(()), |port| port.post_message(message, transfer))
    }

    /// Listens no more, and lets go of the port and of who heard. It must be called: who hears a link holds it, and no
    /// collector sees a circle that goes through here.
    pub fn close(&self) {
        if let Some(Open { port, on_message, on_close }) = self.open.take() {
            port.remove_event_listener("message", on_message.as_ref().unchecked_ref());
            port.remove_event_listener("close", on_close.as_ref().unchecked_ref());
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}
