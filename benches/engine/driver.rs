//! Drives one peer as a context does, with a journal that only numbers the records: what is measured is the engine.

use posthaste::{
    collections::sizes::Sizes,
    format::{Overflow, Policy, Whole},
    id::QueueId,
    peer::{Effect, Peer, SendOrder, Settle},
};

/// Bytes the body of a message is said to have. The engine never sees it.
const BODY_BYTES: u64 = 100;

/// One peer with one queue.
pub struct Driver {
    pub peer: Peer,
    queue: QueueId,
    now: u64,
}

impl Driver {
    /// `memory`: as for a memory queue, whose records are not encoded.
    pub fn new(memory: bool) -> Self {
        let mut driver = Self { peer: Peer::new(1, 1, memory), queue: 0, now: 1_800_000_000_000 };
        let policy = Policy { capacity_messages: u64::MAX, overflow: Overflow::Reject, ..Policy::default() };
        driver.peer.create(0, "bench", policy);
        for effect in driver.step() {
            if let Effect::Done { value, .. } = effect {
                driver.queue = value as QueueId;
            }
        }
        driver
    }

    /// One step: decided, committed, applied. Answers what took effect.
    pub fn step(&mut self) -> Vec<Effect> {
        if self.peer.decide(self.now) {
            std::hint::black_box(self.peer.record());
            let number = self.peer.engine().base() + 1;
            self.peer.committed(number);
        }
        self.peer.effects()
    }

    /// The bytes of the step's record too, for a replay.
    pub fn recorded_step(&mut self) -> Vec<u8> {
        assert!(self.peer.decide(self.now), "there is something to record");
        let record = self.peer.record().to_vec();
        self.peer.committed(self.peer.engine().base() + 1);
        self.peer.effects();
        record
    }

    /// Asks to send `count` messages together.
    pub fn ask_send(&mut self, count: u32) {
        let (queue, sizes) = (self.queue, Sizes::alike(count, BODY_BYTES));
        let (delay_ms, expires_ms, key) = (None, None, None);
        self.peer.send(1, SendOrder { queue, sizes, delay_ms, expires_ms, whole: Whole::No, more: 0, key });
    }

    /// Sends `total` messages, `together` of them a step. Each step is later than the last: runs can't be joined.
    pub fn fill(&mut self, total: u32, together: u32) {
        for _ in 0..total / together {
            self.now += 1;
            self.ask_send(together);
            self.step();
        }
    }

    /// Receives up to `max` and answers the runs that came. With `settle` false they stay leased.
    pub fn receive(&mut self, max: u32, settle: bool) -> u32 {
        self.peer.receive(2, self.queue, max, None, false, self.now);
        let mut effects = self.peer.effects();
        if !effects.iter().any(|effect| matches!(effect, Effect::Received { .. })) {
            effects = self.step();
        }
        let mut taken = 0;
        for effect in effects {
            let Effect::Delivered { first, count, grant, .. } = effect else {
                continue;
            };
            taken += count;
            // A context settles message by message.
            for place in (0..count).filter(|_| settle) {
                self.peer.settle(3, self.queue, first.plus(place), 1, grant, Settle::Ack);
            }
        }
        taken
    }

    /// Receives and acks until `total` have gone; acks ride with the step of the next receive.
    pub fn drain(&mut self, total: u32, max: u32) {
        let mut done = 0;
        while done < total {
            let taken = self.receive(max, true);
            assert!(taken > 0, "the queue was empty {} messages early", total - done);
            done += taken;
        }
        self.step();
    }
}
