//! Frames of every length around the end of the ring, and rings that someone else wrote. Runs under miri too.
#![cfg(not(loom))]

use std::cell::Cell;

use posthaste_ring::ring::{Control, DAMAGED, HEAD, NONE, Ring, Words, taken};

struct Memory(Vec<Cell<u32>>);

impl Words for &Memory {
    fn read(&self, place: u32) -> u32 {
        self.0[place as usize / 4].get()
    }

    fn write(&self, place: u32, value: u32) {
        self.0[place as usize / 4].set(value);
    }
}

fn memory(size: u32) -> Memory {
    Memory((0..size / 4).map(|_| Cell::new(0xdead_beef)).collect())
}

/// A simple sequence: numbers that look random and are not.
fn lengths(count: usize, below: u32) -> impl Iterator<Item = u32> {
    let mut state = 12345u32;
    (0..count).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    })
}

#[test]
fn every_frame_comes_back_as_it_went_in() {
    for size in [64, 256, 1024] {
        let (control, memory) = (Control::default(), memory(size));
        let ring = Ring::new(&control, &memory, size);
        let (mut cursor, mut freed) = (0u32, 0u32);
        let mut waiting = std::collections::VecDeque::new();
        let count = if cfg!(miri) { 200 } else { 20_000 };
        for length in lengths(count, size / 2 - HEAD + 1) {
            while ring.reserve(length) == NONE {
                let (expected, stamp): (u32, u32) = waiting.pop_front().expect("a ring without frames has room");
                let position = ring.next(cursor);
                assert_eq!(position & 7, 0);
                assert_eq!(ring.length(position), expected);
                if expected >= 4 {
                    assert_eq!((&memory).read((position & (size - 1)) + HEAD), stamp);
                }
                cursor = position.wrapping_add(taken(expected));
                freed = cursor;
                ring.free(freed);
            }
            let position = ring.reserve(length);
            let stamp = position ^ length;
            if length >= 4 {
                (&memory).write((position & (size - 1)) + HEAD, stamp);
            }
            ring.commit(position, length);
            waiting.push_back((length, stamp));
        }
        assert!(freed > 0);
    }
}

#[test]
fn positions_go_on_past_the_last_number() {
    let (control, memory) = (Control::default(), memory(64));
    let start = u32::MAX - 39;
    control.tail.0.store(start, std::sync::atomic::Ordering::Relaxed);
    control.head.0.store(start, std::sync::atomic::Ordering::Relaxed);
    let ring = Ring::new(&control, &memory, 64);
    let mut cursor = start;
    for _ in 0..20 {
        let position = ring.reserve(12);
        assert_ne!(position, NONE);
        ring.commit(position, 12);
        let found = ring.next(cursor);
        assert_eq!(found, position);
        cursor = found.wrapping_add(taken(12));
        ring.free(cursor);
    }
}

#[test]
fn half_the_ring_is_the_longest_frame() {
    let (control, memory) = (Control::default(), memory(64));
    let ring = Ring::new(&control, &memory, 64);
    for length in [25, 32, 64, 1000, u32::MAX - 8, u32::MAX] {
        assert_eq!(ring.reserve(length), NONE);
    }
    for position in [0, 32] {
        assert_eq!(ring.reserve(24), position);
        ring.commit(position, 24);
    }
    assert_eq!((ring.next(0), ring.length(0), ring.reserve(0)), (0, 24, NONE));
}

#[test]
fn a_frame_that_was_reserved_and_not_committed_is_never_seen() {
    let (control, memory) = (Control::default(), memory(64));
    let ring = Ring::new(&control, &memory, 64);
    ring.commit(ring.reserve(20), 20);
    // The producer dies here, in the middle of the next.
    let position = ring.reserve(8);
    (&memory).write((position & 63) + HEAD, 99);
    assert_eq!(ring.next(0), 0);
    assert_eq!(ring.next(taken(20)), NONE);
}

#[test]
fn nonsense_in_shared_memory_is_told_and_never_followed() {
    let stores = |control: &Control, tail: u32| control.tail.0.store(tail, std::sync::atomic::Ordering::Relaxed);
    for (length, mark, tail) in [
        (8, 3, 16),   // no such mark
        (100, 1, 64), // over the end of the ring
        (24, 1, 16),  // longer than what was written
        (0xffff_ffff, 1, 64),
        (8, 2, 64),      // a gap that does not reach the end
        (8, 1, 1 << 20), // more written than there is room
    ] {
        let (control, memory) = (Control::default(), memory(64));
        (&memory).write(0, length);
        (&memory).write(4, mark);
        stores(&control, tail);
        assert_eq!(Ring::new(&control, &memory, 64).next(0), DAMAGED, "{length} {mark} {tail}");
    }
}
