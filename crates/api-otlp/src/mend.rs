//! JSON whose writers say what its readers refuse, put right where it stands: one record would cost all that came with it.
//!
//! Nothing that is put in is longer than what stood there, so the text is changed in its place.

/// How long a code unit is that is written as an escape: `\ud83d`.
const UNIT: usize = 6;
/// What stands for a character that there is not.
const NO_CHARACTER: &[u8; UNIT] = br"\ufffd";

pub(crate) fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == b'"' {
            at = string(bytes, at) + 1;
        }
    }
}

/// Goes over a string that begins at `at`, and answers where the quote stands that ends it.
fn string(bytes: &mut [u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += escape(bytes, at),
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Goes over an escape, and answers how long it is. Who cuts a text by its code units may cut a character in two, of which
/// JavaScript then writes the half. A half alone is no character, and no text can hold it.
fn escape(bytes: &mut [u8], at: usize) -> usize {
    match unit(bytes, at) {
        None => 2,
        Some(0xd800..=0xdbff) if matches!(unit(bytes, at + UNIT), Some(0xdc00..=0xdfff)) => 2 * UNIT,
        Some(0xd800..=0xdfff) => {
            bytes[at..at + UNIT].copy_from_slice(NO_CHARACTER);
            UNIT
        }
        Some(_) => UNIT,
    }
}

/// The code unit that is written at `at`.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + UNIT)?.strip_prefix(br"\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
