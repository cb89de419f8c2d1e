//! What stands in a segment file.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use mainspring_kernel::Timestamp;
use mainspring_llm::{
    Span,
    trace::{SpanKind, SpanStatus},
};
use serde::Serialize;

use crate::table::Texts;

/// What a segment held.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Segment {
    pub(crate) spans: Vec<Span>,
    /// It ends within a frame, which was never acknowledged.
    pub(crate) torn: u64,
    /// Frames whose bytes have changed since they were written.
    pub(crate) damaged: u64,
}

/// Spans as the frames of a segment.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: u64,
}

/// A span without what `Texts` holds of it as JSON.
#[derive(Serialize)]
struct Head<'a> {
    project: &'a str,
    trace: &'a str,
    span: &'a str,
    parent: Option<&'a str>,
    name: &'a str,
    kind: SpanKind,
    start: Timestamp,
    end: Timestamp,
    status: &'a SpanStatus,
}

impl Frames {
    pub(crate) fn with_room_for(spans: usize) -> Self {
        Self { bytes: Vec::with_capacity(spans * 1024), spans: 0 }
    }

    pub(crate) fn of<'s>(spans: impl IntoIterator<Item = &'s Span>) -> std::io::Result<Self> {
        let (mut frames, mut texts) = (Self::default(), Texts::default());
        for span in spans {
            texts.write(span)?;
            frames.push(span, &texts)?;
        }
        Ok(frames)
    }

    /// Adds the frame of a span. `texts` are its own.
    pub(crate) fn push(&mut self, span: &Span, texts: &Texts) -> std::io::Result<()> {
        let head = Head {
            project: texts.project(),
            trace: texts.trace(),
            span: texts.span(),
            parent: texts.parent(),
            name: &span.name,
            kind: span.kind,
            start: span.start,
            end: span.end,
            status: &span.status,
        };
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 8]);
        serde_json::to_writer(&mut self.bytes, &head).map_err(std::io::Error::other)?;
        self.bytes.pop();
        for part in [br#","attributes":"#.as_slice(), texts.attributes(), br#","events":"#, texts.events()] {
            self.bytes.extend_from_slice(part);
        }
        if !texts.links().is_empty() {
            self.bytes.extend_from_slice(br#","links":"#);
            self.bytes.extend_from_slice(texts.links());
        }
        self.bytes.push(b'}');
        let payload = &self.bytes[at + 8..];
        let length = u32::try_from(payload.len()).map_err(std::io::Error::other)?;
        let crc = crc32fast::hash(payload);
        self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        self.spans += 1;
        Ok(())
    }
}

/// Reads a segment; `None` when somebody else has removed it.
pub(crate) fn read(path: &Path) -> std::io::Result<Option<Segment>> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(parse(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn parse(mut bytes: &[u8]) -> Segment {
    let mut segment = Segment::default();
    while !bytes.is_empty() {
        let Some((payload, rest)) = frame(bytes) else {
            segment.torn += 1;
            break;
        };
        match payload.and_then(|payload| serde_json::from_slice(payload).ok()) {
            Some(span) => segment.spans.push(span),
            None => segment.damaged += 1,
        }
        bytes = rest;
    }
    segment
}

/// The first frame: its payload if it is whole, and what follows. `None` when the length itself cannot be trusted.
fn frame(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(head[4..].try_into().ok()?);
    let (payload, rest) = rest.split_at_checked(length)?;
    Some(((crc32fast::hash(payload) == crc).then_some(payload), rest))
}
