//! What a client says.

use super::{
    Bad, Bodies, Row,
    frame::{Fields, row},
};
use crate::{
    id::MessageId,
    limits::{BATCH_MESSAGES_MAX, RECORD_MESSAGES_MAX},
    sizes::Sizes,
};

#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    Send(Sending),
    /// Calls off what is left of a send.
    Unsend {
        token: u32,
    },
    /// `wait` false: answered at once, with what there is. `lease_ms` 0: the queue's. `ahead`: nobody has asked for these yet.
    Receive {
        token: u32,
        max: u32,
        lease_ms: f64,
        wait: bool,
        ahead: bool,
    },
    Unreceive {
        token: u32,
    },
    /// `kind` and `argument` as at the door of the engine; `text`: one goes along.
    Settle {
        token: u32,
        kind: u8,
        first: MessageId,
        count: u32,
        grant: u64,
        argument: f64,
        text: bool,
    },
    /// What came ahead has been handed out.
    Started {
        first: MessageId,
        count: u32,
        grant: u64,
    },
    Ask {
        token: u32,
        ask: Ask,
    },
    /// Whether the client wants to hear of events.
    Listen(bool),
    /// Shared memory was received, or can't be.
    Shared(bool),
    /// The client is leaving.
    Bye,
    Hello(Hello),
    /// Nothing; never said. It stands for what is not allowed, with what went along.
    Skip {
        texts: usize,
        values: usize,
    },
    /// The policy numbers that the opener named, in the engine's order; NaN: not named. Three of them fit beside the rest.
    Policy([f64; 9]),
}

/// The first thing a client says, with the queue's name, the name of its presence lock and, where `letters` is 1, the
/// dead-letter queue's name as texts; [`Order::Policy`] follows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hello {
    /// Shared memory may be tried.
    pub shared: bool,
    /// The dead-letter queue: 0 not named, 1 named, 2 there is to be none.
    pub letters: u8,
    /// The last three of the policy's numbers.
    pub policy: [f64; 3],
}

/// Messages of one send; their bodies go along.
#[derive(Clone, PartialEq, Debug)]
pub struct Sending {
    pub token: u32,
    /// Estimated bytes of each body. Read out of a row alone they are 0 where they are `listed`.
    pub sizes: Sizes,
    /// The sizes are the frame's next lengths, 2^32 - 1 at most each.
    pub listed: bool,
    /// Negative: the queue's.
    pub delay_ms: f64,
    /// 0: as the queue's retention says.
    pub expires_ms: f64,
    /// 0: as many as fit. 1: a part of the batch before it. 2: all or nothing, with what follows as its parts.
    pub kind: u8,
    pub more: u32,
    /// Bytes of those.
    pub more_bytes: u64,
    pub bodies: Bodies,
    /// An idempotency key goes along, as a text.
    pub key: bool,
}

/// What is answered with a number or a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Ask {
    Metrics,
    /// `state` -1: any.
    Peek {
        max: u32,
        state: i8,
    },
    Cancel(MessageId),
    Purge,
    Pause(bool),
    /// `to`: the name of a queue goes along, as a text.
    Redrive {
        max: u64,
        rate: f64,
        to: bool,
    },
    Flush,
}

const SEND: u8 = 1;
const UNSEND: u8 = 2;
const RECEIVE: u8 = 3;
const UNRECEIVE: u8 = 4;
const SETTLE: u8 = 5;
const LISTEN: u8 = 6;
const SHARED: u8 = 7;
const BYE: u8 = 8;
const STARTED: u8 = 9;
const HELLO: u8 = 10;
const POLICY: u8 = 11;
const METRICS: u8 = 16;
const PEEK: u8 = 17;
const CANCEL: u8 = 18;
const PURGE: u8 = 19;
const PAUSE: u8 = 20;
const REDRIVE: u8 = 21;
const FLUSH: u8 = 22;

const BYTES_MAX: u64 = (1 << 53) - 1;
const PEEK_MAX: u32 = 10_000;

impl Order {
    /// How many texts, and how many values with bodies or headers, go along with it beside the frame.
    pub fn beside(&self) -> (usize, usize) {
        match self {
            Self::Send(sending) => (usize::from(sending.key), 1 + usize::from(sending.bodies.headers)),
            Self::Settle { text: true, .. } | Self::Ask { ask: Ask::Redrive { to: true, .. }, .. } => (1, 0),
            Self::Hello(hello) => (2 + usize::from(hello.letters == 1), 0),
            Self::Skip { texts, values } => (*texts, *values),
            _ => (0, 0),
        }
    }

    pub fn write(&self) -> Row {
        match *self {
            Self::Send(ref sending) => sending.write(),
            Self::Unsend { token } => row(UNSEND, &[f64::from(token)]),
            Self::Receive { token, max, lease_ms, wait, ahead } => {
                let flags = f64::from(u8::from(wait)) + 2.0 * f64::from(u8::from(ahead));
                row(RECEIVE, &[f64::from(token), f64::from(max), lease_ms, flags])
            }
            Self::Unreceive { token } => row(UNRECEIVE, &[f64::from(token)]),
            Self::Settle { token, kind, first, count, grant, argument, text } => row(
                SETTLE,
                &[
                    f64::from(token),
                    f64::from(kind),
                    first.number() as f64,
                    f64::from(first.index()),
                    f64::from(count),
                    grant as f64,
                    argument,
                    f64::from(u8::from(text)),
                ],
            ),
            Self::Listen(some) => row(LISTEN, &[f64::from(u8::from(some))]),
            Self::Shared(good) => row(SHARED, &[f64::from(u8::from(good))]),
            Self::Bye => row(BYE, &[]),
            Self::Started { first, count, grant } => {
                row(STARTED, &[first.number() as f64, f64::from(first.index()), f64::from(count), grant as f64])
            }
            Self::Hello(Hello { shared, letters, policy: [a, b, c] }) => {
                row(HELLO, &[f64::from(u8::from(shared)), f64::from(letters), a, b, c])
            }
            Self::Skip { texts, values } => row(0, &[texts as f64, values as f64]),
            Self::Policy(ref numbers) => row(POLICY, numbers),
            Self::Ask { token, ask } => ask.write(f64::from(token)),
        }
    }

