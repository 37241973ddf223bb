//! The host's end for one client: what it may do is checked, what it holds is known, and what it is told is numbered.

use super::{
    Span,
    credit::{self, Flying},
    take,
};
use crate::{
    id::MessageId,
    wire::LENGTHS_MAX,
    wire::{Answer, Ask, Bad, Delivery, Failure, Frame, Order, Row, Sending, Welcome},
};

/// What a client may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allow {
    pub send: bool,
    pub receive: bool,
    pub admin: bool,
}

/// Frames of a client that were refused before its port is closed.
const STRIKES_MAX: u32 = 3;
/// A frame with so many rows or lengths is full: whatever is added to it still fits.
const ROWS_FULL: usize = 1024;
const LENGTHS_FULL: usize = LENGTHS_MAX / 4;
/// Receives one client may have waiting.
const RECEIVES_MAX: usize = 1 << 14;
/// Frames the client may leave unheard before it is told no more events.
const UNHEARD_MAX: u64 = 256;

pub struct Host {
    allow: Allow,
    number: u64,
    heard: u64,
    /// The last of our frames that the client has heard.
    known: u64,
    strikes: u32,
    flying: Flying,
    /// Leases the client holds: what it was given for a receive, and what it was sent ahead and may not have handed out.
    held: Vec<Span>,
    ahead: Vec<Span>,
    receives: Vec<(u32, bool)>,
    /// Settlements that are carried out in parts: how many of these have no answer.
    settling: Vec<(u32, usize)>,
    listening: bool,
    rows: Vec<Row>,
    lengths: Vec<u32>,
}

impl Host {
    pub fn new(allow: Allow) -> Self {
        Self {
            allow,
            number: 0,
            heard: 0,
            known: 0,
            strikes: 0,
            flying: Flying::new(credit::MESSAGES, credit::BYTES),
            held: Vec::new(),
            ahead: Vec::new(),
            receives: Vec::new(),
            settling: Vec::new(),
            listening: false,
            rows: Vec::new(),
            lengths: Vec::new(),
        }
    }

    /// Takes in a frame, with so many texts and values beside it: its orders, to be carried out one by one. What is not
    /// allowed is answered here, and skipped. A frame that is refused has changed nothing.
    pub fn hear(&mut self, frame: &Frame, texts: usize, values: usize) -> Result<Vec<Order>, Bad> {
        if frame.number != self.heard + 1 || frame.heard > self.number || frame.heard < self.known {
            return Err(Bad::OutOfOrder);
        }
        let mut orders = Vec::with_capacity(frame.rows.len());
        let (mut its_texts, mut its_values) = (0, 0);
        let mut lengths = frame.lengths.as_slice();
        for row in &frame.rows {
            let mut order = Order::read(row)?;
            if let Order::Send(sending) = &mut order {
                let (own, rest) = lengths.split_at_checked(sending.lengths()).ok_or(Bad::Malformed("lengths"))?;
                lengths = rest;
                if sending.listed {
                    sending.sizes = own.iter().take(sending.sizes.count() as usize).map(|&size| size.into()).collect();
                }
            }
            let (texts, values) = order.beside();
            (its_texts, its_values) = (its_texts + texts, its_values + values);
            orders.push(order);
        }
        if (its_texts, its_values) != (texts, values) || !lengths.is_empty() {
            return Err(Bad::Malformed("what goes along"));
        }
        self.check(&orders)?;
        (self.heard, self.known) = (frame.number, frame.heard);
        let mut admitted = Vec::with_capacity(orders.len());
        for order in orders {
            self.admit(order, &mut admitted);
        }
        Ok(admitted)
    }

