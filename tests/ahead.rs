//! What is leased ahead and was handed to nobody is as good as ready: it can be cancelled, redriven and purged, and it expires.

use posthaste::{
    collections::sizes::Sizes,
    format::{Policy, Whole},
    id::{MessageId, QueueId},
    peer::{Effect, Peer, SendOrder, Settle},
};

const NOW: u64 = 1_800_000_000_000;

/// A step, where there is one to make; its record for the others, and its effects.
fn step(peer: &mut Peer, now: u64) -> (Option<Vec<u8>>, Vec<Effect>) {
    let record = peer.decide(now).then(|| peer.record().to_vec());
    if record.is_some() {
        peer.committed(peer.engine().base() + 1);
    }
    (record, peer.effects())
}

/// As [`step`], and the other peer of the journal hears of it.
fn step_beside(peer: &mut Peer, other: &mut Peer, now: u64) -> Vec<Effect> {
    let (record, effects) = step(peer, now);
    if let Some(record) = record {
        other.apply(other.engine().base() + 1, &record).expect("it was just written");
    }
    effects
}

fn send(peer: &mut Peer, queue: QueueId, count: u32, expires_ms: Option<u64>) {
    let sizes = Sizes::alike(count, 10);
    peer.send(2, SendOrder { queue, sizes, delay_ms: None, expires_ms, whole: Whole::No, more: 0, key: None });
}

fn delivered(effects: &[Effect]) -> Vec<(MessageId, u64)> {
    let each = |effect: &Effect| match *effect {
        Effect::Delivered { first, count, grant, .. } => (0..count).map(|at| (first.plus(at), grant)).collect(),
        _ => Vec::new(),
    };
    effects.iter().flat_map(each).collect()
}

fn done(effects: &[Effect], token: u32) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::Done { token: known, value } if *known == token => Some(*value),
        _ => None,
    })
}

/// The message that a receive which does not wait is given, and its lease.
fn next(peer: &mut Peer, queue: QueueId, now: u64) -> Option<(MessageId, u64)> {
    peer.receive(3, queue, 1, None, false, now);
    let (_, effects) = step(peer, now);
    delivered(&effects).first().copied()
}

/// A peer that was handed three of twenty messages, one by one, and then a fourth of those it leased ahead; another that knows of it.
fn four_handed_out() -> (Peer, Peer, QueueId, MessageId, u64) {
    let (mut peer, mut other) = (Peer::new(1, 1, false), Peer::new(2, 2, false));
    peer.create(1, "work", Policy::default());
    step_beside(&mut peer, &mut other, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    send(&mut peer, queue, 20, None);
    step_beside(&mut peer, &mut other, NOW);
    for _ in 0..3 {
        peer.receive(3, queue, 1, None, false, NOW);
        step_beside(&mut peer, &mut other, NOW);
    }
    let ahead = peer.engine().queue(queue).expect("it is there").counts().ahead;
    assert!(ahead >= 4, "{ahead} are held ahead");
    let first = peer.engine().queue(queue).and_then(|queue| queue.next(MessageId(0))).expect("they are there").0;
    let (fourth, grant) = next(&mut peer, queue, NOW).expect("it is held ahead");
    assert_eq!(fourth, first.plus(3));
    (peer, other, queue, first, grant)
}

#[test]
fn who_holds_it_ahead_cancels_it() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    peer.cancel(4, queue, first.plus(5));
    assert_eq!(done(&step(&mut peer, NOW).1, 4), Some(1));
    let after = [next(&mut peer, queue, NOW), next(&mut peer, queue, NOW)].map(|given| given.expect("others wait").0);
    assert_eq!(after, [first.plus(4), first.plus(6)]);
    let tally = &peer.engine().queue(queue).expect("it is there").tally;
    assert_eq!(tally.dropped, [0, 0, 1, 0]);
}

#[test]
fn a_cancellation_that_was_not_committed_is_said_again() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    peer.cancel(4, queue, first.plus(5));
    assert!(peer.decide(NOW));
    peer.abandoned();
    assert_eq!(done(&step(&mut peer, NOW).1, 4), Some(1));
}

