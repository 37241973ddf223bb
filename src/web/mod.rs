//! The browser's side, for wasm only: the door to JavaScript, and the stores the browser has.

mod crossing;
mod door;
pub mod indexeddb;
mod rows;
