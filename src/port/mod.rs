//! The two ends of a served queue, sans I/O: a [`Client`] makes orders of what its context asks for, a [`Host`] checks what
//! comes from one client and answers it. What carries their frames is not their business.
//!
//! Both count: every frame has its number, a client has only so many messages and bytes under way (its credit), and leases
//! only so many messages before they are asked for. Whatever breaks the rules is refused before it does anything.

mod ahead;
mod client;
mod credit;
mod host;

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

impl Span {
    /// The part of it that lies in `first..first + count`, and what lies before and behind that.
    fn cut(self, first: MessageId, count: u32) -> (Option<Self>, [Option<Self>; 2]) {
        let (start, stop) = (self.first, self.first.plus(self.count));
        let (from, to) = (start.max(first), stop.min(first.plus(count)));
        if from >= to {
            return (None, [Some(self), None]);
        }
        let part = |from: MessageId, to: MessageId| {
            (from < to).then(|| Self { first: from, count: to.since(from), grant: self.grant })
        };
        (part(from, to), [part(start, from), part(to, stop)])
    }
}

/// Takes `first..first + count` of a lease out of spans, and answers what was there.
fn take(spans: &mut Vec<Span>, first: MessageId, count: u32, grant: u64) -> Vec<Span> {
    let mut taken = Vec::new();
    let mut at = 0;
    while at < spans.len() {
        let (inside, rest) = if spans[at].grant == grant { spans[at].cut(first, count) } else { (None, [None; 2]) };
        let Some(inside) = inside else {
            at += 1;
            continue;
        };
        taken.push(inside);
        spans.swap_remove(at);
        spans.extend(rest.into_iter().flatten());
    }
    taken
}
