//! The two ends of a port alone: credit is kept, receives and what is ahead of them are answered in order, and frames that break
//! the rules do nothing. What the TypeScript around them makes of it is simulated as it ships, in tests/sim (world `ports`).

use posthaste::{
    id::MessageId,
    peer::{Effect, Why},
    port::{Allow, Client, Host, Notice},
    sizes::Sizes,
    wire::{Answer, Bad, Bodies, Delivery, Failure, Form, Frame, Order, Sending, Welcome},
};
use proptest::{collection::vec, prelude::*};

const ALL: Allow = Allow { send: true, receive: true, admin: true };

proptest! {
    #[test]
    fn a_frame_that_is_no_frame_changes_nothing(bytes in vec(any::<u8>(), 0..200), number in 0..4u64, rows in vec(prop::array::uniform10(-2.0..20.0f64), 0..4)) {
        let mut host = Host::new(ALL);
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert!(host.hear(&frame, 0, 0).is_err());
        }
        let frame = Frame { number, heard: 0, time: 0.0, rows, lengths: Vec::new() };
        if host.hear(&frame, 0, 0).is_err() {
            prop_assert_eq!(host.heard(), 0);
            // A sound one is still welcome.
            let sound = Frame { number: 1, heard: 0, time: 0.0, rows: vec![Order::Listen(true).write()], lengths: Vec::new() };
            prop_assert_eq!(host.hear(&sound, 0, 0).map(|orders| orders.len()), Ok(1));
        }
    }
}

fn sending(count: u32, bytes: u64) -> Sending {
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    Sending {
        token: 1,
        sizes: Sizes::alike(count, bytes / u64::from(count)),
        listed: false,
        delay_ms: -1.0,
        expires_ms: 0.0,
        kind: 0,
        more: 0,
        more_bytes: 0,
        bodies,
        key: false,
    }
}

fn said(number: u64, orders: &[Order]) -> Frame {
    Frame { number, heard: 0, time: 0.0, rows: orders.iter().map(Order::write).collect(), lengths: Vec::new() }
}

#[test]
fn a_frame_said_twice_left_out_or_out_of_order_is_refused() {
    let mut host = Host::new(ALL);
    let listen = |number| said(number, &[Order::Listen(true)]);
    assert!(host.hear(&listen(1), 0, 0).is_ok());
    for number in [1, 0, 3, u64::MAX] {
        assert_eq!(host.hear(&listen(number), 0, 0), Err(Bad::OutOfOrder));
    }
    assert!(host.hear(&listen(2), 0, 0).is_ok());
    let ahead = Frame { heard: 9, ..listen(3) };
    assert_eq!(host.hear(&ahead, 0, 0), Err(Bad::OutOfOrder), "it says it heard what was never said");
}

#[test]
fn more_than_the_credit_is_refused_as_a_whole() {
    let mut host = Host::new(ALL);
    let flood = said(1, &[Order::Send(sending(1 << 20, 1 << 30))]);
    assert_eq!(host.hear(&flood, 0, 1), Err(Bad::Malformed("credit")));
    let one = said(1, &[Order::Send(sending(1, 1 << 30))]);
    assert!(host.hear(&one, 0, 1).is_ok(), "one message may be as large as it is");
    let another = said(2, &[Order::Send(sending(1, 1))]);
    assert_eq!(host.hear(&another, 0, 1), Err(Bad::Malformed("credit")));
}

#[test]
fn a_third_strike_is_the_last() {
    let mut host = Host::new(ALL);
    assert_eq!([host.strike(), host.strike(), host.strike()], [false, false, true]);
}

#[test]
fn what_goes_along_must_be_what_the_frame_says() {
    let mut host = Host::new(ALL);
    let frame = said(1, &[Order::Send(sending(2, 10))]);
    for (texts, values) in [(0, 0), (0, 2), (1, 1)] {
        assert_eq!(host.hear(&frame, texts, values), Err(Bad::Malformed("what goes along")));
    }
    assert!(host.hear(&frame, 0, 1).is_ok());
}

#[test]
fn leases_of_others_cannot_be_settled() {
    let mut host = Host::new(ALL);
    let first = MessageId::new(5, 0).unwrap();
    let settle = Order::Settle { token: 9, kind: 0, first, count: 3, grant: 6, argument: 0.0, text: false };
    let orders = host.hear(&said(1, &[settle]), 0, 0).expect("it is well-formed");
    assert!(!orders.iter().any(|order| matches!(order, Order::Settle { .. })), "{orders:?}");
    let frame = host.frame(0.0).expect("it is answered");
    assert_eq!(frame.rows.len(), 2, "lost, and done");
}

