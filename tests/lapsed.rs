//! A lease that ran out is not lost: until someone takes the message, what its holder says of it stands.

use posthaste::{
    collections::sizes::Sizes,
    engine::Engine,
    format::{Policy, Record, Whole},
    id::{MessageId, QueueId},
    peer::{Effect, Peer, SendOrder, Settle},
};

const NOW: u64 = 1_800_000_000_000;
/// When the leases given at [`NOW`] have run out.
const LATER: u64 = NOW + 40_000;
const RETRIES: u32 = 2;

fn commit(peer: &mut Peer, now: u64) -> Vec<Effect> {
    if peer.decide(now) {
        peer.committed(peer.engine().base() + 1);
    }
    peer.effects()
}

/// A peer of the queue "work", in which `count` messages wait.
fn with(count: u32) -> (Peer, QueueId) {
    let mut peer = Peer::new(1, 1, false);
    let policy = Policy { max_retries: RETRIES, dead_letter_queue: Some("dead".into()), ..Policy::default() };
    peer.create(1, "work", policy);
    commit(&mut peer, NOW);
    let queue = peer.engine().named("work").expect("it was just made");
    let (sizes, delay_ms, expires_ms, key) = (Sizes::alike(count, 10), None, None, None);
    peer.send(2, SendOrder { queue, sizes, delay_ms, expires_ms, whole: Whole::No, more: 0, key });
    commit(&mut peer, NOW);
    (peer, queue)
}

/// Messages that came, with their grant and attempt.
fn delivered(effects: &[Effect]) -> Vec<(MessageId, u64, u32)> {
    let each = |effect: &Effect| match *effect {
        Effect::Delivered { first, count, grant, attempt, .. } => {
            (0..count).map(|place| (first.plus(place), grant, attempt)).collect()
        }
        _ => Vec::new(),
    };
    effects.iter().flat_map(each).collect()
}

fn received(peer: &mut Peer, queue: QueueId, max: u32, now: u64) -> Vec<(MessageId, u64, u32)> {
    peer.receive(3, queue, max, None, false, now);
    delivered(&commit(peer, now))
}

/// What became of a settlement at that time: whether it stands, and the queue's counts.
fn settled(how: Settle) -> (Peer, QueueId, MessageId) {
    let (mut peer, queue) = with(1);
    let [(id, grant, 1)] = received(&mut peer, queue, 1, NOW)[..] else { panic!("one was sent") };
    assert_eq!(peer.deadline(NOW), NOW + 30_000);
    peer.settle(4, queue, id, 1, grant, how);
    let effects = commit(&mut peer, LATER);
    assert!(effects.contains(&Effect::Done { token: 4, value: 1 }), "{effects:?}");
    let is_lost = |effect: &Effect| matches!(effect, Effect::Lost { .. } | Effect::LeaseLost { .. });
    assert!(!effects.iter().any(is_lost), "{effects:?}");
    (peer, queue, id)
}

fn counts(engine: &Engine, queue: QueueId) -> (u64, u64, u64, u64) {
    let queue = engine.queue(queue).expect("it is there");
    let (counts, tally) = (queue.counts(), &queue.tally);
    let ended = tally.acked + tally.dead_lettered + tally.dropped.iter().sum::<u64>();
    assert_eq!(tally.sent, ended + queue.backlog());
    (counts.ready, counts.delayed, counts.leased, tally.acked)
}

#[test]
fn an_ack_stands_though_its_lease_has_run_out() {
    let (peer, queue, _) = settled(Settle::Ack);
    assert_eq!(counts(peer.engine(), queue), (0, 0, 0, 1));
    assert_eq!(peer.engine().queue(queue).expect("it is there").tally.delivered, 1);
}

#[test]
fn an_extension_makes_a_lease_of_it_again() {
    let (mut peer, queue, id) = settled(Settle::Extend { ms: 10_000 });
    assert_eq!(counts(peer.engine(), queue), (0, 0, 1, 0));
    assert_eq!(received(&mut peer, queue, 1, LATER), []);
    let again = received(&mut peer, queue, 1, LATER + 10_000);
    assert!(matches!(again[..], [(other, _, 2)] if other == id), "{again:?}");
}

