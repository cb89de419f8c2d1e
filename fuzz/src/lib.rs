//! What the targets have in common: where calls go, how bytes are cut, and what must hold of whatever came out.

pub mod answers;
pub mod memory;
pub mod places;
pub mod streams;
pub mod usage;

use serde::de::IgnoredAny;
use serde_json::Value;

/// The bytes in pieces, now and then an empty one. Where they are cut follows from `seed`.
#[must_use]
pub fn pieces(bytes: &[u8], seed: [u8; 2]) -> Vec<&[u8]> {
    let mut state = u64::from(u16::from_le_bytes(seed));
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = (state >> 40) as usize;
        let length = match drawn % 16 {
            0 => 0,
            1..=6 => 1,
            7..=11 => drawn / 16 % 8,
            _ => drawn / 16 % 200,
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Readers elsewhere have a bound of their own on nesting; what is below this is below theirs, wherever it was put.
const SHALLOW: usize = 90;

/// Whether JSON is nested so little that every reader takes it. Brackets in texts count too.
#[must_use]
pub fn is_shallow(json: &[u8]) -> bool {
    let mut open = 0_usize;
    for byte in json {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > SHALLOW {
            return false;
        }
    }
    true
}

/// It is JSON, whoever reads it.
#[track_caller]
pub fn is_json(text: &[u8]) {
    if let Err(fault) = serde_json::from_slice::<IgnoredAny>(text) {
        panic!("{fault}: {}", String::from_utf8_lossy(text));
    }
}

/// A whole number within a value.
#[must_use]
pub fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}
