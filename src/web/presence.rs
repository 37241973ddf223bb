//! Presence: each end of a link holds a Web Lock, and asks for the other's. Whoever gets it knows that the other is gone, a
//! few milliseconds after its worker, tab or renderer died, with no message and no heartbeat.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Locks;
    #[wasm_bindgen(method, catch)]
    fn request(this: &Locks, name: &str, options: &JsValue, callback: &Function) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn query(this: &Locks) -> Result<Promise, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor)]
    fn new() -> AbortController;
    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortController) -> JsValue;
    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);
}

/// None where the platform has none, or does not give them here.
fn locks() -> Option<Locks> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok().filter(JsValue::is_object)?;
    let locks = Reflect::get(&navigator, &"locks".into()).ok().filter(JsValue::is_object)?;
    Some(locks.unchecked_into())
}

/// A lock that is held, or waited for, until it is let go.
#[wasm_bindgen]
pub struct Presence {
    asking: AbortController,
    release: Function,
}

#[wasm_bindgen]
impl Presence {
    /// Holds the lock `name`; `held` is called when it is. Undefined where there are no locks.
    pub fn hold(name: &str, held: &Function) -> Option<Presence> {
        Self::request(name, held)
    }

    /// Calls `gone` once the lock `name`, which another holds, is free. Undefined where there are no locks.
    pub fn watch(name: &str, gone: &Function) -> Option<Presence> {
        Self::request(name, gone)
    }

    fn request(name: &str, granted: &Function) -> Option<Presence> {
        let locks = locks()?;
        let mut release = None;
        let until = Promise::new(&mut |resolve, _| release = Some(resolve));
        let asking = AbortController::new();
        let options = Object::new();
        Reflect::set(&options, &"signal".into(), &asking.signal()).ok()?;
        let granted = granted.clone();
        let callback = Closure::once_into_js(move |_lock: JsValue| {
            let _ = granted.call0(&JsValue::UNDEFINED);
            until
        });
        let asked = locks.request(name, &options, callback.unchecked_ref()).ok()?;
        // Called off: nobody is interested any more.
        let ignore = Closure::once_into_js(|_: JsValue| JsValue::UNDEFINED);
        let then: &super::indexeddb::platform::Thenable = asked.unchecked_ref();
        then.then(ignore.unchecked_ref(), ignore.unchecked_ref());
        Some(Presence { asking, release: release? })
    }

    /// Whether someone here or elsewhere holds the lock `name`: if not, it may be of another origin, where locks are others.
    #[wasm_bindgen(js_name = isHeld, unchecked_return_type = "Promise<boolean>")]
    pub fn is_held(name: String) -> Promise {
        super::indexeddb::operation::run(async move |operation| {
            let Some(asked) = locks().and_then(|locks| locks.query().ok()) else { return Ok(JsValue::FALSE) };
            let found = super::indexeddb::opening::settled(&operation, &asked).await?;
            let held: Array = Reflect::get(&found, &"held".into())?.unchecked_into();
            let named = |lock: JsValue| Reflect::get(&lock, &"name".into()).is_ok_and(|known| known == name.as_str());
            Ok(held.iter().any(named).into())
        })
    }

    /// Lets it go.
    pub fn end(&self) {
        let _ = self.release.call0(&JsValue::UNDEFINED);
        self.asking.abort();
    }
}
