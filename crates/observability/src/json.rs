//! Attributes as JSON, the text that `serde_json` would write.
//!
//! Each span is written once, and its prompts and answers are most of it. `serde_json` looks at one byte after the other;
//! here eight are looked at in one step, as few of them are to be escaped.

use std::io;

use serde_json::{Map, Value};

/// The high bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

pub(crate) fn write_map(map: &Map<String, Value>, into: &mut Vec<u8>) -> io::Result<()> {
    into.push(b'{');
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        write_text(key, into);
        into.push(b':');
        write(value, into)?;
    }
    into.push(b'}');
    Ok(())
}

fn write(value: &Value, into: &mut Vec<u8>) -> io::Result<()> {
    match value {
        Value::String(text) => write_text(text, into),
        Value::Array(items) => {
            into.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(b',');
                }
                write(item, into)?;
            }
            into.push(b']');
        }
        Value::Object(fields) => write_map(fields, into)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => serde_json::to_writer(into, value)?,
    }
    Ok(())
}

fn write_text(text: &str, into: &mut Vec<u8>) {
    into.reserve(text.len() + 2);
    into.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = first_escaped(rest) {
        into.extend_from_slice(&rest[..at]);
        escape(rest[at], into);
        rest = &rest[at + 1..];
    }
    into.extend_from_slice(rest);
    into.push(b'"');
}

/// The first byte that JSON has no room for in a text: a quote, a backslash or a control character.
fn first_escaped(bytes: &[u8]) -> Option<usize> {
    let (eights, rest) = bytes.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let found = escaped_among(u64::from_le_bytes(*eight));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let before = bytes.len() - rest.len();
    rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).map(|at| before + at)
}

/// The high bit of the first byte that is escaped; of those behind it some may have one without being so, as what is borrowed in
/// a subtraction is taken from the next.
const fn escaped_among(eight: u64) -> u64 {
    let quote = below(eight ^ each(b'"'), 1);
    let backslash = below(eight ^ each(b'\\'), 1);
    (below(eight, 0x20) | quote | backslash) & HIGH
}

const fn below(eight: u64, limit: u8) -> u64 {
    eight.wrapping_sub(each(limit)) & !eight
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

fn escape(byte: u8, into: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            into.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
            return;
        }
    };
    into.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any_text(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Mostly what is not escaped, with all kinds of what is between.
    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[a-zé語!#\\[\\]\u{7f}\u{80} \"\\\\\u{0}-\u{1f}]{0,40}"]
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(fields in prop::collection::vec((any_text(), any_value()), 0..6)) {
            let map: Map<String, Value> = fields.into_iter().collect();
            let mut written = Vec::new();
            write_map(&map, &mut written).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&map).unwrap());
        }
    }

    #[test]
    fn each_byte_is_written_as_serde_json_writes_it_wherever_it_stands() {
        for character in (0..=0x17f_u32).filter_map(char::from_u32) {
            for before in 0..17 {
                let text = format!("{}{character}{}", "x".repeat(before), "\u{1}\"y\\");
                let mut written = Vec::new();
                write(&json!(text), &mut written).unwrap();
                assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
            }
        }
    }
}
