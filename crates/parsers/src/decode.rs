//! Bytes to text, with a word about what had to be guessed.

use crate::warning::{ParseWarning, WarningKind};

/// The text, and a warning where bytes were not plainly text.
pub(crate) fn decode(bytes: &[u8]) -> (String, Option<ParseWarning>) {
    if let Some(rest) = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]) {
        return lossy(rest);
    }
    for (mark, big) in [([0xFF, 0xFE], false), ([0xFE, 0xFF], true)] {
        if let Some(rest) = bytes.strip_prefix(&mark) {
            let units = rest
                .chunks_exact(2)
                .map(|pair| if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) });
            let mut bad = 0;
            let read = char::decode_utf16(units).map(|unit| {
                bad += usize::from(unit.is_err());
                unit.unwrap_or(char::REPLACEMENT_CHARACTER)
            });
            let text: String = read.collect();
            return (clean(text), (bad > 0).then(|| replaced(bad, "UTF-16")));
        }
    }
    lossy(bytes)
}

fn lossy(bytes: &[u8]) -> (String, Option<ParseWarning>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (clean(text.to_owned()), None),
        Err(_) => {
            let text = String::from_utf8_lossy(bytes);
            let bad = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
            // Few high bytes among plain letters are how Western text looked before UTF-8.
            let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
            let controls = bytes.iter().filter(|byte| (0x80..0xA0).contains(*byte)).count();
            if high * 4 < bytes.len() && controls == 0 {
                let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                let guessed = ParseWarning::new(WarningKind::EncodingGuessed, "the text was not UTF-8; it was read as Latin-1");
                return (clean(latin), Some(guessed));
            }
            (clean(text.into_owned()), Some(replaced(bad, "UTF-8")))
        }
    }
}

fn replaced(places: usize, encoding: &str) -> ParseWarning {
    ParseWarning::new(WarningKind::BytesReplaced, format!("{places} places were not {encoding} and were replaced"))
}

/// One kind of line end, and no NUL, which no store and no page likes.
pub(crate) fn clean(text: String) -> String {
    if text.contains(['\r', '\0']) { text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}") } else { text }
}
