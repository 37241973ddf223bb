//! Frames: what client and host of a served queue say to each other through a port. Version 2.
//!
//! A frame is bytes, little endian; bodies travel beside it, one value a send or delivery, in its order.
//!
//! | at | what |
//! |---|---|
//! | 0 | `u32` mark: "ph" and the version in the upper half |
//! | 4 | `u32` rows |
//! | 8 | `u64` number of this frame in its direction, from 1, no gaps |
//! | 16 | `u64` number of the last frame heard from the other side |
//! | 24 | `u32` lengths |
//! | 28 | 0 |
//! | 32 | `f64` the time where it was written, in milliseconds: leases are counted by the host's clock |
//! | 40 | rows of ten `f64`: what is said ([`Order`] by a client, [`Answer`] by a host), its kind first |
//! | .. | lengths, `u32` each, in the order of their rows: estimated bytes of messages that are not alike, then lengths of byte bodies that are not |
//!
//! A frame comes from a peer that may be broken or hostile: nothing in it counts before it is checked, and nothing is
//! allocated for more than the frame itself holds. Texts (keys, reasons, names) travel beside the frame too, as strings, in
//! the order of the rows that say they have one.

mod answer;
mod frame;
mod order;

pub use answer::{Answer, Delivery, Failure, Welcome};
pub use frame::{Bad, Frame, LENGTHS_MAX, ROWS_MAX, Row, WIDTH};
pub use order::{Ask, Hello, Order, Sending};

use frame::Fields;

/// How the bodies of one send or delivery lie beside the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// An array of values, as structured clone brought them.
    Values = 0,
    /// One JSON text, an array.
    Text = 1,
    /// One buffer: `Uint8Array` bodies, each at a multiple of 8.
    Bytes = 2,
    /// The same, for bodies that were an `ArrayBuffer`.
    Buffers = 3,
}

/// The bodies of one send or delivery.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bodies {
    pub form: Form,
    /// Length of each body that is bytes; `None`: the frame's next lengths.
    pub length: Option<u32>,
    /// Whether an object of headers follows, by place.
    pub headers: bool,
}

/// Bytes of one byte body, at most.
pub const LENGTH_MAX: u32 = 1 << 30;

impl Bodies {
    /// As one number: form, headers, and the length plus one.
    pub(crate) fn pack(self) -> f64 {
        let length = self.length.map_or(0, |length| u64::from(length) + 1);
        (length * 8 + u64::from(self.headers) * 4 + self.form as u64) as f64
    }

    /// Alone, as it is told from JavaScript.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn unpack(value: f64) -> Result<Self, Bad> {
        let mut row = [0.0; WIDTH];
        row[0] = value;
        let mut from = Fields::of(&row);
        let bodies = Self::read(&mut from);
        from.end(bodies)
    }

    fn read(from: &mut Fields) -> Self {
        let packed = from.whole((u64::from(LENGTH_MAX) + 1) * 8 + 7);
        let form = match packed % 4 {
            0 => Form::Values,
            1 => Form::Text,
            2 => Form::Bytes,
            _ => Form::Buffers,
        };
        let length = (packed / 8).checked_sub(1).map(|length| length as u32);
        Self { form, length, headers: packed & 4 != 0 }
    }

    /// How many of the frame's lengths belong to `count` bodies.
    pub fn lengths(self, count: u32) -> usize {
        let each = matches!(self.form, Form::Bytes | Form::Buffers) && self.length.is_none();
        if each { count as usize } else { 0 }
    }
}
