//! Whatever a peer is asked for, it writes nothing that no one can read: every record is read back as it was, and so is a
//! snapshot of what it made. Where a reader has a bound, the writer has it too.

use posthaste::{
    collections::sizes::Sizes,
    engine::Engine,
    format::{Item, Overflow, Policy, Record, Send, Whole},
    id::{MessageId, NEVER},
    limits,
    peer::{Effect, Peer, SendOrder, Settle, Why},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

#[derive(Clone, Debug)]
enum Do {
    Create {
        name: usize,
        letters: Option<usize>,
    },
    Send {
        queue: u32,
        sizes: Vec<u64>,
        delay: Option<u64>,
        expires: Option<u64>,
        whole: Whole,
        more: u32,
        key: Option<usize>,
    },
    Many {
        queue: u32,
        count: u32,
        size: u64,
        whole: Whole,
        more: u32,
    },
    Receive {
        queue: u32,
        max: u32,
        lease: Option<u64>,
    },
    Settle {
        queue: u32,
        id: u64,
        count: u32,
        grant: u64,
        how: Settle,
    },
    Cancel {
        queue: u32,
        id: u64,
    },
    Redrive {
        queue: u32,
        to: Option<u32>,
        max: u64,
    },
    Other {
        queue: u32,
        which: u8,
    },
    Step {
        now: u64,
    },
}

/// Numbers at the bounds of all kinds.
fn number() -> impl Strategy<Value = u64> {
    let bounds = [0, 1, 1 << 16, 1 << 20, 1 << 32, 1 << 44, 1 << 53, 1 << 63, u64::MAX];
    (select(bounds.to_vec()), -2..=2i64).prop_map(|(bound, off)| bound.saturating_add_signed(off))
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..6u32, 1 => number().prop_map(|number| number as u32)]
}

/// Lengths of a text, at its bound.
fn length(max: usize) -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), max - 4..=max + 4]
}

/// As many bytes, most of them in characters of several.
fn text(bytes: usize) -> String {
    let mut text = "\u{1F4EE}".repeat(bytes / 4);
    text.push_str(&"x".repeat(bytes % 4));
    text
}

fn settle() -> impl Strategy<Value = Settle> {
    prop_oneof![
        Just(Settle::Ack),
        (option::of(number()), option::of(length(limits::NOTE_BYTES_MAX)))
            .prop_map(|(delay_ms, error)| Settle::Retry { delay_ms, error: error.map(|length| text(length).into()) }),
        length(limits::NOTE_BYTES_MAX).prop_map(|length| Settle::DeadLetter { reason: text(length).into() }),
        number().prop_map(|ms| Settle::Extend { ms }),
        Just(Settle::Release),
    ]
}

fn command() -> impl Strategy<Value = Do> {
    let whole = || select(vec![Whole::No, Whole::No, Whole::First, Whole::Part]);
    let key = || option::of(length(limits::KEY_BYTES_MAX));
    let name = || length(limits::NAME_BYTES_MAX - 8);
    prop_oneof![
        1 => (name(), option::of(name())).prop_map(|(name, letters)| Do::Create { name, letters }),
        3 => (0..3u32, vec(number(), 0..5), option::of(number()), option::of(number()), whole(), small(), key())
            .prop_map(|(queue, sizes, delay, expires, whole, more, key)| Do::Send { queue, sizes, delay, expires, whole, more, key }),
        4 => (0..3u32, small(), prop_oneof![0..20u64, number()], whole(), small())
            .prop_map(|(queue, count, size, whole, more)| Do::Many { queue, count, size, whole, more }),
        4 => (0..4u32, 1..4u32, option::of(number())).prop_map(|(queue, max, lease)| Do::Receive { queue, max, lease }),
        4 => (0..4u32, prop_oneof![4 => (1..9u64).prop_map(|number| number << 20), 1 => number()], 1..4u32, 1..9u64, settle())
            .prop_map(|(queue, id, count, grant, how)| Do::Settle { queue, id, count, grant, how }),
        1 => (0..4u32, number()).prop_map(|(queue, id)| Do::Cancel { queue, id }),
        1 => (0..4u32, option::of(0..4u32), number()).prop_map(|(queue, to, max)| Do::Redrive { queue, to, max }),
        1 => (0..4u32, 0..4u8).prop_map(|(queue, which)| Do::Other { queue, which }),
        4 => prop_oneof![1_000..2_000u64, number()].prop_map(|now| Do::Step { now }),
    ]
}

