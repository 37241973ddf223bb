//! The browser's side, for wasm only: the door to JavaScript, and the stores the browser has.

mod crossing;
mod door;
pub mod indexeddb;
mod platform;
mod rows;

/// 1.4 KB less to download than the allocator of the standard library.
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
