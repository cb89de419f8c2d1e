//! How much a body lets be written.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::seam::Operation;

/// What a body says of how much may be written. Which of the numbers count depends on where it goes: an endpoint ignores
/// those of another, so that they bound nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    pub max_tokens: Option<Bound>,
    pub max_completion_tokens: Option<Bound>,
    pub max_output_tokens: Option<Bound>,
    /// Answers to one question.
    pub n: Option<u32>,
    /// Answers to one prompt that are written, of which the best are shown.
    pub best_of: Option<u32>,
    /// Texts that a completion goes on with, where it has a list of them.
    pub prompts: Option<u32>,
}

/// One of the numbers. Less than nothing is how some clients say that there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    AtMost(u32),
    Unbounded,
}

impl Bound {
    pub(super) fn of(number: i64) -> Self {
        if number < 0 { Self::Unbounded } else { Self::AtMost(u32::try_from(number).unwrap_or(u32::MAX)) }
    }

    #[must_use]
    pub const fn tokens(self) -> Option<u32> {
        match self {
            Self::AtMost(tokens) => Some(tokens),
            Self::Unbounded => None,
        }
    }
}

impl Bounds {
    /// What one answer may have at most, by the fields this endpoint knows. Of two that it knows the larger counts: servers
    /// disagree which of them does.
    #[must_use]
    pub fn each(&self, operation: Operation) -> Option<u32> {
        let known = match operation {
            Operation::Chat => [self.max_tokens, self.max_completion_tokens],
            Operation::Completions | Operation::Messages => [self.max_tokens, None],
            Operation::Responses | Operation::Compact => [self.max_output_tokens, None],
            Operation::CountTokens | Operation::Embeddings | Operation::Rerank | Operation::Moderations => [None, None],
        };
        known.into_iter().flatten().max().and_then(Bound::tokens)
    }

    /// How many answers are written.
    #[must_use]
    pub fn answers(&self, operation: Operation) -> u64 {
        let n = self.n.unwrap_or(1).max(1);
        match operation {
            Operation::Chat => n.into(),
            Operation::Completions => {
                let prompts = self.prompts.unwrap_or(1).max(1);
                u64::from(n.max(self.best_of.unwrap_or(1))).saturating_mul(prompts.into())
            }
            _ => 1,
        }
    }
}

/// How many texts a `prompt` has, where it is a list. One of numbers is a single text, as its tokens.
pub(super) fn prompts(text: &str) -> Option<u32> {
    if !text.starts_with('[') {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(Counting).ok().map(|texts| texts.max(1))
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u32, A::Error> {
        let mut texts: u32 = 0;
        while let Some(each) = list.next_element::<&'de RawValue>()? {
            texts = texts.saturating_add(u32::from(each.get().starts_with(['"', '['])));
        }
        Ok(texts)
    }
}
