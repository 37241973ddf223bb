//! Reading and writing of numbers and text, and the seal (format number in front, checksum behind).

use xxhash_rust::xxh32::xxh32;

use super::FORMAT;

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

    pub fn seal(mut self) -> Vec<u8> {
        let checksum = xxh32(&self.0, 0);
        self.0.extend_from_slice(&checksum.to_le_bytes());
        self.0
    }
}

/// Reads one sealed value. Every length is checked before anything is allocated for it.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the seal first: damage is told apart from a newer format.
    pub fn open(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(FormatError::Corrupt("length"))?;
        if xxh32(body, 0) != u32::from_le_bytes(*checksum) {
            return Err(FormatError::Corrupt("checksum"));
        }
        let (&format, rest) = body.split_first().ok_or(FormatError::Corrupt("length"))?;
        match format {
            FORMAT => Ok(Self(rest)),
            0 => Err(FormatError::Corrupt("format")),
            _ => Err(FormatError::Newer),
        }
    }

    pub fn byte(&mut self) -> Result<u8, FormatError> {
        let (&byte, rest) = self.0.split_first().ok_or(FormatError::Corrupt("end"))?;
        self.0 = rest;
        Ok(byte)
    }

    pub fn flag(&mut self) -> Result<bool, FormatError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FormatError::Corrupt("flag")),
        }
    }

    pub fn number(&mut self) -> Result<u64, FormatError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(FormatError::Corrupt("number"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FormatError::Corrupt("number"))
    }

    pub fn small(&mut self) -> Result<u32, FormatError> {
        u32::try_from(self.number()?).map_err(|_| FormatError::Corrupt("number"))
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self, max: usize) -> Result<usize, FormatError> {
        let count = self.number()?;
        if count > max as u64 || count > self.0.len() as u64 {
            return Err(FormatError::Corrupt("count"));
        }
        Ok(count as usize)
    }

    pub fn text(&mut self, max: usize) -> Result<Box<str>, FormatError> {
        let length = self.count(max)?;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        core::str::from_utf8(text).map(Into::into).map_err(|_| FormatError::Corrupt("text"))
    }

    pub fn option(&mut self) -> Result<Option<u64>, FormatError> {
        Ok(self.number()?.checked_sub(1))
    }

    pub fn option_text(&mut self, max: usize) -> Result<Option<Box<str>>, FormatError> {
        Ok(if self.flag()? { Some(self.text(max)?) } else { None })
    }

    pub fn end(self) -> Result<(), FormatError> {
        if self.0.is_empty() { Ok(()) } else { Err(FormatError::Corrupt("rest")) }
    }
}
