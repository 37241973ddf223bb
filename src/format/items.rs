//! What a record can say. Items are results ("these messages are leased until then"), never commands, so that another
//! version of the code replays them to the same state.

use super::{FormatError, Policy, Reader, Writer};
use crate::{
    collections::sizes::Sizes,
    id::{MessageId, QueueId, Time},
    limits,
};

/// One thing that a step did. Whether it stands is decided where it lands in the journal, for every peer alike.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// Makes a queue, and its dead-letter queue where that is new. Void when the name is taken.
    Create { name: Box<str>, policy: Box<Policy> },
    /// Gives a queue a policy of its own, and makes its dead-letter queue where that is new. Void unless the queue was only
    /// made to keep another's dead letters, and nobody has given it one.
    Adopt { queue: QueueId, policy: Box<Policy> },
    /// Deletes a queue and everything in it.
    Remove { queue: QueueId },
    /// A run of messages; their bodies are the record's next `count`.
    Send(Send),
    /// These messages are the writer's until `until`. `started` is false for what was leased ahead of demand.
    Lease { queue: QueueId, first: MessageId, count: u32, until: Time, started: bool },
    /// What the holder of a lease says of these messages; `grant` is the number of the record that gave the lease.
    Settle { queue: QueueId, first: MessageId, count: u32, grant: u64, how: How },
    /// Takes back a message no one has received yet.
    Cancel { queue: QueueId, id: MessageId },
    /// Drops everything in the queue.
    Purge { queue: QueueId },
    /// Stops deliveries, or lets them go on.
    Pause { queue: QueueId, paused: bool },
    /// Moves dead letters to `to`, or back to where they came from.
    Redrive { queue: QueueId, first: MessageId, count: u32, to: Option<QueueId> },
    /// A peer is gone, or going: its leases end here, those of one queue or all. What it had handed out counts as an attempt where
    /// `counted`.
    Leave { peer: u64, queue: Option<QueueId>, counted: bool },
}

/// The fields of [`Item::Send`].
#[derive(Clone, PartialEq, Debug)]
pub struct Send {
    pub queue: QueueId,
    /// Estimated bytes of each body.
    pub sizes: Sizes,
    /// Not delivered before; 0: at once.
    pub due: Time,
    /// Dropped when not taken by then; 0: as the queue's retention says.
    pub expires: Time,
    /// Whether it stands as a whole or not at all, and with what else.
    pub whole: Whole,
    /// A second message with the same key is the first one. Only with a count of 1.
    pub key: Option<Box<str>>,
}

/// A batch that is all or nothing; where its messages differ it is several sends, one behind the other in one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Whole {
    /// As many as fit.
    #[default]
    No,
    /// All, together with the sends that follow it in the record as its parts.
    First,
    /// Stands exactly when the send before it in the record did.
    Part,
}

/// The ways to settle.
#[derive(Clone, PartialEq, Debug)]
pub enum How {
    Ack,
    /// Deliver again, not before `due`.
    Retry {
        due: Time,
        error: Option<Box<str>>,
    },
    DeadLetter {
        reason: Box<str>,
    },
    /// The lease now ends at `until`.
    Extend {
        until: Time,
    },
    /// As if it had never been taken.
    Release,
    /// What was leased ahead has been handed out: the delivery counts.
    Start,
}

const CREATE: u8 = 1;
const REMOVE: u8 = 2;
const SEND: u8 = 3;
const LEASE: u8 = 4;
const CANCEL: u8 = 5;
const PURGE: u8 = 6;
const PAUSE: u8 = 7;
const REDRIVE: u8 = 8;
const LEAVE: u8 = 9;
const ADOPT: u8 = 10;
const ACK: u8 = 16;
const RETRY: u8 = 17;
const DEAD_LETTER: u8 = 18;
const EXTEND: u8 = 19;
const RELEASE: u8 = 20;
const START: u8 = 21;

impl Item {
    /// Times are written as distances from the record's own `time`, which makes them short.
    pub(super) fn write(&self, time: Time, out: &mut Writer) {
        match self {
            Self::Create { name, policy } => {
                out.byte(CREATE);
                out.text(name);
                out.policy(policy);
            }
            Self::Adopt { queue, policy } => {
                write_queue(out, ADOPT, *queue);
                out.policy(policy);
            }
            Self::Remove { queue } => write_queue(out, REMOVE, *queue),
            Self::Send(send) => {
                write_queue(out, SEND, send.queue);
                out.sizes(&send.sizes);
                write_time(out, time, send.due);
                write_time(out, time, send.expires);
                out.byte(send.whole as u8);
                out.option_text(send.key.as_deref());
            }
            Self::Lease { queue, first, count, until, started } => {
                write_queue(out, LEASE, *queue);
                write_run(out, *first, *count);
                write_time(out, time, *until);
                out.flag(*started);
            }
            Self::Settle { queue, first, count, grant, how } => {
                write_queue(out, how.kind(), *queue);
                write_run(out, *first, *count);
                out.number(*grant);
                how.write(time, out);
            }
            Self::Cancel { queue, id } => {
                write_queue(out, CANCEL, *queue);
                write_run(out, *id, 1);
            }
            Self::Purge { queue } => write_queue(out, PURGE, *queue),
            Self::Pause { queue, paused } => {
                write_queue(out, PAUSE, *queue);
                out.flag(*paused);
            }
            Self::Redrive { queue, first, count, to } => {
                write_queue(out, REDRIVE, *queue);
                write_run(out, *first, *count);
                out.option(to.map(u64::from));
            }
            Self::Leave { peer, queue, counted } => {
                out.byte(LEAVE);
                out.number(*peer);
                out.option(queue.map(u64::from));
                out.flag(*counted);
            }
        }
    }

