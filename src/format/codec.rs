//! Reading and writing of numbers and text, and the seal (format number in front, checksum behind).

use xxhash_rust::xxh32::xxh32;

use super::FORMAT;
use crate::collections::sizes::Sizes;
use crate::id::QueueId;

/// Why bytes from a store can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormatError {
    /// They are not what was written; names the part that is wrong.
    Corrupt(&'static str),
    /// A newer version wrote them.
    Newer,
}

/// Writes one sealed value.
pub struct Writer(Vec<u8>);

impl Default for Writer {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(FORMAT);
        Self(bytes)
    }
}

impl Writer {
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn text(&mut self, value: &str) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    /// Absent is 0, present is the value plus one.
    pub fn option(&mut self, value: Option<u64>) {
        self.number(value.map_or(0, |value| value.saturating_add(1)));
    }

    pub fn option_text(&mut self, value: Option<&str>) {
        self.flag(value.is_some());
        if let Some(value) = value {
            self.text(value);
        }
    }

    /// How many, then 1 more than twice what each has where they are alike, else 0 and what each has.
    pub fn sizes(&mut self, sizes: &Sizes) {
        self.number(sizes.count().into());
        if sizes.are_alike() {
            return self.number(sizes.at(0) << 1 | 1);
        }
        self.number(0);
        for size in sizes.iter() {
            self.number(size);
        }
    }

    pub fn seal(mut self) -> Vec<u8> {
        let checksum = xxh32(&self.0, 0);
        self.0.extend_from_slice(&checksum.to_le_bytes());
        self.0
    }
}

/// Reads one sealed value. Every length is checked before anything is allocated for it.
///
/// What is wrong is told at the end: after the first error there is nothing left to read, and all that is read then is 0
/// or empty. To look for an error after every number took a third of the code that reads.
pub struct Reader<'a> {
    rest: &'a [u8],
    error: Option<FormatError>,
}

impl<'a> Reader<'a> {
    /// Checks the seal first: damage is told apart from a newer format.
    pub fn open(bytes: &'a [u8]) -> Self {
        let mut reader = Self { rest: &[], error: None };
        let Some((body, checksum)) = bytes.split_last_chunk::<4>() else {
            reader.corrupt("length");
            return reader;
        };
        if xxh32(body, 0) != u32::from_le_bytes(*checksum) {
            reader.corrupt("checksum");
            return reader;
        }
        reader.rest = body;
        match reader.byte() {
            FORMAT => {}
            0..FORMAT => reader.corrupt("format"),
            _ => reader.fail(FormatError::Newer),
        }
        reader
    }

    /// Only the first error counts.
    pub fn fail(&mut self, error: FormatError) {
        self.error = self.error.or(Some(error));
        self.rest = &[];
    }

    pub fn corrupt(&mut self, part: &'static str) {
        self.fail(FormatError::Corrupt(part));
    }

    /// As `sound`, else it is corrupt.
    pub fn check(&mut self, sound: bool, part: &'static str) {
        if !sound {
            self.corrupt(part);
        }
    }

    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.rest.split_first() else {
            self.corrupt("end");
            return 0;
        };
        self.rest = rest;
        byte
    }

    pub fn flag(&mut self) -> bool {
        let byte = self.byte();
        self.check(byte <= 1, "flag");
        byte == 1
    }

    pub fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            if shift == 63 && byte > 1 {
                self.corrupt("number");
                return 0;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }

    /// A number up to `max`.
    fn bounded(&mut self, max: u64, part: &'static str) -> u64 {
        let number = self.number();
        if number <= max {
            return number;
        }
        self.corrupt(part);
        0
    }

    pub fn small(&mut self) -> u32 {
        self.bounded(u64::from(u32::MAX), "number") as u32
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self, max: usize) -> usize {
        let number = self.number();
        if number <= (max as u64).min(self.rest.len() as u64) {
            return number as usize;
        }
        self.corrupt("count");
        0
    }

    pub fn text(&mut self, max: usize) -> Box<str> {
        let length = self.count(max);
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        match core::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => {
                self.corrupt("text");
                Box::default()
            }
        }
    }

    /// Up to `max`, where there is one.
    pub fn option(&mut self, max: u64, part: &'static str) -> Option<u64> {
        self.bounded(max.saturating_add(1), part).checked_sub(1)
    }

    /// The number of a queue, where there is one.
    pub fn queue(&mut self) -> Option<QueueId> {
        self.option(u64::from(u32::MAX), "queue").map(|queue| queue as u32)
    }

    pub fn option_text(&mut self, max: usize) -> Option<Box<str>> {
        self.flag().then(|| self.text(max))
    }

    /// Of one message at least, and `max` at most.
    pub fn sizes(&mut self, max: u32) -> Sizes {
        let (count, alike) = (self.bounded(max.into(), "sizes"), self.number());
        let sizes = if alike & 1 == 1 {
            Sizes::alike(count as u32, alike >> 1)
        } else {
            // Each takes one byte at least.
            let count = count.min(self.rest.len() as u64);
            (0..count).map(|_| self.number()).collect()
        };
        self.check(count > 0 && u64::from(sizes.count()) == count && sizes.total() < 1 << 53, "sizes");
        sizes
    }

    /// Nothing must be left.
    pub fn end(mut self) -> Result<(), FormatError> {
        self.check(self.rest.is_empty(), "rest");
        self.error.map_or(Ok(()), Err)
    }
}
