//! Sends as their bodies lie beside a frame.

use crate::wire::{Bodies, Frame, Sending};

/// The pieces that bodies lie in, and the lengths of those whose form asks for them.
pub struct Parts<'a> {
    pub parts: core::slice::Iter<'a, (u32, Bodies)>,
    pub lengths: std::vec::IntoIter<u32>,
}

/// A send as the pieces its bodies lie in. Of a batch the first piece speaks for the others.
pub fn pieces(mut sending: Sending, parts: &mut Parts, frame: &mut Frame) {
    let mut left = sending.sizes.clone();
    let (more, more_bytes) = (sending.more, sending.more_bytes);
    while left.count() > 0 {
        let Some(&(count, bodies)) = parts.parts.next() else { return };
        let count = count.clamp(1, left.count());
        sending.sizes = left.split_front(count);
        sending.listed = !sending.sizes.are_alike();
        let whole = sending.kind == 2;
        let rest = (more + left.count(), more_bytes + left.total());
        (sending.more, sending.more_bytes) = if whole { rest } else { (0, 0) };
        sending.bodies = bodies;
        frame.rows.push(sending.write());
        if sending.listed {
            frame.lengths.extend(sending.sizes.iter().map(|size| size.min(u32::MAX.into()) as u32));
        }
        frame.lengths.extend(parts.lengths.by_ref().take(bodies.lengths(count)));
        sending.kind = sending.kind.min(1);
    }
}
