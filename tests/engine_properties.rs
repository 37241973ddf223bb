//! Properties of the engine and its peers, under random commands and times: one journal, two peers that read before they
//! write and do what is due when it is due.

#[path = "engine/journal.rs"]
mod journal;

use journal::{Do, Finish, Journal, POLICIES};
use posthaste::{
    engine::Engine,
    format::{Overflow, Record},
    id::NEVER,
};
use proptest::{collection::vec, option, prelude::*};

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        6 => Just(Finish::Ack),
        2 => option::of(0..5000u64).prop_map(Finish::Retry),
        1 => Just(Finish::DeadLetter),
        1 => (1..20_000u64).prop_map(Finish::Extend),
        2 => Just(Finish::Release),
    ]
}

fn send() -> impl Strategy<Value = Do> {
    let terms = (option::weighted(0.2, 0..8000u64), option::weighted(0.2, 1..20_000u64));
    let key = option::weighted(0.2, 0..3u8);
    let spread = prop_oneof![Just(0), 1..150u64];
    (0..POLICIES, 1..7u32, any::<bool>(), terms, key, spread).prop_map(
        |(queue, count, atomic, (delay, expires), key, spread)| {
            let count = if key.is_some() { 1 } else { count };
            Do::Send { queue, count, atomic, delay, expires, key, spread }
        },
    )
}

fn batch() -> impl Strategy<Value = Do> {
    let part = (1..4u32, option::weighted(0.3, 0..8000u64));
    (0..POLICIES, vec(part, 1..4)).prop_map(|(queue, parts)| Do::Batch { queue, parts })
}

fn command() -> impl Strategy<Value = Do> {
    prop_oneof![
        6 => send(),
        2 => batch(),
        6 => (0..=POLICIES, 1..5u32, any::<bool>()).prop_map(|(queue, max, wait)| Do::Receive { queue, max, wait }),
        8 => (any::<usize>(), finish()).prop_map(|(which, finish)| Do::Finish { which, finish }),
        1 => any::<usize>().prop_map(|which| Do::Cancel { which }),
        1 => (0..=POLICIES).prop_map(|queue| Do::Purge { queue }),
        1 => (0..=POLICIES, any::<bool>()).prop_map(|(queue, paused)| Do::Pause { queue, paused }),
        1 => (1..6u64).prop_map(|max| Do::Redrive { max }),
        1 => Just(Do::ReleaseIdle),
        5 => (0..300u64).prop_map(Do::Pass),
        1 => (0..40_000u64).prop_map(Do::Pass),
        8 => Just(Do::Step),
        3 => Just(Do::Rest),
    ]
}

fn commands() -> impl Strategy<Value = Vec<(usize, Do)>> {
    vec((0..2usize, command()), 1..120)
}

fn ran(commands: Vec<(usize, Do)>) -> Result<Journal, TestCaseError> {
    let mut journal = Journal::new(2);
    for (peer, command) in commands {
        journal.act(peer, command).map_err(TestCaseError::fail)?;
    }
    Ok(journal)
}

