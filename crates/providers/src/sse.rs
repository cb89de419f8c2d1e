//! Server-sent events, read as the WHATWG standard says, from chunks cut anywhere.
//!
//! `Decoder` gives the fields of each event. `Events` only says where each event lies, so that bytes which are handed on
//! unchanged can be looked at on the way.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// A line, or the data of one event, beyond this is refused. Images in base64 take 10 MB; nothing honest takes more.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// What is kept between chunks is given back to the allocator once it has been larger than this.
const KEEP: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event. `event` is absent where the server named none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    pub event: Option<String>,
    pub data: String,
}

/// Adapters turn it into a fault of the class `Malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseFault {
    #[error("a line of the event stream is longer than {limit} bytes")]
    LineTooLong { limit: usize },
    #[error("an event of the stream is longer than {limit} bytes")]
    EventTooLong { limit: usize },
}

/// Reads frames. After a fault it reads no further and repeats the fault.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    event: String,
    data: String,
    /// An event may have data that is empty.
    has_data: bool,
    started: bool,
    /// The last chunk ended in CR: a LF that comes next belongs to it.
    after_cr: bool,
    fault: Option<SseFault>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::limited(LONGEST)
    }
}

impl Decoder {
    /// With another limit than `LONGEST` for a line and for the data of an event.
    #[must_use]
    pub fn limited(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            event: String::new(),
            data: String::new(),
            has_data: false,
            started: false,
            after_cr: false,
            fault: None,
        }
    }

    /// Reads a chunk; appends the frames that are complete now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Frame>) -> Result<(), SseFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.read(chunk, out).inspect_err(|fault| {
            self.fault = Some(*fault);
            self.line = Vec::new();
            self.data = String::new();
        })
    }

    /// The stream has ended. An event whose lines are all there but for the blank one is taken, since some servers
    /// forget that line; a line without an end is dropped, since nobody can tell whether it is whole.
    pub fn end(&mut self, out: &mut Vec<Frame>) -> Result<(), SseFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.line = Vec::new();
        self.dispatch(out);
        Ok(())
    }

    fn read(&mut self, chunk: &[u8], out: &mut Vec<Frame>) -> Result<(), SseFault> {
        let mut rest = chunk;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\r', b'\n', rest) {
            let line = &rest[..end];
            self.fits(line.len())?;
            if self.line.is_empty() {
                self.line(line, out)?;
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                let read = self.line(&whole, out);
                whole.clear();
                if whole.capacity() <= KEEP {
                    self.line = whole;
                }
                read?;
            }
            let ended_by_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if ended_by_cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
        self.fits(rest.len())?;
        self.line.extend_from_slice(rest);
        Ok(())
    }

    fn fits(&self, more: usize) -> Result<(), SseFault> {
        if self.line.len() + more > self.limit { Err(SseFault::LineTooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<Frame>) -> Result<(), SseFault> {
        let line = if self.started { line } else { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) };
        self.started = true;
        if line.is_empty() {
            self.dispatch(out);
            return Ok(());
        }
        match field(line) {
            (b"data", value) => self.data(value),
            (b"event", value) => {
                self.event = String::from_utf8_lossy(value).into_owned();
                Ok(())
            }
            // Comments, `id`, `retry` and what nobody knows.
            _ => Ok(()),
        }
    }

    fn data(&mut self, value: &[u8]) -> Result<(), SseFault> {
        let text = String::from_utf8_lossy(value);
        let before = if self.has_data { self.data.len() + 1 } else { 0 };
        if before + text.len() > self.limit {
            return Err(SseFault::EventTooLong { limit: self.limit });
        }
        if self.has_data {
            self.data.push('\n');
        }
        self.data.push_str(&text);
        self.has_data = true;
        Ok(())
    }

    fn dispatch(&mut self, out: &mut Vec<Frame>) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            let data = std::mem::take(&mut self.data);
            out.push(Frame { event: (!event.is_empty()).then_some(event), data });
        }
    }
}