fn ask(peer: &mut Peer, token: u32, command: Do, now: u64) {
    let send = |queue, sizes: Sizes, whole, more| SendOrder {
        queue,
        sizes,
        delay_ms: None,
        expires_ms: None,
        whole,
        more,
        key: None,
    };
    match command {
        Do::Create { name, letters } => {
            let dead_letter_queue = letters.map(|letters| text(letters).into());
            peer.create(token, &text(name), Policy { dead_letter_queue, ..Policy::default() });
        }
        Do::Send { queue, sizes, delay, expires, whole, more, key } => {
            let key = key.map(|key| text(key).into());
            let sizes = sizes.into_iter().collect();
            peer.send(
                token,
                SendOrder { delay_ms: delay, expires_ms: expires, key, ..send(queue, sizes, whole, more) },
            );
        }
        Do::Many { queue, count, size, whole, more } => {
            peer.send(token, send(queue, Sizes::alike(count, size), whole, more));
        }
        Do::Receive { queue, max, lease } => peer.receive(token, queue, max, lease, false, now),
        Do::Settle { queue, id, count, grant, how } => {
            let first = MessageId(id);
            peer.settle(token, queue, first, count.min(MessageId::INDEX_MAX + 1 - first.index()), grant, how);
        }
        Do::Cancel { queue, id } => peer.cancel(token, queue, MessageId(id)),
        Do::Redrive { queue, to, max } => peer.redrive(token, queue, to, max),
        Do::Other { queue, which: 0 } => peer.purge(token, queue),
        Do::Other { queue, which: 1 } => peer.remove(token, queue),
        Do::Other { queue, which } => peer.pause(token, queue, which == 2),
        Do::Step { .. } => {}
    }
}

/// A step, and all that can be read of it.
fn step(peer: &mut Peer, now: u64) -> Result<Vec<Effect>, String> {
    let mut effects = peer.effects();
    if peer.decide(now) {
        let bytes = peer.record().to_vec();
        let record = Record::decode(&bytes).map_err(|error| format!("a record that no one can read: {error:?}"))?;
        let mut replica = peer.engine().clone();
        let number = replica.base() + 1;
        replica.apply(number, &record, &mut Vec::new());
        peer.committed(number);
        let snapshot = peer.engine().snapshot();
        let restored =
            Engine::restore(&snapshot).map_err(|error| format!("a snapshot that no one can read: {error:?}"))?;
        if restored != *peer.engine() || replica != *peer.engine() {
            return Err("what is read is another state".into());
        }
    }
    effects.extend(peer.effects());
    Ok(effects)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_written_that_no_one_can_read(commands in vec(command(), 1..60)) {
        let mut peer = Peer::new(1, 1, false);
        let letters = Policy { dead_letter_queue: Some("letters".into()), max_retries: 0, ..Policy::default() };
        let large = Policy { capacity_messages: NEVER, capacity_bytes: NEVER, overflow: Overflow::DropOldest, ..Policy::default() };
        peer.create(1_000_000, "work", letters);
        peer.create(1_000_001, "large", large);
        let mut now = 1_000;
        step(&mut peer, now).map_err(TestCaseError::fail)?;
        for (token, command) in (0..).zip(commands) {
            if let Do::Step { now: at } = command {
                now = at;
                step(&mut peer, now).map_err(TestCaseError::fail)?;
            } else {
                ask(&mut peer, token, command, now);
            }
        }
        for _ in 0..4 {
            step(&mut peer, now).map_err(TestCaseError::fail)?;
        }
    }
}

fn made(peer: &mut Peer, name: &str, letters: Option<&str>) -> u64 {
    peer.create(9, name, Policy { dead_letter_queue: letters.map(Into::into), ..Policy::default() });
    let effects = step(peer, 1_000).expect("what was written can be read");
    let done = effects.iter().find_map(|effect| match effect {
        Effect::Done { token: 9, value } => Some(*value),
        _ => None,
    });
    done.expect("it was answered")
}

