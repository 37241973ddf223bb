//! Opening, making, proving and deleting databases. Nothing here waits for ever.

use std::rc::Rc;

use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{IdbObjectStoreParameters, IdbOpenDbRequest, IdbRequestReadyState};

use super::errors;
use super::layout::{self, Header, VERSION};
use super::operation::{Answer, Operation};
use super::platform::{self, Database, Factory, Listed, Store};
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
    let stores = database.object_store_names();
    let ours = stores.contains("journal");
    if ours && database.version() > VERSION {
        return Err(errors::newer(name));
    }
    let foreign = || errors::corruption(&[&errors::quoted(name), " holds other things than a journal"].concat());
    if !ours || stores.length() != 1 {
        return Err(foreign());
    }
    let transaction = Transaction::begin(operation, database, Mode { strict: true, ..READ }, options)?;
    if !transaction.store.auto_increment() || !transaction.store.key_path()?.is_null() {
        return Err(foreign());
    }
    let strict = transaction.durability().as_deref() == Some("strict");
    let header = transaction.store.get_number(layout::HEADER_KEY)?;
    header.set_onsuccess(Some(operation.good()));
    if !operation.event().await {
        return Err(transaction.reason());
    }
    let header = Header::read(&header.result()?, &transaction)?;
    Ok(Proof { birth: header.birth, strict })
}

pub async fn delete(operation: Rc<Operation>, name: String) -> Answer {
    let request = factory()?.delete_database(&name)?;
    let waiting = Waiting::new(&operation, request, &name);
    waiting.event().await?;
    Ok(JsValue::UNDEFINED)
}

/// Whether the database is there; true where the platform cannot tell.
pub async fn exists(operation: Rc<Operation>, name: String) -> Answer {
    let factory = factory()?;
    if !Reflect::has(&factory, &"databases".into())? {
        return Ok(JsValue::TRUE);
    }
    let listed = settled(&operation, &factory.databases()?).await?;
    let found = Array::from(&listed).iter().any(|entry| {
        let entry: &Listed = entry.unchecked_ref();
        entry.name().as_string().as_deref() == Some(&name)
    });
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

fn factory() -> Result<Factory, JsValue> {
    platform::GLOBAL
        .with(platform::Global::indexed_db)?
        .ok_or_else(|| errors::platform_named("NotSupportedError", "there is no IndexedDB in this context"))
}

/// An opening or deletion under way; detached when dropped.
struct Waiting<'a> {
    request: IdbOpenDbRequest,
    operation: &'a Operation,
    timer: JsValue,
    name: &'a str,
}

impl<'a> Waiting<'a> {
    fn new(operation: &'a Operation, request: IdbOpenDbRequest, name: &'a str) -> Self {
        request.set_onsuccess(Some(operation.good()));
        request.set_onupgradeneeded(Some(operation.good()));
        request.set_onerror(Some(operation.bad()));
        let timer = platform::set_timeout(operation.bad(), PATIENCE_MS);
        Waiting { request, operation, timer, name }
    }

    /// Waits for success or for an upgrade to be made.
    async fn event(&self) -> Result<(), JsValue> {
        if self.operation.event().await {
            return Ok(());
        }
        // A timer brings no event.
        if self.operation.value().is_object() && self.request.ready_state() == IdbRequestReadyState::Done {
            return Err(self.request.error().ok().flatten().map_or(JsValue::NULL, JsValue::from));
        }
        let message = [&errors::quoted(self.name), " did not answer for 10 s: another tab holds or blocks it"].concat();
        Err(errors::platform_named("TimeoutError", &message))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        platform::clear_timeout(&self.timer);
        self.request.set_onsuccess(None);
        self.request.set_onupgradeneeded(None);
        self.request.set_onerror(None);
    }
}

async fn try_connect(operation: &Operation, name: &str, create: bool) -> Result<Database, JsValue> {
    // No version: a database of another kind is opened as it is, and never upgraded.
    let request = factory()?.open(name)?;
    let waiting = Waiting::new(operation, request.clone(), name);
    loop {
        if let Err(error) = waiting.event().await {
            drop(waiting);
            if request.ready_state() == IdbRequestReadyState::Pending || request.transaction().is_some() {
                undo_late(request);
            }
            return Err(error);
        }
        let Some(upgrade) = request.transaction() else {
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
    Ok(request.result()?.unchecked_into())
}

fn make(request: &IdbOpenDbRequest) -> Result<(), JsValue> {
    let database: Database = request.result()?.unchecked_into();
    let parameters = IdbObjectStoreParameters::new();
    parameters.set_auto_increment(true);
    let store = database.create_object_store_with_optional_parameters("journal", &parameters)?;
    let store: Store = store.unchecked_into();
    store.put_number(&Header::born().write(), layout::HEADER_KEY)?;
    reserve::put(&store)
}

/// An opening that was given up may still come true: it must neither leave an empty database nor hold one open.
fn undo_late(request: IdbOpenDbRequest) {
    let late = request.clone();
    let undo: JsValue = Closure::once_into_js(move |_event: JsValue| {
        if let Some(upgrade) = late.transaction() {
            let _ = upgrade.abort();
        } else if let Ok(database) = late.result() {
            database.unchecked_into::<Database>().close();
        }
    });
    request.set_onupgradeneeded(Some(undo.unchecked_ref()));
    request.set_onsuccess(Some(undo.unchecked_ref()));
}
