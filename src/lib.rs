//! posthaste: a message queue for pages, workers, service workers and edge functions.
//!
//! The rooms, in the order a message passes through them:
//!
//! - [`peer`] collects commands and makes steps of them: what is decided together is one record.
//! - [`format`] is how records and snapshots are written. Frozen.
//! - [`engine`] is the state the records make, and the one rule by which they change it. Frozen with the format.
//! - `web` (wasm only) is the door to JavaScript, and the browser's stores.
//!
//! Nothing outside `web` does I/O, reads a clock, or draws a random number: the native build does not have the crates
//! that could. [`limits`] has every bound, [`border`] the numbers that TypeScript knows as well, [`id`] what names things.
//! [`collections`] keep numbers in order and the sizes of many messages, [`share`] is the arithmetic of parts.

#![forbid(unsafe_code)]

pub mod border;
pub mod collections;
pub mod engine;
pub mod format;
pub mod id;
pub mod limits;
pub mod peer;
pub mod share;
#[cfg(target_arch = "wasm32")]
pub mod web;
