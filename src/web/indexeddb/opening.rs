//! Opening, making, proving and deleting databases. Nothing here waits for ever.

use std::rc::Rc;

use js_sys::{Array, Object, Promise};
use wasm_bindgen::prelude::*;
use web_sys::{IdbFactory, IdbTransaction};

use super::errors;
use super::layout::{self, Header, VERSION};
use super::operation::{Answer, Operation};
use super::platform::{self, Database, Request, promised, property, set, try_property};
use super::reserve;
use super::transaction::{Mode, Options, READ, Transaction};

/// How long opening or deleting may take before it counts as blocked by another connection or a sick browser.
const PATIENCE_MS: f64 = 10_000.0;

/// Opens the database `name`. Where there is none, makes the journal (`create`) or fails as lost.
pub async fn connect(operation: &Operation, name: &str, create: bool) -> Result<Database, JsValue> {
    match try_connect(operation, name, create).await {
        // The browser's storage service may just have died: a second try starts it again.
        Err(error) if errors::lost_connection(&error) => try_connect(operation, name, create).await,
        connected => connected,
    }
}

/// What is to know of a journal before its first use.
pub struct Proof {
    pub birth: f64,
    /// Whether the platform takes `durability: "strict"`.
    pub strict: bool,
}

/// Proves that the database is a journal of this version. Writes nothing.
pub async fn prove(operation: &Rc<Operation>, database: &Database, options: &Options) -> Result<Proof, JsValue> {
    let name = &database.name();
    let stores = Array::from(&property(database, "objectStoreNames"));
    let ours = (0..stores.length()).any(|at| stores.get(at) == "journal");
    if ours && property(database, "version").as_f64() > Some(VERSION) {
        return Err(errors::newer(name));
    }
    let foreign = || errors::corruption(&[&errors::quoted(name), " holds other things than a journal"].concat());
    if !ours || stores.length() != 1 {
        return Err(foreign());
    }
    let transaction = Transaction::begin(operation, database, Mode { strict: true, ..READ }, options)?;
    let store = &transaction.store;
    if !property(store, "autoIncrement").is_truthy() || !property(store, "keyPath").is_null() {
        return Err(foreign());
    }
    let strict = transaction.is_strict();
    let header = store.get(&layout::HEADER_KEY.into())?;
    header.set_onsuccess(operation.good());
    if !operation.event().await {
        return Err(transaction.reason());
    }
    let header = Header::read(&header.result(), &transaction)?;
    Ok(Proof { birth: header.birth, strict })
}

pub async fn delete(operation: Rc<Operation>, name: String) -> Answer {
    let request = factory()?.delete_database(&name)?.unchecked_into();
    let waiting = Waiting::new(&operation, request, &name);
    waiting.event().await?;
    Ok(JsValue::UNDEFINED)
}

/// Whether the database is there; true where the platform cannot tell.
pub async fn exists(operation: Rc<Operation>, name: String) -> Answer {
    let factory = factory()?;
    if property(&factory, "databases").is_undefined() {
        return Ok(JsValue::TRUE);
    }
    let listed = Array::from(&settled(&operation, &promised(&factory, "databases")?).await?);
    let found = (0..listed.length()).any(|at| property(&listed.get(at), "name") == name.as_str());
    Ok(found.into())
}

/// Waits for a promise of the platform.
pub async fn settled(operation: &Operation, promise: &Promise) -> Answer {
    let then: &platform::Thenable = promise.unchecked_ref();
    then.then(operation.good(), operation.bad());
    let good = operation.event().await;
    let value = operation.value();
    if good { Ok(value) } else { Err(value) }
}

fn factory() -> Result<IdbFactory, JsValue> {
    let factory = platform::GLOBAL.with(|global| try_property(global, "indexedDB"))?;
    if factory.is_object() {
        return Ok(factory.unchecked_into());
    }
    Err(errors::platform_named("NotSupportedError", "there is no IndexedDB here"))
}

/// An opening or deletion under way; detached when dropped.
struct Waiting<'a> {
    request: Request,
    operation: &'a Operation,
    timer: JsValue,
    name: &'a str,
}

impl<'a> Waiting<'a> {
    fn new(operation: &'a Operation, request: Request, name: &'a str) -> Self {
        let timer = platform::set_timeout(operation.bad(), PATIENCE_MS);
        let waiting = Waiting { request, operation, timer, name };
        waiting.attach(operation.good(), operation.bad());
        waiting
    }

    fn attach(&self, good: &JsValue, bad: &JsValue) {
        self.request.set_onsuccess(good);
        set(&self.request, "onupgradeneeded", good);
        set(&self.request, "onerror", bad);
    }

    /// Waits for success or for an upgrade to be made.
    async fn event(&self) -> Result<(), JsValue> {
        if self.operation.event().await {
            return Ok(());
        }
        // A timer brings no event.
        if self.operation.value().is_object() && !is_pending(&self.request) {
            return Err(property(&self.request, "error"));
        }
        let message = [&errors::quoted(self.name), " did not answer for 10 s: another tab blocks it"].concat();
        Err(errors::platform_named("TimeoutError", &message))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        platform::clear_timeout(&self.timer);
        self.attach(&JsValue::NULL, &JsValue::NULL);
    }
}

fn is_pending(request: &Request) -> bool {
    property(request, "readyState") == "pending"
}

/// The transaction of an upgrade to be made.
fn upgrade_of(request: &Request) -> Option<IdbTransaction> {
    let upgrade = property(request, "transaction");
    upgrade.is_object().then(|| upgrade.unchecked_into())
}

async fn try_connect(operation: &Operation, name: &str, create: bool) -> Result<Database, JsValue> {
    // No version: a database of another kind is opened as it is, and never upgraded.
    let request: Request = factory()?.open(name)?.unchecked_into();
    let waiting = Waiting::new(operation, request.clone(), name);
    loop {
        if let Err(error) = waiting.event().await {
            drop(waiting);
            if is_pending(&request) || upgrade_of(&request).is_some() {
                undo_late(request);
            }
            return Err(error);
        }
        let Some(upgrade) = upgrade_of(&request) else {
            break;
        };
        if !create {
            drop(waiting);
            let _ = upgrade.abort();
            return Err(errors::storage_lost(&[&errors::quoted(name), " was deleted"].concat()));
        }
        if let Err(error) = make(&request) {
            drop(waiting);
            let _ = upgrade.abort();
            return Err(error);
        }
    }
    Ok(request.result().unchecked_into())
}

fn make(request: &Request) -> Result<(), JsValue> {
    let database: Database = request.result().unchecked_into();
    let parameters = JsValue::from(Object::new());
    set(&parameters, "autoIncrement", &JsValue::TRUE);
    let store =
        database.create_object_store_with_optional_parameters("journal", parameters.unchecked_ref())?.unchecked_into();
    reserve::put(&store)?;
    store.put_at(&Header::born().write(), &layout::HEADER_KEY.into()).map(|_| ())
}

/// An opening that was given up may still come true: it must neither leave an empty database nor hold one open.
fn undo_late(request: Request) {
    let late = request.clone();
    let undo = Closure::<dyn Fn(JsValue)>::new(move |_| {
        if let Some(upgrade) = upgrade_of(&late) {
            let _ = upgrade.abort();
        } else {
            let database: Database = late.result().unchecked_into();
            database.close();
        }
    });
    let undo = undo.into_js_value();
    set(&request, "onupgradeneeded", &undo);
    request.set_onsuccess(&undo);
}
