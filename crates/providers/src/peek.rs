//! What a request's body says at its top, read without the rest, and edits that leave the rest as it came.
//!
//! Bodies may be megabytes of images. The whole text is checked for being JSON, since what we skip and what a provider
//! skips must be the same, but nothing of it is kept.

use std::ops::Range;

use bytes::Bytes;
use mainspring_kernel::{Fault, FaultKind};
use serde_json::{Map, Value};

mod bounds;
mod edit;
mod scan;

pub use bounds::{Bound, Bounds};
pub use edit::{Rewrite, replace_model, set_field, set_fields, value, with_usage};

use scan::{GUARDED, Member, Object, Spot, scan};

/// A body that cannot be routed. The fault is the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeekFault {
    #[error("the body is not JSON: {why}")]
    NotJson { why: String },
    #[error("the body is JSON but no object")]
    NotAnObject,
    /// Readers disagree on which of the two counts: what was checked here might not be what the provider reads.
    #[error("`{field}` is given twice")]
    Duplicate { field: String },
    #[error("`{field}` must be {expected}")]
    WrongType { field: &'static str, expected: &'static str },
}

impl PeekFault {
    /// The field that is wrong, where it is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::NotJson { .. } | Self::NotAnObject => None,
            Self::Duplicate { field } => Some(field),
            Self::WrongType { field, .. } => Some(field),
        }
    }
}

impl Fault for PeekFault {
    fn kind(&self) -> FaultKind {
        FaultKind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "body-not-json",
            Self::NotAnObject | Self::WrongType { .. } => "body-invalid",
            Self::Duplicate { .. } => "body-duplicate-field",
        }
    }
}

/// A field at the top of a body that routing and policy ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Model,
    Stream,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    N,
    User,
    StreamOptions,
    Metadata,
    Mainspring,
    BestOf,
    Prompt,
    Background,
    Store,
}

impl Field {
    pub const ALL: [Self; 14] = [
        Self::Model,
        Self::Stream,
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::MaxOutputTokens,
        Self::N,
        Self::User,
        Self::StreamOptions,
        Self::Metadata,
        Self::Mainspring,
        Self::BestOf,
        Self::Prompt,
        Self::Background,
        Self::Store,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::N => "n",
            Self::User => "user",
            Self::StreamOptions => "stream_options",
            Self::Metadata => "metadata",
            Self::Mainspring => "mainspring",
            Self::BestOf => "best_of",
            Self::Prompt => "prompt",
            Self::Background => "background",
            Self::Store => "store",
        }
    }
}

/// What a body says at its top, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    pub model: Option<String>,
    pub stream: bool,
    pub bounds: Bounds,
    /// `user`, or Anthropic's `metadata.user_id`.
    pub user: Option<String>,
    /// `mainspring.session`.
    pub session: Option<String>,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// The client will come back for the answer: `background` is there and not `false`, since some read more than `true` as
    /// true.
    pub background: bool,
    /// The provider is told not to keep the answer: `store` is `false`.
    pub unkept: bool,
    pub places: Places,
}

/// Where the fields of one body lie. Good for the body they were found in and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// The body's length, to tell it from others.
    length: usize,
    top: Object,
    spots: [Option<Spot>; Field::ALL.len()],
}

impl Places {
    /// The bytes of a field's value.
    #[must_use]
    pub fn range(&self, field: Field) -> Option<Range<usize>> {
        self.spot(field).map(|spot| spot.value..spot.end)
    }

    const fn spot(&self, field: Field) -> Option<Spot> {
        self.spots[field as usize]
    }
}

/// Reads what routing and policy need of a body.
pub fn peek(body: &[u8]) -> Result<Peek, PeekFault> {
    let names = Field::ALL.map(Field::as_str);
    let mut found: [Option<Member<'_>>; Field::ALL.len()] = [None; Field::ALL.len()];
    let top = scan(body, &names, &GUARDED, &mut found)?;
    let text = |field: Field| found[field as usize].map(|member| member.text).filter(|text| *text != "null");

    let number = |field| text(field).map(|text| whole(text).ok_or(wrong(field, "a whole number"))).transpose();
    let tokens = |field| number(field).map(|found| found.map(Bound::of));
    let count = |field| match number(field)? {
        Some(count) if count < 0 => Err(wrong(field, "a whole number")),
        count => Ok(count.map(bounded)),
    };
    let bounds = Bounds {
        max_tokens: tokens(Field::MaxTokens)?,
        max_completion_tokens: tokens(Field::MaxCompletionTokens)?,
        max_output_tokens: tokens(Field::MaxOutputTokens)?,
        n: count(Field::N)?,
        best_of: count(Field::BestOf)?,
        prompts: text(Field::Prompt).and_then(bounds::prompts),
    };
    let user = text(Field::User).map(|text| string(text).ok_or(wrong(Field::User, "text"))).transpose()?;
    let within = |field, name, at| text(field).map_or(Ok(None), |text| inner(text, field, name, at));
    let user_id = within(Field::Metadata, "user_id", "metadata.user_id")?;
    let session = within(Field::Mainspring, "session", "mainspring.session")?;
    Ok(Peek {
        model: text(Field::Model).map(|text| string(text).ok_or(wrong(Field::Model, "text"))).transpose()?,
        stream: text(Field::Stream).map_or(Ok(false), |text| boolean(text).ok_or(wrong(Field::Stream, "true or false")))?,
        bounds,
        user: user.or(user_id),
        session,
        include_usage: text(Field::StreamOptions).map_or(Ok(false), include_usage)?,
        background: text(Field::Background).is_some_and(|text| text != "false"),
        unkept: text(Field::Store) == Some("false"),
        places: Places { length: body.len(), top, spots: found.map(|member| member.map(|member| member.spot)) },
    })
}

const fn wrong(field: Field, expected: &'static str) -> PeekFault {
    PeekFault::WrongType { field: field.as_str(), expected }
}

fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// A whole number, also when it is written `1e3` or `64.0`. Nobody counts beyond where the cast saturates.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

fn bounded(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A text within an object at the top.
fn inner(text: &str, field: Field, name: &str, at: &'static str) -> Result<Option<String>, PeekFault> {
    let found = member_of(text, field, name, at)?.filter(|member| member.text != "null");
    let expected = PeekFault::WrongType { field: at, expected: "text" };
    found.map(|member| string(member.text).ok_or(expected)).transpose()
}

fn include_usage(text: &str) -> Result<bool, PeekFault> {
    const AT: &str = "stream_options.include_usage";
    let found = member_of(text, Field::StreamOptions, "include_usage", AT)?.filter(|member| member.text != "null");
    let expected = PeekFault::WrongType { field: AT, expected: "true or false" };
    found.map_or(Ok(false), |member| boolean(member.text).ok_or(expected))
}

fn member_of<'a>(text: &'a str, field: Field, name: &str, at: &'static str) -> Result<Option<Member<'a>>, PeekFault> {
    let mut found = [None];
    match scan(text.as_bytes(), &[name], &[], &mut found) {
        Ok(_) => Ok(found[0]),
        Err(PeekFault::Duplicate { .. }) => Err(PeekFault::Duplicate { field: at.to_owned() }),
        Err(_) => Err(wrong(field, "an object")),
    }
}

impl Peek {
    /// The body that goes to a target, made in one pass over the places that are known.
    #[must_use]
    pub fn rewrite(&self, body: &Bytes, wish: Rewrite<'_>) -> Bytes {
        self.places.rewrite(body, wish)
    }
}

/// The fields of a route's `parameters`: `null` takes a field away.
pub type Parameters = Map<String, Value>;

#[cfg(test)]
mod tests;
