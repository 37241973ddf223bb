//! How much room the origin takes, as far as the platform tells.

use std::rc::Rc;

use wasm_bindgen::{JsCast, JsValue};

use super::opening;
use super::operation::{Answer, Operation};
use super::platform::{self, Estimate, UsageDetails};

/// Bytes in IndexedDB, or in all storage of the origin where that is all that is told; undefined where nothing is.
pub async fn usage(operation: Rc<Operation>) -> Answer {
    // Not in insecure contexts, nor everywhere.
    let storage = platform::GLOBAL.with(platform::Global::navigator).and_then(|navigator| navigator.storage());
    let Some(Ok(estimate)) = storage.map(|storage| storage.estimate()) else {
        return Ok(JsValue::UNDEFINED);
    };
    let Ok(estimate) = opening::settled(&operation, &estimate).await else {
        return Ok(JsValue::UNDEFINED);
    };
    let estimate: &Estimate = estimate.unchecked_ref();
    let details = estimate.usage_details();
    if details.is_object() {
        let indexed_db = details.unchecked_ref::<UsageDetails>().indexed_db();
        if indexed_db.as_f64().is_some() {
            return Ok(indexed_db);
        }
    }
    Ok(estimate.usage())
}
