//! Every interleaving of a producer and a consumer, by loom: frames come whole, in order, once; no wake-up is lost.
//! RUSTFLAGS="--cfg loom" cargo test -p posthaste-ring --test interleavings
#![cfg(loom)]

use loom::{cell::UnsafeCell, sync::Arc, sync::atomic::Ordering, thread};
use posthaste_ring::ring::{Control, Event, HEAD, NONE, Ring, Words, taken};

/// The ring's words, each of which loom watches: a read that races a write is an error.
struct Memory(Vec<UnsafeCell<u32>>);

impl Words for &Memory {
    fn read(&self, place: u32) -> u32 {
        self.0[place as usize / 4].with(|word| unsafe { *word })
    }

    fn write(&self, place: u32, value: u32) {
        self.0[place as usize / 4].with_mut(|word| unsafe { *word = value });
    }
}

struct Shared {
    control: Control,
    event: Event,
    memory: Memory,
}

impl Shared {
    fn new(size: usize) -> Arc<Self> {
        let memory = Memory((0..size / 4).map(|_| UnsafeCell::new(0)).collect());
        Arc::new(Self { control: Control::default(), event: Event::default(), memory })
    }

    fn ring(&self) -> Ring<'_, &Memory> {
        Ring::new(&self.control, &self.memory, self.memory.0.len() as u32 * 4)
    }

    fn body(&self, position: u32) -> u32 {
        (position & (self.memory.0.len() as u32 * 4 - 1)) + HEAD
    }
}

/// Sends the numbers 1 to `last`, a frame each, waiting for room without sleeping.
fn produce(shared: &Shared, last: u32) {
    for number in 1..=last {
        let position = loop {
            match shared.ring().reserve(4) {
                NONE => thread::yield_now(),
                position => break position,
            }
        };
        (&shared.memory).write(shared.body(position), number);
        shared.ring().commit(position, 4);
    }
}

#[test]
fn frames_come_whole_in_order_and_once_over_the_end_of_the_ring() {
    loom::model(|| {
        // Frames of 16 bytes and of 24: the third does not fit before the end.
        let shared = Shared::new(32);
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || produce(&shared, 3))
        };
        let mut cursor = 0;
        for number in 1..=3 {
            let position = loop {
                match shared.ring().next(cursor) {
                    NONE => thread::yield_now(),
                    position => break position,
                }
            };
            assert_eq!(position & 7, 0, "the ring is sound");
            assert_eq!((&shared.memory).read(shared.body(position)), number);
            cursor = position.wrapping_add(taken(shared.ring().length(position)));
            shared.ring().free(cursor);
        }
        producer.join().unwrap();
    });
}

#[test]
fn a_sleeper_is_woken_or_never_falls_asleep() {
    loom::model(|| {
        let shared = Shared::new(64);
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                let position = shared.ring().reserve(4);
                (&shared.memory).write(shared.body(position), 7);
                shared.ring().commit(position, 4);
                shared.event.raise()
            })
        };
        let count = shared.event.arm();
        // Asleep: nothing to see, and the count is what it was. Then the producer must know.
        let asleep = shared.ring().next(0) == NONE && shared.event.count.0.load(Ordering::SeqCst) == count;
        let woken = producer.join().unwrap();
        assert!(!asleep || woken != 0, "nobody would ever wake the consumer");
    });
}

#[test]
fn a_sleeper_that_falls_asleep_again_is_woken_again() {
    loom::model(|| {
        let shared = Shared::new(64);
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                let first = shared.event.raise();
                if first != 0 {
                    shared.event.woken(first);
                }
                [first, shared.event.raise()]
            })
        };
        shared.event.arm();
        let count = shared.event.arm();
        let asleep = shared.event.count.0.load(Ordering::SeqCst) == count;
        let woken = producer.join().unwrap();
        // Who notifies names the sleep; a count that was raised since ends it alone.
        let heard = woken.contains(&(count << 1 | 1));
        assert!(!asleep || count == 2 || heard, "nobody would ever wake the consumer");
    });
}

#[test]
fn what_is_freed_is_written_only_after_it_was_read() {
    loom::model(|| {
        // Two frames fill the ring: the third is written where the first was read.
        let shared = Shared::new(32);
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || produce(&shared, 3))
        };
        let mut cursor = 0;
        for number in 1..=3 {
            while shared.ring().next(cursor) == NONE {
                thread::yield_now();
            }
            assert_eq!((&shared.memory).read(shared.body(cursor)), number);
            cursor = cursor.wrapping_add(16);
            shared.ring().free(cursor);
        }
        producer.join().unwrap();
    });
}
