//! A ring of frames in shared memory, for one producer and one consumer.
//!
//! - [`ring`] is the algorithm, over memory that it is given: atomics for the positions, plain words for the frames.
//! - `wasm` (wasm only) lays it over a shared `WebAssembly.Memory` and exports it.
//!
//! The module is built by itself, without `std`, so that it has neither a heap nor statics nor a stack in the memory it
//! shares: whatever instance of it looks at that memory sees only rings.

#![cfg_attr(target_arch = "wasm32", no_std)]

pub mod ring;
#[cfg(target_arch = "wasm32")]
mod wasm;
