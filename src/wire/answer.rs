//! What a host says.

use super::{
    Bad, Bodies, Row,
    frame::{row, span, whole},
    order::message,
};
use crate::id::MessageId;

#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The next `count` messages of the send were accepted.
    Sent {
        token: u32,
        first: MessageId,
        count: u32,
    },
    /// The next `count` were not; `why` as the engine tells it, 5: called off, 6: not allowed.
    Refused {
        token: u32,
        why: u8,
        count: u32,
    },
    Duplicate {
        token: u32,
        id: MessageId,
    },
    /// Messages for a receive; their bodies go along.
    Delivered(Delivery),
    /// The receive has all it gets.
    Received {
        token: u32,
    },
    Lost {
        token: u32,
        first: MessageId,
        count: u32,
    },
    Done {
        token: u32,
        value: f64,
    },
    /// A value goes along.
    Value {
        token: u32,
    },
    Failed {
        token: u32,
        failure: Failure,
    },
    LeaseLost {
        first: MessageId,
        count: u32,
        grant: u64,
    },
    /// What is in the queue by now, and when the oldest was sent (negative: it is empty).
    Backlog {
        count: u64,
        bytes: u64,
        oldest: f64,
    },
    /// A reason goes along.
    Dead {
        first: MessageId,
        count: u32,
    },
    Dropped {
        first: MessageId,
        count: u32,
        cause: u8,
    },
    /// 0 ok, 1 degraded, 2 lost; a text goes along.
    Storage {
        state: u8,
    },
    /// The queue was deleted.
    Gone,
    /// The host leaves; three texts as with an error.
    Closed,
    Welcome(Welcome),
}

/// Why an order came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Three texts go along: name, code and message of the error.
    Error = 0,
    /// The same, and it may have taken place.
    Unknown = 1,
    /// The client may not do that.
    Forbidden = 2,
}

/// Messages leased together.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Delivery {
    pub token: u32,
    pub first: MessageId,
    pub count: u32,
    pub grant: u64,
    pub until: f64,
    pub attempt: u32,
    pub sent: f64,
    pub bodies: Bodies,
}

/// The first thing a host says, with the storage's name as a text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Welcome {
    pub visibility_ms: f64,
    /// 0 none, 1 relaxed, 2 strict.
    pub durability: u8,
    /// Messages and bytes of bodies the client may have under way.
    pub messages: u32,
    pub bytes: u64,
}

const SENT: u8 = 1;
const REFUSED: u8 = 2;
const DUPLICATE: u8 = 3;
const DELIVERED: u8 = 4;
const RECEIVED: u8 = 5;
const LOST: u8 = 6;
const DONE: u8 = 7;
const VALUE: u8 = 8;
const FAILED: u8 = 9;
const LEASE_LOST: u8 = 10;
const BACKLOG: u8 = 11;
const DEAD: u8 = 12;
const DROPPED: u8 = 13;
const STORAGE: u8 = 14;
const GONE: u8 = 15;
const CLOSED: u8 = 16;
const WELCOME: u8 = 17;

const EXACT_MAX: u64 = (1 << 53) - 1;

