//! Containers that stay fast with millions of entries and cost little wasm: numbers in order, and sizes of many messages.

pub mod pairs;
pub mod sizes;
pub mod sorted;
