//! What crosses to JavaScript: effects as rows of ten numbers, and statistics as objects.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::door::real;
use crate::{
    engine::{MessageState, Queue, Run, State, Tally},
    id::{MessageId, Time},
    peer::Effect,
};

pub const WIDTH: usize = 10;

/// Rows start with the effect's kind; what a row does not use is 0.
pub fn of(effects: Vec<Effect>, texts: &mut Vec<String>) -> Vec<f64> {
    let mut rows = Vec::with_capacity(effects.len() * WIDTH);
    for effect in effects {
        push(&mut rows, effect, texts);
    }
    rows
}

pub fn push(rows: &mut Vec<f64>, effect: Effect, texts: &mut Vec<String>) {
    let start = rows.len();
    let mut row = |kind: u8, values: &[f64]| {
        rows.push(f64::from(kind));
        rows.extend_from_slice(values);
    };
    match effect {
        Effect::Sent { token, first, count } => row(0, &run(token, first, count)),
        Effect::Refused { token, why, count } => {
            row(1, &[f64::from(token), f64::from(why as u8), f64::from(count)]);
        }
        Effect::Duplicate { token, id } => row(2, &run(token, id, 1)),
        Effect::Delivered { token, first, count, grant, until, attempt, sent, chunk } => {
            row(3, &run(token, first, count));
            let chunk = chunk.map_or(-1.0, f64::from);
            rows.extend([real(grant), real(until), f64::from(attempt), real(sent), chunk]);
        }
        Effect::Received { token } => row(4, &[f64::from(token)]),
        Effect::Lost { token, first, count } => row(5, &run(token, first, count)),
        Effect::Done { token, value } => row(6, &[f64::from(token), real(value)]),
        Effect::Dead { queue, first, count, reason } => {
            row(7, &run(queue, first, count));
            rows.push(texts.len() as f64);
            texts.push(reason.into());
        }
        Effect::Dropped { queue, first, count, cause } => {
            row(8, &run(queue, first, count));
            rows.push(f64::from(cause as u8));
        }
        Effect::Depth { queue, backlog } => row(9, &[f64::from(queue), real(backlog)]),
        Effect::Gone { first, count } => {
            row(10, &[real(first.number()), f64::from(first.index()), f64::from(count)]);
        }
        Effect::LeaseLost { first, count, grant } => {
            row(11, &[real(first.number()), f64::from(first.index()), f64::from(count), real(grant)]);
        }
        Effect::QueueGone { queue } => row(12, &[f64::from(queue)]),
    }
    rows.resize(start + WIDTH, 0.0);
}

fn run(whose: u32, first: MessageId, count: u32) -> [f64; 4] {
    [f64::from(whose), real(first.number()), f64::from(first.index()), f64::from(count)]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    backlog_count: f64,
    backlog_bytes: f64,
    oldest_message_timestamp: Option<f64>,
    ready: f64,
    delayed: f64,
    leased: f64,
    dead_lettered: f64,
    sent: f64,
    delivered: f64,
    acked: f64,
    retried: f64,
    duplicates: f64,
    dropped: Dropped,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    expired: f64,
    overflow: f64,
    purged: f64,
    no_dead_letter_queue: f64,
}

/// `undefined` when there is no such queue.
pub fn metrics(queue: Option<&Queue>, now: Time) -> Result<JsValue, JsValue> {
    let Some(queue) = queue else {
        return Ok(JsValue::UNDEFINED);
    };
    let counts = queue.counts_at(now);
    let Tally { sent, delivered, acked, retried, duplicates, dead_lettered, dropped } = queue.tally;
    let [expired, overflow, purged, no_dead_letter_queue] = dropped.map(real);
    let metrics = Metrics {
        backlog_count: real(counts.ready + counts.delayed + counts.leased),
        backlog_bytes: real(queue.bytes()),
        oldest_message_timestamp: queue.oldest().map(real),
        ready: real(counts.ready),
        delayed: real(counts.delayed),
        leased: real(counts.leased),
        dead_lettered: real(dead_lettered),
        sent: real(sent),
        delivered: real(delivered),
        acked: real(acked),
        retried: real(retried),
        duplicates: real(duplicates),
        dropped: Dropped { expired, overflow, purged, no_dead_letter_queue },
    };
    Ok(metrics.serialize(&Serializer::new())?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    number: f64,
    index: u32,
    chunk: i32,
    state: u8,
    sent: f64,
    attempts: u32,
    available_at: f64,
    leased_by: Option<f64>,
    lease_expires_at: Option<f64>,
    reason: Option<&'a str>,
    last_error: Option<&'a str>,
}

/// An empty array when there is no such queue.
pub fn peek(queue: Option<&Queue>, max: usize, state: i32, now: Time) -> Result<JsValue, JsValue> {
    let mut found: Vec<(MessageId, &Run)> = queue.map_or_else(Vec::new, |queue| {
        let wanted = |run: &Run| state < 0 || queue.state_at(run, now) as i32 == state;
        queue.runs().filter(|(_, run)| wanted(run)).collect()
    });
    found.sort_unstable_by_key(|(id, _)| *id);
    let infos: Vec<Info> = found
        .into_iter()
        .flat_map(|(id, run)| (0..run.count).map(move |place| (id.plus(place), run)))
        .take(max)
        .filter_map(|(id, run)| Some(info(id, run, queue?.state_at(run, now))))
        .collect();
    Ok(infos.serialize(&Serializer::new())?)
}

fn info(id: MessageId, run: &Run, state: MessageState) -> Info<'_> {
    let note = run.note.as_deref();
    let (available, lease) = match run.state {
        State::Ready => (run.sent, None),
        State::Delayed { due } => (due, None),
        State::Leased { until, holder, .. } => (until, Some((holder, until))),
    };
    let lease = lease.filter(|_| state == MessageState::Leased);
    // The present delivery counts from when the message was handed out.
    let present = matches!(run.state, State::Leased { started: true, .. });
    Info {
        number: real(id.number()),
        index: id.index(),
        chunk: run.chunk.map_or(-1, i32::from),
        state: state as u8,
        sent: real(run.sent),
        attempts: run.attempts.saturating_add(u32::from(present)),
        available_at: real(available),
        leased_by: lease.map(|(holder, _)| real(holder)),
        lease_expires_at: lease.map(|(_, until)| real(until)),
        reason: note.and_then(|note| note.reason.as_deref()),
        last_error: note.and_then(|note| note.last_error.as_deref()),
    }
}
