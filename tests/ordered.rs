//! What keeps things in their order is as the standard library's maps are.

use std::collections::{BTreeMap, BTreeSet};

use posthaste::{collections::pairs::Pairs, collections::sorted::Sorted};
use proptest::{collection::vec, prelude::*};

/// Few numbers, so that many are met again; in runs, as ids and times come.
fn pairs() -> impl Strategy<Value = Vec<(u64, u64)>> {
    vec((0..40u64, 0..30u64, 1..60u64), 1..60).prop_map(|runs| {
        runs.into_iter().flat_map(|(one, other, count)| (other..other + count).map(move |other| (one, other))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pairs_are_a_set(pairs in pairs(), gone in vec(any::<prop::sample::Index>(), 0..2000), asked in vec((0..42u64, 0..90u64), 20)) {
        let (mut set, mut known) = (Pairs::default(), BTreeSet::new());
        for pair in &pairs {
            if known.insert(*pair) {
                set.insert(*pair);
            }
        }
        for at in gone {
            let pair = *at.get(&pairs);
            known.remove(&pair);
            set.remove(pair);
        }
        prop_assert_eq!((set.len(), set.is_empty()), (known.len(), known.is_empty()));
        prop_assert!(set.from((0, 0)).eq(known.iter().copied()));
        for pair in asked {
            prop_assert!(set.from(pair).eq(known.range(pair..).copied()));
            prop_assert_eq!(set.before(pair), known.range(..pair).next_back().copied());
        }
        let mut other = Pairs::default();
        known.iter().rev().for_each(|pair| other.insert(*pair));
        prop_assert!(set == other);
        if let Some(pair) = known.first() {
            other.remove(*pair);
            prop_assert!(set != other);
        }
    }

    #[test]
    fn sorted_things_are_a_map(steps in vec((0..20u32, any::<u8>(), 0..3u8), 0..200)) {
        let (mut map, mut known) = (Sorted::default(), BTreeMap::new());
        for (number, thing, step) in steps {
            match step {
                0 => prop_assert_eq!(map.remove(number), known.remove(&number)),
                1 => prop_assert_eq!(map.get_or_insert(number, thing), known.entry(number).or_insert(thing)),
                _ => prop_assert_eq!(map.get_mut(number), known.get_mut(&number)),
            }
            prop_assert_eq!((map.get(number), map.len(), map.is_empty()), (known.get(&number), known.len(), known.is_empty()));
        }
        prop_assert!(map.iter().map(|(number, thing)| (number, thing)).eq(&known));
        prop_assert!(map.iter_mut().map(|(number, thing)| (*number, *thing)).eq(known));
    }
}