#[test]
fn a_retry_a_release_and_a_dead_letter_stand() {
    let (peer, queue, _) = settled(Settle::Retry { delay_ms: Some(5000), error: None });
    assert_eq!(counts(peer.engine(), queue), (0, 1, 0, 0));
    let (mut peer, queue, id) = settled(Settle::Release);
    assert_eq!(counts(peer.engine(), queue), (1, 0, 0, 0));
    let again = received(&mut peer, queue, 1, LATER);
    assert!(matches!(again[..], [(other, _, 1)] if other == id), "it counts no attempt: {again:?}");
    let (peer, queue, _) = settled(Settle::DeadLetter { reason: "unreadable".into() });
    let dead = peer.engine().named("dead").expect("it was made with its queue");
    assert_eq!((counts(peer.engine(), queue).0, counts(peer.engine(), dead).0), (0, 1));
}

#[test]
fn it_is_lost_once_someone_has_taken_the_message() {
    let (mut peer, queue) = with(1);
    let [(id, grant, 1)] = received(&mut peer, queue, 1, NOW)[..] else { panic!("one was sent") };
    peer.receive(3, queue, 1, None, false, LATER);
    let effects = commit(&mut peer, LATER);
    let [(again, later, 2)] = delivered(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(again, id);
    let lost = Effect::LeaseLost { queue, first: id, count: 1, grant };
    assert!(effects.contains(&lost), "its holder is told: {effects:?}");
    peer.settle(4, queue, id, 1, grant, Settle::Ack);
    assert!(commit(&mut peer, LATER).contains(&Effect::Lost { token: 4, first: id, count: 1 }));
    peer.settle(5, queue, id, 1, later, Settle::Ack);
    commit(&mut peer, LATER);
    assert_eq!(counts(peer.engine(), queue), (0, 0, 0, 1));
}

#[test]
fn its_holder_is_told_where_it_is_purged() {
    let (mut peer, queue) = with(1);
    let [(id, grant, 1)] = received(&mut peer, queue, 1, NOW)[..] else { panic!("one was sent") };
    peer.purge(4, queue);
    let effects = commit(&mut peer, LATER);
    assert!(effects.contains(&Effect::LeaseLost { queue, first: id, count: 1, grant }), "{effects:?}");
}

/// A queue of two messages, the first of which lapsed for the last time.
fn spent() -> (Peer, QueueId, MessageId, u64) {
    let (mut peer, queue) = with(2);
    let mut now = NOW;
    for attempt in 1..=RETRIES {
        let given = received(&mut peer, queue, 1, now);
        assert!(matches!(given[..], [(_, _, of)] if of == attempt), "{given:?}");
        now += 40_000;
    }
    let [(id, _, _)] = received(&mut peer, queue, 1, now)[..] else { panic!("it has one try left") };
    (peer, queue, id, now + 40_000)
}

#[test]
fn no_timer_makes_a_dead_letter_of_a_last_attempt() {
    let (mut peer, queue, id, now) = spent();
    // A record that only moves the time.
    peer.pause(4, queue, false);
    let effects = commit(&mut peer, now);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Dead { .. })), "{effects:?}");
    assert_eq!(counts(peer.engine(), queue), (2, 0, 0, 0));
    let (_, run) = peer.engine().queue(queue).expect("it is there").find(id).expect("it is there");
    assert_eq!(run.attempts, RETRIES);
    peer.settle(5, queue, id, 1, peer.engine().base() - 1, Settle::Ack);
    assert!(commit(&mut peer, now).contains(&Effect::Done { token: 5, value: 1 }));
    assert_eq!(counts(peer.engine(), queue), (1, 0, 0, 1));
}

#[test]
fn who_would_take_it_next_makes_a_dead_letter_of_it_and_is_given_the_one_behind() {
    let (mut peer, queue, id, now) = spent();
    peer.receive(3, queue, 1, None, false, now);
    let effects = commit(&mut peer, now);
    let dead = Effect::Dead { queue, first: id, count: 1, reason: "lease ran out".into() };
    assert!(effects.contains(&dead), "{effects:?}");
    let given = delivered(&effects);
    assert!(matches!(given[..], [(other, _, 1)] if other == id.plus(1)), "{given:?}");
}

