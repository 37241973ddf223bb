//! The door to the peer: what JavaScript calls. Numbers cross as f64, so that counters and times need no BigInt;
//! everything that happens often crosses as rows of numbers.

use js_sys::{Array, JsString};
use wasm_bindgen::prelude::*;

use crate::{
    border,
    collections::sizes::Sizes,
    format::{FormatError, Overflow, Policy, Whole},
    id::{MessageId, NEVER, Time},
    peer::{self, SendOrder, Settle},
    web::{
        crossing::{leave, leave_pairs, named, real, whole},
        rows::{self, Texts},
    },
};

/// One context's replica of a journal. See [`peer::Peer`] for the order of calls.
#[wasm_bindgen]
pub struct Peer {
    peer: peer::Peer,
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
    /// leases nothing until it is shown.
    #[wasm_bindgen(constructor)]
    pub fn new(id: f64, seed: f64, memory: bool) -> Self {
        let mut peer = peer::Peer::new(whole(id), whole(seed), memory);
        if !memory {
            peer.hide();
        }
        Self { peer, texts: Texts::default() }
    }

    /// The number of the last record applied.
    #[wasm_bindgen(getter)]
    pub fn base(&self) -> f64 {
        real(self.peer.engine().base())
    }

    /// The journal's time.
    #[wasm_bindgen(getter)]
    pub fn time(&self) -> f64 {
        real(self.peer.engine().time())
    }

    /// Replaces the replica by a snapshot. Throws VersionError or CorruptionError.
    pub fn load(&mut self, number: f64, snapshot: &[u8]) -> Result<(), JsValue> {
        self.peer.load(whole(number), snapshot).map_err(refused)
    }

    /// Replays a record. Throws VersionError or CorruptionError, and has changed nothing then.
    pub fn apply(&mut self, number: f64, record: &[u8]) -> Result<(), JsValue> {
        self.peer.apply(whole(number), record).map_err(refused)
    }

    #[wasm_bindgen(js_name = isOwn)]
    pub fn is_own(&self, record: &[u8]) -> bool {
        self.peer.is_own(record)
    }

    /// A queue's number, or -1.
    pub fn queue(&self, name: &str) -> i32 {
        self.peer.engine().named(name).map_or(-1, |queue| queue as i32)
    }

    pub fn names(&self) -> Array {
        let names = Array::new();
        for (_, queue) in self.peer.engine().queues() {
            names.push(&JsValue::from_str(&queue.name));
        }
        names
    }

    /// Leaves the policy's numbers, in the order [`Peer::create`] takes them; none when there is no such queue.
    pub fn policy(&self, queue: u32) -> usize {
        leave(|numbers| {
            if let Some(queue) = self.peer.engine().queue(queue) {
                numbers.extend(queue.policy.numbers().map(real));
                for place in [Policy::FACTOR, Policy::JITTER] {
                    numbers[place] /= 1000.0;
                }
                numbers.push(f64::from(queue.policy.overflow as u8));
            }
        })
    }

    #[wasm_bindgen(js_name = deadLetterQueue)]
    pub fn dead_letter_queue(&self, queue: u32) -> Option<JsString> {
        self.peer.engine().queue(queue)?.policy.dead_letter_queue.as_deref().map(JsString::from)
    }

    pub fn create(&mut self, token: u32, name: String, policy: Vec<f64>, dead_letter_queue: Option<String>) {
        self.peer.create(token, &name, policy_of(&policy, dead_letter_queue));
    }

    /// Whether the queue was only made to keep another's dead letters, and has no policy of its own.
    #[wasm_bindgen(js_name = isKeeper)]
    pub fn is_keeper(&self, queue: u32) -> bool {
        self.peer.engine().queue(queue).is_some_and(|queue| queue.keeper)
    }

    /// Gives such a queue a policy.
    pub fn adopt(&mut self, token: u32, queue: u32, policy: Vec<f64>, dead_letter_queue: Option<String>) {
        self.peer.adopt(token, queue, policy_of(&policy, dead_letter_queue));
    }

