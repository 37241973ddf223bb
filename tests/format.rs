//! Promises of the format: what is written is read back as it was, damage is told from a newer version, nothing panics,
//! and a format stays what it is, byte for byte.

use posthaste::{
    collections::sizes::Sizes,
    engine::Engine,
    format::{Backoff, FORMAT, FormatError, How, Item, Overflow, Policy, Record, Send, Whole, Writer},
    id::{MessageId, NEVER},
    limits,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use xxhash_rust::xxh32::xxh32;

/// Written once, read for ever.
const GOLDEN_RECORD: &str = "\
0280a0f1c2b13407ffffffffffffff0f0305130104776f726bb0ea0103e807d00fe0a712ac0200ffffffffffffffffff01e0a712c0843d\
ffffffffffffffffff01000104646561640a03b0ea0103e807d00fe0a712ac0200ffffffffffffffffff01e0a712c0843dffffffffffff\
ffffff0100000209030001c901f503e1d4030101086f726465722d3137030028c901000002000300030005ac0205000000000400050203\
b1ea0101100005020306110005020306e90701086e6f20726f7574651200050203060a756e7265616461626c6513000502030691bf0514\
00050203061500050203060500050201060107000108010502030008010502030109ffffffffffffff0f0301228df362";
const GOLDEN_SNAPSHOT: &str = "\
0204c0d8f3c2b13402020004776f726bb0ea0103e807d00fe0a712ac020080dddb01e0a712c0843dffffffffffffffffff010001046465\
616400000905010100010000000001086f726465722d3137888040e1c783c3b13405038180400117bfb802010081fdccc4b13400000108\
6e6f20726f7574650602011dbfb802000081fdccc4b134020b0e00011fbfb802000081fdccc4b134020b020002001011bfb802000081fd\
ccc4b13402000115bfb802000081fdccc4b134010e838040011bbfb802000081fdccc4b13490dff6c2b134020b010464656164b0ea01ff\
ffffff0fe807d00fe0a712ac0200ffffffffffffffffff01e0a712c0843dffffffffffffffffff01000001010100000000000000000000\
01018280400119bfb802000001010a756e7265616461626c65000055f895cf";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn message(number: u64, index: u32) -> MessageId {
    MessageId::new(number, index).expect("it is in range")
}

/// A small record with an item of each kind.
fn sample_record() -> Record {
    let time = 1_800_000_000_000;
    let first = message(5, 2);
    let settle = |how| Item::Settle { queue: 0, first, count: 3, grant: 6, how };
    let policy = Policy { dead_letter_queue: Some("dead".into()), ..Policy::default() };
    let key = Some("order-17".into());
    let send = Send {
        queue: 0,
        sizes: Sizes::alike(1, 100),
        due: time + 500,
        expires: time + 60_000,
        whole: Whole::First,
        key,
    };
    let items = vec![
        Item::Create { name: "work".into(), policy: policy.into() },
        Item::Adopt { queue: 3, policy: Policy::default().into() },
        Item::Remove { queue: 9 },
        Item::Send(send),
        Item::Send(Send { queue: 0, sizes: Sizes::alike(40, 100), due: 0, expires: 0, whole: Whole::Part, key: None }),
        Item::Send(Send {
            queue: 0,
            sizes: [5, 300, 5].into_iter().collect(),
            due: 0,
            expires: 0,
            whole: Whole::No,
            key: None,
        }),
        Item::Lease { queue: 0, first, count: 3, until: time + 30_000, started: true },
        settle(How::Ack),
        settle(How::Retry { due: time + 1000, error: Some("no route".into()) }),
        settle(How::DeadLetter { reason: "unreadable".into() }),
        settle(How::Extend { until: time + 90_000 }),
        settle(How::Release),
        settle(How::Start),
        Item::Cancel { queue: 0, id: first },
        Item::Purge { queue: 1 },
        Item::Pause { queue: 0, paused: true },
        Item::Redrive { queue: 1, first, count: 3, to: None },
        Item::Redrive { queue: 1, first, count: 3, to: Some(0) },
        Item::Leave { peer: 0x1f_ffff_ffff_ffff, queue: Some(2), counted: true },
    ];
    Record { time, base: 7, writer: 0x1f_ffff_ffff_ffff, step: 3, chunk: Some(4), items }
}

/// An engine in which every field of a snapshot has something to say.
fn sample_engine() -> Engine {
    let time = 1_800_000_000_000;
    let policy = Policy { retention_ms: 3_600_000, dead_letter_queue: Some("dead".into()), ..Policy::default() };
    let send = |count: u32, due, key| Send {
        queue: 0,
        sizes: if count == 1 { Sizes::alike(1, 10) } else { (10..10 + count).map(u64::from).collect() },
        due,
        expires: 0,
        whole: Whole::No,
        key,
    };
    let lease =
        |index, started| Item::Lease { queue: 0, first: message(1, index), count: 1, until: time + 30_000, started };
    let settle = |index, how| Item::Settle { queue: 0, first: message(1, index), count: 1, grant: 2, how };
    let steps = [
        vec![
            Item::Create { name: "work".into(), policy: policy.into() },
            Item::Send(send(8, 0, None)),
            Item::Send(send(1, time + 500, Some("order-17".into()))),
        ],
        vec![lease(0, true), lease(1, true), lease(2, true), lease(3, true), lease(4, false), lease(5, true)],
        vec![
            settle(0, How::Ack),
            settle(1, How::Retry { due: time + 1000, error: Some("no route".into()) }),
            settle(2, How::DeadLetter { reason: "unreadable".into() }),
            settle(3, How::Extend { until: time + 90_000 }),
            Item::Pause { queue: 1, paused: true },
        ],
        // Two leases have run out by then.
        Vec::new(),
    ];
    let mut engine = Engine::default();
    for (number, items) in (1u64..).zip(steps) {
        let time = if items.is_empty() { time + 40_000 } else { time + number };
        let record = Record { time, base: number - 1, writer: 11, step: number, chunk: None, items };
        engine.apply(number, &record, &mut Vec::new());
    }
    engine
}

fn text(max: usize) -> impl Strategy<Value = Box<str>> {
    "\\PC{0,40}".prop_map(move |text| text[..text.floor_char_boundary(max)].into())
}

fn policy() -> impl Strategy<Value = Policy> {
    let backoff = (any::<u64>(), any::<u32>(), any::<u64>(), any::<u32>())
        .prop_map(|(base_ms, factor, max_ms, jitter)| Backoff { base_ms, factor, max_ms, jitter });
    let overflow = select(vec![Overflow::Wait, Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest]);
    let capacity = (any::<u64>(), any::<u64>(), overflow, option::of(text(limits::NAME_BYTES_MAX)));
    ((any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>()), backoff, capacity).prop_map(
        |((visibility_ms, max_retries, delay_ms, retention_ms, window_ms), backoff, capacity)| {
            let (capacity_messages, capacity_bytes, overflow, dead_letter_queue) = capacity;
            let counts = Policy { visibility_ms, max_retries, delay_ms, retention_ms, window_ms, ..Policy::default() };
            Policy { backoff, capacity_messages, capacity_bytes, overflow, dead_letter_queue, ..counts }
        },
    )
}

/// A time as a record of `time` can say it: none, or not before it.
fn moment(time: u64) -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(time.max(1)), time.max(1)..NEVER, Just(NEVER)]
}

