//! Text with words in the stead of what may not be kept: `[email]`, `[card]`. JSON within text stays JSON.

use std::{collections::BTreeMap, ops::Range};

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::recognise::{first_found, is_card_number, is_token};

/// JSON in text in JSON is read so deep; what lies deeper is one text.
const NESTED_MAX: usize = 8;
/// What a pattern of a policy may take of memory, as it is and while it is used.
const PATTERN_MEMORY: usize = 256 << 10;
/// A pattern finds so much in a text at most, the less the longer the text: each time it may look at all of it. What comes
/// after is one place.
const PATTERN_WORK: usize = 1 << 30;
const PATTERN_FINDS: usize = 64;
/// Fields whose text is a secret whatever it looks like, by how the last part of their name ends, without what parts its words:
/// a `db_password` is one.
const SECRET_FIELDS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "apikey",
    "authorization",
    "cookie",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "secretkey",
    "accesskey",
    "accountkey",
    "privatekey",
];
const SECRET: &str = "secret";

/// How often each kind was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(BTreeMap<String, u64>);

impl Found {
    fn add(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(name.to_owned(), 1);
            }
        }
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, count)| (name.as_str(), *count))
    }

    pub(super) fn to_json(&self) -> Value {
        self.iter().map(|(name, count)| (name.to_owned(), Value::from(count))).collect::<Map<_, _>>().into()
    }
}

/// What is replaced: whatever is recognised, and what a policy's own patterns find.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    own: Vec<(String, Regex)>,
}

/// Compiles a pattern of a policy, whose searches take a time that grows with the text only.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_MEMORY).dfa_size_limit(PATTERN_MEMORY).build()
}

/// A stretch of a text, and what stands in its stead.
#[derive(Debug, Clone)]
struct Piece<'a> {
    range: Range<usize>,
    name: Option<&'a str>,
}

impl Redactor {
    pub(super) const fn new(own: Vec<(String, Regex)>) -> Self {
        Self { own }
    }

    /// Text of any kind; `None` where it stays as it is.
    pub(crate) fn text(&self, text: &str, found: &mut Found) -> Option<String> {
        self.nested(text, found, 0)
    }

    pub(super) fn string(&self, text: &mut String, found: &mut Found) {
        if let Some(changed) = self.text(text, found) {
            *text = changed;
        }
    }

    /// Of a name and its value: names say much of what is secret.
    pub(super) fn field(&self, name: &str, value: &mut Value, found: &mut Found) {
        self.named(name, value, found, 0);
    }

    /// Names as well: a field may be called by an address.
    pub(super) fn names(&self, fields: &mut Map<String, Value>, found: &mut Found) {
        let changed = fields.keys().map(|name| if is_word(name) { None } else { self.plain(name, found) });
        let changed: Vec<Option<String>> = changed.collect();
        if changed.iter().all(Option::is_none) {
            return;
        }
        let mut renamed = Map::with_capacity(fields.len());
        for ((name, value), changed) in std::mem::take(fields).into_iter().zip(changed) {
            let name = changed.unwrap_or(name);
            // Two that were different are not to become one.
            let mut free = name.clone();
            let mut again = 2;
            while renamed.contains_key(&free) {
                free = format!("{name} {again}");
                again += 1;
            }
            renamed.insert(free, value);
        }
        *fields = renamed;
    }

