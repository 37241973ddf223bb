//! The frame itself: its head, its rows, and the checks every frame has to pass.

/// Numbers of a row.
pub const WIDTH: usize = 10;
pub type Row = [f64; WIDTH];

const MARK: u32 = 0x6870; // "ph"
const VERSION: u32 = 1;
const HEAD: usize = 40;
/// Rows one frame may have.
pub const ROWS_MAX: usize = 1 << 16;
/// Lengths one frame may have.
pub const LENGTHS_MAX: usize = 1 << 17;

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
        if !number(bytes, 32).is_finite() {
            return malformed("time");
        }
        let end = HEAD + rows * WIDTH * 8;
        if bytes.len() != end + lengths * 4 {
            return malformed("size");
        }
        let row = |at: usize| core::array::from_fn(|field| number(bytes, HEAD + (at * WIDTH + field) * 8));
        Ok(Self {
            number: large(bytes, 8),
            heard: large(bytes, 16),
            time: number(bytes, 32),
            rows: (0..rows).map(row).collect(),
            lengths: (0..lengths).map(|at| small(bytes, end + at * 4)).collect(),
        })
    }
}

/// Makes a row of a kind and its fields.
pub(super) fn row(kind: u8, fields: &[f64]) -> Row {
    let mut row = [0.0; WIDTH];
    row[0] = f64::from(kind);
    row[1..=fields.len()].copy_from_slice(fields);
    row
}

/// A whole number, `max` at most.
pub(super) fn whole(value: f64, max: u64) -> Result<u64, Bad> {
    // What is no number, negative or a fraction is not its own whole.
    let whole = value as u64;
    if whole as f64 == value && whole <= max { Ok(whole) } else { Err(Bad::Malformed("number")) }
}

pub(super) fn flag(value: f64) -> Result<bool, Bad> {
    whole(value, 1).map(|flag| flag == 1)
}

/// A time or duration: negative ones stand for what was left out, infinity for never.
pub(super) fn span(value: f64) -> Result<f64, Bad> {
    if value.is_nan() { Err(Bad::Malformed("time")) } else { Ok(value) }
}

fn small(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn large(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn number(bytes: &[u8], at: usize) -> f64 {
    bytes[at..].first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes))
}