/// Finds events in bytes that pass through. An event comes out as it came, without the line breaks behind it; one that
/// lies in a single chunk is not copied.
#[derive(Debug)]
pub struct Events {
    limit: usize,
    /// The beginning of an event whose end has not come yet.
    begun: Vec<u8>,
    /// Some of the line being read came with an earlier chunk.
    within_line: bool,
    started: bool,
    after_cr: bool,
    fault: Option<SseFault>,
}

impl Default for Events {
    fn default() -> Self {
        Self::limited(LONGEST)
    }
}

impl Events {
    /// With another limit than `LONGEST` for an event with all its lines.
    #[must_use]
    pub fn limited(limit: usize) -> Self {
        Self { limit, begun: Vec::new(), within_line: false, started: false, after_cr: false, fault: None }
    }

    /// Reads a chunk; appends the events that are complete now, comments among them. `data` and `name` read one.
    pub fn split(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), SseFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.read(chunk, out).inspect_err(|fault| {
            self.fault = Some(*fault);
            self.begun = Vec::new();
        })
    }

    /// The stream has ended: the event whose blank line did not come, if there is one. Its last line may be cut.
    pub fn end(&mut self) -> Option<Bytes> {
        let last = std::mem::take(&mut self.begun);
        self.bare(last.into())
    }

    fn read(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), SseFault> {
        let (mut event, mut line) = (0, 0);
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            line = usize::from(chunk[0] == b'\n');
            // Between two events the line break is nobody's.
            event = if self.begun.is_empty() { line } else { 0 };
        }
        while let Some(found) = memchr2(b'\r', b'\n', &chunk[line..]) {
            let end = line + found;
            let mut next = end + 1;
            if chunk[end] == b'\r' {
                self.after_cr = next == chunk.len();
                next += usize::from(chunk.get(next) == Some(&b'\n'));
            }
            if found == 0 && !self.within_line {
                self.close(chunk, event..line, out)?;
                event = next;
            }
            self.within_line = false;
            line = next;
        }
        self.within_line |= line < chunk.len();
        let rest = &chunk[event..];
        self.fits(rest.len())?;
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    fn close(&mut self, chunk: &Bytes, range: std::ops::Range<usize>, out: &mut Vec<Bytes>) -> Result<(), SseFault> {
        self.fits(range.len())?;
        let event = if self.begun.is_empty() {
            chunk.slice(range)
        } else {
            self.begun.extend_from_slice(&chunk[range]);
            Bytes::from(std::mem::take(&mut self.begun))
        };
        out.extend(self.bare(event));
        Ok(())
    }

    /// Without the mark a stream may begin with, and without the line breaks at its end; nothing is left of blank lines.
    fn bare(&mut self, event: Bytes) -> Option<Bytes> {
        let first = !std::mem::replace(&mut self.started, true);
        let from = if first && event.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let to = event.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        (from < to).then(|| event.slice(from..to))
    }

    fn fits(&self, more: usize) -> Result<(), SseFault> {
        if self.begun.len() + more > self.limit { Err(SseFault::EventTooLong { limit: self.limit }) } else { Ok(()) }
    }
}

/// The data of an event that `Events` found; absent where it has none. Copied only where it has several lines.
#[must_use]
pub fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut values = lines(event).filter_map(|line| match field(line) {
        (b"data", value) => Some(value),
        _ => None,
    });
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(Cow::Borrowed(first));
    };
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.push(b'\n');
        joined.extend_from_slice(value);
    }
    Some(Cow::Owned(joined))
}

/// What an event that `Events` found is called, if it is.
#[must_use]
pub fn name(event: &[u8]) -> Option<&[u8]> {
    let mut last = None;
    for line in lines(event) {
        if let (b"event", value) = field(line) {
            last = Some(value);
        }
    }
    last.filter(|name| !name.is_empty())
}

/// A line's field and value. A comment has a field without a name.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', line) {
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, &line[line.len()..]),
    }
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            rest = &rest[(end + 1).min(rest.len())..];
            // CRLF leaves an empty line between its two bytes; an event has none of its own.
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests;
