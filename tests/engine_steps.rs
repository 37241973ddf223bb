//! What becomes of a step's commands when things did not go as decided.

use posthaste::{
    collections::sizes::Sizes,
    format::{How, Item, Policy, Record, Whole},
    id::{MessageId, QueueId},
    peer::{Effect, Peer, SendOrder, Settle},
};

const NOW: u64 = 1_800_000_000_000;

fn commit(peer: &mut Peer, now: u64) -> (Vec<u8>, Vec<Effect>) {
    assert!(peer.decide(now), "there is something to write");
    let record = peer.record().to_vec();
    peer.committed(peer.engine().base() + 1);
    (record, peer.effects())
}

/// A peer that holds four messages, and the lease's number.
fn holding_four() -> (Peer, QueueId, MessageId, u64) {
    let mut peer = Peer::new(1, 1, false);
    peer.create(1, "work", Policy::default());
    commit(&mut peer, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    peer.send(2, ten_bytes(queue, 4));
    commit(&mut peer, NOW);
    peer.receive(3, queue, 4, None, true, NOW);
    let (_, effects) = commit(&mut peer, NOW);
    let delivered = effects.iter().find_map(|effect| match effect {
        Effect::Delivered { first, grant, count: 4, .. } => Some((*first, *grant)),
        _ => None,
    });
    let (first, grant) = delivered.expect("four were ready");
    (peer, queue, first, grant)
}

#[test]
fn a_range_is_settled_as_far_as_its_lease_goes() {
    let (mut peer, queue, first, grant) = holding_four();
    peer.settle(4, queue, first, 1, grant, Settle::Ack);
    peer.settle(5, queue, first.plus(2), 1, grant, Settle::Ack);
    commit(&mut peer, NOW);
    peer.settle(6, queue, first, 4, grant, Settle::Ack);
    let (_, effects) = commit(&mut peer, NOW);
    let lost = |first, count| Effect::Lost { token: 6, first, count };
    let done = Effect::Done { token: 6, value: 1 };
    let told: Vec<_> = effects.into_iter().filter(|effect| !matches!(effect, Effect::Depth { .. })).collect();
    assert_eq!(told, [lost(first, 1), lost(first.plus(2), 1), done]);
    assert_eq!(peer.engine().queue(queue).expect("it is there").tally.acked, 4);
}

#[test]
fn commands_of_a_step_with_an_unknown_outcome_keep_their_order() {
    let (mut peer, queue, first, grant) = holding_four();
    peer.pause(4, queue, true);
    peer.settle(5, queue, first, 4, grant, Settle::Ack);
    peer.pause(6, queue, false);
    assert!(peer.decide(NOW));
    let decided = Record::decode(peer.record()).expect("it was just written").items;
    let base = peer.engine().base();
    let snapshot = peer.engine().snapshot();
    peer.load(base, &snapshot).expect("it was just written");
    peer.committed(base);
    let (again, _) = commit(&mut peer, NOW);
    assert_eq!(Record::decode(&again).expect("it was just written").items, decided);
}

/// A peer that was given three messages of twenty, one by one, and the last of them; others are leased ahead.
fn leasing_ahead() -> (Peer, QueueId, MessageId) {
    let mut peer = Peer::new(1, 1, false);
    peer.create(1, "work", Policy::default());
    commit(&mut peer, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    peer.send(2, ten_bytes(queue, 20));
    commit(&mut peer, NOW);
    let first = next(&mut peer, queue, NOW).expect("twenty wait");
    assert_eq!(next(&mut peer, queue, NOW), Some(first.plus(1)));
    assert_eq!(next(&mut peer, queue, NOW), Some(first.plus(2)));
    assert!(leased(&peer, queue) > 4, "{} are leased", leased(&peer, queue));
    (peer, queue, first.plus(2))
}

fn ten_bytes(queue: QueueId, count: u32) -> SendOrder {
    let sizes = Sizes::alike(count, 10);
    SendOrder { queue, sizes, delay_ms: None, expires_ms: None, whole: Whole::No, more: 0, key: None }
}

fn leased(peer: &Peer, queue: QueueId) -> u64 {
    let counts = peer.engine().queue(queue).expect("it is there").counts();
    counts.leased + counts.ahead
}

/// The message that a receive which does not wait is given.
fn next(peer: &mut Peer, queue: QueueId, now: u64) -> Option<MessageId> {
    peer.receive(3, queue, 1, None, false, now);
    if peer.decide(now) {
        peer.committed(peer.engine().base() + 1);
    }
    peer.effects().iter().find_map(|effect| match effect {
        Effect::Delivered { first, .. } => Some(*first),
        _ => None,
    })
}

/// A step at `now` that gives back what is leased ahead, and is refused.
fn refuse_giving_back(peer: &mut Peer, queue: QueueId, now: u64) {
    peer.send(4, ten_bytes(queue, 1));
    assert!(peer.decide(now));
    let items = Record::decode(peer.record()).expect("it was just written").items;
    assert!(items.iter().any(|item| matches!(item, Item::Settle { how: How::Release, .. })), "{items:?}");
    peer.abandoned();
}

#[test]
fn what_was_refused_to_be_given_back_is_for_the_next_receiver() {
    let (mut peer, queue, last) = leasing_ahead();
    refuse_giving_back(&mut peer, queue, NOW + 1_500);
    assert_eq!(next(&mut peer, queue, NOW + 1_500), Some(last.plus(1)));
}

#[test]
fn what_was_refused_to_be_given_back_is_leased_anew_when_it_is_too_old_for_a_receiver() {
    let (mut peer, queue, last) = leasing_ahead();
    refuse_giving_back(&mut peer, queue, NOW + 2_500);
    // Someone comes: nothing is idle.
    assert_eq!(next(&mut peer, queue, NOW + 2_500), Some(last.plus(1)));
    assert_eq!(next(&mut peer, queue, NOW + 2_500), Some(last.plus(2)));
}

#[test]
fn commands_of_a_step_that_was_not_committed_keep_their_order_and_batches_stay_whole() {
    let (mut peer, queue, first, grant) = holding_four();
    peer.send(4, ten_bytes(queue, 100_000));
    peer.settle(5, queue, first, 4, grant, Settle::Ack);
    assert!(peer.decide(NOW));
    let decided = Record::decode(peer.record()).expect("it was just written").items;
    peer.abandoned();
    let (again, _) = commit(&mut peer, NOW);
    assert_eq!(Record::decode(&again).expect("it was just written").items, decided);
    commit(&mut peer, NOW);
    assert_eq!(peer.engine().queue(queue).expect("it is there").backlog(), 100_000);
}

#[test]
fn a_part_whose_batch_was_called_off_is_refused() {
    let (mut peer, queue, _, _) = holding_four();
    let part = |whole| SendOrder { whole, more: u32::from(whole == Whole::First), ..ten_bytes(queue, 1) };
    peer.send(4, part(Whole::First));
    peer.send(5, part(Whole::Part));
    assert!(peer.unsend(4));
    // Another batch before it is not its own.
    peer.send(6, part(Whole::First));
    peer.send(7, part(Whole::Part));
    peer.send(8, part(Whole::Part));
    let (_, effects) = commit(&mut peer, NOW);
    let refused = effects.iter().filter_map(|effect| match effect {
        Effect::Refused { token, .. } => Some(*token),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), [5, 8]);
    assert_eq!(peer.engine().queue(queue).expect("it is there").backlog(), 4 + 2);
    assert!(!peer.decide(NOW), "nothing is left to do");
}

#[test]
fn nothing_is_leased_ahead_for_a_receiver_that_has_left() {
    let (mut peer, queue, _) = leasing_ahead();
    // What was leased ahead goes back.
    let later = NOW + 1_500;
    commit(&mut peer, later);
    let held = leased(&peer, queue);
    peer.send(4, ten_bytes(queue, 10));
    commit(&mut peer, later);
    assert_eq!(leased(&peer, queue), held);
}
