//! The client: what its context asks for, as frames; what the host says, as effects.

use super::{
    Span,
    ahead::Ahead,
    credit::{Credit, Flying},
    pieces::{Parts, pieces},
};
use crate::{
    limits,
    peer::{Effect, Why},
    wire::{Answer, Bad, Bodies, Delivery, Frame, Order, Sending, Welcome},
};

/// What to tell the client's context.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    Effect(Effect),
    /// Bodies that came beside the frame, in its order: to be kept until their messages are settled.
    Arrived(Delivery),
    /// Bodies that nobody here is given: their messages are not held under that lease any more.
    Gone(Span),
    /// What only the context can make sense of, with what goes along.
    Answer(Answer),
}

/// A receive that has not been answered.
#[derive(Clone, Copy)]
struct Demand {
    token: u32,
    max: u32,
    /// With the queue's own lease: any message will do.
    plain: bool,
    lease_ms: f64,
    /// Until there is one, or it is called off.
    wait: bool,
    /// It was given something.
    given: bool,
}

/// The token under which more is asked for than anyone wants yet.
const AHEAD: u32 = u32::MAX;

#[derive(Default)]
pub struct Client {
    number: u64,
    /// The last of our frames that the host has heard.
    known: u64,
    heard: u64,
    /// What was heard last time we said so.
    told: u64,
    visibility_ms: f64,
    /// With no credit nothing is sent: none comes before the host's welcome.
    flying: Flying,
    pending: Vec<(Order, Option<Box<str>>)>,
    /// What the frame being made brings: orders with their texts, sends without their bodies.
    leaving: Vec<(Order, Option<Box<str>>)>,
    /// Sends of which a part is under way and the rest was called off: token and count of that.
    withdrawn: Vec<(u32, u32)>,
    /// Receives that have not been answered.
    demands: Vec<Demand>,
    ahead: Ahead,
    notices: Vec<Notice>,
    /// The host wants a word.
    asked: bool,
}

impl Client {
    fn push(&mut self, order: Order, text: Option<Box<str>>) {
        self.pending.push((order, text));
    }

    /// Takes in what the context asks for, with the text that goes along. The bodies of sends are asked for when their frame
    /// is made. False, of [`Order::Unsend`] alone: it is not here any more, and called off at the host if that is in time.
    pub fn order(&mut self, order: Order, text: Option<Box<str>>, now: u64) -> bool {
        match order {
            Order::Unsend { token } => return self.unsend(token),
            Order::Receive { token, max, lease_ms, wait, .. } => self.receive(token, max, lease_ms, wait, now),
            Order::Unreceive { token } => self.unreceive(token),
            Order::Bye => {
                self.give_back(now, true);
                self.push(order, None);
            }
            other => self.push(other, text),
        }
        true
    }

    fn unsend(&mut self, token: u32) -> bool {
        let here = |order: &Order| matches!(order, Order::Send(sending) if sending.token == token);
        let mut rest = 0;
        for (order, _) in &self.pending {
            if let Order::Send(sending) = order
                && here(order)
            {
                rest += sending.sizes.count();
            }
        }
        let found = self.forget(&here);
        if self.flying.has(token) {
            self.push(Order::Unsend { token }, None);
            if rest > 0 {
                self.withdrawn.push((token, rest));
            }
            return false;
        }
        found
    }

    /// What was called off here before it went is told once those before it have their answers.
    fn tell_withdrawn(&mut self, token: u32) {
        if self.flying.has(token) {
            return;
        }
        while let Some(at) = self.withdrawn.iter().position(|&(known, _)| known == token) {
            let (token, count) = self.withdrawn.remove(at);
            self.notices.push(Notice::Effect(Effect::Refused { token, why: Why::Withdrawn, count }));
        }
    }

    /// Drops the orders of that kind that are still here; true: there were some.
    fn forget(&mut self, which: &dyn Fn(&Order) -> bool) -> bool {
        let before = self.pending.len();
        while let Some(at) = self.pending.iter().position(|(order, _)| which(order)) {
            self.pending.remove(at);
        }
        self.pending.len() < before
    }