fn run() -> impl Strategy<Value = (MessageId, u32)> {
    let number = prop_oneof![4 => 0..8u64, 1 => 0..=MessageId::NUMBER_MAX];
    let index = prop_oneof![4 => 0..8u32, 1 => 0..=MessageId::INDEX_MAX];
    (number, index, prop_oneof![0..8u32, any::<u32>()])
        .prop_map(|(number, index, count)| (message(number, index), 1 + count % (MessageId::INDEX_MAX + 1 - index)))
}

fn how(time: u64) -> impl Strategy<Value = How> {
    let note = || text(limits::NOTE_BYTES_MAX);
    prop_oneof![
        Just(How::Ack),
        (moment(time), option::of(note())).prop_map(|(due, error)| How::Retry { due, error }),
        note().prop_map(|reason| How::DeadLetter { reason }),
        moment(time).prop_map(|until| How::Extend { until }),
        Just(How::Release),
        Just(How::Start),
    ]
}

/// Mostly one that the sample engine has.
fn queue() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..3u32, 1 => any::<u32>()]
}

/// Mostly the number of a record that gave leases in the sample engine.
fn grant() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..8u64, 1 => any::<u64>()]
}

fn whole() -> impl Strategy<Value = Whole> {
    select(vec![Whole::No, Whole::First, Whole::Part])
}

