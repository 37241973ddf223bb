//! The algorithm: a byte ring with two positions, each written by one side only.
//!
//! Positions count bytes and wrap at 2^32; a place in the ring is a position modulo its size, which is a power of two. A frame
//! lies in one piece, behind a head of two words (its length, and a mark), at a multiple of 8. Where the rest of the ring is
//! too short for it, a head that is marked as a gap covers the rest.
//!
//! The producer writes a frame and then, with release order, its position: a frame is seen whole or not at all, wherever the
//! producer's worker is terminated. The consumer frees what it has read in the same way, later and in order.
//!
//! Sleeping is by event counts (an idea of Reed and Kanodia, 1979): who wants to sleep reads the count, says that it will
//! sleep, looks once more, and sleeps unless the count has changed since; who wakes raises the count first. No wake-up is
//! lost, and a wake-up too many does no harm.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Bytes of a frame's head.
pub const HEAD: u32 = 8;
const FRAME: u32 = 1;
const GAP: u32 = 2;
/// No frame: positions are multiples of 8.
pub const NONE: u32 = 1;
/// What lies there was not written by this code.
pub const DAMAGED: u32 = 2;

/// The words that both sides look at, each on a cache line of its own.
#[repr(C, align(64))]
#[derive(Default)]
pub struct Line(pub AtomicU32);

/// What a consumer sleeps on: one for all the rings it listens to.
#[repr(C)]
#[derive(Default)]
pub struct Event {
    /// Raised before a wake-up.
    pub count: Line,
    /// Who sleeps, or is about to: odd, from the count it sleeps on; 0: nobody.
    pub asleep: Line,
}

#[repr(C)]
#[derive(Default)]
pub struct Control {
    /// Everything before it is written. The producer's.
    pub tail: Line,
    /// Everything before it may be written over. The consumer's.
    pub head: Line,
}

/// The bytes of the ring, as words. Only heads are read and written here; what is in a frame is its users' business.
pub trait Words {
    fn read(&self, place: u32) -> u32;
    fn write(&self, place: u32, value: u32);
}

pub struct Ring<'a, W> {
    control: &'a Control,
    words: W,
    size: u32,
}

/// What a frame of this length takes with its head.
pub fn taken(length: u32) -> u32 {
    HEAD + length.next_multiple_of(8)
}

impl<'a, W: Words> Ring<'a, W> {
    /// `size`: bytes, a power of two, 16 at least.
    pub fn new(control: &'a Control, words: W, size: u32) -> Self {
        Self { control, words, size }
    }

    fn place(&self, position: u32) -> u32 {
        position & (self.size - 1)
    }

    /// The producer: the position for a frame of up to `length` bytes; [`NONE`]: there is no room now, or never: with its head
    /// a frame takes half the ring at most, as the rest before the end may be too short for it. Nothing is seen of it before
    /// [`Ring::commit`].
    pub fn reserve(&self, length: u32) -> u32 {
        let tail = self.control.tail.0.load(Ordering::Relaxed);
        let used = tail.wrapping_sub(self.control.head.0.load(Ordering::Acquire));
        let rest = self.size - self.place(tail);
        if length > self.size / 2 - HEAD {
            return NONE;
        }
        let wanted = taken(length);
        let gap = if wanted > rest { rest } else { 0 };
        if gap + wanted > self.size - used {
            return NONE;
        }
        if gap > 0 {
            self.write_head(tail, gap - HEAD, GAP);
        }
        tail.wrapping_add(gap)
    }

    /// The producer: the frame at a reserved position is written, with so many bytes. [`Event::raise`] what the consumer
    /// sleeps on then.
    pub fn commit(&self, position: u32, length: u32) {
        self.write_head(position, length, FRAME);
        self.control.tail.0.store(position.wrapping_add(taken(length)), Ordering::Release);
    }

    /// The consumer: the position of the first frame at `cursor` or behind it. [`NONE`]: there is none yet; [`DAMAGED`]: the
    /// producer does not keep to the rules.
    pub fn next(&self, cursor: u32) -> u32 {
        let tail = self.control.tail.0.load(Ordering::Acquire);
        let mut position = cursor;
        loop {
            let written = tail.wrapping_sub(position);
            if written == 0 {
                return NONE;
            }
            let (length, mark) = self.read_head(position);
            let rest = self.size - self.place(position);
            if written > self.size || length > rest - HEAD || taken(length) > written {
                return DAMAGED;
            }
            match mark {
                FRAME => return position,
                GAP if taken(length) == rest => position = position.wrapping_add(rest),
                _ => return DAMAGED,
            }
        }
    }

    /// The bytes of the frame at a position.
    pub fn length(&self, position: u32) -> u32 {
        self.read_head(position).0
    }

    /// The consumer: everything before `position` has been read.
    pub fn free(&self, position: u32) {
        self.control.head.0.store(position, Ordering::Release);
    }

    fn write_head(&self, position: u32, length: u32, mark: u32) {
        let place = self.place(position);
        self.words.write(place, length);
        self.words.write(place + 4, mark);
    }

    fn read_head(&self, position: u32) -> (u32, u32) {
        let place = self.place(position);
        (self.words.read(place), self.words.read(place + 4))
    }
}

impl Event {
    /// There is something to see. Answers who sleeps, 0: nobody; who does is to be notified, and then [`Event::woken`].
    pub fn raise(&self) -> u32 {
        self.count.0.fetch_add(1, Ordering::SeqCst);
        // Either this sees the sleeper, or the sleeper sees the count: the fences put one before the other.
        fence(Ordering::SeqCst);
        self.asleep.0.load(Ordering::SeqCst)
    }

    /// Who slept so was notified: nobody need do it again until there is another sleep, which has another name. Whoever is
    /// terminated before this leaves one notice too many, and none too few.
    pub fn woken(&self, sleeper: u32) {
        let _ = self.asleep.0.compare_exchange(sleeper, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Says that someone is about to sleep; answers the count to sleep on. Look once more before you do.
    pub fn arm(&self) -> u32 {
        let count = self.count.0.load(Ordering::SeqCst);
        // A swap, so that loom knows its place among those of `woken`.
        self.asleep.0.swap(count << 1 | 1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        count
    }

    pub fn disarm(&self) {
        self.asleep.0.store(0, Ordering::SeqCst);
    }
}