    fn receive(&mut self, token: u32, max: u32, lease_ms: f64, wait: bool, now: u64) {
        let plain = lease_ms <= 0.0;
        self.demands.push(Demand { token, max, plain, lease_ms, wait, given: false });
        let more = if plain { self.ahead.ask(max, now) } else { 0 };
        self.serve(now);
        if self.demands.iter().any(|demand| demand.token == token) {
            self.push(Order::Receive { token, max, lease_ms, wait, ahead: plain }, None);
        }
        if more > 0 {
            self.ahead.asked = true;
            let lease_ms = self.visibility_ms + (limits::PREFETCH_IDLE_MS * 2) as f64;
            self.push(Order::Receive { token: AHEAD, max: more, lease_ms, wait: false, ahead: true }, None);
        }
    }

    /// Answers receives out of what is here, in their order: whatever a message was asked for by, they are handed out as they
    /// came.
    fn serve(&mut self, now: u64) {
        self.release_stale(now);
        while let Some(at) = self.demands.iter().position(|demand| demand.plain) {
            let Demand { token, max, .. } = self.demands[at];
            let mut left = max;
            while left > 0
                && let Some(delivery) = self.ahead.hand_out(left)
            {
                left -= delivery.count;
                let Delivery { first, count, grant, .. } = delivery;
                self.push(Order::Started { first, count, grant }, None);
                self.notices.push(Notice::Effect(delivered(token, delivery)));
            }
            if left == max {
                return;
            }
            self.demands.remove(at);
            self.notices.push(Notice::Effect(Effect::Received { token }));
        }
    }

    fn unreceive(&mut self, token: u32) {
        if self.forget(&|order| matches!(order, Order::Receive { token: known, .. } if *known == token)) {
            self.answered(token);
        } else {
            if let Some(demand) = self.demands.iter_mut().find(|demand| demand.token == token) {
                demand.wait = false;
            }
            self.push(Order::Unreceive { token }, None);
        }
    }

    /// What nobody can be given for long enough any more goes back: here it would run out, and count as an attempt.
    fn release_stale(&mut self, now: u64) {
        while let Some(stale) = self.ahead.stale(now as f64 + self.visibility_ms / 2.0) {
            self.release(stale);
        }
    }

    fn give_back(&mut self, now: u64, all: bool) {
        if all || !self.demanded() {
            if !self.ahead.asked {
                self.release_stale(now);
            }
            for delivery in self.ahead.give_back(now, all) {
                self.release(delivery);
            }
        }
    }

    /// Whether someone waits for any message: what is here is for them, and more of it is on its way.
    fn demanded(&self) -> bool {
        self.demands.iter().any(|demand| demand.plain)
    }

    /// Gives back what nobody here was given.
    fn release(&mut self, Delivery { first, count, grant, .. }: Delivery) {
        let (token, argument) = (AHEAD, 0.0);
        self.push(Order::Settle { token, kind: RELEASE, first, count, grant, argument, text: false }, None);
        self.notices.push(Notice::Gone(Span { first, count, grant }));
    }

    /// Chooses what goes with the next frame. False: nothing does. Its bodies are those of [`Client::sends`].
    pub fn plan(&mut self, now: u64) -> bool {
        self.give_back(now, false);
        let mut blocked = false;
        let mut room = FRAME_BYTES;
        for (order, text) in core::mem::take(&mut self.pending) {
            let part = matches!(&order, Order::Send(sending) if sending.kind == 1);
            // What belongs together stays together.
            let full = (self.leaving.len() >= ORDERS_MAX || room == 0) && !part;
            let Order::Send(sending) = order else {
                if full {
                    self.pending.push((order, text))
                } else {
                    self.leaving.push((order, text))
                }
                continue;
            };
            blocked |= full;
            let going = if blocked { 0 } else { self.going(&sending, room) };
            if going > 0 {
                let rest = self.depart(sending, going, text, &mut room);
                blocked |= rest.is_some();
                if let Some(rest) = rest {
                    self.pending.push(rest);
                }
            } else {
                blocked = true;
                self.pending.push((Order::Send(sending), text));
            }
        }
        // The host is told what was heard from time to time, even if there is nothing else to say.
        !self.leaving.is_empty() || self.asked || self.heard - self.told >= HEARD_UNTOLD_MAX
    }

    /// How many messages of a send may go in a frame that has so much `room` for bytes.
    fn going(&self, sending: &Sending, room: u64) -> u32 {
        match sending.kind {
            0 => self.flying.credit.fits(&sending.sizes).min(sending.sizes.fitting(room).max(1)),
            // The parts of a batch go with its first.
            1 => sending.sizes.count(),
            _ => {
                let (count, bytes) = (sending.sizes.count(), sending.sizes.total());
                let fits = self.flying.credit.holds(count + sending.more, bytes + sending.more_bytes);
                if fits { count } else { 0 }
            }
        }
    }

