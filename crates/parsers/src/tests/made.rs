//! Files that other programs made; `tests/files/made/README.md` says which, and of what.

mod office;
mod printed;

use std::path::Path;

use super::{parse, shape, warned};
use crate::{ParseFault, ParsedDocument};

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/made").join(name)).unwrap()
}

fn read(name: &str) -> ParsedDocument {
    parse(name, bytes(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// What stands in blocks of this kind.
fn of_kind<'a>(document: &'a ParsedDocument, kind: &str) -> Vec<&'a str> {
    shape(document).into_iter().filter(|row| row.0 == kind).map(|row| row.1).collect()
}

/// Each block with its page and the headings above it.
fn by_page(document: &ParsedDocument) -> Vec<(u32, &str, String)> {
    let page = |block: &crate::Block| block.page.unwrap_or_default();
    document.blocks.iter().zip(shape(document)).map(|(block, row)| (page(block), row.1, row.2)).collect()
}

#[test]
fn what_needs_a_password_is_said_to_whatever_locked_it() {
    for name in ["locked.docx", "locked.xlsx", "locked.xls", "locked.ods", "locked.pdf", "locked-aes.pdf"] {
        assert_eq!(parse(name, bytes(name)), Err(ParseFault::Encrypted), "{name}");
        // A source may not know what its files are called.
        assert_eq!(parse("x", bytes(name)), Err(ParseFault::Encrypted), "{name}");
    }
}

#[test]
fn a_format_that_is_not_read_is_named() {
    for (name, media_type) in [
        ("unread.rtf", "application/rtf"),
        ("unread.odt", "application/vnd.oasis.opendocument.text"),
        ("unread.odp", "application/vnd.oasis.opendocument.presentation"),
        ("unread.doc", "application/x-ole-storage"),
    ] {
        let fault = ParseFault::Unsupported { media_type: media_type.to_owned() };
        assert_eq!(parse(name, bytes(name)), Err(fault.clone()), "{name}");
        assert_eq!(parse("x.txt", bytes(name)), Err(fault), "{name}");
    }
}
