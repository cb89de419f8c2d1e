//! What a span has too much of goes before the export is decoded: two bytes of protobuf are an empty event, and a hundred in
//! memory. What is left says how many there were, as a sender says that it left some out itself.

use bytes::Bytes;
use prost::encoding::encode_varint;

use super::varint;
use crate::shared::{EVENTS_MAX, LINKS_MAX};

/// The fields that lead from an export of traces to its spans.
const TO_SPANS: [u64; 3] = [1, 2, 2];
/// Of a span: a field that may come too often, how often it may, and the field that says how many were left out.
const BOUNDED: [(u64, usize, u64); 2] = [(11, EVENTS_MAX, 12), (13, LINKS_MAX, 14)];

/// The export, in which no span has more events and links than are kept. What cannot be read stays: who weighs it says so.
pub(crate) fn trim(export: Bytes) -> Bytes {
    match trimmed(&export, &TO_SPANS) {
        Some(less) => less.into(),
        None => export,
    }
}

/// Nothing where there is nothing to leave out.
fn trimmed(bytes: &[u8], path: &[u64]) -> Option<Vec<u8>> {
    let Some((tag, path)) = path.split_first() else { return span(bytes) };
    let mut kept: Option<Vec<u8>> = None;
    let mut rest = bytes;
    while let Some(field) = next(&mut rest) {
        let less = match field.said {
            Said::Bytes(inner) if field.tag == *tag => trimmed(inner, path),
            _ => None,
        };
        if let Some(less) = less {
            let before = bytes.len() - rest.len() - field.whole.len();
            let kept = kept.get_or_insert_with(|| bytes[..before].to_vec());
            encode_varint((tag << 3) | 2, kept);
            encode_varint(less.len() as u64, kept);
            kept.extend(less);
        } else if let Some(kept) = &mut kept {
            kept.extend_from_slice(field.whole);
        }
    }
    kept.filter(|_| rest.is_empty())
}

fn span(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut came, mut left_out) = ([0_usize; 2], [0_u64; 2]);
    let mut rest = bytes;
    while let Some(field) = next(&mut rest) {
        for (at, (bounded, _, count)) in BOUNDED.iter().enumerate() {
            match field.said {
                Said::Bytes(_) if field.tag == *bounded => came[at] += 1,
                // The last that is said stands; it has 32 bits.
                Said::Number(number) if field.tag == *count => left_out[at] = number & u64::from(u32::MAX),
                _ => {}
            }
        }
    }
    let over = came.iter().zip(BOUNDED).any(|(came, (_, most, _))| *came > most);
    if !over || !rest.is_empty() {
        return None;
    }
    let (mut kept, mut room) = (Vec::new(), BOUNDED.map(|(_, most, _)| most));
    let mut rest = bytes;
    while let Some(field) = next(&mut rest) {
        let is_bounded = |tag: u64| field.tag == tag && matches!(field.said, Said::Bytes(_));
        match BOUNDED.iter().position(|(bounded, ..)| is_bounded(*bounded)) {
            Some(at) if room[at] == 0 => left_out[at] += 1,
            bounded => {
                if let Some(at) = bounded {
                    room[at] -= 1;
                }
                kept.extend_from_slice(field.whole);
            }
        }
    }
    for ((_, _, count), left_out) in BOUNDED.into_iter().zip(left_out) {
        encode_varint(count << 3, &mut kept);
        encode_varint(left_out.min(u32::MAX.into()), &mut kept);
    }
    Some(kept)
}

#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    tag: u64,
    whole: &'a [u8],
    said: Said<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Said<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// The next field. Nothing at the end, and where there is none that can be read: then it is not the end.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<Field<'a>> {
    let whole = *bytes;
    let mut rest = whole;
    let key = number(&mut rest)?;
    let said = match key & 7 {
        0 => Said::Number(number(&mut rest)?),
        1 => skip(&mut rest, 8).map(|_| Said::Fixed)?,
        5 => skip(&mut rest, 4).map(|_| Said::Fixed)?,
        2 => {
            let length = usize::try_from(number(&mut rest)?).ok()?;
            Said::Bytes(skip(&mut rest, length)?)
        }
        _ => return None,
    };
    *bytes = rest;
    Some(Field { tag: key >> 3, whole: &whole[..whole.len() - rest.len()], said })
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut at = 0;
    let number = varint(rest, &mut at).ok()?;
    *rest = &rest[at..];
    Some(number)
}

fn skip<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(part)
}