    /// Takes the first `count` messages under way; answers the rest.
    fn depart(
        &mut self,
        mut rest: Sending,
        count: u32,
        key: Option<Box<str>>,
        room: &mut u64,
    ) -> Option<(Order, Option<Box<str>>)> {
        let sending = Sending { sizes: rest.sizes.split_front(count), ..rest.clone() };
        *room = room.saturating_sub(sending.sizes.total());
        self.flying.push(sending.token, sending.sizes.clone());
        let rest = (rest.sizes.count() > 0).then_some(rest);
        self.leaving.push((Order::Send(sending), key));
        rest.map(|rest| (Order::Send(rest), None))
    }

    /// Whose bodies go along: token and count.
    pub fn sends(&self) -> Vec<(u32, u32)> {
        let mut sends = Vec::new();
        for (order, _) in &self.leaving {
            if let Order::Send(sending) = order {
                sends.push((sending.token, sending.sizes.count()));
            }
        }
        sends
    }

    /// Makes the frame that was planned. `parts` says how the bodies of [`Client::sends`] lie beside it: pieces with their
    /// counts; each is a send of its own.
    pub fn frame(&mut self, parts: &[(u32, Bodies)], lengths: Vec<u32>) -> (Frame, Vec<Box<str>>) {
        self.number += 1;
        (self.told, self.asked) = (self.heard, false);
        let mut frame = Frame { number: self.number, heard: self.heard, ..Frame::default() };
        let mut texts = Vec::new();
        let mut parts = Parts { parts: parts.iter(), lengths: lengths.into_iter() };
        for (order, text) in core::mem::take(&mut self.leaving) {
            match order {
                Order::Send(sending) => pieces(sending, &mut parts, &mut frame),
                other => frame.rows.push(other.write()),
            }
            if let Some(text) = text {
                texts.push(text);
            }
        }
        (frame, texts)
    }

    /// Takes in a frame from the host. It has changed nothing when it is refused.
    pub fn hear(&mut self, frame: &Frame, now: u64) -> Result<(), Bad> {
        if frame.number != self.heard + 1 || frame.heard > self.number {
            return Err(Bad::OutOfOrder);
        }
        let mut answers = Vec::with_capacity(frame.rows.len());
        for row in &frame.rows {
            answers.push(Answer::read(row)?);
        }
        (self.heard, self.known) = (frame.number, frame.heard);
        let ahead = now as f64 - frame.time;
        for answer in answers {
            self.take_in(answer, ahead, now);
        }
        Ok(())
    }

    /// The number of the last frame made.
    pub fn said(&self) -> u64 {
        self.number
    }

    /// The number of the last frame made that the host has heard, as far as is known.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// The number of the last frame heard.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// `ahead`: how far the clock here is ahead of the host's.
    fn take_in(&mut self, answer: Answer, ahead: f64, now: u64) {
        let effect = match answer {
            Answer::Sent { token, first, count } => {
                return self.answered_send(token, count, Effect::Sent { token, first, count });
            }
            Answer::Refused { token, why, count } => {
                return self.answered_send(token, count, Effect::Refused { token, why: Why::from(why), count });
            }
            Answer::Duplicate { token, id } => {
                return self.answered_send(token, 1, Effect::Duplicate { token, id });
            }
            Answer::Delivered(delivery) => {
                return self.arrived(Delivery { until: delivery.until + ahead, ..delivery });
            }
            Answer::Received { token } => return self.received(token, now),
            Answer::Lost { token, .. } | Answer::Done { token, .. } if token == AHEAD => return,
            Answer::Lost { token, first, count } => Effect::Lost { token, first, count },
            Answer::Done { token, value } => Effect::Done { token, value: value as u64 },
            Answer::LeaseLost { first, count, grant } => {
                for Delivery { first, count, grant, .. } in self.ahead.forget(first, count, grant) {
                    self.notices.push(Notice::Gone(Span { first, count, grant }));
                }
                Effect::LeaseLost { queue: 0, first, count, grant }
            }
            Answer::Dropped { first, count, cause } => Effect::Dropped { queue: 0, first, count, cause: cause.into() },
            Answer::Gone => Effect::QueueGone { queue: 0 },
            Answer::Welcome(Welcome { visibility_ms, messages, bytes, .. }) => {
                self.visibility_ms = visibility_ms;
                self.flying.credit = Credit::new(messages, bytes);
                return self.notices.push(Notice::Answer(answer));
            }
            Answer::Failed { token, count, .. } if count > 0 => {
                self.flying.answered(token, count);
                self.notices.push(Notice::Answer(answer));
                return self.tell_withdrawn(token);
            }
            Answer::Failed { token, .. } => {
                // Of a send, too, nothing more comes, and the rest of it need not go.
                self.flying.answered(token, u32::MAX);
                self.unsend(token);
                self.demand_over(token);
                self.ahead.asked &= token != AHEAD;
                self.serve(now);
                return self.notices.push(Notice::Answer(answer));
            }
            Answer::Ping => {
                self.asked = true;
                return;
            }
            other => return self.notices.push(Notice::Answer(other)),
        };
        self.notices.push(Notice::Effect(effect));
    }

