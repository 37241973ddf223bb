//! What crosses to JavaScript: effects as rows of ten numbers, and statistics as objects.

use js_sys::Array;
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::{crossing::real, platform::set};
use crate::{
    border::{self, *},
    engine::{Cause, MessageState, Queue, Run, Standing, State},
    id::{MessageId, Time},
    peer::Effect,
};

const WIDTH: usize = border::WIDTH as usize;

/// Texts that rows refer to by their place. Mostly there are none.
#[derive(Default)]
pub struct Texts(Option<Array>);

impl Texts {
    /// Answers its place.
    pub fn push(&mut self, text: &str) -> u32 {
        self.0.get_or_insert_with(Array::new).push(&JsValue::from_str(text)) - 1
    }

    pub fn take(&mut self) -> Option<Array> {
        self.0.take()
    }
}

/// Adds a row, which starts with the effect's kind; what it does not use is 0.
pub fn push(rows: &mut Vec<f64>, effect: Effect, texts: &mut Texts) {
    let row: [f64; WIDTH] = match effect {
        Effect::Sent { token, first, count } => run(SENT, token, first, count, 0.0),
        Effect::Refused { token, why, count } => some(REFUSED, [token.into(), f64::from(why as u8), count.into(), 0.0]),
        Effect::Duplicate { token, id } => run(DUPLICATE, token, id, 1, 0.0),
        Effect::Delivered { token, first, count, grant, until, attempt, sent, chunk } => {
            let mut row = run(DELIVERED, token, first, count, real(grant));
            let chunk = chunk.map_or(-1.0, f64::from);
            row[6..].copy_from_slice(&[real(until), attempt.into(), real(sent), chunk]);
            row
        }
        Effect::Received { token } => some(RECEIVED, [token.into(), 0.0, 0.0, 0.0]),
        Effect::Lost { token, first, count } => run(LOST, token, first, count, 0.0),
        Effect::Done { token, value } => some(DONE, [token.into(), real(value), 0.0, 0.0]),
        Effect::Dead { queue, first, count, reason } => {
            let place = texts.push(&reason);
            run(DEAD, queue, first, count, place.into())
        }
        Effect::Dropped { queue, first, count, cause } => run(DROPPED, queue, first, count, f64::from(cause as u8)),
        Effect::Depth { queue, backlog } => some(DEPTH, [queue.into(), real(backlog), 0.0, 0.0]),
        Effect::Gone { first, count } => some(GONE, [real(first.number()), first.index().into(), count.into(), 0.0]),
        Effect::LeaseLost { queue, first, count, grant } => run(LEASE_LOST, queue, first, count, real(grant)),
        Effect::QueueGone { queue } => some(QUEUE_GONE, [queue.into(), 0.0, 0.0, 0.0]),
    };
    rows.extend_from_slice(&row);
}

fn run(kind: u32, whose: u32, first: MessageId, count: u32, more: f64) -> [f64; WIDTH] {
    let mut row = some(kind, [whose.into(), real(first.number()), first.index().into(), count.into()]);
    row[5] = more;
    row
}

fn some(kind: u32, [a, b, c, d]: [f64; 4]) -> [f64; WIDTH] {
    [kind.into(), a, b, c, d, 0.0, 0.0, 0.0, 0.0, 0.0]
}

/// An object for JavaScript, made property by property: a type of its own for each kind made 3 KB more wasm.
struct Object(JsValue);

impl Object {
    fn new() -> Self {
        Self(js_sys::Object::new().into())
    }

    fn add(&self, name: &str, value: &(impl Serialize + ?Sized)) {
        if let Ok(value) = serde_wasm_bindgen::to_value(value) {
            set(&self.0, name, &value);
        }
    }

    fn number(&self, name: &str, value: u64) {
        self.add(name, &real(value));
    }

    /// There is no such property where there is no value.
    fn text(&self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

/// `undefined` when there is no such queue. `handed`: messages that were handed out though the journal does not know it.
pub fn metrics(queue: Option<&Queue>, handed: &[(MessageId, u32)], now: Time) -> JsValue {
    let Some(queue) = queue else {
        return JsValue::UNDEFINED;
    };
    let (Standing { counts, bytes, expired, oldest }, tally) = (queue.standing_at(now), &queue.tally);
    let handed: u64 = handed.iter().map(|(_, count)| u64::from(*count)).sum();
    let metrics = Object::new();
    metrics.number("backlogCount", counts.all());
    metrics.number("backlogBytes", bytes);
    if let Some(oldest) = oldest {
        metrics.number("oldestMessageTimestamp", oldest);
    }
    metrics.number("ready", counts.ready + counts.ahead - handed);
    metrics.number("delayed", counts.delayed);
    metrics.number("leased", counts.leased + handed);
    metrics.number("deadLettered", tally.dead_lettered);
    metrics.number("sent", tally.sent);
    metrics.number("delivered", tally.delivered + handed);
    metrics.number("acked", tally.acked);
    metrics.number("retried", tally.retried);
    metrics.number("duplicates", tally.duplicates);
    let dropped = Object::new();
    dropped.number("expired", tally.dropped[Cause::Expired as usize] + expired);
    dropped.number("overflow", tally.dropped[Cause::Overflow as usize]);
    dropped.number("purged", tally.dropped[Cause::Purged as usize]);
    dropped.number("noDeadLetterQueue", tally.dropped[Cause::NoDeadLetterQueue as usize]);
    set(&metrics.0, "dropped", &dropped.0);
    metrics.0
}

/// An empty array when there is no such queue. `handed` as for [`metrics`].
pub fn peek(queue: Option<&Queue>, handed: &[(MessageId, u32)], max: u32, state: i32, now: Time) -> Array {
    let found = Array::new();
    let Some(queue) = queue else {
        return found;
    };
    let mut from = MessageId(0);
    while let Some((first, run)) = queue.next(from) {
        from = first.plus(run.count);
        let known = queue.state_at(run, now);
        let some = |its: MessageState| state < 0 || its as i32 == state;
        if !some(known) && !handed.iter().any(|(id, _)| (first..from).contains(id)) {
            continue;
        }
        for id in (0..run.count).map(|place| first.plus(place)) {
            if found.length() >= max {
                return found;
            }
            let out = handed.iter().any(|(first, count)| (*first..first.plus(*count)).contains(&id));
            let its = if out { MessageState::Leased } else { known };
            if some(its) {
                found.push(&info(id, run, its, out));
            }
        }
    }
    found
}

/// `out`: it was handed out, which the journal does not know.
fn info(id: MessageId, run: &Run, state: MessageState, out: bool) -> JsValue {
    // The present delivery counts from when the message was handed out.
    let present = out || run.state.lease().is_some_and(|lease| lease.started);
    let info = Object::new();
    info.number("number", id.number());
    info.add("index", &id.index());
    info.add("chunk", &run.chunk.map_or(-1.0, f64::from));
    info.add("state", &f64::from(state as u8));
    info.number("sent", run.sent);
    info.add("attempts", &run.attempts.saturating_add(present.into()));
    let available = match run.state {
        State::Ready | State::Lapsed { .. } => run.sent,
        State::Delayed { due } => due,
        State::Leased { started: false, .. } if !out => run.sent,
        State::Leased { until, holder, .. } => {
            if state == MessageState::Leased {
                info.number("leasedBy", holder);
                info.number("leaseExpiresAt", until);
            }
            until
        }
    };
    info.number("availableAt", available);
    if let Some(note) = &run.note {
        info.text("reason", note.reason.as_deref());
        info.text("lastError", note.last_error.as_deref());
    }
    info.0
}
