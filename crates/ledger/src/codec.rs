//! The bytes of a record: numbers little-endian, counts as LEB128, text after its length. Does not
//! know what a record is.

use model::Timestamp;
use model::error::Malformed;

/// Bytes that are no record of this version. Their frame's checksum was right, so they were
/// written so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record does not read")]
pub struct Unreadable;

/// Appends to a buffer.
#[derive(Default)]
pub struct Encoder {
    /// What was written so far.
    pub bytes: Vec<u8>,
}

impl Encoder {
    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A key, hash or id.
    pub fn wide(&mut self, value: u128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// An instant.
    pub fn time(&mut self, value: Timestamp) {
        self.bytes.extend_from_slice(&value.micros().to_le_bytes());
    }

    /// A count or a small number.
    pub fn count(&mut self, value: usize) {
        let mut rest = value as u64;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// A text.
    pub fn text(&mut self, value: &str) {
        self.count(value.len());
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A text that may be missing: its length plus one, or 0.
    pub fn maybe(&mut self, value: Option<&str>) {
        self.count(value.map_or(0, |text| text.len() + 1));
        self.bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
    }
}

/// Reads what [`Encoder`] wrote.
pub struct Decoder<'a> {
    /// What is left.
    pub bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Unreadable)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Unreadable)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Unreadable> {
        Ok(self.array::<1>()?[0])
    }

    /// A key, hash or id.
    pub fn wide(&mut self) -> Result<u128, Unreadable> {
        self.array().map(u128::from_le_bytes)
    }

    /// An instant.
    pub fn time(&mut self) -> Result<Timestamp, Unreadable> {
        Ok(Timestamp::from_micros(i64::from_le_bytes(self.array()?)))
    }

    /// A count or a small number.
    pub fn count(&mut self) -> Result<usize, Unreadable> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| Unreadable);
            }
        }
        Err(Unreadable)
    }

    /// As many values as the count before them says.
    pub fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let count = self.count()?;
        if count > self.bytes.len() {
            return Err(Unreadable);
        }
        (0..count).map(|_| one(self)).collect()
    }

    /// A text.
    pub fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = self.count()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Unreadable)
    }

    /// A text that may be missing.
    pub fn maybe(&mut self) -> Result<Option<&'a str>, Unreadable> {
        let Some(length) = self.count()?.checked_sub(1) else { return Ok(None) };
        std::str::from_utf8(self.take(length)?).map(Some).map_err(|_| Unreadable)
    }

    /// A name.
    pub fn name<T>(&mut self, parse: fn(&str) -> Result<T, Malformed>) -> Result<T, Unreadable> {
        parse(self.text()?).map_err(|_| Unreadable)
    }

    /// A name that may be missing.
    pub fn maybe_name<T>(
        &mut self,
        parse: fn(&str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Unreadable> {
        self.maybe()?.map(parse).transpose().map_err(|_| Unreadable)
    }
}
