//! The browser's side, for wasm only: the door to JavaScript, and the stores the browser has.

mod crossing;
mod door;
pub mod indexeddb;
mod rows;

/// Smaller than the allocator of the standard library, and faster.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