#[test]
fn who_may_only_send_can_do_nothing_else() {
    let mut host = Host::new(Allow { send: true, receive: false, admin: false });
    let receive = Order::Receive { token: 2, max: 1, lease_ms: 0.0, wait: true, ahead: false };
    let purge = Order::Ask { token: 3, ask: posthaste::wire::Ask::Purge };
    let orders = host.hear(&said(1, &[Order::Send(sending(1, 1)), receive, purge]), 0, 1).expect("it is well-formed");
    let admitted = orders.iter().filter(|order| !matches!(order, Order::Skip { .. })).count();
    assert_eq!((admitted, host.frame(0.0).map(|frame| frame.rows.len())), (1, Some(2)));
}

#[test]
fn nothing_is_sent_before_the_welcome() {
    let mut client = Client::default();
    client.order(Order::Send(sending(10, 100)), None, 0);
    assert!(!client.plan(0));
}

fn welcomed() -> (Host, Client) {
    let mut host = Host::new(ALL);
    let welcome = Welcome { visibility_ms: 30_000.0, durability: 0, messages: 0, bytes: 0 };
    host.answer(&Answer::Welcome(welcome), &[]);
    let mut client = Client::default();
    client.hear(&host.frame(0.0).expect("a welcome"), 0).expect("it is sound");
    client.notices();
    (host, client)
}

/// What a receiver asks for ahead, the most at a time, when it takes ten messages every `gap` milliseconds for a second and
/// a host that is a millisecond away has as many as anyone wants.
fn asked_ahead(gap: u64) -> u32 {
    let (mut host, mut client) = welcomed();
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    let mut most = 0;
    for now in (0..1_000u64).step_by(gap as usize) {
        client.order(Order::Receive { token: 1, max: 10, lease_ms: 0.0, wait: true, ahead: false }, None, now);
        while client.plan(now) {
            let frame = client.frame(&[], Vec::new()).0;
            for order in host.hear(&frame, 0, 0).expect("it is sound") {
                let Order::Receive { token, max: count, ahead, .. } = order else { continue };
                most = if ahead && token != 1 { most.max(count) } else { most };
                let first = MessageId::new(frame.number, 0).unwrap();
                let (until, sent) = ((now + 30_000) as f64, now as f64);
                let grant = frame.number;
                host.answer(
                    &Answer::Delivered(Delivery { token, first, count, grant, until, attempt: 1, sent, bodies }),
                    &[],
                );
                host.answer(&Answer::Received { token }, &[]);
            }
            if let Some(frame) = host.frame(now as f64) {
                client.hear(&frame, now + 1).expect("it is sound");
            }
        }
        client.notices();
    }
    most
}

#[test]
fn a_receiver_that_waits_for_the_way_there_and_back_is_sent_more_ahead_and_a_slow_one_no_more_than_it_asks_for() {
    let (fast, slow) = (asked_ahead(1), asked_ahead(50));
    assert!(fast >= 40 && slow == 10, "{fast} and {slow}");
}