#[test]
fn what_was_handed_out_is_not_cancelled_though_the_journal_does_not_know_it() {
    let (mut peer, _, queue, first, grant) = four_handed_out();
    assert_eq!(peer.handed_out(queue, NOW), [(first.plus(3), 1)]);
    peer.cancel(4, queue, first.plus(3));
    peer.settle(5, queue, first.plus(3), 1, grant, Settle::Ack);
    let mut effects = step(&mut peer, NOW).1;
    effects.append(&mut step(&mut peer, NOW + 100).1);
    assert_eq!((done(&effects, 4), done(&effects, 5)), (Some(0), Some(1)));
}

#[test]
fn what_another_holds_ahead_is_cancelled_when_it_comes_back() {
    let (mut peer, mut other, queue, first, _) = four_handed_out();
    other.cancel(4, queue, first.plus(5));
    assert_eq!(done(&step(&mut other, NOW).1, 4), None, "it may be handed out there");
    assert!(other.waiting());
    step_beside(&mut peer, &mut other, NOW + 1_500);
    assert_eq!(done(&step(&mut other, NOW + 1_500).1, 4), Some(1));
    assert!(!other.waiting());
}

#[test]
fn what_another_holds_ahead_is_not_cancelled_once_it_was_handed_out() {
    let (mut peer, mut other, queue, first, _) = four_handed_out();
    other.cancel(4, queue, first.plus(3));
    assert_eq!(done(&step(&mut other, NOW).1, 4), None);
    step_beside(&mut peer, &mut other, NOW + 100);
    assert_eq!(done(&step(&mut other, NOW + 100).1, 4), Some(0));
}

#[test]
fn what_another_holds_ahead_is_cancelled_when_its_lease_has_run_out() {
    let (_, mut other, queue, first, _) = four_handed_out();
    other.cancel(4, queue, first.plus(5));
    assert_eq!(done(&step(&mut other, NOW).1, 4), None);
    assert_eq!(done(&step(&mut other, NOW + 60_000).1, 4), Some(1));
}

/// A peer with `count` messages in the dead-letter queue of "work", and that queue.
fn dead_letters(count: u32) -> (Peer, QueueId) {
    let letters = Policy { dead_letter_queue: Some("dead".into()), ..Policy::default() };
    let mut peer = Peer::new(1, 1, false);
    peer.create(1, "work", letters);
    step(&mut peer, NOW);
    let named = |peer: &Peer, name: &str| peer.engine().named(name).expect("it was made");
    let (work, dead) = (named(&peer, "work"), named(&peer, "dead"));
    send(&mut peer, work, count, None);
    step(&mut peer, NOW);
    peer.receive(3, work, count, None, false, NOW);
    for (id, grant) in delivered(&step(&mut peer, NOW).1) {
        peer.settle(4, work, id, 1, grant, Settle::DeadLetter { reason: "no".into() });
    }
    step(&mut peer, NOW);
    (peer, dead)
}

#[test]
fn dead_letters_that_are_held_ahead_are_redriven() {
    let (mut peer, dead) = dead_letters(20);
    for _ in 0..3 {
        next(&mut peer, dead, NOW).expect("twenty are there");
    }
    assert!(peer.engine().queue(dead).expect("it is there").counts().ahead > 0);
    peer.redrive(6, dead, None, 1_000);
    let effects = [step(&mut peer, NOW).1, step(&mut peer, NOW).1].concat();
    assert_eq!(done(&effects, 6), Some(17));
    assert_eq!(peer.engine().queue(dead).expect("it is there").backlog(), 3);
}

#[test]
fn a_dead_letter_is_redriven_as_soon_as_its_lease_has_run_out() {
    let (mut peer, dead) = dead_letters(1);
    next(&mut peer, dead, NOW).expect("it is there");
    peer.redrive(6, dead, None, 1_000);
    assert_eq!(done(&step(&mut peer, NOW + 100).1, 6), Some(0), "it is being handled");
    peer.redrive(7, dead, None, 1_000);
    let effects = [step(&mut peer, NOW + 60_000).1, step(&mut peer, NOW + 60_000).1].concat();
    assert_eq!(done(&effects, 7), Some(1));
}

