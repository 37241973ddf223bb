//! The whole state as bytes, and back. Equal engines give equal bytes.

use std::collections::BTreeMap;

use super::{Engine, Note, Queue, Run, State, Tally};
use crate::{
    format::{FormatError, Reader, Writer},
    id::{MessageId, NEVER, Time},
    limits,
};

impl Engine {
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.base);
        out.number(self.time);
        out.number(u64::from(self.next_queue));
        out.number(self.queues.len() as u64);
        for (&id, queue) in &self.queues {
            out.number(u64::from(id));
            queue.write(self.time, &mut out);
        }
        out.seal()
    }

    pub fn restore(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Reader::open(bytes)?;
        let mut engine =
            Self { base: from.number()?, time: from.number()?, next_queue: from.small()?, ..Self::default() };
        for _ in 0..from.count(limits::QUEUES_MAX)? {
            let id = from.small()?;
            let queue = Queue::read(engine.time, &mut from)?;
            let known = engine.names.insert(queue.name.clone(), id).is_some();
            if id >= engine.next_queue || known || engine.queues.insert(id, queue).is_some() {
                return Err(FormatError::Corrupt("queue"));
            }
        }
        from.end()?;
        if !engine.places_are_sound() {
            return Err(FormatError::Corrupt("run"));
        }
        Ok(engine)
    }

    /// Whether no message is there twice, and none is of a record to come. Counting would go wrong else.
    fn places_are_sound(&self) -> bool {
        let runs = self.queues.values().flat_map(Queue::runs);
        let mut spans: Vec<_> = runs.map(|(id, run)| (id, id.plus(run.count))).collect();
        spans.sort_unstable();
        spans.last().is_none_or(|(id, _)| id.number() <= self.base)
            && spans.windows(2).all(|pair| pair[0].1 <= pair[1].0)
    }

    /// Numbers of the records whose bodies are still needed, ascending.
    pub fn live_records(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> =
            self.queues.values().flat_map(|queue| queue.runs().map(|(id, _)| id.number())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

impl Queue {
    fn write(&self, time: Time, out: &mut Writer) {
        out.text(&self.name);
        out.policy(&self.policy);
        out.flag(self.keeper);
        out.flag(self.paused);
        let Tally { sent, delivered, acked, retried, duplicates, dead_lettered, dropped } = &self.tally;
        for value in [sent, delivered, acked, retried, duplicates, dead_lettered].into_iter().chain(dropped) {
            out.number(*value);
        }
        out.number(self.keys.iter().len() as u64);
        for (key, id, until) in self.keys.iter() {
            out.text(key);
            out.number(id.0);
            out.number(until);
        }
        for runs in [&self.ready, &self.away] {
            write_runs(runs, time, out);
        }
    }

    fn read(time: Time, from: &mut Reader) -> Result<Self, FormatError> {
        let mut queue = Self::new(from.text(limits::NAME_BYTES_MAX)?, from.policy()?, from.flag()?);
        queue.paused = from.flag()?;
        let mut values = [0; 10];
        for value in &mut values {
            *value = from.number()?;
        }
        let [sent, delivered, acked, retried, duplicates, dead_lettered, dropped @ ..] = values;
        queue.tally = Tally { sent, delivered, acked, retried, duplicates, dead_lettered, dropped };
        for _ in 0..from.count(limits::KEYS_MAX)? {
            let key = from.text(limits::KEY_BYTES_MAX)?;
            let (id, until) = (MessageId(from.number()?), from.number()?);
            queue.keys.remember(key, id, until);
        }
        for ready in [true, false] {
            read_runs(&mut queue, ready, time, from)?;
        }
        Ok(queue)
    }
}

const HAS_NOTE: u8 = 1;
const HAS_EXPIRY: u8 = 2;
const IS_LEASED: u8 = 4;
const IS_STARTED: u8 = 8;

/// Ids as distances from the end of the run before, ages as distances from the journal's time.
fn write_runs(runs: &BTreeMap<MessageId, Run>, time: Time, out: &mut Writer) {
    out.number(runs.len() as u64);
    let mut end = 0;
    for (id, run) in runs {
        let (leased, started) = match run.state {
            State::Leased { started, .. } => (IS_LEASED, if started { IS_STARTED } else { 0 }),
            _ => (0, 0),
        };
        let note = if run.note.is_some() { HAS_NOTE } else { 0 };
        let expiry = if run.expires == NEVER { 0 } else { HAS_EXPIRY };
        out.byte(note | expiry | leased | started);
        out.number(id.0 - end);
        end = id.plus(run.count).0;
        out.number(u64::from(run.count));
        out.number(run.bytes);
        out.number(time.saturating_sub(run.sent));
        out.number(u64::from(run.attempts));
        out.option(run.chunk.map(u64::from));
        if run.expires != NEVER {
            out.number(run.expires);
        }
        match run.state {
            State::Ready => {}
            State::Delayed { due } => out.number(due),
            State::Leased { until, grant, holder, .. } => {
                out.number(until);
                out.number(grant);
                out.number(holder);
            }
        }
        if let Some(note) = &run.note {
            out.option(note.origin.map(u64::from));
            out.option_text(note.reason.as_deref());
            out.option_text(note.last_error.as_deref());
        }
    }
}

fn read_runs(queue: &mut Queue, ready: bool, time: Time, from: &mut Reader) -> Result<(), FormatError> {
    let mut end = 0u64;
    for _ in 0..from.count(usize::MAX)? {
        let flags = from.byte()?;
        let id = MessageId(end.checked_add(from.number()?).ok_or(FormatError::Corrupt("message id"))?);
        let run = read_run(flags, ready, time, from)?;
        if run.count == 0 || run.count > MessageId::INDEX_MAX + 1 - id.index() || run.bytes >= 1 << 53 {
            return Err(FormatError::Corrupt("run"));
        }
        end = id.plus(run.count).0;
        queue.link(id, run);
    }
    Ok(())
}

fn read_run(flags: u8, ready: bool, time: Time, from: &mut Reader) -> Result<Run, FormatError> {
    let (count, bytes) = (from.small()?, from.number()?);
    let sent = time.saturating_sub(from.number()?);
    let attempts = from.small()?;
    let chunk = from.option()?.map(u8::try_from).transpose().map_err(|_| FormatError::Corrupt("chunk"))?;
    let expires = if flags & HAS_EXPIRY == 0 { NEVER } else { from.number()? };
    let state = match (ready, flags & IS_LEASED != 0) {
        (true, _) => State::Ready,
        (false, false) => State::Delayed { due: from.number()? },
        (false, true) => State::Leased {
            until: from.number()?,
            grant: from.number()?,
            holder: from.number()?,
            started: flags & IS_STARTED != 0,
        },
    };
    let note = if flags & HAS_NOTE == 0 {
        None
    } else {
        let origin = from.option()?.map(u32::try_from).transpose().map_err(|_| FormatError::Corrupt("queue"))?;
        let reason = from.option_text(limits::NOTE_BYTES_MAX)?;
        Some(Box::new(Note { origin, reason, last_error: from.option_text(limits::NOTE_BYTES_MAX)? }))
    };
    Ok(Run { count, bytes, sent, expires, attempts, chunk, state, note })
}
