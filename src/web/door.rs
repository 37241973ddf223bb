//! The door to the peer: what JavaScript calls. Numbers cross as f64, so that counters and times need no BigInt. Commands and questions
//! have numbers of their own, as [`border`] says, so that few functions are the door.
//!
//! What a call leaves lies in the module's memory, and is read there before the next call: an array made for each, here and there, would
//! cost more than all else about it. After each call the peer's status lies where it always does.

use js_sys::{Array, JsString};
use wasm_bindgen::prelude::*;

use crate::{
    border,
    collections::sizes::Sizes,
    format::{FormatError, Overflow, Policy, Whole},
    id::{MessageId, NEVER, Time},
    peer::{self, SendOrder, Settle},
    web::{
        crossing::{named, real, whole},
        rows::{self, Texts},
    },
};

/// One context's replica of a journal. See [`peer::Peer`] for the order of calls.
#[wasm_bindgen]
pub struct Peer {
    peer: peer::Peer,
    memory: bool,
    status: Box<[f64; border::STATUS as usize]>,
    numbers: Vec<f64>,
    /// The snapshot or the parting that was made last.
    bytes: Vec<u8>,
    texts: Texts,
}

/// Negative: left out.
fn optional(value: f64) -> Option<u64> {
    (value >= 0.0).then(|| whole(value))
}

fn thousandths(value: f64) -> u64 {
    whole(value * 1000.0 + 0.5)
}

fn message(number: f64, index: u32) -> MessageId {
    MessageId::new(whole(number), index).unwrap_or(MessageId(NEVER - u64::from(MessageId::INDEX_MAX)))
}

fn policy_of(policy: &[f64], dead_letter_queue: Option<String>) -> Policy {
    let at = |place: usize| policy.get(place).copied().unwrap_or_default();
    let mut numbers = [0; 11];
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = match place {
            Policy::FACTOR => thousandths(at(place)),
            Policy::JITTER => thousandths(at(place)).min(1000),
            _ => whole(at(place)),
        };
    }
    let overflow = Overflow::of(at(numbers.len()) as u8).unwrap_or(Overflow::DropNewest);
    Policy::of(numbers, overflow, dead_letter_queue.map(Into::into))
}

fn refused(error: FormatError) -> JsValue {
    let (name, text) = match error {
        FormatError::Newer => ("VersionError", "a newer posthaste wrote this journal: reload the page"),
        FormatError::Corrupt(part) => ("CorruptionError", part),
    };
    named(name, text)
}

#[wasm_bindgen]
impl Peer {
    /// `id`: a random whole number below 2^53 that names this peer. `memory`: no one else will ever read the journal; else it
    /// leases nothing until it appears.
    #[wasm_bindgen(constructor)]
    pub fn new(id: f64, seed: f64, memory: bool) -> Self {
        let mut peer = peer::Peer::new(whole(id), whole(seed), memory);
        if !memory {
            peer.hide();
        }
        let status = Box::new([0.0; border::STATUS as usize]);
        Self { peer, memory, status, numbers: Vec::new(), bytes: Vec::new(), texts: Texts::default() }
    }

    /// Where the status lies, as [`border`] says.
    #[wasm_bindgen(js_name = statusAt)]
    pub fn status_at(&self) -> *const f64 {
        self.status.as_ptr()
    }

    /// A queue's number, or -1.
    pub fn queue(&self, name: &str) -> i32 {
        self.peer.engine().named(name).map_or(-1, |queue| queue as i32)
    }

    /// Makes a queue; or, where `queue` is not -1, gives that one a policy, which was only made to keep another's dead letters.
    pub fn make(&mut self, token: u32, queue: i32, name: &str, policy: Vec<f64>, dead_letter_queue: Option<String>) {
        let policy = policy_of(&policy, dead_letter_queue);
        match u32::try_from(queue) {
            Ok(queue) => self.peer.adopt(token, queue, policy),
            Err(_) => self.peer.create(token, name, policy),
        }
    }

    /// `size`: estimated bytes of each body; `sizes` where they are not alike. `kind`: as [`border`] says; of a batch
    /// `more` messages follow as its parts. `delay_ms` -1: the queue's; `expires_ms` 0: as the queue's
    /// retention says.
    #[allow(clippy::too_many_arguments)]
    pub fn send(
        &mut self,
        token: u32,
        queue: u32,
        count: u32,
        size: f64,
        sizes: Option<Vec<f64>>,
        delay_ms: f64,
        expires_ms: f64,
        kind: u32,
        more: u32,
        key: Option<String>,
    ) {
        let expires_ms = optional(expires_ms).filter(|&ms| ms > 0);
        let (delay_ms, key) = (optional(delay_ms), key.map(Into::into));
        let together = match kind {
            border::AS_MANY_AS_FIT => Whole::No,
            border::BATCH => Whole::First,
            _ => Whole::Part,
        };
        let sizes = match sizes {
            Some(sizes) => sizes.into_iter().map(whole).collect(),
            None => Sizes::alike(count.max(1), whole(size)),
        };
        self.peer.send(token, SendOrder { queue, sizes, delay_ms, expires_ms, whole: together, more, key });
    }