    pub fn remove(&mut self, token: u32, queue: u32) {
        self.peer.remove(token, queue);
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

    pub fn unsend(&mut self, token: u32) -> bool {
        self.peer.unsend(token)
    }

    /// `lease_ms` 0: the queue's visibility timeout. May be answered at once: look at the effects.
    /// `ahead`: who gets it may give it back, or tell by `started` that it was handed out.
    #[allow(clippy::too_many_arguments)]
    pub fn receive(&mut self, token: u32, queue: u32, max: u32, lease_ms: f64, wait: bool, now: f64, ahead: bool) {
        let lease_ms = optional(lease_ms).filter(|&ms| ms > 0);
        if ahead {
            self.peer.receive_ahead(token, queue, max, lease_ms, wait, whole(now));
        } else {
            self.peer.receive(token, queue, max, lease_ms, wait, whole(now));
        }
    }

    pub fn started(&mut self, queue: u32, number: f64, index: u32, count: u32, grant: f64, now: f64) {
        self.peer.started(queue, message(number, index), count, whole(grant), whole(now));
    }

    pub fn unreceive(&mut self, token: u32) {
        self.peer.unreceive(token);
    }

    /// `kind`: as [`border`] says. `arg` of a retry: its delay in ms, -1 the queue's backoff; of an extension: ms from now. `text`:
    /// a retry's last error, a dead letter's reason.
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
        let text = text.map(Into::into);
        let how = match kind {
            border::ACK => Settle::Ack,
            border::RETRY => Settle::Retry { delay_ms: optional(arg), error: text },
            border::DEAD_LETTER => Settle::DeadLetter { reason: text.unwrap_or_default() },
            border::EXTEND => Settle::Extend { ms: whole(arg) },
            _ => Settle::Release,
        };
        let first = message(number, index);
        let count = count.clamp(1, MessageId::INDEX_MAX + 1 - first.index());
        self.peer.settle(token, queue, first, count, whole(grant), how);
    }

    /// Leaves pairs of index and count: which of these messages are still leased by that grant.
    pub fn held(&mut self, number: f64, index: u32, count: u32, grant: f64) -> usize {
        let first = message(number, index);
        let held = self.peer.engine().held(first, count, whole(grant));
        leave_pairs(&held.iter().map(|(id, count)| (id.index(), *count)).collect::<Vec<_>>())
    }

    pub fn cancel(&mut self, token: u32, queue: u32, number: f64, index: u32) {
        self.peer.cancel(token, queue, message(number, index));
    }

    pub fn purge(&mut self, token: u32, queue: u32) {
        self.peer.purge(token, queue);
    }

    pub fn pause(&mut self, token: u32, queue: u32, paused: bool) {
        self.peer.pause(token, queue, paused);
    }

    #[wasm_bindgen(js_name = wantsShowing)]
    pub fn wants_showing(&self) -> bool {
        self.peer.wants_showing()
    }

    pub fn show(&mut self, id: f64) {
        self.peer.show(whole(id));
    }

    /// Leaves the names of the other peers that hold leases.
    pub fn others(&self) -> usize {
        leave(|numbers| numbers.extend(self.peer.others().into_iter().map(real)))
    }

    /// `queue` -1: all that it holds.
    pub fn bury(&mut self, token: u32, peer: f64, queue: i32, counted: bool) {
        self.peer.bury(token, whole(peer), u32::try_from(queue).ok(), counted);
    }

    pub fn parting(&mut self, now: f64) -> Vec<u8> {
        self.peer.parting(whole(now))
    }

    /// `to` -1: back to where they came from.
    pub fn redrive(&mut self, token: u32, queue: u32, to: i32, max: f64) {
        self.peer.redrive(token, queue, u32::try_from(to).ok(), whole(max));
    }

