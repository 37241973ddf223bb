//! Shares are exact, as numbers of 128 bits would say them, for every size there is.

use posthaste::{collections::sizes::Sizes, share::share};
use proptest::{collection::vec, prelude::*};

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

    /// Whatever is cut off and put together again, each message has its own size, and sums are sums.
    #[test]
    fn sizes_are_each_messages_own(mut sizes in sizes(), cuts in vec(any::<u16>(), 0..20)) {
        let mut rest: Sizes = sizes.iter().copied().collect();
        for cut in cuts {
            let front = cut as usize % (sizes.len() + 1);
            let head = rest.split_front(front as u32);
            prop_assert_eq!(head.iter().collect::<Vec<_>>(), sizes[..front].to_vec());
            prop_assert_eq!(head.total(), sizes[..front].iter().sum::<u64>());
            if cut % 3 == 0 {
                rest.append(&head);
                sizes.rotate_left(front);
            } else {
                sizes.drain(..front);
            }
            prop_assert_eq!(rest.iter().collect::<Vec<_>>(), sizes.clone());
        }
        prop_assert_eq!(rest.are_alike(), sizes.iter().all(|size| *size == sizes[0]));
        prop_assert_eq!(rest, sizes.into_iter().collect::<Sizes>());
    }

    #[test]
    fn what_fits_is_as_many_as_one_by_one(sizes in sizes(), free in 0..400u64, most in 0..50u32) {
        let all: Sizes = sizes.iter().copied().collect();
        let mut sum = 0;
        let fitting = sizes.iter().take_while(|&&size| { sum += size; sum <= free }).count();
        prop_assert_eq!(all.fitting(free) as usize, fitting);
        for over in [true, false] {
            let leading = sizes.iter().take(most as usize).take_while(|&&size| (size > free) == over).count();
            prop_assert_eq!(all.leading(over, free, most) as usize, leading);
        }
    }
}

/// Alike and not.
fn sizes() -> impl Strategy<Value = Vec<u64>> {
    prop_oneof![vec(0..100u64, 0..40), (0..100u64, 0..40usize).prop_map(|(size, count)| vec![size; count])]
}

/// To take messages off a long list one by one costs as much for the last as for the first, and who keeps one of them does
/// not keep the list.
#[test]
fn to_cut_a_long_list_is_cheap() {
    let mut rest: Sizes = (0..1_000_000u64).collect();
    let mut kept = Vec::new();
    for place in 0..1_000_000 {
        let one = rest.split_front(1);
        assert_eq!(one.total(), place);
        if place % 1000 == 0 {
            kept.push(one);
        }
    }
    assert!(kept.iter().all(Sizes::are_alike));
}
