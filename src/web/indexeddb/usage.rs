//! How much room the origin takes, as far as the platform tells.

use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};

use super::opening;
use super::operation::{Answer, Operation};
use super::platform::{self, promised, property};

/// Bytes in IndexedDB, or in all storage of the origin where that is all that is told; undefined where nothing is.
pub async fn usage(operation: Rc<Operation>) -> Answer {
    // Not in insecure contexts, nor everywhere.
    let storage = property(&property(&platform::GLOBAL.with(JsValue::clone), "navigator"), "storage");
    let Ok(estimate) = promised(&storage, "estimate") else {
        return Ok(JsValue::UNDEFINED);
    };
    let estimate = opening::settled(&operation, estimate.unchecked_ref()).await.unwrap_or_default();
    let ours = property(&property(&estimate, "usageDetails"), "indexedDB");
    Ok(if ours.as_f64().is_some() { ours } else { property(&estimate, "usage") })
}
