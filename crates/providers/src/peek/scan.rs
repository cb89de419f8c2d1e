//! Finds members of an object in its text, without reading their values.

use std::{borrow::Cow, fmt};

use mainspring_kernel::text;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::PeekFault;

/// An object in the text: its opening brace and how many members it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Object {
    pub(super) open: usize,
    pub(super) members: usize,
}

/// A member of an object: from its key's quotation mark to its value's last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) key: usize,
    pub(super) value: usize,
    pub(super) end: usize,
}

/// What policies and caches read when they read the whole body. Not looked at here, but refused when given twice.
pub(super) const GUARDED: [&str; 8] = ["messages", "input", "prompt", "instructions", "system", "tools", "query", "documents"];

#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) spot: Spot,
    /// The value's text.
    pub(super) text: &'a str,
}

/// Finds members of the object that `body` is by their names. Those and the `guarded` ones may stand there once.
pub(super) fn scan<'a>(
    body: &'a [u8],
    wanted: &[&str],
    guarded: &[&str],
    found: &mut [Option<Member<'a>>],
) -> Result<Object, PeekFault> {
    let mut scan = Scan { body, wanted, guarded, found, seen: [false; GUARDED.len()], members: 0, twice: None };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = reader.deserialize_map(&mut scan).and_then(|()| reader.end());
    if let Err(error) = read {
        return Err(if error.is_data() {
            PeekFault::NotAnObject
        } else {
            PeekFault::NotJson { why: text::elide(&error.to_string(), 200) }
        });
    }
    match scan.twice {
        Some(field) => Err(PeekFault::Duplicate { field: text::elide(&field, 80) }),
        None => {
            let open = body.iter().position(|byte| *byte == b'{').unwrap_or(0);
            Ok(Object { open, members: scan.members })
        }
    }
}

struct Scan<'a, 's> {
    body: &'a [u8],
    wanted: &'s [&'s str],
    guarded: &'s [&'s str],
    found: &'s mut [Option<Member<'a>>],
    seen: [bool; GUARDED.len()],
    members: usize,
    twice: Option<String>,
}

impl Scan<'_, '_> {
    /// Where a piece of the body begins.
    fn offset(&self, piece: &str) -> usize {
        piece.as_ptr().addr() - self.body.as_ptr().addr()
    }
}

impl<'a> Visitor<'a> for &mut Scan<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<&'a RawValue>()? {
            self.members += 1;
            let name = unquoted(key.get());
            let twice = if let Some(index) = self.wanted.iter().position(|wanted| *wanted == name) {
                let value = map.next_value::<&'a RawValue>()?.get();
                let start = self.offset(value);
                let spot = Spot { key: self.offset(key.get()), value: start, end: start + value.len() };
                self.found[index].replace(Member { spot, text: value }).is_some()
            } else {
                map.next_value::<IgnoredAny>()?;
                let guarded = self.guarded.iter().position(|guarded| *guarded == name);
                guarded.and_then(|index| self.seen.get_mut(index)).is_some_and(|seen| std::mem::replace(seen, true))
            };
            if twice {
                self.twice = Some(name.into_owned());
            }
        }
        Ok(())
    }
}

/// A key as it is meant: `"mod\u0065l"` is `model` too.
fn unquoted(key: &str) -> Cow<'_, str> {
    let inside = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains('\\') {
        return serde_json::from_str(key).map_or(Cow::Borrowed(inside), Cow::Owned);
    }
    Cow::Borrowed(inside)
}