    pub(super) fn read(time: Time, from: &mut Reader) -> Self {
        let kind = from.byte();
        if kind == CREATE {
            return Self::Create { name: from.text(limits::NAME_BYTES_MAX), policy: Box::new(from.policy()) };
        }
        if kind == LEAVE {
            let (peer, queue) = (from.number(), from.queue());
            return Self::Leave { peer, queue, counted: from.flag() };
        }
        if kind == ADOPT {
            return Self::Adopt { queue: from.small(), policy: Box::new(from.policy()) };
        }
        if !(REMOVE..=REDRIVE).contains(&kind) && !(ACK..=START).contains(&kind) {
            from.fail(FormatError::Newer);
        }
        let queue = from.small();
        match kind {
            SEND => return Self::Send(Send::read(queue, time, from)),
            PURGE => return Self::Purge { queue },
            PAUSE => return Self::Pause { queue, paused: from.flag() },
            LEASE.. => {}
            _ => return Self::Remove { queue },
        }
        let (first, count) = read_run(from);
        match kind {
            LEASE => Self::Lease { queue, first, count, until: read_time(from, time), started: from.flag() },
            CANCEL => Self::Cancel { queue, id: first },
            REDRIVE => {
                let to = from.queue();
                Self::Redrive { queue, first, count, to }
            }
            _ => Self::Settle { queue, first, count, grant: from.number(), how: How::read(kind, time, from) },
        }
    }
}

impl Send {
    fn read(queue: QueueId, time: Time, from: &mut Reader) -> Self {
        let send = Self {
            queue,
            sizes: from.sizes(limits::BATCH_MESSAGES_MAX),
            due: read_time(from, time),
            expires: read_time(from, time),
            whole: match from.byte() {
                0 => Whole::No,
                1 => Whole::First,
                2 => Whole::Part,
                _ => {
                    from.fail(FormatError::Newer);
                    Whole::No
                }
            },
            key: from.option_text(limits::KEY_BYTES_MAX),
        };
        from.check(send.key.is_none() || send.sizes.count() == 1, "send");
        send
    }
}

impl How {
    fn kind(&self) -> u8 {
        match self {
            Self::Ack => ACK,
            Self::Retry { .. } => RETRY,
            Self::DeadLetter { .. } => DEAD_LETTER,
            Self::Extend { .. } => EXTEND,
            Self::Release => RELEASE,
            Self::Start => START,
        }
    }

    fn write(&self, time: Time, out: &mut Writer) {
        match self {
            Self::Retry { due, error } => {
                write_time(out, time, *due);
                out.option_text(error.as_deref());
            }
            Self::DeadLetter { reason } => out.text(reason),
            Self::Extend { until } => write_time(out, time, *until),
            Self::Ack | Self::Release | Self::Start => {}
        }
    }

    fn read(kind: u8, time: Time, from: &mut Reader) -> Self {
        match kind {
            RETRY => Self::Retry { due: read_time(from, time), error: from.option_text(limits::NOTE_BYTES_MAX) },
            DEAD_LETTER => Self::DeadLetter { reason: from.text(limits::NOTE_BYTES_MAX) },
            EXTEND => Self::Extend { until: read_time(from, time) },
            RELEASE => Self::Release,
            START => Self::Start,
            _ => Self::Ack,
        }
    }
}

fn write_queue(out: &mut Writer, kind: u8, queue: QueueId) {
    out.byte(kind);
    out.number(u64::from(queue));
}

fn write_run(out: &mut Writer, first: MessageId, count: u32) {
    out.number(first.number());
    out.number(u64::from(first.index()));
    out.number(u64::from(count));
}

fn read_run(from: &mut Reader) -> (MessageId, u32) {
    let (number, index, count) = (from.number(), from.small(), from.small());
    let first = MessageId::new(number, index);
    from.check(first.is_some(), "message id");
    let index = index.min(MessageId::INDEX_MAX);
    from.check(count > 0 && count <= MessageId::INDEX_MAX + 1 - index, "run");
    (first.unwrap_or(MessageId(0)), count)
}

/// 0 stays 0 (none); a time behind the record's own is as good as the record's own.
fn write_time(out: &mut Writer, time: Time, value: Time) {
    out.option((value != 0).then(|| value.saturating_sub(time)));
}

fn read_time(from: &mut Reader, time: Time) -> Time {
    from.option(u64::MAX, "time").map_or(0, |distance| time.saturating_add(distance))
}
