//! Shares of a whole, exactly and without overflow. Numbers of 128 bits would be as exact, and are 2 KB of wasm.

/// `all * part / of`, as far as it is less than 2^64. `part` and `of` are less than 2^32, `of` is not 0.
pub fn share(all: u64, part: u64, of: u64) -> u64 {
    (all / of).saturating_mul(part).saturating_add(all % of * part / of)
}
