//! What crosses to JavaScript: effects as rows of ten numbers, and statistics as objects.

use js_sys::Array;
use serde::{Serialize, Serializer, ser::SerializeMap};
use wasm_bindgen::JsValue;

use super::door::real;
use crate::{
    engine::{MessageState, Queue, Run, State},
    id::{MessageId, Time},
    peer::Effect,
};

pub const WIDTH: usize = 10;

/// Rows start with the effect's kind; what a row does not use is 0.
pub fn of(effects: Vec<Effect>, texts: &Array) -> Vec<f64> {
    let mut rows = Vec::with_capacity(effects.len() * WIDTH);
    for effect in effects {
        push(&mut rows, effect, texts);
    }
    rows
}

pub fn push(rows: &mut Vec<f64>, effect: Effect, texts: &Array) {
    let row: [f64; WIDTH] = match effect {
        Effect::Sent { token, first, count } => run(0, token, first, count, 0.0),
        Effect::Refused { token, why, count } => some(1, [token.into(), f64::from(why as u8), count.into(), 0.0]),
        Effect::Duplicate { token, id } => run(2, token, id, 1, 0.0),
        Effect::Delivered { token, first, count, grant, until, attempt, sent, chunk } => {
            let mut row = run(3, token, first, count, real(grant));
            let chunk = chunk.map_or(-1.0, f64::from);
            row[6..].copy_from_slice(&[real(until), attempt.into(), real(sent), chunk]);
            row
        }
        Effect::Received { token } => some(4, [token.into(), 0.0, 0.0, 0.0]),
        Effect::Lost { token, first, count } => run(5, token, first, count, 0.0),
        Effect::Done { token, value } => some(6, [token.into(), real(value), 0.0, 0.0]),
        Effect::Dead { queue, first, count, reason } => {
            let place = texts.push(&JsValue::from_str(&reason)) - 1;
            run(7, queue, first, count, place.into())
        }
        Effect::Dropped { queue, first, count, cause } => run(8, queue, first, count, f64::from(cause as u8)),
        Effect::Depth { queue, backlog } => some(9, [queue.into(), real(backlog), 0.0, 0.0]),
        Effect::Gone { first, count } => some(10, [real(first.number()), first.index().into(), count.into(), 0.0]),
        Effect::LeaseLost { first, count, grant } => {
            some(11, [real(first.number()), first.index().into(), count.into(), real(grant)])
        }
        Effect::QueueGone { queue } => some(12, [queue.into(), 0.0, 0.0, 0.0]),
    };
    rows.extend_from_slice(&row);
}

fn run(kind: u8, whose: u32, first: MessageId, count: u32, more: f64) -> [f64; WIDTH] {
    let mut row = some(kind, [whose.into(), real(first.number()), first.index().into(), count.into()]);
    row[5] = more;
    row
}

fn some(kind: u8, [a, b, c, d]: [f64; 4]) -> [f64; WIDTH] {
    [kind.into(), a, b, c, d, 0.0, 0.0, 0.0, 0.0, 0.0]
}

/// An object for JavaScript. One shape for all: a struct of its own for each made 3 KB more wasm.
struct Object<'a>(&'a [(&'static str, Value<'a>)]);

enum Value<'a> {
    /// The object has no such property.
    None,
    Number(f64),
    Text(&'a str),
    Object(Object<'a>),
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0 {
            match value {
                Value::None => {}
                Value::Number(number) => map.serialize_entry(name, number)?,
                Value::Text(text) => map.serialize_entry(name, text)?,
                Value::Object(object) => map.serialize_entry(name, object)?,
            }
        }
        map.end()
    }
}

impl Object<'_> {
    fn value(&self) -> Result<JsValue, JsValue> {
        Ok(self.serialize(&serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true))?)
    }
}

fn number(value: u64) -> Value<'static> {
    Value::Number(real(value))
}

/// `undefined` when there is no such queue.
pub fn metrics(queue: Option<&Queue>, now: Time) -> Result<JsValue, JsValue> {
    let Some(queue) = queue else {
        return Ok(JsValue::UNDEFINED);
    };
    let (counts, tally) = (queue.counts_at(now), &queue.tally);
    let [expired, overflow, purged, no_dead_letter_queue] = tally.dropped.map(number);
    let dropped =
        [("expired", expired), ("overflow", overflow), ("purged", purged), ("noDeadLetterQueue", no_dead_letter_queue)];
    Object(&[
        ("backlogCount", number(queue.backlog())),
        ("backlogBytes", number(queue.bytes())),
        ("oldestMessageTimestamp", queue.oldest().map_or(Value::None, number)),
        ("ready", number(counts.ready)),
        ("delayed", number(counts.delayed)),
        ("leased", number(counts.leased)),
        ("deadLettered", number(tally.dead_lettered)),
        ("sent", number(tally.sent)),
        ("delivered", number(tally.delivered)),
        ("acked", number(tally.acked)),
        ("retried", number(tally.retried)),
        ("duplicates", number(tally.duplicates)),
        ("dropped", Value::Object(Object(&dropped))),
    ])
    .value()
}

/// An empty array when there is no such queue.
pub fn peek(queue: Option<&Queue>, max: u32, state: i32, now: Time) -> Result<Array, JsValue> {
    let found = Array::new();
    let Some(queue) = queue else {
        return Ok(found);
    };
    let mut from = MessageId(0);
    while let Some((first, run)) = queue.next(from) {
        from = first.plus(run.count);
        let its = queue.state_at(run, now);
        if state >= 0 && its as i32 != state {
            continue;
        }
        for place in 0..run.count {
            if found.length() >= max {
                return Ok(found);
            }
            found.push(&info(first.plus(place), run, its)?);
        }
    }
    Ok(found)
}

fn info(id: MessageId, run: &Run, state: MessageState) -> Result<JsValue, JsValue> {
    let note = run.note.as_deref();
    let (available, lease) = match run.state {
        State::Ready => (run.sent, None),
        State::Delayed { due } => (due, None),
        State::Leased { until, holder, .. } => (until, Some((holder, until))),
    };
    let lease = lease.filter(|_| state == MessageState::Leased);
    // The present delivery counts from when the message was handed out.
    let present = matches!(run.state, State::Leased { started: true, .. });
    Object(&[
        ("number", number(id.number())),
        ("index", Value::Number(id.index().into())),
        ("chunk", Value::Number(run.chunk.map_or(-1.0, f64::from))),
        ("state", Value::Number(f64::from(state as u8))),
        ("sent", number(run.sent)),
        ("attempts", Value::Number(run.attempts.saturating_add(present.into()).into())),
        ("availableAt", number(available)),
        ("leasedBy", lease.map_or(Value::None, |(holder, _)| number(holder))),
        ("leaseExpiresAt", lease.map_or(Value::None, |(_, until)| number(until))),
        ("reason", note.and_then(|note| note.reason.as_deref()).map_or(Value::None, Value::Text)),
        ("lastError", note.and_then(|note| note.last_error.as_deref()).map_or(Value::None, Value::Text)),
    ])
    .value()
}