    fn answered_send(&mut self, token: u32, count: u32, effect: Effect) {
        self.flying.answered(token, count);
        self.notices.push(Notice::Effect(effect));
        self.tell_withdrawn(token);
    }

    fn arrived(&mut self, delivery: Delivery) {
        self.notices.push(Notice::Arrived(delivery));
        let mut own = false;
        if let Some(demand) = self.demands.iter_mut().find(|demand| demand.token == delivery.token) {
            own = !demand.plain;
            demand.given |= own;
        }
        if own {
            self.notices.push(Notice::Effect(delivered(delivery.token, delivery)));
        } else {
            self.ahead.add(delivery);
        }
    }

    /// All that was asked for under a token is here.
    fn received(&mut self, token: u32, now: u64) {
        if token == AHEAD {
            self.ahead.came(now);
        }
        self.serve(now);
        if !self.asks_again(token) {
            self.answered(token);
        }
    }

    /// Whoever waits and was given nothing goes on waiting: what came for it was handed out to someone who had asked before, or
    /// the host took it for gone.
    fn asks_again(&mut self, token: u32) -> bool {
        let known = self.demands.iter().find(|demand| demand.token == token);
        let Some(&Demand { max, plain, lease_ms, .. }) = known.filter(|demand| demand.wait && !demand.given) else {
            return false;
        };
        self.push(Order::Receive { token, max, lease_ms, wait: true, ahead: plain }, None);
        true
    }

    /// A receive has all it gets, unless it was told so before.
    fn answered(&mut self, token: u32) {
        if self.demand_over(token) {
            self.notices.push(Notice::Effect(Effect::Received { token }));
        }
    }

    /// Nobody waits under this token any more; false: nobody did.
    fn demand_over(&mut self, token: u32) -> bool {
        let at = self.demands.iter().position(|demand| demand.token == token);
        at.map(|at| self.demands.remove(at)).is_some()
    }

    pub fn notices(&mut self) -> Vec<Notice> {
        core::mem::take(&mut self.notices)
    }

    /// When to make a frame though nobody asked; `u64::MAX`: no need.
    pub fn deadline(&self) -> u64 {
        if self.demanded() {
            return u64::MAX;
        }
        self.ahead.deadline().min(self.ahead.stale_at(self.visibility_ms / 2.0))
    }

    /// Whether sends wait for credit.
    pub fn is_blocked(&self) -> bool {
        self.pending.iter().any(|(order, _)| matches!(order, Order::Send(_)))
    }

    /// Whether an answer is awaited.
    pub fn waiting(&self) -> bool {
        !self.flying.is_empty() || !self.demands.is_empty() || !self.pending.is_empty()
    }
}

/// Orders of one frame, and bytes of its bodies; more go with the next.
const ORDERS_MAX: usize = 1024;
const FRAME_BYTES: u64 = 1 << 20;
/// The settlement that gives back, as at the door of the engine.
const RELEASE: u8 = 4;
/// So many frames of the host may be heard without a word.
const HEARD_UNTOLD_MAX: u64 = 16;

fn delivered(token: u32, delivery: Delivery) -> Effect {
    let Delivery { first, count, grant, until, attempt, sent, .. } = delivery;
    let (until, sent) = (until as u64, sent as u64);
    Effect::Delivered { token, first, count, grant, until, attempt, sent, chunk: None }
}
