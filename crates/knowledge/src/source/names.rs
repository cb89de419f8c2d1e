//! File names as text. A name on disk is bytes: it need not be UTF-8 and may hold a newline.

use std::{ffi::OsStr, path::Path};

/// A relative path with `/` between its parts, fit to be shown, stored and matched:
/// bytes that are no text, and control characters, are written `\xNN`.
#[must_use]
pub(crate) fn shown(path: &Path) -> String {
    let mut out = String::new();
    for part in path.components() {
        if !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        let part = part.as_os_str();
        if part != OsStr::new("/") || out.is_empty() {
            show_bytes(part.as_encoded_bytes(), &mut out);
        }
    }
    out
}

/// The same for a name that came over the wire (an object key, a path in a git tree).
#[must_use]
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    let mut out = String::new();
    show_bytes(bytes, &mut out);
    out
}

fn show_bytes(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || is_deceptive(character) {
                let mut buffer = [0; 4];
                character.encode_utf8(&mut buffer).bytes().for_each(|byte| push_escape(byte, out));
            } else {
                out.push(character);
            }
        }
        chunk.invalid().iter().for_each(|byte| push_escape(*byte, out));
    }
}

/// Characters that reorder or hide the text around them.
fn is_deceptive(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn push_escape(byte: u8, out: &mut String) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(out, "\\x{byte:02X}");
}

/// The last part of a path without its ending: a title when the document gives none.
#[must_use]
pub(crate) fn stem(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    let stem = match last.rfind('.') {
        Some(dot) if dot > 0 => &last[..dot],
        _ => last,
    };
    if stem.is_empty() { path.to_owned() } else { stem.to_owned() }
}