fn order(queue: u32, sizes: Sizes) -> SendOrder {
    SendOrder { queue, sizes, delay_ms: None, expires_ms: None, whole: Whole::No, more: 0, key: None }
}

/// A journal full of queues, the first of which has dead letters.
fn full() -> Engine {
    let policy = Policy { dead_letter_queue: Some("letters".into()), ..Policy::default() };
    let mut items = vec![Item::Create { name: "first".into(), policy: policy.into() }];
    for at in 2..limits::QUEUES_MAX - 1 {
        items.push(Item::Create { name: format!("q{at}").into(), policy: Policy::default().into() });
    }
    let mut engine = Engine::default();
    engine.apply(1, &Record { time: 1_000, base: 0, writer: 2, step: 1, chunk: None, items }, &mut Vec::new());
    assert_eq!(engine.queues().count(), limits::QUEUES_MAX - 1);
    engine
}

#[test]
fn a_queue_past_the_last_is_refused_and_dead_letters_have_a_place_all_the_same() {
    let mut peer = Peer::new(1, 1, false);
    peer.load(1, &full().snapshot()).expect("it can be read");
    assert_eq!(made(&mut peer, "two more", Some("its letters")), NEVER);
    assert_eq!(made(&mut peer, "its own letters", Some("its own letters")), NEVER);
    let last = made(&mut peer, "last", None);
    assert_eq!(u64::from(peer.engine().named("last").expect("it was made")), last);
    assert_eq!(made(&mut peer, "one more", None), NEVER);
    assert_eq!(made(&mut peer, "last", None), last);
    // Its dead-letter queue goes, another takes the last place, and then a dead letter comes.
    let first = peer.engine().named("first").expect("it is there");
    let letters = peer.engine().named("letters").expect("it is there");
    peer.remove(2, letters);
    step(&mut peer, 1_000).expect("what was written can be read");
    assert_ne!(made(&mut peer, "in its place", None), NEVER);
    peer.send(3, order(first, Sizes::alike(1, 10)));
    step(&mut peer, 1_000).expect("what was written can be read");
    peer.receive(4, first, 1, None, true, 1_000);
    let effects = step(&mut peer, 1_000).expect("what was written can be read");
    let (id, grant) = effects
        .iter()
        .find_map(|effect| match effect {
            Effect::Delivered { first, grant, .. } => Some((*first, *grant)),
            _ => None,
        })
        .expect("it was delivered");
    peer.settle(5, first, id, 1, grant, Settle::DeadLetter { reason: "no".into() });
    step(&mut peer, 1_000).expect("a journal with one queue too many can be read");
    let letters = peer.engine().named("letters").and_then(|letters| peer.engine().queue(letters));
    assert_eq!(letters.expect("it was made again").backlog(), 1);
    assert_eq!(peer.engine().queues().count(), limits::QUEUES_MAX + 1);
    assert_eq!(made(&mut peer, "one more", None), NEVER);
}

fn refused(peer: &mut Peer) -> Vec<(Why, u32)> {
    let effects = step(peer, 1_000).expect("what was written can be read");
    let refusals = effects.into_iter().filter_map(|effect| match effect {
        Effect::Refused { why, count, .. } => Some((why, count)),
        _ => None,
    });
    refusals.collect()
}

