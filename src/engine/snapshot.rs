//! The whole state as bytes, and back. Equal engines give equal bytes.

use super::{Engine, Lease, Note, Queue, Run, State, Tally, runs::Runs};
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
        for (id, queue) in self.queues.iter() {
            out.number(u64::from(*id));
            queue.write(self.time, &mut out);
        }
        out.seal()
    }

    pub fn restore(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Reader::open(bytes);
        let mut engine = Self { base: from.number(), time: from.number(), next_queue: from.small(), ..Self::default() };
        let mut left = from.count(limits::QUEUES_MAX * 2);
        while left > 0 && !from.failed() {
            left -= 1;
            let id = from.small();
            let queue = Queue::read(engine.time, &mut from);
            let new = id < engine.next_queue && engine.queues.get(id).is_none() && engine.named(&queue.name).is_none();
            from.check(new, "queue");
            engine.put(id, queue);
            engine.note_timer(id);
        }
        from.end()?;
        if !engine.places_are_sound() {
            return Err(FormatError::Corrupt("run"));
        }
        Ok(engine)
    }

    /// Whether no message is there twice, and none is of a record to come. Counting would go wrong else.
    fn places_are_sound(&self) -> bool {
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        self.each_run(&mut |id, run| {
            starts.push(id.0);
            ends.push(id.plus(run.count).0);
        });
        starts.sort_unstable();
        ends.sort_unstable();
        // Where no two overlap, each ends before the next one starts, and only there.
        starts.last().is_none_or(|last| MessageId(*last).number() <= self.base)
            && starts.iter().skip(1).zip(&ends).all(|(start, end)| end <= start)
    }

    /// Numbers of the records whose bodies are still needed, ascending.
    pub fn live_records(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        self.each_run(&mut |id, _| {
            if numbers.last() != Some(&id.number()) {
                numbers.push(id.number());
            }
        });
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Of records whose bodies lie in parts: each part that is still needed, by its record's number; ascending.
    pub fn live_parts(&self) -> Vec<(u64, u32)> {
        let mut parts = Vec::new();
        self.each_run(&mut |id, run| {
            if let Some(chunk) = run.chunk {
                let last = id.plus(run.count - 1).index() >> chunk;
                let first = id.index() >> chunk;
                let from = if parts.last() == Some(&(id.number(), first)) { first + 1 } else { first };
                parts.extend((from..=last).map(|part| (id.number(), part)));
            }
        });
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    fn each_run(&self, see: &mut dyn FnMut(MessageId, &Run)) {
        for (_, queue) in self.queues.iter() {
            for runs in [&queue.ready, &queue.away] {
                for (id, run) in runs.from(MessageId(0)) {
                    see(id, run);
                }
            }
        }
    }
}

impl Queue {
    fn write(&self, time: Time, out: &mut Writer) {
        out.text(&self.name);
        out.policy(&self.policy);
        out.flag(self.keeper);
        out.flag(self.paused);
        for number in self.tally.numbers() {
            out.number(number);
        }
        out.number(self.keys.iter().len() as u64);
        for key in self.keys.iter() {
            out.text(&key.text);
            out.number(key.id.0);
            out.number(key.until);
        }
        for runs in [&self.ready, &self.away] {
            write_runs(runs, time, out);
        }
    }

    fn read(time: Time, from: &mut Reader) -> Self {
        let mut queue = Self::new(from.text(limits::NAME_BYTES_MAX), from.policy(), from.flag());
        queue.paused = from.flag();
        let mut values = [0; 10];
        for value in &mut values {
            *value = from.number();
        }
        let [sent, delivered, acked, retried, duplicates, dead_lettered, dropped @ ..] = values;
        queue.tally = Tally { sent, delivered, acked, retried, duplicates, dead_lettered, dropped };
        let mut left = from.count(limits::KEYS_MAX);
        while left > 0 && !from.failed() {
            left -= 1;
            queue.keys.remember(from.text(limits::KEY_BYTES_MAX), MessageId(from.number()), from.number());
        }
        read_runs(&mut queue, true, time, from);
        read_runs(&mut queue, false, time, from);
        queue
    }
}

impl Tally {
    /// In the order they are written in.
    fn numbers(&self) -> [u64; 10] {
        let Self { sent, delivered, acked, retried, duplicates, dead_lettered, dropped: [a, b, c, d] } = *self;
        [sent, delivered, acked, retried, duplicates, dead_lettered, a, b, c, d]
    }
}

const HAS_NOTE: u8 = 1;
const HAS_EXPIRY: u8 = 2;
/// It has a lease, or, among the ready, had one that ran out.
const IS_LEASED: u8 = 4;
const IS_STARTED: u8 = 8;

/// Ids as distances from the end of the run before, ages as distances from the journal's time.
fn write_runs(runs: &Runs, time: Time, out: &mut Writer) {
    out.number(runs.len() as u64);
    let mut end = 0;
    for (id, run) in runs.from(MessageId(0)) {
        let lease = run.state.lease();
        let leased = lease.map_or(0, |lease| if lease.started { IS_LEASED | IS_STARTED } else { IS_LEASED });
        let note = if run.note.is_some() { HAS_NOTE } else { 0 };
        let expiry = if run.expires == NEVER { 0 } else { HAS_EXPIRY };
        out.byte(note | expiry | leased);
        out.number(id.0 - end);
        end = id.plus(run.count).0;
        out.sizes(&run.sizes);
        out.number(time.saturating_sub(run.sent));
        out.number(u64::from(run.attempts));
        out.option(run.chunk.map(u64::from));
        if run.expires != NEVER {
            out.number(run.expires);
        }
        match run.state {
            State::Ready | State::Lapsed { .. } => {}
            State::Delayed { due: until } | State::Leased { until, .. } => out.number(until),
        }
        if let Some(Lease { grant, holder, .. }) = lease {
            out.number(grant);
            out.number(holder);
        }
        if let Some(note) = &run.note {
            out.option(note.origin.map(u64::from));
            out.option_text(note.reason.as_deref());
            out.option_text(note.last_error.as_deref());
        }
    }
}

fn read_runs(queue: &mut Queue, ready: bool, time: Time, from: &mut Reader) {
    let mut end = 0u64;
    for _ in 0..from.count(usize::MAX) {
        let flags = from.byte();
        let id = end.checked_add(from.number());
        from.check(id.is_some(), "message id");
        let id = MessageId(id.unwrap_or(0));
        let run = read_run(flags, ready, time, from);
        from.check(run.count <= MessageId::INDEX_MAX + 1 - id.index(), "run");
        if from.failed() {
            return;
        }
        end = id.plus(run.count).0;
        queue.link(id, run);
    }
}

fn read_run(flags: u8, ready: bool, time: Time, from: &mut Reader) -> Run {
    let sizes = from.sizes(MessageId::INDEX_MAX + 1);
    let sent = time.saturating_sub(from.number());
    let attempts = from.small();
    let chunk = from.option(u64::from(u8::MAX), "chunk").map(|log| log as u8);
    let expires = if flags & HAS_EXPIRY == 0 { NEVER } else { from.number() };
    let until = if ready { 0 } else { from.number() };
    let started = flags & IS_STARTED != 0;
    let lease = (flags & IS_LEASED != 0).then(|| Lease { grant: from.number(), holder: from.number(), started });
    let state = match (ready, lease) {
        (true, None) => State::Ready,
        (true, Some(Lease { grant, holder, started })) => State::Lapsed { grant, holder, started },
        (false, None) => State::Delayed { due: until },
        (false, Some(Lease { grant, holder, started })) => State::Leased { until, grant, holder, started },
    };
    let note = (flags & HAS_NOTE != 0).then(|| {
        let origin = from.option(u64::from(u32::MAX), "queue").map(|queue| queue as u32);
        let (reason, last_error) = (from.option_text(limits::NOTE_BYTES_MAX), from.option_text(limits::NOTE_BYTES_MAX));
        Box::new(Note { origin, reason, last_error })
    });
    Run { count: sizes.count(), bytes: sizes.total(), sizes, sent, expires, attempts, chunk, state, note }
}
