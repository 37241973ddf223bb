//! The bytes that survive: records and snapshots. Frozen once it is released.
//!
//! Both end with the XXH32 of everything before it (little endian, seed 0) and begin with the format's number. These
//! two facts hold for every format to come, so that a peer can tell damage from a newer version. Numbers are LEB128.

mod codec;
mod items;
mod policy;
mod record;

pub use codec::{FormatError, Reader, Writer};
pub use items::{How, Item, Send, Whole};
pub use policy::{Backoff, Overflow, Policy};
pub use record::Record;

/// The format this version writes, and the newest it reads.
pub const FORMAT: u8 = 2;
