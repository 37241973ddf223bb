//! The browser's side, for wasm only: the door to JavaScript, and the stores the browser has.

mod door;
mod indexeddb;
mod rows;
