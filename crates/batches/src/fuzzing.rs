//! What `fuzz/` reaches of files of requests; built for it alone.

use bytes::Bytes;

use crate::{
    lines::{self, Cut, Splitter},
    model::Endpoint,
    rest::Position,
};

/// The lines of a file that comes in pieces, with their numbers; without their text where they are too long.
#[must_use]
pub fn lines(longest: usize, pieces: &[&[u8]]) -> Vec<(u64, Option<Bytes>)> {
    let (mut splitter, mut found) = (Splitter::new(longest, Position::START), Vec::new());
    for piece in pieces {
        splitter.push(piece);
        while let Some(cut) = splitter.next() {
            found.push(numbered(cut));
        }
    }
    found.extend(splitter.rest().map(numbered));
    found
}

fn numbered(cut: Cut) -> (u64, Option<Bytes>) {
    match cut {
        Cut::Line { number, text } => (number, Some(text)),
        Cut::TooLong { number } => (number, None),
    }
}

/// Reads a line; an error is the number of the line that the fault names.
pub fn read(number: u64, text: &Bytes) -> Result<(), Option<u64>> {
    lines::read(number, text, Endpoint::Chat).map(drop).map_err(|fault| fault.line)
}