/// The state that these records make of an engine.
fn replayed(mut engine: Engine, records: &[Vec<u8>]) -> Engine {
    for bytes in records {
        let record = Record::decode(bytes).expect("it was just written");
        engine.apply(engine.base() + 1, &record, &mut Vec::new());
    }
    engine
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The journal checks every effect against what it was told before: one holder of a live lease, nothing after an ack
    /// or a cancel, nothing from a paused queue, attempts that count handed-out deliveries only, whole batches, one
    /// message a key. After every record: counts that add up, capacities kept, keepers that keep.
    #[test]
    fn every_promise_holds_and_nothing_is_lost(commands in commands()) {
        let mut journal = ran(commands)?;
        journal.drain().map_err(TestCaseError::fail)?;
        journal.check_all_ended().map_err(TestCaseError::fail)?;
    }

    /// As often as a clock is set back: what is due comes to pass, and nothing is done again and again at one time.
    #[test]
    fn clocks_that_are_set_back_neither_stop_nor_spin_a_peer(
        commands in vec((0..2usize, prop_oneof![8 => command(), 1 => (0..100_000u64).prop_map(Do::SetBack)]), 1..120)
    ) {
        let mut journal = ran(commands)?;
        journal.drain().map_err(TestCaseError::fail)?;
        journal.check_all_ended().map_err(TestCaseError::fail)?;
    }

    #[test]
    fn replay_from_the_encoded_records_equals_the_live_state(commands in commands()) {
        let mut journal = ran(commands)?;
        journal.catch_up();
        let replica = replayed(Engine::default(), &journal.records);
        for peer in &journal.peers {
            prop_assert_eq!(peer.engine(), &replica);
            prop_assert_eq!(peer.engine().snapshot(), replica.snapshot());
        }
    }

    #[test]
    fn a_snapshot_and_the_tail_equal_the_full_replay(commands in commands(), place in any::<prop::sample::Index>()) {
        let journal = ran(commands)?;
        let cut = place.index(journal.records.len() + 1);
        let (head, tail) = journal.records.split_at(cut);
        let snapshot = replayed(Engine::default(), head).snapshot();
        let restored = Engine::restore(&snapshot).expect("it was just written");
        prop_assert_eq!(restored.snapshot(), snapshot);
        let (short, full) = (replayed(restored, tail), replayed(Engine::default(), &journal.records));
        prop_assert_eq!(short.snapshot(), full.snapshot());
        prop_assert_eq!(short, full);
    }

    #[test]
    fn plain_messages_are_delivered_first_in_first_out(steps in vec((0..3u8, 1..9u32), 1..80)) {
        let mut journal = Journal::new(1);
        for (kind, count) in steps {
            let command = match kind {
                0 => Do::Send { queue: 0, count, atomic: false, delay: None, expires: None, key: None, spread: 0 },
                1 => Do::Receive { queue: 0, max: count, wait: false },
                _ => Do::Finish { which: count as usize, finish: Finish::Ack },
            };
            journal.act(0, command).map_err(TestCaseError::fail)?;
            journal.act(0, Do::Step).map_err(TestCaseError::fail)?;
        }
        journal.drain().map_err(TestCaseError::fail)?;
        prop_assert!(journal.delivered.is_sorted(), "{:?}", journal.delivered);
        prop_assert_eq!(journal.delivered.len(), journal.sent.len());
    }
}

#[test]
fn a_keeper_drops_nothing_by_itself() {
    let mut journal = Journal::new(1);
    let keeper = POLICIES;
    let run = |journal: &mut Journal, command| journal.act(0, command).expect("every promise holds");
    run(&mut journal, Do::Send { queue: 0, count: 3, atomic: false, delay: None, expires: None, key: None, spread: 0 });
    run(&mut journal, Do::Receive { queue: 0, max: 3, wait: true });
    run(&mut journal, Do::Step);
    run(&mut journal, Do::Step);
    (0..3).for_each(|which| run(&mut journal, Do::Finish { which, finish: Finish::DeadLetter }));
    run(&mut journal, Do::Step);
    for finish in [Finish::DeadLetter, Finish::Retry(Some(0)), Finish::Release].repeat(10) {
        run(&mut journal, Do::Receive { queue: keeper, max: 3, wait: true });
        run(&mut journal, Do::Step);
        (0..3).for_each(|which| run(&mut journal, Do::Finish { which, finish }));
        run(&mut journal, Do::Step);
        run(&mut journal, Do::Receive { queue: keeper, max: 3, wait: true });
        run(&mut journal, Do::Pass(20_000));
    }
    let engine = journal.peers[0].engine();
    let dead = engine.named("dead").and_then(|id| engine.queue(id)).expect("it was made with its queue");
    assert!(dead.keeper && dead.policy.retention_ms == NEVER && dead.policy.overflow == Overflow::Wait);
    assert_eq!((dead.backlog(), dead.tally.dropped), (3, [0; 4]));
}
