//! Presence: each end of a link holds a Web Lock, and asks for the other's. Whoever gets it knows that the other is gone, a
//! few milliseconds after its worker, tab or renderer died, with no message and no heartbeat.

use core::cell::Cell;
use js_sys::{Array, Function, Object, Promise};
use wasm_bindgen::prelude::*;

use super::indexeddb::{
    opening, operation,
    platform::{GLOBAL, Thenable, promised, property, set},
};

#[wasm_bindgen]
extern "C" {
    type Locks;
    #[wasm_bindgen(method, catch)]
    fn request(this: &Locks, name: &str, options: &JsValue, callback: &Function) -> Result<Promise, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor)]
    fn new() -> AbortController;
    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);
}

/// None where the platform has none, or does not give them here.
fn locks() -> Option<Locks> {
    let locks = GLOBAL.with(|global| property(&property(global, "navigator"), "locks"));
    locks.is_object().then(|| locks.unchecked_into())
}

/// A lock that is held, or waited for, until it is let go.
#[wasm_bindgen]
pub struct Presence(Cell<Option<Claim>>);

struct Claim {
    asking: AbortController,
    release: Function,
}

#[wasm_bindgen]
impl Presence {
    /// Holds the lock `name`; `settled` is called when it is held, and where it never will be: a sandboxed frame has no right
    /// to locks. Undefined where there are none, and `settled` is called at once.
    pub fn hold(name: &str, settled: &Function) -> Option<Presence> {
        let presence = Self::request(name, settled, Some(settled));
        if presence.is_none() {
            let _ = settled.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
        }
        presence
    }

    /// Calls `gone` once the lock `name`, which another holds, is free. Undefined where there are no locks.
    pub fn watch(name: &str, gone: &Function) -> Option<Presence> {
        Self::request(name, gone, None)
    }

    fn request(name: &str, granted: &Function, refused: Option<&Function>) -> Option<Presence> {
        let locks = locks()?;
        let mut release = None;
        let until = Promise::new(&mut |resolve, _| release = Some(resolve));
        let asking = AbortController::new();
        let options = Object::new();
        set(&options, "signal", &property(&asking, "signal"));
        let granted = granted.clone();
        let callback = Closure::<dyn Fn(JsValue) -> JsValue>::new(move |lock: JsValue| {
            let _ = granted.call1(&JsValue::UNDEFINED, &lock);
            until.clone().into()
        });
        let asked = locks.request(name, &options, callback.into_js_value().unchecked_ref()).ok()?;
        let release: Function = release?.unchecked_into();
        // Let go or called off: then there is nothing to hold any more.
        asked.unchecked_ref::<Thenable>().then(&release, refused.unwrap_or(&release));
        Some(Presence(Cell::new(Some(Claim { asking, release }))))
    }

    /// Whether someone who shares locks with this context holds the lock `name`: other origins have locks of their own.
    #[wasm_bindgen(js_name = isHeld, unchecked_return_type = "Promise<boolean>")]
    pub fn is_held(name: String) -> Promise {
        operation::run(async move |operation| {
            let asked = locks().map(|locks| promised(&locks, "query"));
            let Some(Ok(asked)) = asked else { return Ok(JsValue::FALSE) };
            let Ok(known) = opening::settled(&operation, &asked).await else { return Ok(JsValue::FALSE) };
            let held = property(&known, "held");
            let held: &Array = held.unchecked_ref();
            Ok((0..held.length()).any(|at| property(&held.get(at), "name") == name.as_str()).into())
        })
    }

    /// Lets it go. Nothing of it is kept: what is aborted remembers who did it, and no collector sees a circle that goes
    /// through here.
    pub fn end(&self) {
        if let Some(Claim { asking, release }) = self.0.take() {
            let _ = release.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
            asking.abort();
        }
    }
}
