//! JSON whose writers say what its readers refuse, put right where it stands: one record would cost all that came with it.
//!
//! Nothing that is put in is longer than what stood there, so the text is changed in its place.

use std::ops::Range;

use crate::weigh::DEPTH_MAX;

/// How long a code unit is that is written as an escape: `\ud83d`.
const UNIT: usize = 6;
/// What stands for a character that there is not.
const NO_CHARACTER: &[u8; UNIT] = br"\ufffd";

/// Under which names a value is a list of values.
const LISTS: [&[u8]; 2] = [b"arrayValue", b"kvlistValue"];
/// So many lists and objects in one another are read; one more, and the reader refuses the whole. Values that lie in values as
/// deep as they may are within it, wherever the protocol has values.
const NESTED_MAX: usize = 127;
/// Under which names the records of each kind of export stand.
const SIGNALS: [&[u8]; 4] = [b"resourceSpans", b"resourceLogs", b"resourceMetrics", b"resourceProfiles"];

/// What was found in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    /// How many values were cut, because they lay too deep in others.
    pub(crate) cut: usize,
    /// Where it has a name at the top that is not the one that is expected there, and its reader would read past: that name.
    pub(crate) other: Option<String>,
}

/// `expected` is the name under which the records stand.
pub(crate) fn mend(bytes: &mut [u8], expected: &str) -> Mended {
    // Of each list and object that is open, whether it is a value that is a list.
    let mut open: Vec<bool> = Vec::new();
    let (mut lists, mut cut) = (0, 0);
    // The last string, and the name of the value that comes.
    let (mut string_before, mut name): (Option<Range<usize>>, Option<Range<usize>>) = (None, None);
    let (mut has_expected, mut other): (bool, Option<Range<usize>>) = (false, None);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        match byte {
            b'"' => {
                let end = string(bytes, at);
                (string_before, name) = (Some(at..end), None);
                at = end + 1;
            }
            b':' => {
                name = string_before.take().map(|name| respelt(bytes, name));
                if let (1, Some(name)) = (open.len(), &name) {
                    let said = &bytes[name.clone()];
                    has_expected |= said == expected.as_bytes();
                    if said != expected.as_bytes() && (other.is_none() || SIGNALS.contains(&said)) {
                        other = Some(name.clone());
                    }
                }
            }
            b',' => (string_before, name) = (None, None),
            b'{' | b'[' => {
                let list = name.take().filter(|name| LISTS.contains(&&bytes[name.clone()]));
                if open.len() == NESTED_MAX || (list.is_some() && lists == DEPTH_MAX) {
                    at = leave_out(bytes, begin);
                    // A value of no kind that there is, is none.
                    if let Some(name) = list {
                        bytes[name.start] = b'_';
                    }
                    cut += 1;
                } else {
                    lists += usize::from(list.is_some());
                    open.push(list.is_some());
                }
            }
            b'}' | b']' => {
                lists -= usize::from(open.pop() == Some(true));
                (string_before, name) = (None, None);
            }
            _ => {}
        }
    }
    // What else stands beside the records is passed over, as the protocol wants, but for records.
    let other = other.map(|name| &bytes[name]).filter(|name| !has_expected || SIGNALS.contains(name));
    Mended { cut, other: other.map(|name| String::from_utf8_lossy(name).into_owned()) }
}

/// Writes a name as the protocol's JSON has it, in the place of one that is spelt as in protobuf, which parsers of protobuf's JSON
/// read as well: `traceId` for `trace_id`. What it is shorter by stands behind it as spaces.
fn respelt(bytes: &mut [u8], name: Range<usize>) -> Range<usize> {
    let said = &bytes[name.clone()];
    if !said.contains(&b'_') || said.contains(&b'\\') {
        return name;
    }
    let (mut end, mut begins) = (name.start, false);
    for from in name.clone() {
        match bytes[from] {
            b'_' => begins = true,
            letter => {
                bytes[end] = if begins { letter.to_ascii_uppercase() } else { letter };
                end += 1;
                begins = false;
            }
        }
    }
    bytes[end] = b'"';
    bytes[end + 1..=name.end].fill(b' ');
    name.start..end
}

/// Puts a number in the place of the list or object that begins at `begin`, and answers where goes on what stands behind it.
fn leave_out(bytes: &mut [u8], begin: usize) -> usize {
    let (mut open, mut at) = (0_usize, begin);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = string(bytes, at) + 1,
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    // It may end nowhere, and neither does what it lies in: the reader finds that.
    let end = at.min(bytes.len());
    bytes[begin..end].fill(b' ');
    bytes[begin] = b'0';
    end
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
