//! What crosses the process border: a length, then that many bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::{fault::ParseFault, limits::Limits, model::ParsedDocument};

/// More than any limit allows; a longer frame is not one of ours.
const FRAME_MAX: u64 = 2 << 30;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) file_name: String,
    pub(crate) media_type: Option<String>,
    pub(crate) limits: Limits,
    /// The process that waits for the answer: a child whose parent is another by now ends.
    pub(crate) parent: u32,
}

pub(crate) type Reply = Result<ParsedDocument, ParseFault>;

/// A frame, or `None` at the end of the stream.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = check_length(length)?;
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(Some(bytes)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

pub(crate) fn check_length(length: [u8; 8]) -> io::Result<u64> {
    let length = u64::from_le_bytes(length);
    if length > FRAME_MAX { Err(io::Error::other("a frame is too long")) } else { Ok(length) }
}

pub(crate) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}
