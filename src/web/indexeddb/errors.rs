//! The errors this store makes itself, and what the platform's own tell about a connection.
//!
//! The platform's errors go to the caller as they came.

use js_sys::Error;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use super::platform;

/// The storage holds something that no posthaste wrote at this place.
pub fn corruption(message: &str) -> JsValue {
    named("CorruptionError", message)
}

/// A version this one cannot work with.
pub fn version(message: &str) -> JsValue {
    named("VersionError", message)
}

/// A newer posthaste wrote this database.
pub fn newer(database: &str) -> JsValue {
    version(&[&quoted(database), " was written by a newer posthaste"].concat())
}

/// The journal this connection was opened on is not there any more.
pub fn storage_lost(message: &str) -> JsValue {
    named("StorageLostError", message)
}

/// The connection was closed by its owner.
pub fn closed(database: &str) -> JsValue {
    platform_named("InvalidStateError", &[&quoted(database), " is closed"].concat())
}

/// An error of the platform's own class.
pub fn platform_named(name: &str, message: &str) -> JsValue {
    match DomException::new_with_message_and_name(message, name) {
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

/// `the database "name"`, for messages.
pub fn quoted(database: &str) -> String {
    ["the database \"", database, "\""].concat()
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
        platform::set(&error, OUTCOME_UNKNOWN, &JsValue::TRUE);
    }
    error
}

/// Whether it may have been committed all the same.
pub fn is_unknown(error: &JsValue) -> bool {
    platform::property(error, OUTCOME_UNKNOWN).is_truthy()
}

const OUTCOME_UNKNOWN: &str = "outcomeUnknown";

/// Whether it is an error of the platform's, with one of these names.
fn is_platforms(error: &JsValue, names: &[&str]) -> bool {
    let name = platform::property(error, "name");
    error.is_instance_of::<DomException>() && names.iter().any(|known| name == **known)
}

fn named(name: &str, message: &str) -> JsValue {
    let error = Error::new(message);
    error.set_name(name);
    error.into()
}
