//! The exports: rings in a shared memory, by the address of their control words, which the bytes follow; and an event, which
//! has a memory to itself and lies at its beginning.
//!
//! The count of an event is its first word, for the platform's own `Atomics.wait` and `Atomics.notify`: they work on
//! the same memory, and Rust's are not stable yet.

use crate::ring::{Control, Event, Ring, Words};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// The bytes of one ring.
struct Bytes(u32);

impl Words for Bytes {
    fn read(&self, place: u32) -> u32 {
        // SAFETY: an address outside the memory traps; every bit pattern is a number. That no one writes there meanwhile is
        // the ring's own business: heads are written before their position is told, and read after.
        unsafe { ((self.0 + place) as *const u32).read() }
    }

    fn write(&self, place: u32, value: u32) {
        // SAFETY: as above; the place is not told yet, so no one reads it.
        unsafe { ((self.0 + place) as *mut u32).write(value) }
    }
}

fn control(at: u32) -> &'static Control {
    // SAFETY: the memory lasts as long as the instance, `at` is aligned by the one who lays the rings out, and the words
    // are atomics, for which every bit pattern is a value.
    unsafe { &*(at as *const Control) }
}

fn ring(at: u32, size: u32) -> Ring<'static, Bytes> {
    Ring::new(control(at), Bytes(at + size_of::<Control>() as u32), size)
}

#[unsafe(no_mangle)]
pub extern "C" fn reserve(at: u32, size: u32, length: u32) -> u32 {
    ring(at, size).reserve(length)
}

#[unsafe(no_mangle)]
pub extern "C" fn commit(at: u32, size: u32, position: u32, length: u32) {
    ring(at, size).commit(position, length);
}

#[unsafe(no_mangle)]
pub extern "C" fn next(at: u32, size: u32, cursor: u32) -> u32 {
    ring(at, size).next(cursor)
}

#[unsafe(no_mangle)]
pub extern "C" fn length(at: u32, size: u32, position: u32) -> u32 {
    ring(at, size).length(position)
}

#[unsafe(no_mangle)]
pub extern "C" fn free(at: u32, size: u32, position: u32) {
    ring(at, size).free(position);
}

fn event(at: u32) -> &'static Event {
    // SAFETY: as for the control words.
    unsafe { &*(at as *const Event) }
}

/// Not 0: someone sleeps, and is to be notified.
#[unsafe(no_mangle)]
pub extern "C" fn raise(at: u32) -> u32 {
    event(at).raise()
}

#[unsafe(no_mangle)]
pub extern "C" fn woken(at: u32, sleeper: u32) {
    event(at).woken(sleeper);
}

/// Answers the count to sleep on.
#[unsafe(no_mangle)]
pub extern "C" fn arm(at: u32) -> u32 {
    event(at).arm()
}

#[unsafe(no_mangle)]
pub extern "C" fn disarm(at: u32) {
    event(at).disarm();
}
