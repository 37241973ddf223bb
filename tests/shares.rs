//! Shares are exact, as numbers of 128 bits would say them, for every size there is.

use posthaste::share::{fitting, share};
use proptest::prelude::*;

/// As many small numbers as large ones.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, bits)| number >> bits)
}

proptest! {
    #[test]
    fn a_share_is_exact_and_bounded(all in number(), part in any::<u32>(), of in 1..=u32::MAX) {
        let exact = u128::from(all) * u128::from(part) / u128::from(of);
        prop_assert_eq!(share(all, part.into(), of.into()), u64::try_from(exact).unwrap_or(u64::MAX));
    }

    #[test]
    fn what_fits_is_exact(count in any::<u32>(), bytes in number(), free in number()) {
        let exact = if bytes <= free { count.into() } else { u128::from(count) * u128::from(free) / u128::from(bytes) };
        prop_assert_eq!(u128::from(fitting(count, bytes, free)), exact);
    }
}