#[test]
fn a_batch_is_whole_up_to_its_bounds_and_refused_past_them() {
    let mut peer = Peer::new(1, 1, false);
    let unbounded = Policy { capacity_messages: NEVER, ..Policy::default() };
    peer.create(1, "work", unbounded);
    step(&mut peer, 1_000).expect("what was written can be read");
    let max = limits::BATCH_MESSAGES_MAX;
    let batch = |count| SendOrder { whole: Whole::First, ..order(0, Sizes::alike(count, 1)) };
    for (counts, refusals) in
        [(vec![max - 1], 0), (vec![max], 0), (vec![max - 1, 1], 0), (vec![max, 1], 2), (vec![max + 1], 1)]
    {
        let before = peer.engine().queue(0).map_or(0, |queue| queue.backlog());
        let more = counts[1..].iter().sum();
        for (at, count) in (0..).zip(counts.clone()) {
            let whole = if at == 0 { Whole::First } else { Whole::Part };
            peer.send(2 + at, SendOrder { whole, more: if at == 0 { more } else { 0 }, ..batch(count) });
        }
        assert_eq!(refused(&mut peer).len(), refusals, "{counts:?}");
        let sent: u64 = if refusals == 0 { counts.iter().map(|count| u64::from(*count)).sum() } else { 0 };
        assert_eq!(peer.engine().queue(0).map_or(0, |queue| queue.backlog()), before + sent);
    }
    // Items.
    for (parts, refusals) in [(limits::DRAFT_ITEMS_MAX, 0), (limits::DRAFT_ITEMS_MAX + 1, limits::DRAFT_ITEMS_MAX + 1)]
    {
        let before = peer.engine().queue(0).map_or(0, |queue| queue.backlog());
        for at in 0..parts as u32 {
            let (whole, more) = if at == 0 { (Whole::First, parts as u32 - 1) } else { (Whole::Part, 0) };
            peer.send(10 + at, SendOrder { whole, more, ..batch(1) });
        }
        assert_eq!(refused(&mut peer).len(), refusals);
        let sent = if refusals == 0 { parts as u64 } else { 0 };
        assert_eq!(peer.engine().queue(0).map_or(0, |queue| queue.backlog()), before + sent);
    }
}

/// A forged record whose ids would run over into the next one's does nothing.
#[test]
fn ids_never_run_over() {
    let mut engine = Engine::default();
    let unbounded = Policy { capacity_messages: NEVER, ..Policy::default() };
    let send = |count| {
        let sizes = Sizes::alike(count, 1);
        Item::Send(Send { queue: 0, sizes, due: 0, expires: 0, whole: Whole::No, key: None })
    };
    let create = Item::Create { name: "work".into(), policy: unbounded.into() };
    let items = vec![create, send(limits::BATCH_MESSAGES_MAX), send(1), send(u32::MAX)];
    engine.apply(1, &Record { time: 1, base: 0, writer: 1, step: 1, chunk: None, items }, &mut Vec::new());
    assert_eq!(engine.queue(0).expect("it was made").backlog(), u64::from(limits::BATCH_MESSAGES_MAX));
    let snapshot = engine.snapshot();
    assert_eq!(Engine::restore(&snapshot), Ok(engine));
}

#[test]
fn keys_are_kept_to_their_bounds_and_not_one_more() {
    let mut peer = Peer::new(1, 1, false);
    peer.create(1, "work", Policy { capacity_messages: NEVER, ..Policy::default() });
    step(&mut peer, 1_000).expect("there is nothing to go wrong");
    let keyed = |key: String| SendOrder { key: Some(key.into()), ..order(0, Sizes::alike(1, 1)) };
    let long = |at: usize| format!("{at:0width$}", width = limits::KEY_BYTES_MAX);
    let most = limits::KEYS_BYTES_MAX / limits::KEY_BYTES_MAX;
    for at in 0..most {
        peer.send(2, keyed(long(at)));
    }
    let mut refusals = Vec::new();
    while peer.decide(1_000) {
        peer.committed(peer.engine().base() + 1);
        refusals.extend(peer.effects().into_iter().filter(|effect| matches!(effect, Effect::Refused { .. })));
    }
    assert_eq!(refusals, []);
    peer.send(3, keyed(long(most)));
    peer.send(4, keyed("y".repeat(limits::KEY_BYTES_MAX + 1)));
    peer.send(5, keyed(long(0)));
    assert!(peer.decide(1_000));
    peer.committed(peer.engine().base() + 1);
    let told: Vec<_> = peer.effects();
    assert!(told.contains(&Effect::Refused { token: 3, why: Why::NoKeys, count: 1 }), "{told:?}");
    assert!(told.contains(&Effect::Refused { token: 4, why: Why::TooLarge, count: 1 }), "{told:?}");
    assert!(told.iter().any(|effect| matches!(effect, Effect::Duplicate { token: 5, .. })), "{told:?}");
    let engine = peer.engine();
    assert_eq!(Engine::restore(&engine.snapshot()).as_ref(), Ok(engine));
}
