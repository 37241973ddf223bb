//! What the IndexedDB store promises, in real browsers: pages and workers, Chromium and Firefox. Natively this is nothing.
#![cfg(target_arch = "wasm32")]

#[path = "web/appending.rs"]
mod appending;
#[path = "web/bodies.rs"]
mod bodies;
#[path = "web/cleaning.rs"]
mod cleaning;
#[path = "web/foreign.rs"]
mod foreign;
#[path = "web/lab.rs"]
mod lab;
#[path = "web/losing.rs"]
mod losing;
#[path = "web/opening.rs"]
mod opening;
