//! What a host says.

use super::{
    Bad, Bodies, Row,
    frame::{Fields, row},
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
    /// `count`: of a send only so many, from that place on among those that have no answer; 0: all of it.
    Failed {
        token: u32,
        failure: Failure,
        place: u32,
        count: u32,
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
    /// The client is to say something, if only that it heard this.
    Ping,
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
const PING: u8 = 18;

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
            Self::Failed { token, failure, place, count } => {
                row(FAILED, &[f64::from(token), f64::from(failure as u8), f64::from(place), f64::from(count)])
            }
            Self::LeaseLost { first, count, .. } => run(LEASE_LOST, 0, first, count),
            Self::Backlog { count, bytes, oldest } => row(BACKLOG, &[count as f64, bytes as f64, oldest]),
            Self::Dead { first, count } => run(DEAD, 0, first, count),
            Self::Dropped { first, count, .. } => run(DROPPED, 0, first, count),
            Self::Storage { state } => row(STORAGE, &[f64::from(state)]),
            Self::Gone => row(GONE, &[]),
            Self::Closed => row(CLOSED, &[]),
            Self::Ping => row(PING, &[]),
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
        let mut from = Fields::of(row);
        let kind = from.whole(255) as u8;
        let answer = Self::of(kind, &mut from);
        from.end(answer)
    }

    fn of(kind: u8, from: &mut Fields) -> Self {
        match kind {
            BACKLOG => {
                return Self::Backlog {
                    count: from.whole(EXACT_MAX),
                    bytes: from.whole(EXACT_MAX),
                    oldest: from.span(),
                };
            }
            WELCOME => {
                return Self::Welcome(Welcome {
                    visibility_ms: from.span(),
                    durability: from.whole(2) as u8,
                    messages: from.small(),
                    bytes: from.whole(EXACT_MAX),
                });
            }
            STORAGE => return Self::Storage { state: from.whole(2) as u8 },
            _ => {}
        }
        let token = from.small();
        match kind {
            RECEIVED => return Self::Received { token },
            DONE => return Self::Done { token, value: from.span() },
            VALUE => return Self::Value { token },
            FAILED => {
                let failure = match from.whole(2) {
                    0 => Failure::Error,
                    1 => Failure::Unknown,
                    _ => Failure::Forbidden,
                };
                return Self::Failed { token, failure, place: from.small(), count: from.small() };
            }
            GONE => return Self::Gone,
            CLOSED => return Self::Closed,
            PING => return Self::Ping,
            _ => {}
        }
        let (first, count) = (from.message(), from.count(u32::MAX));
        match kind {
            SENT => Self::Sent { token, first, count },
            REFUSED => {
                from.check(first.0 <= 7, "number");
                Self::Refused { token, why: first.0 as u8, count }
            }
            DUPLICATE => Self::Duplicate { token, id: first },
            DELIVERED => Self::Delivered(Delivery {
                token,
                first,
                count,
                grant: from.grant(),
                until: from.span(),
                attempt: from.small(),
                sent: from.span(),
                bodies: Bodies::read(from),
            }),
            LOST => Self::Lost { token, first, count },
            LEASE_LOST => Self::LeaseLost { first, count, grant: from.grant() },
            DEAD => Self::Dead { first, count },
            DROPPED => Self::Dropped { first, count, cause: from.whole(3) as u8 },
            _ => {
                from.check(false, "kind");
                Self::Gone
            }
        }
    }
}