    /// `lease_ms` 0: the queue's visibility timeout. `ahead`: who gets it may give it back, or tell by [`border::START`] that it was
    /// handed out.
    #[allow(clippy::too_many_arguments)]
    pub fn receive(&mut self, token: u32, queue: u32, max: u32, lease_ms: f64, wait: bool, now: f64, ahead: bool) {
        let lease_ms = optional(lease_ms).filter(|&ms| ms > 0);
        if ahead {
            self.peer.receive_ahead(token, queue, max, lease_ms, wait, whole(now));
        } else {
            self.peer.receive(token, queue, max, lease_ms, wait, whole(now));
        }
        self.note();
    }

    /// `kind`: as [`border`] says. `arg` of a retry: its delay in ms, -1 the queue's backoff; of an extension: ms from now; of a start: the
    /// present time. `text`: a retry's last error, a dead letter's reason.
    #[allow(clippy::too_many_arguments)]
    pub fn settle(
        &mut self,
        token: u32,
        queue: u32,
        kind: u32,
        number: f64,
        index: u32,
        count: u32,
        grant: f64,
        arg: f64,
        text: Option<String>,
    ) {
        let (first, grant, text) = (message(number, index), whole(grant), text.map(Into::into));
        let how = match kind {
            border::ACK => Settle::Ack,
            border::RETRY => Settle::Retry { delay_ms: optional(arg), error: text },
            border::DEAD_LETTER => Settle::DeadLetter { reason: text.unwrap_or_default() },
            border::EXTEND => Settle::Extend { ms: whole(arg) },
            border::START => return self.peer.started(queue, first, count, grant, whole(arg)),
            _ => Settle::Release,
        };
        let count = count.clamp(1, MessageId::INDEX_MAX + 1 - first.index());
        self.peer.settle(token, queue, first, count, grant, how);
    }

