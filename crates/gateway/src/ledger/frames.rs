//! How the journal looks on disk.
//!
//! A segment is a run of frames: length (u32 LE), CRC-32 of the payload (u32 LE), payload. A payload is a letter and what
//! it stands for: `h` a segment's head, `b` a call that begins, as the record it will have if nobody hears of it again,
//! `e` a call that ended, `m` the end of a batch: its number and how many calls before it are in it.

use serde::{Deserialize, Serialize};

use crate::record::CallRecord;

/// What this version writes.
pub(crate) const VERSION: u32 = 1;
/// A frame larger than this is not one we wrote.
const FRAME_MAX: usize = 1 << 20;
const HEAD: usize = 8;

/// The first frame of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) v: u32,
    /// Whose journal it is: the name under which the catalog knows what was written of it.
    pub(crate) owner: String,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Header(Header),
    Began(CallRecord),
    Ended(CallRecord),
    Batch(Mark),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) number: u64,
    pub(crate) calls: u64,
}

/// What a segment holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) entries: Vec<Entry>,
    /// Bytes at its end that are no whole frame: one that was being written when the process died.
    pub(crate) torn: usize,
    /// Frames whose bytes have changed since they were written, or that this version cannot read.
    pub(crate) damaged: usize,
}

pub(crate) fn header(header: &Header) -> Vec<u8> {
    framed(b'h', |payload| serde_json::to_writer(payload, header))
}

pub(crate) fn began(record: &CallRecord) -> Vec<u8> {
    framed(b'b', |payload| serde_json::to_writer(payload, record))
}

pub(crate) fn ended(record: &CallRecord) -> Vec<u8> {
    framed(b'e', |payload| serde_json::to_writer(payload, record))
}

pub(crate) fn mark(mark: Mark) -> Vec<u8> {
    framed(b'm', |payload| {
        payload.extend_from_slice(&mark.number.to_le_bytes());
        payload.extend_from_slice(&mark.calls.to_le_bytes());
        Ok(())
    })
}

/// The record inside a frame that `ended` made: a line for the catalog.
pub(crate) fn line(frame: &[u8]) -> &[u8] {
    frame.get(HEAD + 1..).unwrap_or_default()
}

fn framed(letter: u8, write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1_024);
    frame.extend_from_slice(&[0; HEAD]);
    frame.push(letter);
    // Records are structs of texts and numbers, which always have a JSON form.
    if let Err(error) = write(&mut frame) {
        tracing::error!(%error, "a record of a call has no JSON form");
    }
    let payload = &frame[HEAD..];
    let (length, crc) = (u32::try_from(payload.len()).unwrap_or(u32::MAX), crc32fast::hash(payload));
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEAD].copy_from_slice(&crc.to_le_bytes());
    frame
}

pub(crate) fn parse(mut bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    while !bytes.is_empty() {
        let Some((payload, rest)) = frame(bytes) else {
            segment.torn = bytes.len();
            break;
        };
        match payload.and_then(entry) {
            Some(entry) => segment.entries.push(entry),
            None => segment.damaged += 1,
        }
        bytes = rest;
    }
    segment
}

/// The first frame: its payload if it is whole, and what follows. `None` when the length itself cannot be trusted.
fn frame(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..].try_into().ok()?);
    if length == 0 || length > FRAME_MAX {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(length)?;
    Some(((crc32fast::hash(payload) == crc).then_some(payload), rest))
}

fn entry(payload: &[u8]) -> Option<Entry> {
    let (letter, body) = payload.split_first()?;
    match letter {
        b'h' => serde_json::from_slice(body).ok().map(Entry::Header),
        b'b' => serde_json::from_slice(body).ok().map(Entry::Began),
        b'e' => serde_json::from_slice(body).ok().map(Entry::Ended),
        b'm' => {
            let (number, calls) = body.split_at_checked(8)?;
            let read = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
            Some(Entry::Batch(Mark { number: read(number)?, calls: read(calls)? }))
        }
        _ => None,
    }
}

#[cfg(test)]
impl Entry {
    pub(crate) fn frame(&self) -> Vec<u8> {
        match self {
            Self::Header(head) => header(head),
            Self::Began(record) => began(record),
            Self::Ended(record) => ended(record),
            Self::Batch(found) => mark(*found),
        }
    }
}

#[cfg(test)]
mod tests;
