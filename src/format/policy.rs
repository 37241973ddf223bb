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
    /// Places among the numbers of those that are less than 2^32.
    pub const MAX_RETRIES: usize = 1;
    pub const FACTOR: usize = 3;
    pub const JITTER: usize = 5;

    /// The policy of a dead-letter queue made by default: it keeps what it has until someone acks, redrives or purges.
    pub fn keeper() -> Self {
        Self { max_retries: u32::MAX, ..Self::default() }
    }

    /// Its numbers in the order they are written in.
    pub fn numbers(&self) -> [u64; 11] {
        let Backoff { base_ms, factor, max_ms, jitter } = self.backoff;
        [
            self.visibility_ms,
            u64::from(self.max_retries),
            base_ms,
            u64::from(factor),
            max_ms,
            u64::from(jitter),
            self.delay_ms,
            self.retention_ms,
            self.window_ms,
            self.capacity_messages,
            self.capacity_bytes,
        ]
    }

    /// What numbers in that order say.
    pub fn of(numbers: [u64; 11], overflow: Overflow, dead_letter_queue: Option<Box<str>>) -> Self {
        let [
            visibility_ms,
            max_retries,
            base_ms,
            factor,
            max_ms,
            jitter,
            delay_ms,
            retention_ms,
            window_ms,
            capacity_messages,
            capacity_bytes,
        ] = numbers;
        let small = |value: u64| value.min(u32::MAX.into()) as u32;
        let backoff = Backoff { base_ms, factor: small(factor), max_ms, jitter: small(jitter) };
        Self {
            visibility_ms,
            max_retries: small(max_retries),
            backoff,
            delay_ms,
            retention_ms,
            window_ms,
            capacity_messages,
            capacity_bytes,
            overflow,
            dead_letter_queue,
        }
    }
}

impl Overflow {
    /// By its number; `None`: a newer version's.
    pub fn of(number: u8) -> Option<Self> {
        [Self::Wait, Self::Reject, Self::DropOldest, Self::DropNewest].get(number as usize).copied()
    }
}

impl Writer {
    pub fn policy(&mut self, policy: &Policy) {
        for number in policy.numbers() {
            self.number(number);
        }
        self.byte(policy.overflow as u8);
        self.option_text(policy.dead_letter_queue.as_deref());
    }
}

impl Reader<'_> {
    pub fn policy(&mut self) -> Policy {
        let mut numbers = [0; 11];
        for (place, number) in numbers.iter_mut().enumerate() {
            let small = [Policy::MAX_RETRIES, Policy::FACTOR, Policy::JITTER].contains(&place);
            *number = if small { self.small().into() } else { self.number() };
        }
        let overflow = Overflow::of(self.byte()).unwrap_or_else(|| {
            self.fail(FormatError::Newer);
            Overflow::Wait
        });
        Policy::of(numbers, overflow, self.option_text(limits::NAME_BYTES_MAX))
    }
}
