//! The engine is the same everywhere: built natively and to wasm it writes the same records, byte for byte, and comes to the
//! same state. The sums below are of what both wrote; a change of them is a change of the format or of the rules.

#[path = "engine/journal.rs"]
mod journal;
#[path = "simulation/random.rs"]
mod random;

use journal::{Do, Finish, Journal, POLICIES};
use random::Random;
use xxhash_rust::xxh32::xxh32;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const COMMANDS: u32 = 3000;

fn command(random: &mut Random) -> Do {
    let queue = random.place(POLICIES);
    let count = 1 + random.below(6) as u32;
    match random.below(20) {
        0..4 => Do::Send {
            queue,
            count,
            atomic: random.once_in(3),
            delay: None,
            expires: None,
            key: None,
            spread: u64::from(count),
        },
        4 => Do::Send {
            queue,
            count: 1,
            atomic: false,
            delay: Some(700),
            expires: Some(9000),
            key: Some(count as u8),
            spread: 0,
        },
        5 => Do::Batch { queue, parts: vec![(count, None), (2, Some(500))] },
        6..10 => Do::Receive { queue, max: count, wait: random.once_in(2) },
        10..13 => Do::Finish { which: count as usize, finish: Finish::Ack },
        13 => Do::Finish { which: count as usize, finish: Finish::Retry(None) },
        14 => Do::Finish { which: 0, finish: Finish::DeadLetter },
        15 => match random.place(8) {
            0 => Do::Cancel { which: count as usize },
            1 => Do::Purge { queue },
            2 => Do::ReleaseIdle,
            3 => Do::Finish { which: 0, finish: Finish::Extend(3000) },
            4 => Do::Finish { which: 0, finish: Finish::Release },
            5 => Do::Rest,
            6 => Do::SetBack(random.below(3000)),
            _ => Do::Redrive { max: 2 },
        },
        16 => Do::Pass(random.below(6000)),
        _ => Do::Step,
    }
}

#[test]
fn native_and_wasm_write_the_same_records_and_come_to_the_same_state() {
    let mut random = Random(7);
    let mut journal = Journal::new(2);
    for _ in 0..COMMANDS {
        let peer = random.place(2);
        let next = command(&mut random);
        journal.act(peer, next).expect("every promise holds");
    }
    journal.drain().expect("it can be drained");
    journal.check_all_ended().expect("nothing was lost");
    assert!(journal.sent.len() > 500 && !journal.delivered.is_empty(), "{} were sent", journal.sent.len());
    let state = xxh32(&journal.peers[0].engine().snapshot(), 0);
    assert_eq!(
        (journal.records.len(), xxh32(&journal.records.concat(), 0), state),
        (972, 1_749_517_577, 2_733_484_972)
    );
}
