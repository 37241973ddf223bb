//! Frames: what is written is read; whatever else arrives is refused, and never does harm.

use posthaste::{
    id::MessageId,
    sizes::Sizes,
    wire::{Answer, Ask, Bad, Bodies, Delivery, Failure, Form, Frame, Hello, Order, Row, Sending, Welcome},
};
use proptest::{collection::vec, prelude::*};

fn id() -> impl Strategy<Value = MessageId> + Clone {
    (1..MessageId::NUMBER_MAX, 0..=MessageId::INDEX_MAX)
        .prop_map(|(number, index)| MessageId::new(number, index).unwrap())
}

fn bodies() -> impl Strategy<Value = Bodies> {
    let form = prop_oneof![Just(Form::Values), Just(Form::Text), Just(Form::Bytes), Just(Form::Buffers)];
    (form, proptest::option::of(0..1u32 << 30), any::<bool>()).prop_map(|(form, length, headers)| Bodies {
        form,
        length,
        headers,
    })
}

fn sending() -> impl Strategy<Value = Sending> {
    let size = (1..1u32 << 19, 0..1u64 << 33, any::<bool>());
    (any::<u32>(), size.clone(), -1.0..1e9, 0.0..1e9, 0..3u8, size, bodies(), any::<bool>()).prop_map(
        |(token, (count, size, listed), delay_ms, expires_ms, kind, (more, more_bytes, _), bodies, key)| {
            let sizes = Sizes::alike(if key { 1 } else { count }, if listed { 0 } else { size });
            Sending { token, sizes, listed, delay_ms, expires_ms, kind, more, more_bytes, bodies, key }
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        Just(Ask::Metrics),
        Just(Ask::Purge),
        Just(Ask::Flush),
        any::<bool>().prop_map(Ask::Pause),
        id().prop_map(Ask::Cancel),
        (1..10_000u32, -1..4i8).prop_map(|(max, state)| Ask::Peek { max, state }),
        (0..1u64 << 40, 0.0..1e6, any::<bool>()).prop_map(|(max, rate, to)| Ask::Redrive { max, rate, to }),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let run = (id(), 1..1u32 << 20, 0..1u64 << 44);
    prop_oneof![
        sending().prop_map(Order::Send),
        any::<u32>().prop_map(|token| Order::Unsend { token }),
        any::<u32>().prop_map(|token| Order::Unreceive { token }),
        (any::<u32>(), 1..1u32 << 16, 0.0..1e9, any::<bool>(), any::<bool>())
            .prop_map(|(token, max, lease_ms, wait, ahead)| Order::Receive { token, max, lease_ms, wait, ahead }),
        (any::<u32>(), 0..5u8, run.clone(), -1.0..1e9, any::<bool>()).prop_map(
            |(token, kind, (first, count, grant), argument, text)| Order::Settle {
                token,
                kind,
                first,
                count,
                grant,
                argument,
                text
            }
        ),
        run.prop_map(|(first, count, grant)| Order::Started { first, count, grant }),
        (any::<u32>(), ask()).prop_map(|(token, ask)| Order::Ask { token, ask }),
        any::<bool>().prop_map(Order::Listen),
        any::<bool>().prop_map(Order::Shared),
        Just(Order::Bye),
        (any::<bool>(), 0..3u8).prop_map(|(shared, letters)| Order::Hello(Hello {
            shared,
            letters,
            policy: [1.0, 2.0, 3.0]
        })),
        Just(Order::Policy([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, f64::INFINITY])),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let told = (any::<u32>(), id(), 1..1u32 << 20);
    let delivery = (told.clone(), 0..1u64 << 44, 0.0..1e15, any::<u32>(), 0.0..1e15, bodies());
    prop_oneof![
        told.clone().prop_map(|(token, first, count)| Answer::Sent { token, first, count }),
        told.clone().prop_map(|(token, first, count)| Answer::Lost { token, first, count }),
        told.clone().prop_map(|(token, id, _)| Answer::Duplicate { token, id }),
        told.clone().prop_map(|(_, first, count)| Answer::Dead { first, count }),
        (told.clone(), 0..4u8).prop_map(|((_, first, count), cause)| Answer::Dropped { first, count, cause }),
        (told, 0..1u64 << 44).prop_map(|((_, first, count), grant)| Answer::LeaseLost { first, count, grant }),
        (any::<u32>(), 0..7u8, 1..1u32 << 20).prop_map(|(token, why, count)| Answer::Refused { token, why, count }),
        delivery.prop_map(|((token, first, count), grant, until, attempt, sent, bodies)| {
            Answer::Delivered(Delivery { token, first, count, grant, until, attempt, sent, bodies })
        }),
        any::<u32>().prop_map(|token| Answer::Received { token }),
        any::<u32>().prop_map(|token| Answer::Value { token }),
        (any::<u32>(), 0.0..1e15).prop_map(|(token, value)| Answer::Done { token, value }),
        any::<(u32, u32, u32)>().prop_map(|(token, place, count)| Answer::Failed {
            token,
            failure: Failure::Unknown,
            place,
            count
        }),
        (0..1u64 << 53, 0..1u64 << 53, -1.0..1e15).prop_map(|(count, bytes, oldest)| Answer::Backlog {
            count,
            bytes,
            oldest
        }),
        (0..3u8).prop_map(|state| Answer::Storage { state }),
        Just(Answer::Gone),
        Just(Answer::Closed),
        Just(Answer::Ping),
        (0.0..1e15, 0..3u8, any::<u32>(), 0..1u64 << 53).prop_map(|(visibility_ms, durability, messages, bytes)| {
            Answer::Welcome(Welcome { visibility_ms, durability, messages, bytes })
        }),
    ]
}

fn frame(rows: Vec<Row>) -> Frame {
    Frame { number: 7, heard: 3, time: 12.5, rows, lengths: vec![1, 2, 3] }
}

proptest! {
    #[test]
    fn orders_are_read_as_they_were_written(orders in vec(order(), 0..20)) {
        let rows: Vec<Row> = orders.iter().map(Order::write).collect();
        let read = Frame::decode(&frame(rows).encode()).expect("it was just written");
        prop_assert_eq!((read.number, read.heard, &read.lengths[..]), (7, 3, &[1, 2, 3][..]));
        let again: Vec<Order> = read.rows.iter().map(|row| Order::read(row).expect("it was just written")).collect();
        prop_assert_eq!(again, orders);
    }

    #[test]
    fn answers_are_read_as_they_were_written(answers in vec(answer(), 0..20)) {
        let rows: Vec<Row> = answers.iter().map(Answer::write).collect();
        let read = Frame::decode(&frame(rows).encode()).expect("it was just written");
        let again: Vec<Answer> = read.rows.iter().map(|row| Answer::read(row).expect("it was just written")).collect();
        prop_assert_eq!(again, answers);
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused(orders in vec(order(), 1..4), place in any::<prop::sample::Index>()) {
        let bytes = frame(orders.iter().map(Order::write).collect()).encode();
        prop_assert!(Frame::decode(&bytes[..place.index(bytes.len())]).is_err());
        prop_assert!(Frame::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn random_bytes_and_random_rows_never_panic(bytes in vec(any::<u8>(), 0..400), row in prop::array::uniform10(any::<f64>())) {
        let _ = Frame::decode(&bytes);
        let _ = (Order::read(&row), Answer::read(&row));
    }

    #[test]
    fn a_frame_with_one_number_changed_is_read_or_refused_never_more_than_it_says(
        orders in vec(order(), 1..4), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = frame(orders.iter().map(Order::write).collect()).encode();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Frame::decode(&bytes) {
            prop_assert_eq!((read.rows.len(), read.lengths.len()), (orders.len(), 3));
            for row in &read.rows {
                let _ = Order::read(row);
            }
        }
    }
}

#[test]
fn what_a_frame_claims_is_not_allocated_before_it_is_there() {
    let mut bytes = frame(vec![Order::Bye.write()]).encode();
    for claimed in [2u32, 65_536, 1 << 20, u32::MAX] {
        bytes[4..8].copy_from_slice(&claimed.to_le_bytes());
        assert!(matches!(Frame::decode(&bytes), Err(Bad::Malformed(_))), "{claimed} rows");
    }
}

#[test]
fn another_version_is_told_from_nonsense() {
    let mut bytes = frame(Vec::new()).encode();
    for version in [0, 1, 3, 255] {
        bytes[2] = version;
        assert_eq!(Frame::decode(&bytes), Err(Bad::Version));
    }
    bytes[0] ^= 1;
    assert_eq!(Frame::decode(&bytes), Err(Bad::Malformed("head")));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let good = Order::Receive { token: 1, max: 5, lease_ms: 0.0, wait: true, ahead: false }.write();
    for (field, value) in [
        (1, -1.0),
        (1, 0.5),
        (1, f64::NAN),
        (1, 2f64.powi(33)),
        (2, 0.0),
        (2, 1e9),
        (3, f64::NAN),
        (4, 4.0),
        (0, 77.0),
        (0, -3.0),
    ] {
        let mut row = good;
        row[field] = value;
        assert!(Order::read(&row).is_err(), "field {field} may not be {value}");
    }
}
