//! A peer that is gone, or goes, holds nothing from its record on: what it held comes back in order, counted as it should be.

use posthaste::{
    collections::pairs::Pairs,
    collections::sizes::Sizes,
    engine::{Engine, State},
    format::{How, Item, Policy, Record, Send, Whole},
    id::MessageId,
    peer::{Effect, Peer},
};

const NOW: u64 = 1_800_000_000_000;
const DEAD: u64 = 7;
const LIVING: u64 = 8;

fn first() -> MessageId {
    MessageId::new(1, 0).expect("it is in range")
}

fn record(time: u64, base: u64, writer: u64, items: Vec<Item>) -> Record {
    Record { time, base, writer, step: base, chunk: None, items }
}

fn lease(place: u32, count: u32, started: bool) -> Item {
    Item::Lease { queue: 0, first: first().plus(place), count, until: NOW + 30_000, started }
}

/// Ten messages, of which one peer was handed 0, 1 and 5, and leased 2 and 3 ahead; another was handed 4. Whatever the policy.
fn held(policy: Policy) -> Engine {
    let send = Send { queue: 0, sizes: Sizes::alike(10, 10), due: 0, expires: 0, whole: Whole::No, key: None };
    let mut engine = Engine::default();
    let created = vec![Item::Create { name: "work".into(), policy: policy.into() }, Item::Send(send)];
    engine.apply(1, &record(NOW, 0, LIVING, created), &mut Vec::new());
    engine.apply(
        2,
        &record(NOW, 1, DEAD, vec![lease(0, 2, true), lease(5, 1, true), lease(2, 2, false)]),
        &mut Vec::new(),
    );
    engine.apply(3, &record(NOW, 2, LIVING, vec![lease(4, 1, true)]), &mut Vec::new());
    engine
}

fn leave(engine: &mut Engine, counted: bool) {
    engine.apply(
        4,
        &record(NOW + 50, 3, LIVING, vec![Item::Leave { peer: DEAD, queue: None, counted }]),
        &mut Vec::new(),
    );
}

/// Place, attempts before, whether it is held; one a message, in order.
fn states(engine: &Engine, name: &str) -> Vec<(u32, u32, bool)> {
    let queue = engine.named(name).and_then(|queue| engine.queue(queue)).expect("it is there");
    let mut states = Vec::new();
    for place in 0..10 {
        if let Some((_, run)) = queue.find(first().plus(place)) {
            // An attempt whose lease is over counts from when the message is taken again.
            let over = matches!(run.state, State::Lapsed { started: true, .. });
            states.push((place, run.attempts + u32::from(over), matches!(run.state, State::Leased { .. })));
        }
    }
    states
}

#[test]
fn what_a_dead_peer_held_comes_back_in_its_order_and_what_it_had_handed_out_counts() {
    let mut engine = held(Policy::default());
    assert_eq!(engine.holders(), [DEAD, LIVING]);
    leave(&mut engine, true);
    assert_eq!(engine.holders(), [LIVING]);
    let expected = [(0, 1), (1, 1), (2, 0), (3, 0), (4, 0), (5, 1), (6, 0), (7, 0), (8, 0), (9, 0)];
    assert_eq!(states(&engine, "work"), expected.map(|(place, attempts)| (place, attempts, place == 4)));
    let queue = engine.queue(0).expect("it is there");
    let ready: Vec<_> = queue
        .pick(NOW + 50, 100, &Pairs::default())
        .iter()
        .map(|pick| (pick.first.since(first()), pick.count))
        .collect();
    assert_eq!(ready.iter().map(|(_, count)| count).sum::<u32>(), 9);
    assert!(ready.is_sorted(), "{ready:?}");
    assert_eq!(queue.tally.delivered, 4, "handed out is handed out");
}

#[test]
fn what_a_peer_gives_back_that_goes_in_good_order_was_never_taken() {
    let mut engine = held(Policy::default());
    leave(&mut engine, false);
    assert_eq!(states(&engine, "work"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|place| (place, 0, place == 4)));
    assert_eq!(engine.queue(0).expect("it is there").tally.delivered, 1);
}

#[test]
fn a_peer_may_leave_in_good_order_as_often_as_it_likes() {
    let mut engine = held(Policy { max_retries: 0, dead_letter_queue: Some("dead".into()), ..Policy::default() });
    leave(&mut engine, false);
    for number in 5..25 {
        let items = vec![lease(0, 10, true), Item::Leave { peer: DEAD, queue: None, counted: false }];
        engine.apply(number, &record(NOW + number, number - 1, DEAD, items), &mut Vec::new());
    }
    assert_eq!(states(&engine, "work").len(), 10);
    assert_eq!(engine.queue(0).expect("it is there").tally.dead_lettered, 0);
}

#[test]
fn a_peer_that_holds_nothing_leaves_nothing_behind() {
    let mut engine = held(Policy::default());
    leave(&mut engine, true);
    let before = engine.clone();
    let outcome = engine.apply(
        5,
        &record(NOW + 50, 4, LIVING, vec![Item::Leave { peer: DEAD, queue: None, counted: true }]),
        &mut Vec::new(),
    );
    assert_eq!(format!("{outcome:?}"), "[Done(0)]");
    assert_eq!(states(&engine, "work"), states(&before, "work"));
}