    /// The other commands, as [`border`] says.
    pub fn command(
        &mut self,
        kind: u32,
        token: u32,
        queue: i32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] a: f64,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] b: f64,
    ) -> bool {
        let (peer, of) = (&mut self.peer, queue as u32);
        match kind {
            border::UNSEND => return peer.unsend(token),
            border::UNRECEIVE => peer.unreceive(token),
            border::CANCEL => peer.cancel(token, of, message(a, b as u32)),
            border::PURGE => peer.purge(token, of),
            border::PAUSE => peer.pause(token, of, a > 0.0),
            border::REMOVE => peer.remove(token, of),
            border::BURY => peer.bury(token, whole(a), u32::try_from(queue).ok(), b > 0.0),
            border::REDRIVE => peer.redrive(token, of, optional(a).map(|to| to as u32), whole(b)),
            border::APPEAR => peer.show(whole(a)),
            border::RELEASE_IDLE => peer.release_idle(),
            border::COMMIT => peer.committed(whole(a)),
            border::ABANDON => peer.abandoned(),
            border::SNAPSHOT_OVER => peer.snapshot_over(a > 0.0),
            _ => return peer.wants_snapshot(true),
        }
        self.note();
        true
    }

    /// Makes the next record out of all that is pending, and in memory commits it. Answers how many numbers it leaves: the sends whose
    /// bodies are the record's, and what took effect, in rows of ten.
    pub fn step(&mut self, now: f64) -> usize {
        let now = whole(now);
        let decided = self.peer.decide(now);
        self.numbers.clear();
        for &(token, count) in self.peer.sends() {
            self.numbers.extend_from_slice(&[token.into(), count.into()]);
        }
        let sends = self.numbers.len();
        self.leave_rows();
        let before = self.numbers.len() - sends;
        if decided && self.memory {
            self.peer.committed(self.peer.engine().base() + 1);
            self.leave_rows();
        }
        let at = self.peer.deadline(now);
        self.tell(border::DECIDED, decided.into());
        self.tell(border::SENDS, sends as f64);
        self.tell(border::BEFORE_COMMIT, before as f64);
        self.tell(border::MORE, (at <= now || self.peer.is_restless()).into());
        self.tell(border::DEADLINE, real(at));
        self.tell(border::CHUNK, self.peer.chunk().map_or(-1.0, f64::from));
        let (at, length) = (self.peer.record().as_ptr(), self.peer.record().len());
        self.tell_bytes(at, length);
        self.left()
    }

    /// Leaves what took effect since the last step or report, in rows.
    pub fn report(&mut self) -> usize {
        self.numbers.clear();
        self.leave_rows();
        self.left()
    }

    /// Applies a record; or, instead of all before, a snapshot. Throws VersionError or CorruptionError, and has changed nothing then.
    pub fn replay(&mut self, number: f64, bytes: &[u8], snapshot: bool) -> Result<(), JsValue> {
        let number = whole(number);
        let done = if snapshot { self.peer.load(number, bytes) } else { self.peer.apply(number, bytes) };
        self.note();
        done.map_err(refused)
    }

    /// Whether this is the record under way.
    #[wasm_bindgen(js_name = isOwn)]
    pub fn is_own(&self, record: &[u8]) -> bool {
        self.peer.is_own(record)
    }

    /// Makes a snapshot, and what may be deleted with it.
    pub fn snapshot(&mut self) {
        let bytes = self.peer.snapshot();
        self.keep(bytes);
    }

    /// Makes the record by which this peer gives back all that it holds, if it holds anything, and goes.
    pub fn parting(&mut self, now: f64) {
        let bytes = self.peer.parting(whole(now));
        self.keep(bytes);
    }

    /// Leaves numbers, and answers how many, as [`border`] says for the question. `a`: the queue, or a message's number.
    pub fn look(
        &mut self,
        kind: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] a: f64,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] index: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] count: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] grant: f64,
    ) -> usize {
        let Self { peer, numbers, .. } = self;
        let queue = peer.engine().queue(a as u32);
        numbers.clear();
        match kind {
            border::POLICY_OF => {
                if let Some(queue) = queue {
                    numbers.extend(queue.policy.numbers().map(real));
                    for place in [Policy::FACTOR, Policy::JITTER] {
                        numbers[place] /= 1000.0;
                    }
                    numbers.push(f64::from(queue.policy.overflow as u8));
                }
            }
            border::BACKLOG => numbers.extend_from_slice(&queue.map_or([0.0, 0.0, -1.0], |queue| {
                [real(queue.backlog()), real(queue.bytes()), queue.oldest().map_or(-1.0, real)]
            })),
            border::OTHERS => numbers.extend(peer.others().into_iter().map(real)),
            border::HELD => {
                let held = peer.engine().held(message(a, index), count, whole(grant));
                numbers.extend(held.iter().flat_map(|(id, count)| [f64::from(id.index()), f64::from(*count)]));
            }
            border::FLOOR => numbers.push(real(peer.floor())),
            border::DRAINED => numbers.extend(peer.drained().iter().flat_map(|(from, to)| [real(*from), real(*to)])),
            border::IS_KEEPER => numbers.push(queue.is_some_and(|queue| queue.keeper).into()),
            _ => numbers.extend(peer.dead_parts().iter().flatten().map(|part| real(*part))),
        }
        self.left()
    }

    /// Answers a value, as [`border`] says for the question.
    pub fn show(
        &mut self,
        kind: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] queue: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] now: f64,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] max: u32,
        #[wasm_bindgen(unchecked_optional_param_type = "number")] state: i32,
    ) -> JsValue {
        let now: Time = self.peer.now(whole(now));
        let known = self.peer.engine().queue(queue);
        match kind {
            border::TEXTS => self.texts.take().into(),
            border::NAMES => {
                self.peer.engine().queues().map(|(_, queue)| JsString::from(&*queue.name)).collect::<Array>().into()
            }
            border::LETTERS => {
                known.and_then(|queue| queue.policy.dead_letter_queue.as_deref()).map(JsString::from).into()
            }
            border::METRICS => rows::metrics(known, &self.peer.handed_out(queue, now), now),
            _ => rows::peek(known, &self.peer.handed_out(queue, now), max, state, now).into(),
        }
    }
}

impl Peer {
    fn leave_rows(&mut self) {
        for effect in self.peer.effects() {
            rows::push(&mut self.numbers, effect, &mut self.texts);
        }
    }

    /// Says where the numbers are that were left; answers how many.
    fn left(&mut self) -> usize {
        self.tell(border::NUMBERS_AT, self.numbers.as_ptr() as usize as f64);
        self.note();
        self.numbers.len()
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.tell_bytes(self.bytes.as_ptr(), self.bytes.len());
        self.note();
    }

    fn tell_bytes(&mut self, at: *const u8, length: usize) {
        self.tell(border::BYTES_AT, at as usize as f64);
        self.tell(border::BYTES, length as f64);
    }

    /// Writes down how things are.
    fn note(&mut self) {
        let engine = self.peer.engine();
        let (base, time) = (real(engine.base()), real(engine.time()));
        self.tell(border::BASE, base);
        self.tell(border::TIME, time);
        self.tell(border::WAITING, self.peer.waiting().into());
        self.tell(border::WANTS_TO_APPEAR, self.peer.wants_showing().into());
        self.tell(border::WANTS_SNAPSHOT, self.peer.wants_snapshot(false).into());
    }

    fn tell(&mut self, place: u32, value: f64) {
        self.status[place as usize] = value;
    }
}
