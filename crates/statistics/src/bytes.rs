//! How sketches lie on disk: a version, then numbers. Counts are LEB128, so a sketch of little data is small.

use crate::fault::SketchFault;

pub(crate) const VERSION: u8 = 1;

#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![VERSION] }
    }

    pub(crate) fn count(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Small numbers of either sign stay short.
    pub(crate) fn signed(&mut self, number: i64) {
        self.count(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(crate) fn double(&mut self, number: f64) {
        self.bytes.extend(number.to_le_bytes());
    }

    pub(crate) fn single(&mut self, number: f32) {
        self.bytes.extend(number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len() as u64);
        self.bytes.extend(text.as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.bytes
    }
}

#[derive(Debug)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    what: &'static str,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8], what: &'static str) -> Result<Self, SketchFault> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(Self { rest, what }),
            Some((&found, _)) if found > VERSION => Err(SketchFault::Newer { what, found, known: VERSION }),
            _ => Err(SketchFault::Unreadable { what }),
        }
    }

    pub(crate) const fn bad(&self) -> SketchFault {
        SketchFault::Unreadable { what: self.what }
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'b [u8], SketchFault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(self.bad())?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SketchFault> {
        let bad = self.bad();
        self.raw(N)?.try_into().map_err(|_| bad)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, SketchFault> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn count(&mut self) -> Result<u64, SketchFault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            let placed = part << shift;
            if placed >> shift != part {
                break;
            }
            number |= placed;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.bad())
    }

    /// A number of things, each of at least one byte, that are still to come.
    pub(crate) fn length(&mut self, most: usize) -> Result<usize, SketchFault> {
        let length = usize::try_from(self.count()?).map_err(|_| self.bad())?;
        if length > most || length > self.rest.len() { Err(self.bad()) } else { Ok(length) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, SketchFault> {
        let number = self.count()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A finite number.
    pub(crate) fn double(&mut self) -> Result<f64, SketchFault> {
        let number = f64::from_le_bytes(self.array()?);
        if number.is_finite() { Ok(number) } else { Err(self.bad()) }
    }

    /// A finite number.
    pub(crate) fn single(&mut self) -> Result<f32, SketchFault> {
        let number = f32::from_le_bytes(self.array()?);
        if number.is_finite() { Ok(number) } else { Err(self.bad()) }
    }

    pub(crate) fn text(&mut self, most: usize) -> Result<&'b str, SketchFault> {
        let length = self.length(most)?;
        let bad = self.bad();
        std::str::from_utf8(self.raw(length)?).map_err(|_| bad)
    }

    pub(crate) fn done(self) -> Result<(), SketchFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.bad()) }
    }
}