    #[wasm_bindgen(js_name = releaseIdle)]
    pub fn release_idle(&mut self) {
        self.peer.release_idle();
    }

    /// Makes the next record out of all that is pending. False: nothing to write now.
    pub fn decide(&mut self, now: f64) -> bool {
        self.peer.decide(whole(now))
    }

    pub fn record(&self) -> Vec<u8> {
        self.peer.record().to_vec()
    }

    /// -1: bodies go with the record; else apart, 2^chunk messages a value.
    pub fn chunk(&self) -> i32 {
        self.peer.chunk().map_or(-1, i32::from)
    }

    /// Leaves pairs of token and count: whose bodies are the record's.
    pub fn sends(&mut self) -> usize {
        leave_pairs(self.peer.sends())
    }

    pub fn committed(&mut self, number: f64) {
        self.peer.committed(whole(number));
    }

    pub fn abandoned(&mut self) {
        self.peer.abandoned();
    }

    /// Leaves what took effect since the last call, in rows of ten numbers.
    pub fn effects(&mut self) -> usize {
        let Self { peer, texts } = self;
        leave(|rows| {
            for effect in peer.effects() {
                rows::push(rows, effect, texts);
            }
        })
    }

    /// The texts that the last rows refer to.
    pub fn texts(&mut self) -> Option<Array> {
        self.texts.take()
    }

    pub fn deadline(&mut self, now: f64) -> f64 {
        real(self.peer.deadline(whole(now)))
    }

    pub fn waiting(&self) -> bool {
        self.peer.waiting()
    }

    /// Leaves count, bytes, and when the oldest was sent (-1: there is none).
    pub fn backlog(&mut self, queue: u32) -> usize {
        let known = self.peer.engine().queue(queue);
        let told = known.map_or([0.0, 0.0, -1.0], |queue| {
            [real(queue.backlog()), real(queue.bytes()), queue.oldest().map_or(-1.0, real)]
        });
        leave(|numbers| numbers.extend_from_slice(&told))
    }

    /// The queue's metrics as an object, names as in the API.
    pub fn metrics(&mut self, queue: u32, now: f64) -> JsValue {
        let now: Time = self.peer.now(whole(now));
        rows::metrics(self.peer.engine().queue(queue), &self.peer.handed_out(queue, now), now)
    }

    /// What is in the queue, oldest first, as objects. `state` -1: any; else 0 ready, 1 delayed, 2 leased, 3 dead.
    pub fn peek(&mut self, queue: u32, max: u32, state: i32, now: f64) -> Array {
        let now: Time = self.peer.now(whole(now));
        rows::peek(self.peer.engine().queue(queue), &self.peer.handed_out(queue, now), max, state, now)
    }

    #[wasm_bindgen(js_name = wantsSnapshot)]
    pub fn wants_snapshot(&self, pressed: bool) -> bool {
        self.peer.wants_snapshot(pressed)
    }

    pub fn snapshot(&mut self) -> Vec<u8> {
        self.peer.snapshot()
    }

    pub fn floor(&self) -> f64 {
        real(self.peer.floor())
    }

    /// Leaves the ranges of records whose bodies go with the snapshot, both ends included.
    pub fn drained(&self) -> usize {
        leave(|numbers| {
            for (from, to) in self.peer.drained() {
                numbers.extend_from_slice(&[real(*from), real(*to)]);
            }
        })
    }

    /// Leaves triples: of a record that stays, its number and the first and last part of its bodies that go with the snapshot.
    #[wasm_bindgen(js_name = deadParts)]
    pub fn dead_parts(&self) -> usize {
        leave(|numbers| numbers.extend(self.peer.dead_parts().iter().flatten().map(|part| real(*part))))
    }

    /// The snapshot was written, or (false) it was not.
    #[wasm_bindgen(js_name = snapshotWritten)]
    pub fn snapshot_written(&mut self, written: bool) {
        self.peer.snapshot_over(written);
    }
}
