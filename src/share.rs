//! Shares of a whole, exactly and without overflow. Numbers of 128 bits would be as exact, and are 2 KB of wasm.

/// `all * part / of`, as far as it is less than 2^64. `part` and `of` are less than 2^32, `of` is not 0.
pub fn share(all: u64, part: u64, of: u64) -> u64 {
    (all / of).saturating_mul(part).saturating_add(all % of * part / of)
}

/// How many of `count` messages with `bytes` in all, even shares each, have no more than `free` bytes.
pub fn fitting(count: u32, bytes: u64, free: u64) -> u32 {
    if bytes <= free {
        return count;
    }
    // `count * free / bytes`, a bit of the count at a time. `rest` and `free` stay below `bytes`.
    let (mut fit, mut rest) = (0, 0);
    for bit in (0..u32::BITS).rev() {
        let doubled = rest >= bytes - rest;
        rest = if doubled { rest - (bytes - rest) } else { rest + rest };
        let one = count >> bit & 1 == 1;
        let added = one && rest >= bytes - free;
        rest = if added {
            rest - (bytes - free)
        } else if one {
            rest + free
        } else {
            rest
        };
        fit = fit * 2 + u32::from(doubled) + u32::from(added);
    }
    fit
}