#[test]
fn who_waits_is_woken_when_a_last_attempt_lapses() {
    let (mut peer, queue, id, now) = spent();
    let at = now - 10_000;
    let others = received(&mut peer, queue, 1, at - 1);
    assert!(matches!(others[..], [(other, _, _)] if other == id.plus(1)), "{others:?}");
    peer.receive(3, queue, 1, None, true, at - 1);
    commit(&mut peer, at - 1);
    assert_eq!(peer.deadline(at - 1), at);
    let effects = commit(&mut peer, at);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Dead { .. })), "{effects:?}");
    assert!(peer.waiting(), "nothing came for it");
}

#[test]
fn who_receives_as_something_is_said_of_what_lapsed_is_given_something_else() {
    let (mut peer, queue) = with(3);
    let held = received(&mut peer, queue, 2, NOW);
    let (id, grant, _) = held[0];
    peer.settle(4, queue, id, 2, grant, Settle::Extend { ms: 5000 });
    let given = received(&mut peer, queue, 1, LATER);
    assert!(matches!(given[..], [(other, _, 1)] if other == id.plus(2)), "{given:?}");
    assert_eq!(counts(peer.engine(), queue), (0, 0, 3, 0));
}

#[test]
fn what_lapsed_is_not_leased_ahead() {
    let (mut peer, queue) = with(20);
    let held = received(&mut peer, queue, 15, NOW);
    let (_, grant, _) = held[0];
    for now in [LATER - 2, LATER - 1, LATER] {
        peer.settle(4, queue, held[14].0, 1, grant, Settle::Release);
        received(&mut peer, queue, 1, now);
    }
    let stands = |id: MessageId| {
        peer.engine().queue(queue).and_then(|queue| queue.find(id)).is_some_and(|(_, run)| run.answers_to(grant))
    };
    // One was given back, and three were received.
    assert_eq!(held.iter().filter(|(id, _, _)| stands(*id)).count(), 11);
}

#[test]
fn who_is_busy_with_what_comes_is_soon_given_what_lapsed() {
    let (mut peer, queue) = with(1);
    let [(id, _, 1)] = received(&mut peer, queue, 1, NOW)[..] else { panic!("one was sent") };
    // What comes is leased ahead before the lease of the first runs out, and after.
    for now in NOW + 29_980.. {
        assert!(now < NOW + 30_050, "the oldest waits while ever younger ones are handed out");
        let (sizes, delay_ms, expires_ms, key) = (Sizes::alike(4, 10), None, None, None);
        peer.send(2, SendOrder { queue, sizes, delay_ms, expires_ms, whole: Whole::No, more: 0, key });
        let [(given, grant, attempt)] = received(&mut peer, queue, 1, now)[..] else { continue };
        if given == id {
            assert!(now >= NOW + 30_000 && attempt == 2);
            return;
        }
        peer.settle(4, queue, given, 1, grant, Settle::Ack);
    }
}

#[test]
fn replicas_agree_on_what_lapsed_and_snapshots_keep_it() {
    let (mut peer, queue, id, now) = spent();
    peer.pause(4, queue, false);
    commit(&mut peer, now);
    let engine = Engine::restore(&peer.engine().snapshot()).expect("it was just written");
    assert_eq!(&engine, peer.engine());
    let (_, run) = engine.queue(queue).and_then(|queue| queue.find(id)).expect("it is there");
    assert!(run.is_lapsed(now) && run.is_spent(RETRIES), "{run:?}");
    assert_eq!(run.timer(), None);
}

#[test]
fn what_is_decided_before_the_journal_knows_of_the_lapse_stands_there() {
    let (mut peer, queue) = with(1);
    let [(id, grant, 1)] = received(&mut peer, queue, 1, NOW)[..] else { panic!("one was sent") };
    peer.settle(4, queue, id, 1, grant, Settle::Ack);
    assert!(peer.decide(LATER));
    let record = Record::decode(peer.record()).expect("it was just written");
    assert_eq!(record.time, LATER);
    peer.committed(peer.engine().base() + 1);
    assert_eq!(counts(peer.engine(), queue), (0, 0, 0, 1));
}