#[test]
fn a_purge_tells_of_what_was_handed_out_of_a_run_and_of_nothing_else() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    peer.purge(4, queue);
    let (_, effects) = step(&mut peer, NOW);
    assert_eq!(done(&effects, 4), Some(20));
    let mut lost: Vec<_> = effects
        .iter()
        .filter_map(|effect| match *effect {
            Effect::LeaseLost { first, count, .. } => Some((first, count)),
            _ => None,
        })
        .collect();
    lost.sort_unstable();
    assert_eq!(lost, [(first, 1), (first.plus(1), 1), (first.plus(2), 1), (first.plus(3), 1)]);
    assert_eq!(next(&mut peer, queue, NOW), None);
}

#[test]
fn what_expires_soon_is_not_leased_ahead() {
    let mut peer = Peer::new(1, 1, false);
    peer.create(1, "work", Policy::default());
    step(&mut peer, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    send(&mut peer, queue, 20, Some(1_000));
    step(&mut peer, NOW);
    for _ in 0..3 {
        next(&mut peer, queue, NOW).expect("twenty are there");
    }
    assert_eq!(peer.engine().queue(queue).expect("it is there").counts().ahead, 0);
    assert_eq!(next(&mut peer, queue, NOW + 1_000), None, "it has expired");
}

#[test]
fn what_was_handed_out_and_lapsed_before_the_journal_knew_is_taken_at_the_next_attempt() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    let late = NOW + 60_000;
    peer.receive(6, queue, 4, None, false, late);
    let (_, effects) = step(&mut peer, late);
    let attempts: Vec<_> = effects
        .iter()
        .filter_map(|effect| match *effect {
            Effect::Delivered { first, attempt, .. } => Some((first, attempt)),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [0, 1, 2, 3].map(|place| (first.plus(place), 2)));
}

#[test]
fn what_another_gave_back_is_handed_out_before_what_is_younger_and_held_ahead() {
    let (mut peer, _, queue, first, grant) = four_handed_out();
    peer.settle(4, queue, first.plus(3), 1, grant, Settle::Release);
    step(&mut peer, NOW);
    let given: Vec<_> = (0..4).map(|_| next(&mut peer, queue, NOW).expect("others wait").0).collect();
    assert_eq!(given, [3, 4, 5, 6].map(|place| first.plus(place)));
}

#[test]
fn who_asks_for_another_lease_gets_the_oldest_though_it_is_held_ahead() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    peer.receive(4, queue, 2, Some(60_000), false, NOW);
    let (_, effects) = step(&mut peer, NOW);
    let given: Vec<_> = delivered(&effects).into_iter().map(|(id, _)| id).collect();
    assert_eq!(given, [4, 5].map(|place| first.plus(place)));
    assert!(effects.iter().all(|effect| !matches!(effect, Effect::LeaseLost { .. })), "{effects:?}");
    let Effect::Delivered { until, attempt: 1, .. } = effects[0] else { panic!("{effects:?}") };
    assert_eq!(until, NOW + 60_000);
    assert_eq!(next(&mut peer, queue, NOW).map(|(id, _)| id), Some(first.plus(6)));
}

#[test]
fn a_step_that_leased_anew_what_was_held_ahead_and_was_refused_changes_nothing() {
    let (mut peer, _, queue, first, _) = four_handed_out();
    peer.receive(4, queue, 2, Some(60_000), false, NOW);
    assert!(peer.decide(NOW));
    peer.abandoned();
    let given: Vec<_> = delivered(&step(&mut peer, NOW).1).into_iter().map(|(id, _)| id).collect();
    assert_eq!(given, [4, 5].map(|place| first.plus(place)));
}

