//! What a snapshot says may be deleted with it: all that nobody needs, and nothing else.

use posthaste::{
    collections::sizes::Sizes,
    format::{Policy, Whole},
    id::{MessageId, QueueId},
    limits,
    peer::{Effect, Peer, SendOrder, Settle},
};

const NOW: u64 = 1_800_000_000_000;
/// So large that eight of them make a part.
const BODY_BYTES: u64 = 8 << 10;
const PART: u32 = 8;

fn commit(peer: &mut Peer) -> Vec<Effect> {
    assert!(peer.decide(NOW), "there is something to write");
    peer.committed(peer.engine().base() + 1);
    peer.effects()
}

/// A peer that holds `count` messages of one record, and the lease's number.
fn holding(count: u32) -> (Peer, QueueId, MessageId, u64) {
    let mut peer = Peer::new(1, 1, false);
    let policy = Policy { dead_letter_queue: Some("dead".into()), ..Policy::default() };
    peer.create(1, "work", policy);
    commit(&mut peer);
    let queue = peer.engine().named("work").expect("it was just made");
    let sizes = Sizes::alike(count, BODY_BYTES);
    let order = SendOrder { queue, sizes, delay_ms: None, expires_ms: None, whole: Whole::First, more: 0, key: None };
    peer.send(2, order);
    commit(&mut peer);
    peer.receive(3, queue, count, None, true, NOW);
    let (first, grant) = commit(&mut peer)
        .iter()
        .find_map(
            |effect| if let Effect::Delivered { first, grant, .. } = effect { Some((*first, *grant)) } else { None },
        )
        .expect("they were ready");
    (peer, queue, first, grant)
}

fn settle_all_but(peer: &mut Peer, queue: QueueId, first: MessageId, count: u32, grant: u64, stays: &[u32]) {
    for index in (0..count).filter(|index| !stays.contains(index)) {
        peer.settle(10, queue, first.plus(index), 1, grant, Settle::Ack);
    }
    for index in stays {
        peer.settle(10, queue, first.plus(*index), 1, grant, Settle::DeadLetter { reason: "no".into() });
    }
    commit(peer);
}

fn cleaned(peer: &mut Peer) -> Vec<[u64; 3]> {
    peer.snapshot();
    let parts = peer.dead_parts().to_vec();
    peer.snapshot_over(true);
    parts
}

const END: u64 = MessageId::INDEX_MAX as u64;

#[test]
fn a_dead_letter_keeps_its_part_and_no_other() {
    let (mut peer, queue, first, grant) = holding(10 * PART);
    settle_all_but(&mut peer, queue, first, 10 * PART, grant, &[3 * PART + 1, 3 * PART + 2, 7 * PART]);
    let number = first.number();
    assert_eq!(cleaned(&mut peer), [[number, 0, 2], [number, 4, 6], [number, 8, END]], "all but parts 3 and 7");
    assert_eq!(cleaned(&mut peer), [[0; 3]; 0], "they are gone");
}

#[test]
fn what_could_not_be_written_is_named_again() {
    let (mut peer, queue, first, grant) = holding(2 * PART);
    settle_all_but(&mut peer, queue, first, 2 * PART, grant, &[0]);
    peer.snapshot();
    peer.snapshot_over(false);
    assert_eq!(cleaned(&mut peer), [[first.number(), 1, END]]);
}

#[test]
fn parts_go_of_the_newest_records_too_which_stay_themselves() {
    let (mut peer, queue, first, grant) = holding(2 * PART);
    settle_all_but(&mut peer, queue, first, 2 * PART, grant, &[]);
    peer.snapshot();
    assert_eq!((peer.floor(), peer.drained()), (0, &[][..]), "nothing is old enough");
    assert_eq!(peer.dead_parts(), [[first.number(), 0, END]]);
    peer.snapshot_over(true);
    assert_eq!(cleaned(&mut peer), [[0; 3]; 0]);
}

#[test]
fn a_peer_that_comes_anew_names_what_the_one_before_it_may_have_left() {
    let (mut peer, queue, first, grant) = holding(4 * PART);
    settle_all_but(&mut peer, queue, first, 4 * PART, grant, &[PART]);
    let (base, bytes) = (peer.engine().base(), peer.snapshot());
    let mut next = Peer::new(2, 2, false);
    next.load(base, &bytes).expect("it was just written");
    let number = first.number();
    assert_eq!(cleaned(&mut next), [[number, 0, 0], [number, 2, END]]);
}

#[test]
fn many_parts_go_with_several_snapshots() {
    let count = PART * 4 * limits::DRAINED_RANGES_MAX as u32 / 3;
    let (mut peer, queue, first, grant) = holding(count);
    let (mut other, mut rest) = (first, Vec::new());
    let stays: Vec<u32> = (0..count).step_by(2 * PART as usize).collect();
    settle_all_but(&mut peer, queue, first, count, grant, &stays);
    for token in [20, 21] {
        let sizes = Sizes::alike(4 * PART, BODY_BYTES);
        peer.send(
            token,
            SendOrder { queue, sizes, delay_ms: None, expires_ms: None, whole: Whole::First, more: 0, key: None },
        );
        commit(&mut peer);
        peer.receive(30, queue, 4 * PART, None, true, NOW);
        for effect in commit(&mut peer) {
            if let Effect::Delivered { first, grant, .. } = effect {
                settle_all_but(&mut peer, queue, first, 4 * PART, grant, &[0]);
                other = first;
            }
        }
        rest.push([other.number(), 1, END]);
    }
    let mut named = Vec::new();
    for _ in 0..4 {
        named.extend(cleaned(&mut peer));
    }
    assert_eq!(
        named.iter().filter(|part| part[0] == first.number()).count(),
        stays.len(),
        "between those that stay, and the end"
    );
    assert!(rest.iter().all(|part| named.contains(part)), "{rest:?} of the others");
}
