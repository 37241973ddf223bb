//! The two ends of a served queue, sans I/O: a [`Client`] makes orders of what its context asks for, a [`Host`] checks what
//! comes from one client and answers it. What carries their frames is not their business.
//!
//! Both count: every frame has its number, a client has only so many messages and bytes under way (its credit), and leases
//! only so many messages before they are asked for. Whatever breaks the rules is refused before it does anything.

mod ahead;
mod client;
mod credit;
mod host;
mod pieces;

use crate::id::MessageId;
pub use client::{Client, Notice};
pub use host::{Allow, Host};

/// A run of messages under one lease.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    pub first: MessageId,
    pub count: u32,
    pub grant: u64,
}

/// Takes `first..first + count` of a lease out of spans, and answers what was there.
fn take(spans: &mut Vec<Span>, first: MessageId, count: u32, grant: u64) -> Vec<Span> {
    let end = first.plus(count);
    let mut taken = Vec::new();
    let mut at = 0;
    while let Some(span) = spans.get(at).copied() {
        let (start, stop) = (span.first, span.first.plus(span.count));
        let (from, to) = (start.max(first), stop.min(end));
        if span.grant != grant || from >= to {
            at += 1;
            continue;
        }
        let part = |from: MessageId, to: MessageId| Span { first: from, count: to.since(from), grant };
        taken.push(part(from, to));
        spans.swap_remove(at);
        if start < from {
            spans.push(part(start, from));
        }
        if to < stop {
            spans.push(part(to, stop));
        }
    }
    taken
}