/// A peer that has sent four messages ahead to someone, with a lease of half a second.
fn four_sent_ahead() -> (Peer, QueueId, Vec<(MessageId, u64)>) {
    let mut peer = Peer::new(1, 1, true);
    peer.create(1, "work", Policy { max_retries: 1, ..Policy::default() });
    step(&mut peer, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    send(&mut peer, queue, 4, None);
    step(&mut peer, NOW);
    peer.receive_ahead(3, queue, 4, Some(500), false, NOW);
    let given = delivered(&step(&mut peer, NOW).1);
    assert_eq!(given.len(), 4);
    (peer, queue, given)
}

/// The attempts at which messages are delivered to who asks now.
fn attempts(peer: &mut Peer, queue: QueueId, now: u64) -> Vec<(u32, u32)> {
    peer.receive(9, queue, 4, None, false, now);
    let each = |effect: &Effect| match *effect {
        Effect::Delivered { first, count, attempt, .. } => {
            (0..count).map(|at| (first.plus(at).index(), attempt)).collect()
        }
        _ => Vec::new(),
    };
    step(peer, now).1.iter().flat_map(each).collect()
}

#[test]
fn what_was_sent_ahead_and_lapses_there_has_not_been_tried() {
    let (mut peer, queue, _) = four_sent_ahead();
    assert_eq!(attempts(&mut peer, queue, NOW + 600), [(0, 1), (1, 1), (2, 1), (3, 1)]);
}

#[test]
fn what_was_sent_ahead_and_handed_out_there_has_been_tried() {
    let (mut peer, queue, given) = four_sent_ahead();
    let (second, grant) = given[1];
    peer.started(queue, second, 2, grant, NOW + 10);
    assert!(peer.deadline(NOW + 10) <= NOW + 110, "the journal is told soon");
    step(&mut peer, NOW + 110);
    assert_eq!(peer.engine().queue(queue).expect("it is there").counts().ahead, 2);
    assert_eq!(attempts(&mut peer, queue, NOW + 600), [(0, 1), (1, 2), (2, 2), (3, 1)]);
}

#[test]
fn what_was_sent_ahead_is_as_good_as_ready_until_it_is_handed_out() {
    let (mut peer, queue, given) = four_sent_ahead();
    let ([first, second, third, _], grant) = ([0, 1, 2, 3].map(|place| given[place].0), given[0].1);
    assert_eq!(peer.handed_out(queue, NOW), []);
    peer.started(queue, second, 1, grant, NOW);
    assert_eq!(peer.handed_out(queue, NOW), [(second, 1)]);
    step(&mut peer, NOW + 110);
    assert_eq!(peer.handed_out(queue, NOW + 110), [], "the journal knows it now");
    peer.settle(5, queue, third, 1, grant, Settle::Ack);
    assert_eq!(peer.handed_out(queue, NOW + 110), [(third, 1)], "an ack tells it, too");
    assert_eq!(attempts(&mut peer, queue, NOW + 600).first(), Some(&(first.index(), 1)));
}

#[test]
fn what_was_sent_ahead_is_cancelled_when_it_comes_back() {
    let (mut peer, queue, given) = four_sent_ahead();
    let (second, grant) = given[1];
    peer.cancel(4, queue, second);
    assert_eq!(done(&step(&mut peer, NOW).1, 4), None, "it may be handed out there");
    peer.settle(5, queue, second, 1, grant, Settle::Release);
    let mut effects = step(&mut peer, NOW + 10).1;
    effects.append(&mut step(&mut peer, NOW + 10).1);
    assert_eq!(done(&effects, 4), Some(1));
}

#[test]
fn what_was_sent_ahead_is_cancelled_when_its_lease_runs_out() {
    let (mut peer, queue, given) = four_sent_ahead();
    peer.cancel(4, queue, given[1].0);
    step(&mut peer, NOW);
    assert!(peer.deadline(NOW) <= NOW + 500);
    assert_eq!(done(&step(&mut peer, NOW + 600).1, 4), Some(1));
}

#[test]
fn what_was_sent_ahead_is_not_cancelled_once_it_was_handed_out() {
    let (mut peer, queue, given) = four_sent_ahead();
    let (second, grant) = given[1];
    peer.cancel(4, queue, second);
    assert_eq!(done(&step(&mut peer, NOW).1, 4), None);
    peer.started(queue, second, 1, grant, NOW + 10);
    assert_eq!(done(&step(&mut peer, NOW + 10).1, 4), Some(0));
}

#[test]
fn what_was_sent_ahead_is_acked_by_who_had_not_told_of_it() {
    let (mut peer, queue, given) = four_sent_ahead();
    let (second, grant) = given[1];
    peer.settle(5, queue, second, 1, grant, Settle::Ack);
    assert_eq!(done(&step(&mut peer, NOW + 10).1, 5), Some(1));
    let tally = &peer.engine().queue(queue).expect("it is there").tally;
    assert_eq!((tally.delivered, tally.acked), (1, 1));
}