impl Answer {
    pub fn write(&self) -> Row {
        let run = |kind, token: u32, first: MessageId, count: u32| {
            row(kind, &[f64::from(token), first.number() as f64, f64::from(first.index()), f64::from(count)])
        };
        let mut written = match *self {
            Self::Sent { token, first, count } => run(SENT, token, first, count),
            Self::Refused { token, why, count } => run(REFUSED, token, MessageId(u64::from(why)), count),
            Self::Duplicate { token, id } => run(DUPLICATE, token, id, 1),
            Self::Delivered(ref delivery) => run(DELIVERED, delivery.token, delivery.first, delivery.count),
            Self::Received { token } => row(RECEIVED, &[f64::from(token)]),
            Self::Lost { token, first, count } => run(LOST, token, first, count),
            Self::Done { token, value } => row(DONE, &[f64::from(token), value]),
            Self::Value { token } => row(VALUE, &[f64::from(token)]),
            Self::Failed { token, failure } => row(FAILED, &[f64::from(token), f64::from(failure as u8)]),
            Self::LeaseLost { first, count, .. } => run(LEASE_LOST, 0, first, count),
            Self::Backlog { count, bytes, oldest } => row(BACKLOG, &[count as f64, bytes as f64, oldest]),
            Self::Dead { first, count } => run(DEAD, 0, first, count),
            Self::Dropped { first, count, .. } => run(DROPPED, 0, first, count),
            Self::Storage { state } => row(STORAGE, &[f64::from(state)]),
            Self::Gone => row(GONE, &[]),
            Self::Closed => row(CLOSED, &[]),
            Self::Welcome(Welcome { visibility_ms, durability, messages, bytes }) => {
                row(WELCOME, &[visibility_ms, f64::from(durability), f64::from(messages), bytes as f64])
            }
        };
        match *self {
            Self::Delivered(Delivery { grant, until, attempt, sent, bodies, .. }) => {
                written[5..].copy_from_slice(&[grant as f64, until, f64::from(attempt), sent, bodies.pack()]);
            }
            Self::LeaseLost { grant, .. } => written[5] = grant as f64,
            Self::Dropped { cause, .. } => written[5] = f64::from(cause),
            _ => {}
        }
        written
    }

    pub fn read(row: &Row) -> Result<Self, Bad> {
        let small = |value| whole(value, u64::from(u32::MAX)).map(|value| value as u32);
        let token = || small(row[1]);
        let first = || message(row[2], row[3]);
        let count = || match small(row[4])? {
            0 => Err(Bad::Malformed("count")),
            count => Ok(count),
        };
        Ok(match whole(row[0], 255)? as u8 {
            SENT => Self::Sent { token: token()?, first: first()?, count: count()? },
            REFUSED => Self::Refused { token: token()?, why: whole(row[3], 6)? as u8, count: count()? },
            DUPLICATE => Self::Duplicate { token: token()?, id: first()? },
            DELIVERED => Self::Delivered(Delivery {
                token: token()?,
                first: first()?,
                count: count()?,
                grant: whole(row[5], MessageId::NUMBER_MAX)?,
                until: span(row[6])?,
                attempt: small(row[7])?,
                sent: span(row[8])?,
                bodies: Bodies::unpack(row[9])?,
            }),
            RECEIVED => Self::Received { token: token()? },
            LOST => Self::Lost { token: token()?, first: first()?, count: count()? },
            DONE => Self::Done { token: token()?, value: span(row[2])? },
            VALUE => Self::Value { token: token()? },
            FAILED => {
                let failure = match whole(row[2], 2)? {
                    0 => Failure::Error,
                    1 => Failure::Unknown,
                    _ => Failure::Forbidden,
                };
                Self::Failed { token: token()?, failure }
            }
            LEASE_LOST => {
                Self::LeaseLost { first: first()?, count: count()?, grant: whole(row[5], MessageId::NUMBER_MAX)? }
            }
            BACKLOG => Self::Backlog {
                count: whole(row[1], EXACT_MAX)?,
                bytes: whole(row[2], EXACT_MAX)?,
                oldest: span(row[3])?,
            },
            DEAD => Self::Dead { first: first()?, count: count()? },
            DROPPED => Self::Dropped { first: first()?, count: count()?, cause: whole(row[5], 3)? as u8 },
            STORAGE => Self::Storage { state: whole(row[1], 2)? as u8 },
            GONE => Self::Gone,
            CLOSED => Self::Closed,
            WELCOME => Self::Welcome(Welcome {
                visibility_ms: span(row[1])?,
                durability: whole(row[2], 2)? as u8,
                messages: small(row[3])?,
                bytes: whole(row[4], EXACT_MAX)?,
            }),
            _ => return Err(Bad::Malformed("kind")),
        })
    }
}
