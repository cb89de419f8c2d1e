//! Text in an encoding of its own, which its source or the page itself names.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

use crate::{
    decode::clean,
    detect::Format,
    warning::{ParseWarning, WarningKind},
};

/// How far into a page its own word for it is looked for, as browsers do.
const LOOKED_AT: usize = 1024;

/// The encoding that is named. What is UTF-8 is read as that, whatever it calls itself: many pages are not what they say.
pub(crate) fn named(format: Format, bytes: &[u8], media_type: Option<&str>) -> Option<&'static Encoding> {
    if std::str::from_utf8(bytes).is_ok() || Encoding::for_bom(bytes).is_some() {
        return None;
    }
    let said = || media_type.and_then(|said| label(&said.to_ascii_lowercase(), "charset"));
    let head = || String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]).to_ascii_lowercase();
    let page = || (format == Format::Html).then(|| label(&head(), "charset")).flatten();
    let xml = || Some(head()).filter(|head| head.trim_start().starts_with("<?xml")).and_then(|head| label(&head, "encoding"));
    let usable = |encoding: &&'static Encoding| ![UTF_8, UTF_16BE, UTF_16LE, REPLACEMENT].contains(encoding);
    said().filter(usable).or_else(page).filter(usable).or_else(xml).filter(usable)
}

pub(crate) fn decode(bytes: &[u8], encoding: &'static Encoding) -> (String, Option<ParseWarning>) {
    let (text, broken) = encoding.decode_without_bom_handling(bytes);
    let places = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    let warning = || {
        let detail = format!("{places} places were not {} and were replaced", encoding.name());
        ParseWarning::new(WarningKind::BytesReplaced, detail)
    };
    (clean(text.into_owned()), broken.then(warning))
}

/// The first encoding that stands behind `word` and `=`, quoted or not.
fn label(text: &str, word: &str) -> Option<&'static Encoding> {
    text.match_indices(word).find_map(|(at, _)| {
        let value = text[at + word.len()..].trim_start().strip_prefix('=')?;
        let value = value.trim_start().trim_start_matches(['"', '\'']);
        let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.'))).unwrap_or(value.len());
        Encoding::for_label(&value.as_bytes()[..end])
    })
}