#[test]
fn a_snapshot_knows_the_holders() {
    let mut engine = held(Policy::default());
    let mut restored = Engine::restore(&engine.snapshot()).expect("it was just written");
    assert_eq!(restored, engine);
    for engine in [&mut engine, &mut restored] {
        leave(engine, true);
        let settle = Item::Settle { queue: 0, first: first().plus(4), count: 1, grant: 3, how: How::Ack };
        engine.apply(5, &record(NOW + 60, 4, LIVING, vec![settle]), &mut Vec::new());
    }
    assert_eq!(restored, engine);
    assert!(engine.holders().is_empty());
}

/// A peer on that engine's journal.
fn peer_on(engine: &Engine, id: u64) -> Peer {
    let mut peer = Peer::new(id, 1, false);
    peer.load(engine.base(), &engine.snapshot()).expect("it was just written");
    peer
}

#[test]
fn a_peer_leases_nothing_before_it_is_shown() {
    let mut peer = peer_on(&held(Policy::default()), 9);
    peer.hide();
    assert!(!peer.wants_showing());
    peer.receive(1, 0, 2, None, true, NOW);
    peer.receive(2, 0, 2, None, false, NOW);
    assert!(peer.wants_showing());
    assert!(!peer.decide(NOW), "there is nothing to write");
    assert!(peer.effects().iter().all(|effect| !matches!(effect, Effect::Received { .. })), "both wait");
    peer.show(11);
    assert!(peer.decide(NOW));
    let written = Record::decode(peer.record()).expect("it was just written");
    assert_eq!((written.writer, written.items.len()), (11, 2));
}

#[test]
fn whoever_sees_that_a_peer_is_dead_gives_back_what_it_held_and_is_given_it() {
    let mut peer = peer_on(&held(Policy::default()), 9);
    assert_eq!(peer.others(), [DEAD, LIVING]);
    peer.bury(1, DEAD, None, true);
    // Another saw it, too.
    peer.bury(2, DEAD, None, true);
    peer.receive(3, 0, 3, None, true, NOW);
    for _ in 0..2 {
        peer.decide(NOW);
        peer.committed(peer.engine().base() + 1);
    }
    peer.bury(4, DEAD, None, true);
    assert!(!peer.decide(NOW), "nobody of that name holds anything");
    let effects = peer.effects();
    for token in [1, 2, 4] {
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::Done { token: of, .. } if *of == token)),
            "{token}"
        );
    }
    assert_eq!(peer.others(), [LIVING]);
}

#[test]
fn a_peer_that_goes_writes_its_parting_beside_the_step_under_way() {
    let mut peer = peer_on(&held(Policy::default()), DEAD);
    peer.pause(1, 0, true);
    assert!(peer.decide(NOW));
    let parting = Record::decode(&peer.parting(NOW)).expect("it was just written");
    assert_eq!(parting.items, [Item::Leave { peer: DEAD, queue: None, counted: false }]);
    // The step stands where it lands, before the parting or after it.
    peer.apply(4, &parting.encode()).expect("it was just written");
    peer.committed(5);
    assert_eq!(peer.engine().holders(), [LIVING]);
    assert!(peer.engine().queue(0).expect("it is there").paused);
}

#[test]
fn a_peer_that_left_hands_out_nothing_of_the_step_that_was_under_way() {
    for shown_anew in [false, true] {
        let mut peer = peer_on(&held(Policy::default()), 9);
        peer.receive(1, 0, 1, None, true, NOW);
        peer.receive(2, 0, 1, None, false, NOW);
        assert!(peer.decide(NOW));
        let parting = peer.parting(NOW);
        if shown_anew {
            peer.show(11);
        }
        // The step was first: what it leased has gone back by now, though this peer has not read that.
        peer.committed(4);
        let effects = peer.effects();
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Delivered { .. })), "{effects:?}");
        let received = |of| effects.iter().any(|effect| matches!(effect, Effect::Received { token } if *token == of));
        assert!(!received(1) && received(2), "who waits goes on to wait");
        peer.apply(5, &parting).expect("it was just written");
        peer.show(11);
        assert!(peer.decide(NOW));
        peer.committed(6);
        let delivered = |effect: &Effect| matches!(effect, Effect::Delivered { token: 1, attempt: 1, .. });
        assert!(peer.effects().iter().any(delivered), "as if it had not been taken before");
    }
}

#[test]
fn a_peer_may_be_gone_for_one_queue_alone() {
    let mut engine = held(Policy::default());
    let leave = |queue| vec![Item::Leave { peer: DEAD, queue: Some(queue), counted: true }];
    engine.apply(4, &record(NOW, 3, LIVING, leave(1)), &mut Vec::new());
    assert_eq!(engine.holders(), [DEAD, LIVING], "another queue's");
    engine.apply(5, &record(NOW, 4, LIVING, leave(0)), &mut Vec::new());
    assert_eq!(engine.holders(), [LIVING]);
}