    pub fn read(row: &Row) -> Result<Self, Bad> {
        let mut from = Fields::of(row);
        let kind = from.whole(255) as u8;
        let order = match kind {
            SEND => Self::Send(Sending::read(&mut from)),
            LISTEN => Self::Listen(from.flag()),
            SHARED => Self::Shared(from.flag()),
            BYE => Self::Bye,
            STARTED => {
                let (first, count) = (from.message(), from.count(MessageId::INDEX_MAX + 1));
                Self::Started { first, count, grant: from.grant() }
            }
            HELLO => {
                let (shared, letters) = (from.flag(), from.whole(2) as u8);
                Self::Hello(Hello { shared, letters, policy: [from.any(), from.any(), from.any()] })
            }
            POLICY => {
                let mut numbers = [0.0; 9];
                numbers.copy_from_slice(&row[1..]);
                Self::Policy(numbers)
            }
            _ => Self::asked(kind, &mut from),
        };
        from.end(order)
    }

    /// What comes with a token.
    fn asked(kind: u8, from: &mut Fields) -> Self {
        let token = from.small();
        let ask = match kind {
            UNSEND => return Self::Unsend { token },
            UNRECEIVE => return Self::Unreceive { token },
            RECEIVE => {
                let (max, lease_ms, flags) = (from.count(RECORD_MESSAGES_MAX), from.span(), from.whole(3));
                return Self::Receive { token, max, lease_ms, wait: flags & 1 != 0, ahead: flags & 2 != 0 };
            }
            SETTLE => {
                let (kind, first) = (from.whole(4) as u8, from.message());
                let (count, grant) = (from.count(MessageId::INDEX_MAX + 1), from.grant());
                let (argument, text) = (from.span(), from.flag());
                return Self::Settle { token, kind, first, count, grant, argument, text };
            }
            METRICS => Ask::Metrics,
            PEEK => Ask::Peek { max: from.count(PEEK_MAX), state: from.whole(4) as i8 - 1 },
            CANCEL => Ask::Cancel(from.message()),
            PURGE => Ask::Purge,
            PAUSE => Ask::Pause(from.flag()),
            REDRIVE => Ask::Redrive { max: from.whole(1 << 40), rate: from.span(), to: from.flag() },
            _ => {
                from.check(kind == FLUSH, "kind");
                Ask::Flush
            }
        };
        Self::Ask { token, ask }
    }
}

impl Sending {
    /// How many of the frame's lengths are its own: sizes first, then those of its bodies.
    pub fn lengths(&self) -> usize {
        let count = self.sizes.count();
        self.bodies.lengths(count) + if self.listed { count as usize } else { 0 }
    }

    pub(crate) fn write(&self) -> Row {
        let listed = if self.listed { 8.0 } else { 0.0 };
        let kind = f64::from(self.kind) + if self.key { 4.0 } else { 0.0 } + listed;
        let size = if self.listed { 0 } else { self.sizes.at(0) };
        row(
            SEND,
            &[
                f64::from(self.token),
                f64::from(self.sizes.count()),
                size as f64,
                self.delay_ms,
                self.expires_ms,
                kind,
                f64::from(self.more),
                self.more_bytes as f64,
                self.bodies.pack(),
            ],
        )
    }

    fn read(from: &mut Fields) -> Self {
        let (token, count, size) = (from.small(), from.count(BATCH_MESSAGES_MAX), from.whole(BYTES_MAX));
        let (delay_ms, expires_ms, flags) = (from.span(), from.span(), from.whole(15) as u8);
        let (more, more_bytes) = (from.whole(BATCH_MESSAGES_MAX.into()) as u32, from.whole(BYTES_MAX));
        let bodies = Bodies::read(from);
        let (listed, key, kind) = (flags & 8 != 0, flags & 4 != 0, flags & 3);
        let sizes = Sizes::alike(count, size);
        from.check(kind != 3 && (!key || count == 1) && sizes.total() <= BYTES_MAX, "send");
        from.check(count.saturating_add(more) <= BATCH_MESSAGES_MAX, "count");
        Self { token, sizes, listed, delay_ms, expires_ms, kind, more, more_bytes, bodies, key }
    }
}

impl Ask {
    fn write(self, token: f64) -> Row {
        match self {
            Self::Metrics => row(METRICS, &[token]),
            Self::Peek { max, state } => row(PEEK, &[token, f64::from(max), f64::from(state) + 1.0]),
            Self::Cancel(id) => row(CANCEL, &[token, id.number() as f64, f64::from(id.index())]),
            Self::Purge => row(PURGE, &[token]),
            Self::Pause(paused) => row(PAUSE, &[token, f64::from(u8::from(paused))]),
            Self::Redrive { max, rate, to } => row(REDRIVE, &[token, max as f64, rate, f64::from(u8::from(to))]),
            Self::Flush => row(FLUSH, &[token]),
        }
    }

    /// Whether it changes the queue, beyond what sending and receiving do.
    pub fn is_admin(self) -> bool {
        matches!(self, Self::Purge | Self::Pause(_) | Self::Redrive { .. } | Self::Cancel(_))
    }
}
