//! Edits of a body's text. What is not edited keeps its bytes: order, spaces and numbers as they were written.

use std::{borrow::Cow, ops::Range};

use bytes::{BufMut, Bytes, BytesMut};
use mainspring_kernel::text;
use serde_json::Value;

use super::{Field, GUARDED, Member, Object, Parameters, PeekFault, Places, Spot, peek, scan};

/// What a body must be before it goes to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrite<'a> {
    /// The target's own name of the model.
    pub model: Option<&'a str>,
    /// Ask for the usage at the end of the stream.
    pub usage: bool,
    /// Take our own field out: others refuse it.
    pub without_mainspring: bool,
}

impl Places {
    /// As `Peek::rewrite`, for those who keep the places only.
    #[must_use]
    pub fn rewrite(&self, body: &Bytes, wish: Rewrite<'_>) -> Bytes {
        if self.length != body.len() {
            // Another body than the one that was looked at; what is no JSON goes on as it is.
            return peek(body).map_or_else(|_| body.clone(), |peeked| peeked.places.rewrite(body, wish));
        }
        let mut edits = Vec::with_capacity(3);
        let mut added = Added::default();
        if let Some(model) = wish.model {
            put(&mut edits, &mut added, body, self.spot(Field::Model), "model", &Value::from(model));
        }
        if wish.usage {
            ask_for_usage(&mut edits, &mut added, body, self.spot(Field::StreamOptions));
        }
        let removed = if wish.without_mainspring { self.spot(Field::Mainspring) } else { None };
        apply(body, self.top, edits, added, removed)
    }
}

/// The body with another model.
pub fn replace_model(body: &Bytes, model: &str) -> Result<Bytes, PeekFault> {
    set_field(body, "model", Some(&Value::from(model)))
}

/// The body with `stream_options.include_usage`.
pub fn with_usage(body: &Bytes) -> Result<Bytes, PeekFault> {
    Ok(peek(body)?.rewrite(body, Rewrite { usage: true, ..Rewrite::default() }))
}

/// The value of a field at the top of a body.
pub fn value(body: &[u8], name: &str) -> Result<Option<Value>, PeekFault> {
    let mut found = [None];
    scan(body, &[name], &[], &mut found)?;
    let read = |member: Member<'_>| {
        serde_json::from_str(member.text).map_err(|error| PeekFault::NotJson { why: text::elide(&error.to_string(), 200) })
    };
    found[0].map(read).transpose()
}

/// The body with a field at its top set to a value, or without that field.
pub fn set_field(body: &Bytes, name: &str, value: Option<&Value>) -> Result<Bytes, PeekFault> {
    let mut found = [None];
    let top = scan(body, &[name], &GUARDED, &mut found)?;
    let spot = found[0].map(|member: Member<'_>| member.spot);
    let (mut edits, mut added) = (Vec::new(), Added::default());
    match value {
        Some(value) => {
            put(&mut edits, &mut added, body, spot, name, value);
            Ok(apply(body, top, edits, added, None))
        }
        None => Ok(apply(body, top, edits, added, spot)),
    }
}

/// The body with these fields set; those that are `null` are taken away.
pub fn set_fields(body: &Bytes, fields: &Parameters) -> Result<Bytes, PeekFault> {
    let (gone, set): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, value)| value.is_null());
    let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    let mut found = vec![None; names.len()];
    let top = scan(body, &names, &GUARDED, &mut found)?;
    let (mut edits, mut added) = (Vec::new(), Added::default());
    for ((name, value), member) in set.into_iter().zip(found) {
        put(&mut edits, &mut added, body, member.map(|member| member.spot), name, value);
    }
    let edited = apply(body, top, edits, added, None);
    // One by one: two neighbours that both go would quarrel over the comma between them.
    gone.into_iter().try_fold(edited, |body, (name, _)| set_field(&body, name, None))
}

/// A piece of the body, and what stands there instead.
struct Edit {
    at: Range<usize>,
    text: Cow<'static, [u8]>,
}

/// Members that the object did not have, as text with commas between.
#[derive(Default)]
struct Added(Vec<u8>);

impl Added {
    fn member(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        self.0.extend_from_slice(Value::from(name).to_string().as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value);
    }
}

fn put(edits: &mut Vec<Edit>, added: &mut Added, body: &[u8], spot: Option<Spot>, name: &str, value: &Value) {
    let text = value.to_string().into_bytes();
    match spot {
        Some(spot) => replace(edits, body, spot.value..spot.end, Cow::Owned(text)),
        None => added.member(name, &text),
    }
}

fn replace(edits: &mut Vec<Edit>, body: &[u8], at: Range<usize>, text: Cow<'static, [u8]>) {
    if body.get(at.clone()) != Some(&text[..]) {
        edits.push(Edit { at, text });
    }
}

fn ask_for_usage(edits: &mut Vec<Edit>, added: &mut Added, body: &[u8], options: Option<Spot>) {
    const OPTIONS: &[u8] = br#"{"include_usage":true}"#;
    let Some(options) = options else {
        return added.member("stream_options", OPTIONS);
    };
    let all = options.value..options.end;
    let text = body.get(all.clone()).unwrap_or_default();
    let mut found = [None];
    // What is no object, `null` most likely, gives way to one.
    let Ok(object) = scan(text, &["include_usage"], &[], &mut found) else {
        return replace(edits, body, all, Cow::Borrowed(OPTIONS));
    };
    match found[0].map(|member: Member<'_>| member.spot) {
        Some(spot) => replace(edits, body, all.start + spot.value..all.start + spot.end, Cow::Borrowed(b"true")),
        None => {
            let inside = all.start + object.open + 1;
            let text: &[u8] = if object.members == 0 { br#""include_usage":true"# } else { br#""include_usage":true,"# };
            edits.push(Edit { at: inside..inside, text: Cow::Borrowed(text) });
        }
    }
}

fn apply(body: &Bytes, top: Object, mut edits: Vec<Edit>, added: Added, removed: Option<Spot>) -> Bytes {
    if let Some(spot) = removed {
        edits.push(Edit { at: with_its_comma(body, spot), text: Cow::Borrowed(b"") });
    }
    if !added.0.is_empty() {
        let mut text = added.0;
        if top.members > usize::from(removed.is_some()) {
            text.push(b',');
        }
        let inside = top.open + 1;
        edits.push(Edit { at: inside..inside, text: Cow::Owned(text) });
    }
    if edits.is_empty() {
        return body.clone();
    }
    // What is added stands right after the brace, where the first member may begin: an empty range comes first.
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    let more: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + more);
    let mut from = 0;
    for edit in edits {
        out.put_slice(body.get(from..edit.at.start).unwrap_or_default());
        out.put_slice(&edit.text);
        from = edit.at.end;
    }
    out.put_slice(body.get(from..).unwrap_or_default());
    out.freeze()
}

/// A member with the comma that parts it from the next, or, as the last, from the one before.
fn with_its_comma(body: &[u8], spot: Spot) -> Range<usize> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let after = body.get(spot.end..).unwrap_or_default();
    let gap = after.iter().take_while(|byte| space(byte)).count();
    if after.get(gap) == Some(&b',') {
        let next = after[gap + 1..].iter().take_while(|byte| space(byte)).count();
        return spot.key..spot.end + gap + 1 + next;
    }
    let before = body.get(..spot.key).unwrap_or_default();
    let gap = before.iter().rev().take_while(|byte| space(byte)).count();
    let comma = before.len() - gap;
    match before[..comma].last() {
        Some(b',') => comma - 1..spot.end,
        _ => spot.key..spot.end,
    }
}
