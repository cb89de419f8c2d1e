//! AWS's event streams (`application/vnd.amazon.eventstream`): frames of headers and a payload, with a checksum over their
//! lengths and one over everything.

/// A frame beyond this is refused. AWS allows 16 MiB of payload.
pub(super) const LONGEST: usize = 16 * 1024 * 1024 + HEADERS_LONGEST + OVERHEAD;
const HEADERS_LONGEST: usize = 128 * 1024;

/// Two lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
const OVERHEAD: usize = PRELUDE + CHECKSUM;

/// What is kept between chunks is given back to the allocator once it has been larger than this.
const KEEP: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Those that are text; the rest says nothing here.
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Becomes a fault of the class `Malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameFault {
    #[error("the lengths of a frame do not match their checksum")]
    Prelude,
    #[error("a frame does not match its checksum")]
    Checksum,
    #[error("a frame of {length} bytes with {headers} bytes of headers cannot be")]
    Length { length: u32, headers: u32 },
    #[error("the headers of a frame cannot be read")]
    Headers,
}

/// Reads frames from chunks cut anywhere. After a fault it reads no further and repeats the fault.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a frame whose end has not come yet.
    begun: Vec<u8>,
    fault: Option<FrameFault>,
}

impl Decoder {
    /// Reads a chunk; appends the frames that are complete now.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<Frame>) -> Result<(), FrameFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let read = if self.begun.is_empty() {
            read(chunk, out).map(|used| self.begun.extend_from_slice(&chunk[used..]))
        } else {
            self.begun.extend_from_slice(chunk);
            read(&self.begun, out).map(|used| drop(self.begun.drain(..used)))
        };
        if self.begun.is_empty() && self.begun.capacity() > KEEP {
            self.begun = Vec::new();
        }
        read.inspect_err(|fault| {
            self.fault = Some(*fault);
            self.begun = Vec::new();
        })
    }

    /// Nothing is left of a frame that has begun.
    pub(super) fn is_at_rest(&self) -> bool {
        self.begun.is_empty()
    }
}

/// Reads as many frames as there are; gives the number of bytes they had.
fn read(bytes: &[u8], out: &mut Vec<Frame>) -> Result<usize, FrameFault> {
    let mut used = 0;
    while let Some((frame, length)) = first(&bytes[used..])? {
        out.push(frame);
        used += length;
    }
    Ok(used)
}

fn first(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameFault> {
    let (Some(length), Some(headers), Some(checksum)) = (number(bytes, 0), number(bytes, 4), number(bytes, 8)) else {
        return Ok(None);
    };
    // The lengths are believed only now: a false one would make us wait for bytes that never come.
    if crc32fast::hash(&bytes[..8]) != checksum {
        return Err(FrameFault::Prelude);
    }
    let impossible = FrameFault::Length { length, headers };
    let (Ok(length), Ok(headers)) = (usize::try_from(length), usize::try_from(headers)) else {
        return Err(impossible);
    };
    if length > LONGEST || headers > HEADERS_LONGEST || length < OVERHEAD + headers {
        return Err(impossible);
    }
    let Some(frame) = bytes.get(..length) else {
        return Ok(None);
    };
    let (message, _) = frame.split_at(length - CHECKSUM);
    if number(frame, length - CHECKSUM) != Some(crc32fast::hash(message)) {
        return Err(FrameFault::Checksum);
    }
    let (headers, payload) = message[PRELUDE..].split_at(headers);
    let headers = texts(headers).ok_or(FrameFault::Headers)?;
    Ok(Some((Frame { headers, payload: payload.to_vec() }, length)))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// The headers that are text. A header is a name, a type, and a value whose length the type tells or two bytes say.
fn texts(mut rest: &[u8]) -> Option<Vec<(String, String)>> {
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(take(&mut rest, 1)?[0]);
        let name = take(&mut rest, length)?;
        let kind = take(&mut rest, 1)?[0];
        let length = match kind {
            // True and false are their own values.
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | 7 => {
                let length = take(&mut rest, 2)?;
                usize::from(u16::from_be_bytes([length[0], length[1]]))
            }
            9 => 16,
            _ => return None,
        };
        let value = take(&mut rest, length)?;
        if kind == 7 {
            texts.push((text(name)?, text(value)?));
        }
    }
    Some(texts)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}