#[test]
fn what_comes_in_two_frames_for_one_who_has_waited_long_is_his() {
    let (mut host, mut client) = welcomed();
    client.order(Order::Receive { token: 1, max: 10, lease_ms: 0.0, wait: true, ahead: false }, None, 10_000);
    assert!(client.plan(10_000));
    host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound");
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    let (later, until) = (60_000, 90_000.0);
    for number in 1..=2 {
        let first = MessageId::new(number, 0).unwrap();
        let delivery = Delivery { token: 1, first, count: 1, grant: number, until, attempt: 1, sent: 0.0, bodies };
        host.answer(&Answer::Delivered(delivery), &[]);
        if number == 2 {
            host.answer(&Answer::Received { token: 1 }, &[]);
        }
        client.hear(&host.frame(later as f64).expect("it says something"), later).expect("it is sound");
        if number == 1 {
            assert!(!client.plan(later), "nothing goes back");
            assert_eq!(client.deadline(), u64::MAX);
        }
    }
    let given = client.notices().into_iter().filter_map(|notice| match notice {
        Notice::Effect(Effect::Delivered { first, .. }) => Some(first.number()),
        _ => None,
    });
    assert_eq!(given.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_receive_that_failed_takes_no_messages_from_the_next() {
    let (mut host, mut client) = welcomed();
    let failure = Failure::Error;
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    let first = MessageId::new(1, 0).unwrap();
    for token in 1..=2 {
        client.order(Order::Receive { token, max: 10, lease_ms: 0.0, wait: true, ahead: false }, None, 10_000);
        assert!(client.plan(10_000));
        host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound");
        if token == 1 {
            host.answer(&Answer::Failed { token, failure, place: 0, count: 0 }, &[]);
        } else {
            let delivery =
                Delivery { token, first, count: 1, grant: 1, until: 90_000.0, attempt: 1, sent: 0.0, bodies };
            host.answer(&Answer::Delivered(delivery), &[]);
            host.answer(&Answer::Received { token }, &[]);
        }
        client.hear(&host.frame(10_000.0).expect("it says something"), 10_000).expect("it is sound");
    }
    let given = client.notices().into_iter().filter_map(|notice| match notice {
        Notice::Effect(Effect::Delivered { token, .. }) => Some(token),
        _ => None,
    });
    assert_eq!(given.collect::<Vec<_>>(), [2]);
}

#[test]
fn when_leasing_ahead_failed_it_is_tried_again() {
    let (mut host, mut client) = welcomed();
    let mut tried = 0;
    for token in 1..=4 {
        client.order(Order::Receive { token, max: 10, lease_ms: 0.0, wait: true, ahead: false }, None, 10_000);
        assert!(client.plan(10_000));
        for order in host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound") {
            let Order::Receive { token: asked, .. } = order else { continue };
            tried += u32::from(asked != token);
            host.answer(&Answer::Failed { token: asked, failure: Failure::Error, place: 0, count: 0 }, &[]);
        }
        client.hear(&host.frame(10_000.0).expect("it says something"), 10_000).expect("it is sound");
    }
    assert_eq!(tried, 3, "for all but the first");
}

#[test]
fn a_send_that_failed_gives_its_credit_back_and_the_rest_of_it_does_not_go() {
    let (mut host, mut client) = welcomed();
    for token in 1..=3 {
        let send = Sending { token, ..sending(20_000, 20_000) };
        let bodies = send.bodies;
        client.order(Order::Send(send), None, 0);
        assert!(client.plan(0), "there is credit for the first of it");
        let gone = client.sends()[0].1;
        assert!(gone < 20_000, "and for no more");
        host.hear(&client.frame(&[(gone, bodies)], Vec::new()).0, 0, 1).expect("there is credit at the host, too");
        host.answer(&Answer::Failed { token, failure: Failure::Error, place: 0, count: 0 }, &[]);
        client.hear(&host.frame(0.0).expect("an answer"), 0).expect("it is sound");
        assert!(!client.plan(0), "the rest is forgotten");
        assert!(!client.is_blocked() && !client.waiting());
    }
}

#[test]
fn what_is_called_off_of_a_send_that_is_partly_under_way_is_told_after_the_rest() {
    let (mut host, mut client) = welcomed();
    let send = sending(20_000, 20_000);
    let (token, bodies) = (send.token, send.bodies);
    client.order(Order::Send(send), None, 0);
    assert!(client.plan(0));
    let gone = client.sends()[0].1;
    assert!(gone < 20_000, "its credit is less");
    let (frame, _) = client.frame(&[(gone, bodies)], Vec::new());
    assert!(!client.order(Order::Unsend { token }, None, 0), "a part may be there already");
    assert_eq!(client.notices(), []);

    host.hear(&frame, 0, 1).expect("it is sound");
    let first = MessageId::new(1, 0).unwrap();
    host.answer(&Answer::Sent { token, first, count: gone }, &[]);
    client.hear(&host.frame(0.0).expect("an answer"), 0).expect("it is sound");
    let refused = Effect::Refused { token, why: Why::Withdrawn, count: 20_000 - gone };
    assert_eq!(client.notices(), [Notice::Effect(Effect::Sent { token, first, count: gone }), Notice::Effect(refused)]);
}

#[test]
fn who_waits_is_not_answered_with_nothing_when_another_was_given_what_came() {
    let (mut host, mut client) = welcomed();
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    for (token, wait) in [(1, false), (2, true)] {
        client.order(Order::Receive { token, max: 1, lease_ms: 0.0, wait, ahead: false }, None, 10_000);
    }
    let mut given = Vec::new();
    // The host is asked for what is there later than for what is to come: that is given first, and to who asked first.
    for (number, token) in [(1, 2), (2, 2)] {
        while client.plan(10_000) {
            host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound");
        }
        let first = MessageId::new(number, 0).unwrap();
        let (until, grant) = (90_000.0, number);
        let delivery = Delivery { token, first, count: 1, grant, until, attempt: 1, sent: 0.0, bodies };
        host.answer(&Answer::Delivered(delivery), &[]);
        host.answer(&Answer::Received { token }, &[]);
        client.hear(&host.frame(10_000.0).expect("it says something"), 10_000).expect("it is sound");
        let notices = client.notices();
        for token in 1..=2 {
            let some = notices
                .iter()
                .any(|notice| matches!(notice, Notice::Effect(Effect::Delivered { token: own, .. }) if *own == token));
            let over = notices
                .iter()
                .any(|notice| matches!(notice, Notice::Effect(Effect::Received { token: own }) if *own == token));
            assert_eq!(some, over, "a receive is over when it has something");
            given.extend(some.then_some((number, token)));
        }
    }
    assert_eq!(given, [(1, 1), (2, 2)]);
    // Who is called off waits no more.
    client.order(Order::Receive { token: 3, max: 1, lease_ms: 0.0, wait: true, ahead: false }, None, 10_000);
    assert!(client.plan(10_000));
    host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound");
    client.order(Order::Unreceive { token: 3 }, None, 10_000);
    host.answer(&Answer::Received { token: 3 }, &[]);
    client.hear(&host.frame(10_000.0).expect("it says something"), 10_000).expect("it is sound");
    assert_eq!(client.notices(), [Notice::Effect(Effect::Received { token: 3 })]);
}

#[test]
fn a_client_that_is_asked_for_a_word_says_one() {
    let (mut host, mut client) = welcomed();
    assert!(!client.plan(0));
    host.answer(&Answer::Ping, &[]);
    client.hear(&host.frame(0.0).expect("it says something"), 0).expect("it is sound");
    assert!(client.plan(0));
    assert_eq!(host.hear(&client.frame(&[], Vec::new()).0, 0, 0), Ok(Vec::new()));
    assert!(!client.plan(0), "one word is enough");
}

#[test]
fn of_a_send_one_message_can_fail_and_its_credit_comes_back() {
    let (mut host, mut client) = welcomed();
    let send = sending(3, 30);
    let (token, bodies) = (send.token, send.bodies);
    client.order(Order::Send(send), None, 0);
    assert!(client.plan(0));
    host.hear(&client.frame(&[(3, bodies)], Vec::new()).0, 0, 1).expect("it is sound");
    let failed = Answer::Failed { token, failure: Failure::Error, place: 1, count: 1 };
    let sent = Answer::Sent { token, first: MessageId::new(1, 0).unwrap(), count: 2 };
    for (answer, waiting) in [(&failed, true), (&sent, false)] {
        host.answer(answer, &[]);
        client.hear(&host.frame(0.0).expect("an answer"), 0).expect("it is sound");
        assert_eq!(client.waiting(), waiting);
    }
    assert_eq!(client.notices()[0], Notice::Answer(failed));
}

#[test]
fn what_a_client_has_said_is_told_from_what_the_host_has_heard() {
    let (mut host, mut client) = welcomed();
    for said in 1..=3 {
        client.order(Order::Listen(true), None, 0);
        assert!(client.plan(0));
        let frame = client.frame(&[], Vec::new()).0;
        assert_eq!(client.said(), said);
        // The last one never arrives.
        if said < 3 {
            host.hear(&frame, 0, 0).expect("it is sound");
        }
    }
    host.answer(&Answer::Closed, &[]);
    client.hear(&host.frame(0.0).expect("its last word"), 0).expect("it is sound");
    assert_eq!(client.known(), 2);
}

#[test]
fn what_lies_ahead_goes_back_before_its_lease_runs_out() {
    let (mut host, mut client) = welcomed();
    let bodies = Bodies { form: Form::Values, length: None, headers: false };
    let first = MessageId::new(1, 0).unwrap();
    for token in 1..=2 {
        client.order(Order::Receive { token, max: 1, lease_ms: 0.0, wait: true, ahead: false }, None, 10_000);
    }
    assert!(client.plan(10_000));
    host.hear(&client.frame(&[], Vec::new()).0, 0, 0).expect("it is sound");
    for (number, token) in [(1, 1), (2, 2), (3, 1)] {
        // The queue's lease is 30 s; the third has been leased for a while, and nobody waits for it.
        let (first, until) = (MessageId::new(number, 0).unwrap(), if number == 3 { 25_500.0 } else { 40_000.0 });
        let delivery = Delivery { token, first, count: 1, grant: number, until, attempt: 1, sent: 0.0, bodies };
        host.answer(&Answer::Delivered(delivery), &[]);
    }
    // With what was asked for beyond, of which there is none.
    for token in [1, 2, u32::MAX] {
        host.answer(&Answer::Received { token }, &[]);
    }
    client.hear(&host.frame(10_000.0).expect("it says something"), 10_000).expect("it is sound");
    assert!(client.plan(10_000), "two were handed out");
    client.frame(&[], Vec::new());
    assert_eq!(client.deadline(), 10_501);
    assert!(!client.plan(10_500));
    assert!(client.plan(10_501));
    let gone = |notice: &Notice| matches!(notice, Notice::Gone(span) if span.first > first && span.grant == 3);
    assert!(client.notices().iter().any(gone));
}
