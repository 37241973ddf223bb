//! The frame itself: its head, its rows, and the checks every frame has to pass.

use crate::id::MessageId;

/// Numbers of a row.
pub const WIDTH: usize = 10;
pub type Row = [f64; WIDTH];

const MARK: u32 = 0x6870; // "ph"
const VERSION: u32 = 2;
const HEAD: usize = 40;
/// Rows one frame may have.
pub const ROWS_MAX: usize = 1 << 16;
/// Lengths one frame may have: those of the largest batch, and of what goes with it.
pub const LENGTHS_MAX: usize = 9 << 18;

/// Why a frame is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// It is not what the format says; names the part that is wrong.
    Malformed(&'static str),
    /// A version this one does not speak.
    Version,
    /// It was said before, or something between is missing.
    OutOfOrder,
}

/// One frame.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Frame {
    pub number: u64,
    pub heard: u64,
    pub time: f64,
    pub rows: Vec<Row>,
    pub lengths: Vec<u32>,
}

impl Frame {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.rows.len() * WIDTH * 8 + self.lengths.len() * 4);
        bytes.extend_from_slice(&(MARK | VERSION << 16).to_le_bytes());
        bytes.extend_from_slice(&(self.rows.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.heard.to_le_bytes());
        bytes.extend_from_slice(&(self.lengths.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.time.to_le_bytes());
        for value in self.rows.iter().flatten() {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        for length in &self.lengths {
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Bad> {
        let malformed = |part| Err(Bad::Malformed(part));
        if bytes.len() < HEAD || small(bytes, 0) & 0xffff != MARK {
            return malformed("head");
        }
        if small(bytes, 0) >> 16 != VERSION {
            return Err(Bad::Version);
        }
        let (rows, lengths) = (small(bytes, 4) as usize, small(bytes, 24) as usize);
        if rows > ROWS_MAX || lengths > LENGTHS_MAX || small(bytes, 28) != 0 {
            return malformed("counts");
        }
        let time = f64::from_bits(large(bytes, 32));
        if !time.is_finite() {
            return malformed("time");
        }
        let end = HEAD + rows * WIDTH * 8;
        if bytes.len() != end + lengths * 4 {
            return malformed("size");
        }
        let mut frame = Self { number: large(bytes, 8), heard: large(bytes, 16), time, ..Self::default() };
        let (head, lengths) = bytes.split_at(end);
        for row in head[HEAD..].chunks_exact(WIDTH * 8) {
            let mut numbers = [0.0; WIDTH];
            for (at, number) in numbers.iter_mut().enumerate() {
                *number = f64::from_bits(large(row, at * 8));
            }
            frame.rows.push(numbers);
        }
        for length in lengths.chunks_exact(4) {
            frame.lengths.push(small(length, 0));
        }
        Ok(frame)
    }
}

/// Makes a row of a kind and its fields.
pub(super) fn row(kind: u8, fields: &[f64]) -> Row {
    let mut row = [0.0; WIDTH];
    row[0] = f64::from(kind);
    row[1..=fields.len()].copy_from_slice(fields);
    row
}

/// Reads the fields of a row, one behind the other. What is wrong is told at the end, and is 0 until then.
pub(super) struct Fields<'a> {
    row: &'a Row,
    at: usize,
    bad: Option<Bad>,
}

impl<'a> Fields<'a> {
    pub fn of(row: &'a Row) -> Self {
        Self { row, at: 0, bad: None }
    }

    /// As `sound`, else the row is not what the format says.
    pub fn check(&mut self, sound: bool, part: &'static str) {
        if !sound {
            self.bad = self.bad.or(Some(Bad::Malformed(part)));
        }
    }

    /// Whatever it is.
    pub fn any(&mut self) -> f64 {
        self.at += 1;
        self.row.get(self.at - 1).copied().unwrap_or_default()
    }

    /// A whole number, `max` at most.
    pub fn whole(&mut self, max: u64) -> u64 {
        let value = self.any();
        // What is no number, negative or a fraction is not its own whole.
        let whole = value as u64;
        let sound = whole as f64 == value && whole <= max;
        self.check(sound, "number");
        if sound { whole } else { 0 }
    }

    pub fn small(&mut self) -> u32 {
        self.whole(u32::MAX.into()) as u32
    }

    pub fn flag(&mut self) -> bool {
        self.whole(1) == 1
    }

    /// A time or duration: negative ones stand for what was left out, infinity for never.
    pub fn span(&mut self) -> f64 {
        let value = self.any();
        self.check(!value.is_nan(), "time");
        value
    }

    /// At least one.
    pub fn count(&mut self, max: u32) -> u32 {
        let count = self.whole(max.into()) as u32;
        self.check(count > 0, "count");
        count.max(1)
    }

    pub fn message(&mut self) -> MessageId {
        let (number, index) = (self.whole(MessageId::NUMBER_MAX), self.whole(MessageId::INDEX_MAX.into()));
        MessageId::new(number, index as u32).unwrap_or(MessageId(0))
    }

    pub fn grant(&mut self) -> u64 {
        self.whole(MessageId::NUMBER_MAX)
    }

    /// What was read, if nothing was wrong.
    pub fn end<T>(self, read: T) -> Result<T, Bad> {
        self.bad.map_or(Ok(read), Err)
    }
}

fn small(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn large(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