    /// The number of the last frame heard.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// A frame was refused. True: it was one too many.
    pub fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes >= STRIKES_MAX
    }

    /// What a frame as a whole must keep to.
    fn check(&self, orders: &[Order]) -> Result<(), Bad> {
        let mut credit = self.flying.credit;
        let (mut batch, mut units, mut messages) = (0, 0, 0);
        let mut receives = self.receives.len();
        for order in orders {
            receives += usize::from(matches!(order, Order::Receive { .. }));
            let Order::Send(sending) = order else { continue };
            let count = sending.sizes.count();
            batch = match sending.kind {
                1 => u32::checked_sub(batch, count).ok_or(Bad::Malformed("batch"))?,
                _ if batch > 0 => return Err(Bad::Malformed("batch")),
                2 => sending.more,
                _ => 0,
            };
            units += u32::from(sending.kind != 1);
            messages += if sending.kind == 0 { count } else { 0 };
            credit.take(count, sending.sizes.total());
        }
        if batch > 0 {
            return Err(Bad::Malformed("batch"));
        }
        // One message, or one batch, may be as large as it is.
        let single = self.flying.credit.is_idle() && units == 1 && messages <= 1;
        if !credit.is_kept(single) {
            return Err(Bad::Malformed("credit"));
        }
        if receives > RECEIVES_MAX { Err(Bad::Malformed("receives")) } else { Ok(()) }
    }

    /// The order as far as this client may give it.
    fn admit(&mut self, order: Order, admitted: &mut Vec<Order>) {
        let Allow { send, receive, admin } = self.allow;
        let allowed = match order {
            Order::Send(Sending { token, ref sizes, .. }) => {
                let count = sizes.count();
                self.flying.push(token, sizes.clone());
                if !send {
                    self.refused(token, FORBIDDEN, count);
                }
                send
            }
            Order::Receive { token, ahead, .. } => {
                if receive {
                    self.receives.push((token, ahead));
                } else {
                    self.forbid(token);
                }
                receive
            }
            Order::Settle { .. } => return self.settle(&order, admitted),
            Order::Started { first, count, grant } => {
                let mut started = take(&mut self.ahead, first, count, grant);
                self.held.append(&mut started);
                false
            }
            Order::Ask { token, ask } => {
                let allowed = (admin || !ask.is_admin()) && (receive || admin || !matches!(ask, Ask::Peek { .. }));
                if !allowed {
                    self.forbid(token);
                }
                allowed
            }
            Order::Listen(some) => {
                self.listening = some;
                true
            }
            _ => true,
        };
        if allowed {
            return admitted.push(order);
        }
        let (texts, values) = order.beside();
        admitted.push(Order::Skip { texts, values });
    }

    /// A settlement of what the client holds; the rest is lost, whatever the client thinks.
    fn settle(&mut self, order: &Order, admitted: &mut Vec<Order>) {
        let &Order::Settle { token, kind, first, count, grant, argument, text } = order else { return };
        let mut spans = take(&mut self.held, first, count, grant);
        spans.append(&mut take(&mut self.ahead, first, count, grant));
        let mut cursor = first;
        let mut parts = Vec::new();
        // They come in no order, and are few.
        while let Some(at) = (0..spans.len()).min_by_key(|&at| spans[at].first) {
            let span = spans.swap_remove(at);
            if span.first > cursor {
                self.lost(token, cursor, span.first.since(cursor));
            }
            cursor = span.first.plus(span.count);
            parts.push(span);
        }
        if cursor < first.plus(count) {
            self.lost(token, cursor, first.plus(count).since(cursor));
        }
        if kind == EXTEND {
            self.held.extend_from_slice(&parts);
        }
        if parts.is_empty() {
            self.push(&Answer::Done { token, value: 0.0 });
            admitted.push(Order::Skip { texts: usize::from(text), values: 0 });
        }
        let mut left = parts.len();
        if left > 1 {
            self.settling.push((token, left));
        }
        for Span { first, count, grant } in parts {
            left -= 1;
            // The text goes along once, with the last.
            let text = text && left == 0;
            admitted.push(Order::Settle { token, kind, first, count, grant, argument, text });
        }
    }

    fn forbid(&mut self, token: u32) {
        self.push(&Answer::Failed { token, failure: Failure::Forbidden, place: 0, count: 0 });
    }

    fn push(&mut self, answer: &Answer) {
        self.rows.push(answer.write());
    }

    /// Takes in what is to be told, with the lengths that say how its bodies lie.
    pub fn answer(&mut self, answer: &Answer, lengths: &[u32]) {
        match *answer {
            Answer::Sent { token, count, .. } | Answer::Refused { token, count, .. } => {
                self.flying.answered(token, count)
            }
            Answer::Failed { token, count, .. } if count > 0 => self.flying.answered(token, count),
            Answer::Duplicate { token, .. } => self.flying.answered(token, 1),
            Answer::Delivered(Delivery { token, first, count, grant, .. }) => {
                let ahead = self.receives.iter().any(|&(known, ahead)| known == token && ahead);
                let spans = if ahead { &mut self.ahead } else { &mut self.held };
                spans.push(Span { first, count, grant });
                self.lengths.extend_from_slice(lengths);
            }
            Answer::Received { token } | Answer::Failed { token, .. } => {
                // A send that failed is over as a whole; a receive has no such token.
                self.flying.answered(token, u32::MAX);
                self.receives.retain(|&(known, _)| known != token);
                self.settling.retain(|&(known, _)| known != token);
            }
            Answer::Done { token, .. } if self.goes_on(token) => return,
            Answer::LeaseLost { first, count, grant } => return self.lease_lost(first, count, grant),
            Answer::Welcome(ref welcome) => {
                let (messages, bytes) = (self.flying.credit.messages_max, self.flying.credit.bytes_max);
                return self.push(&Answer::Welcome(Welcome { messages, bytes, ..*welcome }));
            }
            _ => {}
        }
        self.push(answer);
    }

    /// A part of a settlement is over; whether others are not.
    fn goes_on(&mut self, token: u32) -> bool {
        let Some(at) = self.settling.iter().position(|&(known, _)| known == token) else { return false };
        self.settling[at].1 -= 1;
        if self.settling[at].1 == 0 {
            self.settling.swap_remove(at);
            return false;
        }
        true
    }

    fn refused(&mut self, token: u32, why: u8, count: u32) {
        self.answer(&Answer::Refused { token, why, count }, &[]);
    }

    fn lost(&mut self, token: u32, first: MessageId, count: u32) {
        self.push(&Answer::Lost { token, first, count });
    }

    /// A lease ended; told as far as the client held it.
    fn lease_lost(&mut self, first: MessageId, count: u32, grant: u64) {
        let mut spans = take(&mut self.held, first, count, grant);
        spans.append(&mut take(&mut self.ahead, first, count, grant));
        for Span { first, count, grant } in spans {
            self.push(&Answer::LeaseLost { first, count, grant });
        }
    }

    /// Whether the client is told of events: it listens, and has kept up.
    pub fn tells_events(&self) -> bool {
        self.listening && self.number - self.known < UNHEARD_MAX
    }

    /// Whether the next frame should go before anything is added to it.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_FULL || self.lengths.len() >= LENGTHS_FULL
    }

    /// Makes a frame of all answers; none: there are none.
    pub fn frame(&mut self, time: f64) -> Option<Frame> {
        if self.rows.is_empty() {
            return None;
        }
        self.number += 1;
        let (rows, lengths) = (core::mem::take(&mut self.rows), core::mem::take(&mut self.lengths));
        Some(Frame { number: self.number, heard: self.heard, time, rows, lengths })
    }

    /// Whether the client has leases.
    pub fn holds(&self) -> bool {
        !self.held.is_empty() || !self.ahead.is_empty()
    }

    /// The client is gone, or taken for it: what it held, and what it held without having handed it out. `tell`: it will hear of it.
    pub fn end(&mut self, tell: bool) -> [Vec<Span>; 2] {
        let spans = [core::mem::take(&mut self.held), core::mem::take(&mut self.ahead)];
        for &Span { first, count, grant } in spans.iter().flatten().filter(|_| tell) {
            self.push(&Answer::LeaseLost { first, count, grant });
        }
        spans
    }
}

/// Why a send is refused that is not allowed.
const FORBIDDEN: u8 = 6;
/// The settlement after which a lease goes on.
const EXTEND: u8 = 3;
