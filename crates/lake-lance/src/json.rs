//! Values inside of JSON text, found without building the rest of it.
//!
//! A row is read up to the value only, and a row in which the key does not even occur as bytes is not parsed at all.

use std::fmt;

use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value that is no object and no list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// An object or a list.
    Nested,
}

/// The value under these keys, or nothing: because there is none, or because the text is not JSON up to there.
pub(crate) fn find(text: &str, path: &[String]) -> Option<Leaf> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    // Found is told by an error too, so that the rest of the text is not read.
    let _ = Walk { path, found: &mut found }.deserialize(&mut reader);
    found
}

#[derive(Debug)]
struct Walk<'a> {
    path: &'a [String],
    found: &'a mut Option<Leaf>,
}

impl Walk<'_> {
    fn leaf<E>(self, leaf: Leaf) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(leaf);
        }
        Ok(())
    }
}

const FOUND: &str = "found";

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.leaf(Leaf::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(Leaf::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.leaf(Leaf::Int(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond what a whole number of the lake holds, nearly is all there is")]
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.leaf(i64::try_from(value).map_or(Leaf::Float(value as f64), Leaf::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.leaf(Leaf::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(Leaf::Text(value.to_owned()));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            *self.found = Some(Leaf::Nested);
            return Err(A::Error::custom(FOUND));
        };
        let wanted = first.parse::<usize>().ok();
        for at in 0.. {
            if Some(at) == wanted {
                let inner = Walk { path: rest, found: &mut *self.found };
                if items.next_element_seed(inner)?.is_none() {
                    break;
                }
                return Err(A::Error::custom(FOUND));
            }
            if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            *self.found = Some(Leaf::Nested);
            return Err(A::Error::custom(FOUND));
        };
        while let Some(is_it) = entries.next_key_seed(KeyIs(first))? {
            if is_it {
                entries.next_value_seed(Walk { path: rest, found: &mut *self.found })?;
                return Err(A::Error::custom(FOUND));
            }
            entries.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct KeyIs<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// Tells most rows that have no such key without parsing them.
pub(crate) struct Glance<'a> {
    key: Option<Finder<'a>>,
    escape: Finder<'static>,
}

impl<'a> Glance<'a> {
    pub(crate) fn at(path: &'a [String]) -> Self {
        // These are written as they are, or by their number; a number may stand for a place in a list.
        let plain = |key: &&String| {
            !key.is_empty()
                && key.parse::<usize>().is_err()
                && !key.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\' | '/'))
        };
        let key = path.iter().filter(plain).max_by_key(|key| key.len());
        Self { key: key.map(|key| Finder::new(key.as_bytes())), escape: Finder::new(b"\\u") }
    }

    pub(crate) fn may_hold(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.key.as_ref().is_none_or(|key| key.find(text).is_some() || self.escape.find(text).is_some())
    }
}