    fn nested(&self, text: &str, found: &mut Found, depth: usize) -> Option<String> {
        let opens = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'));
        if opens
            && depth < NESTED_MAX
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            let before = found.total();
            self.within(&mut value, found, depth + 1);
            return (found.total() > before).then(|| value.to_string());
        }
        self.plain(text, found)
    }

    fn within(&self, value: &mut Value, found: &mut Found, depth: usize) {
        match value {
            Value::String(text) => {
                if let Some(changed) = self.nested(text, found, depth) {
                    *text = changed;
                }
            }
            Value::Number(number) if number.as_u64().is_some_and(is_card_number) => {
                found.add("card");
                *value = "[card]".into();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.within(item, found, depth)),
            Value::Object(fields) => {
                fields.iter_mut().for_each(|(name, value)| self.named(name, value, found, depth));
                self.names(fields, found);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn named(&self, name: &str, value: &mut Value, found: &mut Found, depth: usize) {
        let is_secret = match plain_field(name) {
            Some(field) if SECRET_FIELDS.iter().any(|secret| field.ends_with(secret)) => true,
            // Pieces of a model's text are called so too. Headers are lists of texts.
            Some(field) if field.ends_with("token") => match &*value {
                Value::Array(items) => items.iter().filter_map(Value::as_str).any(is_token),
                other => other.as_str().is_some_and(is_token),
            },
            _ => false,
        };
        if is_secret { hide(value, found) } else { self.within(value, found, depth) }
    }

    /// Text that is not read as anything else.
    fn plain(&self, text: &str, found: &mut Found) -> Option<String> {
        let mut pieces = recognised(text, vec![Piece { range: 0..text.len(), name: None }]);
        for (name, pattern) in &self.own {
            pieces = split_by(text, pieces, name, pattern);
        }
        if !self.own.is_empty() {
            // What was taken out left new ends of words.
            pieces = recognised(text, pieces);
        }
        if pieces.iter().all(|piece| piece.name.is_none()) {
            return None;
        }
        let mut changed = String::with_capacity(text.len());
        for Piece { range, name } in pieces {
            if let Some(name) = name {
                found.add(name);
                changed.extend(["[", name, "]"]);
            } else {
                changed.push_str(&text[range]);
            }
        }
        Some(changed)
    }
}

/// Takes out what is recognised until nothing is.
fn recognised<'a>(text: &str, mut open: Vec<Piece<'a>>) -> Vec<Piece<'a>> {
    let (mut done, mut places) = (Vec::with_capacity(open.len()), Vec::new());
    open.reverse();
    while let Some(piece) = open.pop() {
        let name = if piece.name.is_some() { None } else { first_found(&text[piece.range.clone()], &mut places) };
        match name {
            Some(name) => open.extend(parts(&piece.range, &mut places, name).into_iter().rev()),
            None => done.push(piece),
        }
    }
    done
}

/// A stretch, parted by the places in it.
fn parts<'a>(whole: &Range<usize>, places: &mut [Range<usize>], name: &'a str) -> Vec<Piece<'a>> {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut parts: Vec<Piece<'a>> = Vec::with_capacity(places.len() * 2 + 1);
    let mut at = whole.start;
    for place in places.iter() {
        let place = whole.start + place.start..whole.start + place.end;
        // Two patterns of a kind may have found the same, or one that goes on where the other ends.
        if place.start < at {
            if let Some(last) = parts.last_mut().filter(|_| place.end > at) {
                (last.range.end, at) = (place.end, place.end);
            }
            continue;
        }
        if at < place.start {
            parts.push(Piece { range: at..place.start, name: None });
        }
        at = place.end;
        parts.push(Piece { range: place, name: Some(name) });
    }
    if at < whole.end {
        parts.push(Piece { range: at..whole.end, name: None });
    }
    parts
}

fn split_by<'a>(text: &str, pieces: Vec<Piece<'a>>, name: &'a str, pattern: &Regex) -> Vec<Piece<'a>> {
    let most = (PATTERN_WORK / text.len().max(1)).max(PATTERN_FINDS);
    let (mut done, mut finds) = (Vec::with_capacity(pieces.len()), 0);
    for piece in pieces {
        if piece.name.is_some() {
            done.push(piece);
            continue;
        }
        let stretch = &text[piece.range.clone()];
        let mut places = Vec::new();
        for place in pattern.find_iter(stretch).filter(|place| !place.is_empty()) {
            finds += 1;
            if finds > most {
                places.push(place.start()..stretch.len());
                break;
            }
            places.push(place.range());
        }
        done.extend(parts(&piece.range, &mut places, name));
    }
    done
}

/// Whether a name is one as programs write them.
fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_'))
}

/// The last part of a name, without what parts its words. No name of a secret is as long as some names are.
fn plain_field(name: &str) -> Option<String> {
    let last = name.rsplit(['.', '/']).next().unwrap_or(name);
    let plain = last.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase());
    (last.len() <= 40).then(|| plain.collect())
}

fn hide(value: &mut Value, found: &mut Found) {
    match value {
        Value::String(text) if !text.is_empty() && text.as_str() != "[secret]" => {
            found.add(SECRET);
            *value = "[secret]".into();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, found)),
        Value::Object(fields) => fields.values_mut().for_each(|value| hide(value, found)),
        Value::Number(_) => {
            found.add(SECRET);
            *value = "[secret]".into();
        }
        Value::String(_) | Value::Null | Value::Bool(_) => {}
    }
}