fn send(time: u64) -> impl Strategy<Value = Send> {
    let key = option::of(text(limits::KEY_BYTES_MAX));
    let alike = (1..1000u32, 0..1u64 << 43).prop_map(|(count, size)| Sizes::alike(count, size));
    let sizes = prop_oneof![alike, vec(0..1u64 << 43, 1..300).prop_map(|sizes| sizes.into_iter().collect())];
    (queue(), sizes, moment(time), moment(time), whole(), key).prop_map(
        |(queue, mut sizes, due, expires, whole, key)| {
            let sizes = if key.is_some() { sizes.split_front(1) } else { sizes };
            Send { queue, sizes, due, expires, whole, key }
        },
    )
}

fn item(time: u64) -> impl Strategy<Value = Item> {
    prop_oneof![
        (text(limits::NAME_BYTES_MAX), policy())
            .prop_map(|(name, policy)| Item::Create { name, policy: policy.into() }),
        (queue(), policy()).prop_map(|(queue, policy)| Item::Adopt { queue, policy: policy.into() }),
        queue().prop_map(|queue| Item::Remove { queue }),
        send(time).prop_map(Item::Send),
        (queue(), run(), moment(time), any::<bool>()).prop_map(|(queue, (first, count), until, started)| {
            Item::Lease { queue, first, count, until, started }
        }),
        (queue(), run(), grant(), how(time))
            .prop_map(|(queue, (first, count), grant, how)| { Item::Settle { queue, first, count, grant, how } }),
        (queue(), run()).prop_map(|(queue, (id, _))| Item::Cancel { queue, id }),
        queue().prop_map(|queue| Item::Purge { queue }),
        (queue(), any::<bool>()).prop_map(|(queue, paused)| Item::Pause { queue, paused }),
        (queue(), run(), option::of(queue()))
            .prop_map(|(queue, (first, count), to)| { Item::Redrive { queue, first, count, to } }),
        (any::<u64>(), option::of(queue()), any::<bool>()).prop_map(|(peer, queue, counted)| Item::Leave {
            peer,
            queue,
            counted
        }),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    (0..1u64 << 53).prop_flat_map(|time| {
        let chunk = option::of(0..=limits::CHUNK_LOG_MAX);
        (any::<u64>(), any::<u64>(), any::<u64>(), chunk, vec(item(time), 0..12))
            .prop_map(move |(base, writer, step, chunk, items)| Record { time, base, writer, step, chunk, items })
    })
}

/// The bytes with another format's number and the checksum that belongs to it.
fn as_format(bytes: &[u8], format: u8) -> Vec<u8> {
    let mut bytes = bytes[..bytes.len() - 4].to_vec();
    bytes[0] = format;
    let checksum = xxh32(&bytes, 0);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn is_corrupt<T>(read: Result<T, FormatError>) -> bool {
    matches!(read, Err(FormatError::Corrupt(_)))
}

proptest! {
    #[test]
    fn records_are_read_as_they_were_written(record in record()) {
        let bytes = record.encode();
        let read = Record::decode(&bytes).expect("it was just written");
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn replaying_any_record_leaves_an_engine_whose_snapshot_reads_back(records in vec(record(), 1..6)) {
        let mut engine = sample_engine();
        for record in records {
            let number = engine.base() + 1;
            engine.apply(number, &record, &mut Vec::new());
            let bytes = engine.snapshot();
            let restored = Engine::restore(&bytes).expect("it was just written");
            prop_assert_eq!(&restored, &engine);
            prop_assert_eq!(restored.snapshot(), bytes);
        }
    }

    #[test]
    fn damage_anywhere_in_a_record_is_refused(record in record(), places in vec((any::<usize>(), 1..=255u8), 1..16)) {
        let bytes = record.encode();
        for (place, change) in places {
            let mut damaged = bytes.clone();
            damaged[place % bytes.len()] ^= change;
            prop_assert!(is_corrupt(Record::decode(&damaged)));
            prop_assert!(is_corrupt(Record::decode(&bytes[..place % bytes.len()])));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(is_corrupt(Record::decode(&bytes)));
        prop_assert!(is_corrupt(Engine::restore(&bytes)));
    }

    /// With the right seal in front and behind, so that what is inside is looked at.
    #[test]
    fn sealed_nonsense_never_panics(inside in vec(prop_oneof![0..8u8, any::<u8>()], 0..200)) {
        let mut out = Writer::default();
        inside.into_iter().for_each(|byte| out.byte(byte));
        let bytes = out.seal();
        if let Ok(record) = Record::decode(&bytes) {
            sample_engine().apply(4, &record, &mut Vec::new());
        }
        if let Ok(engine) = Engine::restore(&bytes) {
            engine.snapshot();
        }
    }
}

/// Nonsense that is nearly right goes deeper than nonsense that is not.
#[test]
fn resealed_damage_never_panics() {
    let (record, snapshot) = (sample_record(), sample_engine().snapshot());
    let encoded = record.encode();
    for change in 1..=255 {
        for place in 1..encoded.len() - 4 {
            let mut damaged = encoded.clone();
            damaged[place] ^= change;
            if let Ok(record) = Record::decode(&as_format(&damaged, FORMAT)) {
                let mut engine = sample_engine();
                engine.apply(4, &record, &mut Vec::new());
                engine.snapshot();
            }
        }
        for place in 1..snapshot.len() - 4 {
            let mut damaged = snapshot.clone();
            damaged[place] ^= change;
            if let Ok(mut engine) = Engine::restore(&as_format(&damaged, FORMAT)) {
                engine.apply(engine.base().saturating_add(1), &record, &mut Vec::new());
                engine.snapshot();
            }
        }
    }
}

#[test]
fn every_changed_byte_and_every_truncation_is_refused_as_damage() {
    for bytes in [sample_record().encode(), sample_engine().snapshot()] {
        for place in 0..bytes.len() {
            for change in 1..=255 {
                let mut damaged = bytes.clone();
                damaged[place] ^= change;
                assert!(is_corrupt(Record::decode(&damaged)), "record, byte {place} ^ {change}");
                assert!(is_corrupt(Engine::restore(&damaged)), "snapshot, byte {place} ^ {change}");
            }
            assert!(is_corrupt(Record::decode(&bytes[..place])), "record cut at {place}");
            assert!(is_corrupt(Engine::restore(&bytes[..place])), "snapshot cut at {place}");
        }
    }
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let (record, snapshot) = (sample_record().encode(), sample_engine().snapshot());
    for format in FORMAT + 1..=255 {
        assert_eq!(Record::decode(&as_format(&record, format)), Err(FormatError::Newer));
        assert_eq!(Engine::restore(&as_format(&snapshot, format)), Err(FormatError::Newer));
    }
    assert!(is_corrupt(Record::decode(&as_format(&record, 0))));
}

#[test]
fn an_item_of_an_unknown_kind_is_newer() {
    for kind in [0, 11, 15, 22, 255] {
        let mut out = Writer::default();
        [1_800_000_000_000, 0, 1, 1, 0, 1].into_iter().for_each(|number| out.number(number));
        out.byte(kind);
        assert_eq!(Record::decode(&out.seal()), Err(FormatError::Newer), "kind {kind}");
    }
}

#[test]
fn format_2_records_stay_as_they_are() {
    let record = sample_record();
    assert_eq!(hex(&record.encode()), GOLDEN_RECORD);
    assert_eq!(Record::decode(&unhex(GOLDEN_RECORD)), Ok(record));
}

#[test]
fn format_2_snapshots_stay_as_they_are() {
    let engine = sample_engine();
    assert_eq!(hex(&engine.snapshot()), GOLDEN_SNAPSHOT);
    assert_eq!(Engine::restore(&unhex(GOLDEN_SNAPSHOT)), Ok(engine));
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("it is hex"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("it is hex")).collect()
}
