//! How a queue delivers: what its first opener set, kept with the queue.

use super::{FormatError, Reader, Writer};
use crate::{id::NEVER, limits};

/// What a send does when the queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// It waits for room.
    Wait,
    /// It is refused.
    Reject,
    /// The oldest messages that no one holds are dropped for it.
    DropOldest,
    /// It is dropped itself.
    DropNewest,
}

/// Wait before a retry that names no delay: `base * factor^(attempt - 1)`, at most `max`, then `jitter` of it at random
/// taken off or added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backoff {
    pub base_ms: u64,
    /// Thousandths.
    pub factor: u32,
    pub max_ms: u64,
    /// Thousandths.
    pub jitter: u32,
}

/// A queue's delivery policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    pub visibility_ms: u64,
    /// Deliveries after the first; `u32::MAX`: no limit.
    pub max_retries: u32,
    pub backoff: Backoff,
    pub delay_ms: u64,
    /// [`NEVER`]: messages do not grow too old.
    pub retention_ms: u64,
    /// How long an idempotency key is remembered.
    pub window_ms: u64,
    pub capacity_messages: u64,
    /// `u64::MAX`: no limit.
    pub capacity_bytes: u64,
    pub overflow: Overflow,
    pub dead_letter_queue: Option<Box<str>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            visibility_ms: 30_000,
            max_retries: 3,
            backoff: Backoff { base_ms: 1000, factor: 2000, max_ms: 300_000, jitter: 300 },
            delay_ms: 0,
            retention_ms: NEVER,
            window_ms: 300_000,
            capacity_messages: 1_000_000,
            capacity_bytes: u64::MAX,
            overflow: Overflow::Wait,
            dead_letter_queue: None,
        }
    }
}

impl Policy {
    /// The policy of a dead-letter queue made by default: it keeps what it has until someone acks, redrives or purges.
    pub fn keeper() -> Self {
        Self { max_retries: u32::MAX, ..Self::default() }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.number(self.visibility_ms);
        out.number(u64::from(self.max_retries));
        out.number(self.backoff.base_ms);
        out.number(u64::from(self.backoff.factor));
        out.number(self.backoff.max_ms);
        out.number(u64::from(self.backoff.jitter));
        out.number(self.delay_ms);
        out.number(self.retention_ms);
        out.number(self.window_ms);
        out.number(self.capacity_messages);
        out.number(self.capacity_bytes);
        out.byte(self.overflow as u8);
        out.option_text(self.dead_letter_queue.as_deref());
    }

    pub(super) fn read(from: &mut Reader) -> Result<Self, FormatError> {
        Ok(Self {
            visibility_ms: from.number()?,
            max_retries: from.small()?,
            backoff: Backoff {
                base_ms: from.number()?,
                factor: from.small()?,
                max_ms: from.number()?,
                jitter: from.small()?,
            },
            delay_ms: from.number()?,
            retention_ms: from.number()?,
            window_ms: from.number()?,
            capacity_messages: from.number()?,
            capacity_bytes: from.number()?,
            overflow: match from.byte()? {
                0 => Overflow::Wait,
                1 => Overflow::Reject,
                2 => Overflow::DropOldest,
                3 => Overflow::DropNewest,
                _ => return Err(FormatError::Newer),
            },
            dead_letter_queue: from.option_text(limits::NAME_BYTES_MAX)?,
        })
    }
}

impl Writer {
    pub fn policy(&mut self, policy: &Policy) {
        policy.write(self);
    }
}

impl Reader<'_> {
    pub fn policy(&mut self) -> Result<Policy, FormatError> {
        Policy::read(self)
    }
}
