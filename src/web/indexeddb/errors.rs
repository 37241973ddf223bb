//! The errors this store makes itself, and what the platform's own tell about a connection.
//!
//! The platform's errors go to the caller as they came.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use crate::web::crossing::named;
use crate::web::platform::{property, set};

/// The storage holds something that no posthaste wrote at this place.
pub fn corruption(database: &str, what: &str) -> JsValue {
    ours("CorruptionError", database, what)
}

/// A version this one cannot work with.
pub fn version(database: &str, what: &str) -> JsValue {
    ours("VersionError", database, what)
}

/// A newer posthaste wrote this database.
pub fn newer(database: &str) -> JsValue {
    version(database, "was written by a newer posthaste")
}

/// The journal this connection was opened on is not there any more.
pub fn storage_lost(database: &str, what: &str) -> JsValue {
    ours("StorageLostError", database, what)
}

/// Another connection, or a sick browser, lets it wait.
pub fn blocked(database: &str) -> JsValue {
    platforms("TimeoutError", &about(database, "did not answer for 10 s: another tab blocks it"))
}

/// An error of the platform's own class.
pub fn platforms(name: &str, message: &str) -> JsValue {
    DomException::new_with_message_and_name(message, name).map_or_else(|error| error, JsValue::from)
}

/// Whether the error says that the connection is gone, not that the request was wrong: a fresh one may do.
pub fn lost_connection(error: &JsValue) -> bool {
    is_platforms(error, &["UnknownError", "InvalidStateError", "AbortError"])
}

/// The reason of an abort where a commit was due: marked where it does not rule out that the commit happened. `asked`: every
/// request may have succeeded by then; else one has failed, and says so.
pub fn at_commit(error: JsValue, asked: bool) -> JsValue {
    let certain = ["QuotaExceededError", "ConstraintError", "DataError", "NotReadableError", "UnknownError"];
    if !is_platforms(&error, &certain[..certain.len() - usize::from(asked)]) {
        set(&error, OUTCOME_UNKNOWN, &JsValue::TRUE);
    }
    error
}

/// Whether it may have been committed all the same.
pub fn is_unknown(error: &JsValue) -> bool {
    property(error, OUTCOME_UNKNOWN) == JsValue::TRUE
}

const OUTCOME_UNKNOWN: &str = "outcomeUnknown";

/// Whether it is an error of the platform's, with one of these names.
fn is_platforms(error: &JsValue, names: &[&str]) -> bool {
    let name = property(error, "name").as_string().unwrap_or_default();
    error.is_instance_of::<DomException>() && names.contains(&name.as_str())
}

fn ours(name: &str, database: &str, what: &str) -> JsValue {
    named(name, &about(database, what))
}

fn about(database: &str, what: &str) -> String {
    ["the database \"", database, "\" ", what].concat()
}
