//! As much of HTTP/1.1 as both sides need.

use std::io;

/// How a message says how long its body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Bytes(usize),
    Chunked,
    /// It does not.
    Unsaid,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) length: Length,
    /// Where the body begins.
    pub(crate) ends: usize,
}

/// The head, once all of it is there.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let ends = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut length = Length::Unsaid;
    for line in bytes[..ends].split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            length = Length::Bytes(decimal(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            length = Length::Chunked;
        }
    }
    Some(Head { length, ends: ends + 4 })
}

pub(crate) fn decimal(bytes: &[u8]) -> Option<usize> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The status of an answer: `HTTP/1.1 200 OK`.
pub(crate) fn status(head: &[u8]) -> usize {
    head.get(9..12).and_then(decimal).unwrap_or(0)
}

/// `begin` is the first byte of what is sought: few places have to be looked at.
pub(crate) fn contains(bytes: &[u8], begin: u8, sought: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| *byte == begin && bytes[at..].starts_with(sought))
}

/// Reads a body in whatever pieces it comes.
#[derive(Debug)]
pub(crate) struct Body(State);

#[derive(Debug, Clone, Copy)]
enum State {
    Bytes(usize),
    UntilClosed,
    /// Within the size of a chunk, and behind it.
    Size(usize),
    SizeEnds(usize),
    Data(usize),
    DataEnds,
    /// Behind the last chunk, with so many bytes of a line.
    Trailer(usize),
    Done,
}

impl Body {
    pub(crate) const fn of(length: Length) -> Self {
        Self(match length {
            Length::Bytes(0) => State::Done,
            Length::Bytes(bytes) => State::Bytes(bytes),
            Length::Chunked => State::Size(0),
            Length::Unsaid => State::UntilClosed,
        })
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Whether it is right that the other side closes here.
    pub(crate) const fn may_close(&self) -> bool {
        matches!(self.0, State::Done | State::UntilClosed)
    }

    /// Takes what belongs to the body, and says how many bytes that were.
    pub(crate) fn take(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            at += self.step(&bytes[at..], &mut data).ok_or_else(|| io::Error::other("a chunk is malformed"))?;
        }
        Ok(at)
    }

    fn step(&mut self, rest: &[u8], data: &mut impl FnMut(&[u8])) -> Option<usize> {
        let byte = rest[0];
        let mut taken = 1;
        self.0 = match self.0 {
            State::Bytes(left) | State::Data(left) => {
                taken = left.min(rest.len());
                data(&rest[..taken]);
                self.with_left(left - taken)
            }
            State::UntilClosed => {
                taken = rest.len();
                data(rest);
                State::UntilClosed
            }
            State::Size(size) if byte == b'\r' || byte == b';' => State::SizeEnds(size),
            State::Size(size) => {
                let digit = char::from(byte).to_digit(16)?;
                State::Size(size.checked_mul(16)?.checked_add(digit as usize)?)
            }
            State::SizeEnds(0) if byte == b'\n' => State::Trailer(0),
            State::SizeEnds(size) if byte == b'\n' => State::Data(size),
            State::DataEnds if byte == b'\n' => State::Size(0),
            State::DataEnds if byte != b'\r' => return None,
            State::Trailer(0) if byte == b'\n' => State::Done,
            State::Trailer(_) if byte == b'\n' => State::Trailer(0),
            State::Trailer(length) if byte != b'\r' => State::Trailer(length + 1),
            same @ (State::SizeEnds(_) | State::DataEnds | State::Trailer(_) | State::Done) => same,
        };
        Some(taken)
    }

    const fn with_left(&self, left: usize) -> State {
        match (self.0, left) {
            (State::Data(_), 0) => State::DataEnds,
            (State::Data(_), left) => State::Data(left),
            (_, 0) => State::Done,
            (_, left) => State::Bytes(left),
        }
    }
}
