//! What one model call used, in one form for every provider.
//!
//! Providers disagree: OpenAI and Gemini count cached tokens inside the input, Anthropic and Bedrock outside; OpenAI counts
//! reasoning inside the output, Gemini outside. Here `input` is everything that was read and `output` everything that was
//! written, and every other number is a part of one of the two. Parts are never added to the whole.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

mod parts;
mod written;

pub use parts::PartsFrom;
use written::Written;

use crate::chat::Usage;

/// Where a number comes from; the later ones are less sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// The provider said so.
    #[default]
    Reported,
    /// We counted with the model's own tokenizer.
    Counted,
    /// The program that made the call says so in its telemetry: the provider's number, most likely, but from another mouth.
    Instrumented,
    /// We guessed from the length of the text.
    Estimated,
}

impl Provenance {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Counted => "counted",
            Self::Instrumented => "instrumented",
            Self::Estimated => "estimated",
        }
    }
}

/// How quickly a provider served a call, where that is not the usual and may have a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    Flex,
    Balanced,
    Priority,
    Ultrafast,
}

impl ServiceTier {
    pub const ALL: [Self; 4] = [Self::Flex, Self::Balanced, Self::Priority, Self::Ultrafast];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Balanced => "balanced",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// As answers name it. `default`, and what nobody here knows, is the usual.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            // Another name of it.
            "fast" => Some(Self::Priority),
            word => Self::ALL.into_iter().find(|tier| tier.as_str() == word),
        }
    }
}

/// Tokens of one call. Zero in a part means that none were used or that nobody said.
///
/// Each number says where it comes from: an estimate of a whole leaves its parts as the provider told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct TokenUsage {
    /// Everything read, cached or not.
    pub input: u64,
    /// Everything written, reasoning included.
    pub output: u64,
    /// Of the input: found in the provider's cache.
    pub cache_read: u64,
    /// Of the input: written to the provider's cache, for its usual time.
    pub cache_write: u64,
    /// Of the input: written to the provider's cache for an hour.
    pub cache_write_hour: u64,
    /// Of the input: audio and images.
    pub input_audio: u64,
    pub input_image: u64,
    /// Of the output: thinking that the answer may not show.
    pub reasoning: u64,
    /// Of the output: audio and images.
    pub output_audio: u64,
    pub output_image: u64,
    /// Searches of a reranker, where it says how many it bills: a hundred documents are one, and more are several.
    pub searches: u64,
    /// Absent: as usual.
    pub tier: Option<ServiceTier>,
    pub input_from: Provenance,
    pub output_from: Provenance,
    /// Of each other number.
    pub parts_from: PartsFrom,
}

/// As an engine of this process counted them.
impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input_tokens,
            output: usage.output_tokens,
            cache_read: usage.cached_tokens.min(usage.input_tokens),
            ..Self::default()
        }
        .all_from(Provenance::Counted)
    }
}

/// A call's tokens cut into pieces that do not overlap: what prices apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// Text that was read and not cached.
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub cache_write_hour: u64,
    pub input_audio: u64,
    pub input_image: u64,
    /// Text that was written, without reasoning.
    pub output: u64,
    pub reasoning: u64,
    pub output_audio: u64,
    pub output_image: u64,
}

impl TokenUsage {
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Neither tokens nor anything else that is billed.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.total() == 0 && self.searches == 0
    }

    /// Of the input: written to the provider's cache, for whatever time.
    #[must_use]
    pub const fn cache_written(&self) -> u64 {
        self.cache_write.saturating_add(self.cache_write_hour)
    }

    /// Pieces that add up to `input` and `output` exactly, whatever a provider claimed of the parts: a part that
    /// does not fit into what is left of its whole is cut.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        let (mut input, mut output) = (self.input, self.output);
        let take = |left: &mut u64, part: u64| {
            let taken = part.min(*left);
            *left -= taken;
            taken
        };
        let cache_read = take(&mut input, self.cache_read);
        let cache_write_hour = take(&mut input, self.cache_write_hour);
        let cache_write = take(&mut input, self.cache_write);
        let input_audio = take(&mut input, self.input_audio);
        let input_image = take(&mut input, self.input_image);
        let reasoning = take(&mut output, self.reasoning);
        let output_audio = take(&mut output, self.output_audio);
        let output_image = take(&mut output, self.output_image);
        Buckets {
            input,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            output,
            reasoning,
            output_audio,
            output_image,
        }
    }

    /// The same numbers seen later in a stream: a provider's later word replaces its earlier one where it is larger, since
    /// the numbers of a stream only grow and some events leave out what others said. A mark goes with its number.
    pub fn merge(&mut self, later: &Self) {
        let written = self.cache_written().max(later.cache_written());
        for (now, mark, (then, from)) in self.beside(later) {
            if then >= *now {
                (*now, *mark) = (then, from);
            }
        }
        // Some events leave out for how long it was written: what is known to be kept for an hour is not the other too.
        self.cache_write = written.saturating_sub(self.cache_write_hour);
        if self.cache_write == 0 {
            self.parts_from.cache_write = Provenance::default();
        }
        self.tier = later.tier.or(self.tier);
    }

    /// Adds what another attempt used. A sum is as sure as its least sure part.
    pub fn grow_by(&mut self, attempt: &Self) {
        for (sum, mark, (more, from)) in self.beside(attempt) {
            if more > 0 {
                *mark = if *sum == 0 { from } else { from.max(*mark) };
                *sum = sum.saturating_add(more);
            }
        }
        self.tier = self.tier.or(attempt.tier);
    }

    /// Each number and its mark, and those of another.
    fn beside(&mut self, other: &Self) -> [Beside<'_>; 11] {
        let Self {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_hour,
            input_audio,
            input_image,
            reasoning,
            output_audio,
            output_image,
            searches,
            tier: _,
            input_from,
            output_from,
            parts_from: own,
        } = self;
        let others = other.parts_from;
        [
            (input, input_from, (other.input, other.input_from)),
            (output, output_from, (other.output, other.output_from)),
            (cache_read, &mut own.cache_read, (other.cache_read, others.cache_read)),
            (cache_write, &mut own.cache_write, (other.cache_write, others.cache_write)),
            (cache_write_hour, &mut own.cache_write_hour, (other.cache_write_hour, others.cache_write_hour)),
            (input_audio, &mut own.input_audio, (other.input_audio, others.input_audio)),
            (input_image, &mut own.input_image, (other.input_image, others.input_image)),
            (reasoning, &mut own.reasoning, (other.reasoning, others.reasoning)),
            (output_audio, &mut own.output_audio, (other.output_audio, others.output_audio)),
            (output_image, &mut own.output_image, (other.output_image, others.output_image)),
            (searches, &mut own.searches, (other.searches, others.searches)),
        ]
    }

    /// Tokens of which nobody said whether they were read or written: they stand as the input, and how much of them was
    /// written is a guess for whoever saw the answer (`divide`).
    #[must_use]
    pub const fn undivided(self) -> Self {
        Self { input_from: Provenance::Estimated, output_from: Provenance::Estimated, ..self }
    }

    /// Takes what was written, about, out of a sum that is `undivided`, and says whether it was one: the sum stays what the
    /// provider told, however wrong the guess is.
    pub fn divide(&mut self, written: u64) -> bool {
        let guessed = self.input_from == Provenance::Estimated && self.output_from == Provenance::Estimated;
        let is_sum = guessed && self.input > 0 && self.output == 0;
        if is_sum {
            self.output = written.min(self.input);
            self.input -= self.output;
        }
        is_sum
    }

    /// The same numbers, each of which comes from there.
    #[must_use]
    pub fn all_from(self, from: Provenance) -> Self {
        let parts_from = self.parts_all((from, from), from);
        Self { input_from: from, output_from: from, parts_from, ..self }
    }

    /// Every number there is, by its name, and where it comes from. For how long something is kept in a cache is not told
    /// apart, and of nothing there is nobody who told it.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, u64, Provenance)> {
        let from = self.parts_from;
        let numbers = [
            ("input", self.input, self.input_from),
            ("output", self.output, self.output_from),
            ("cache_read", self.cache_read, from.cache_read),
            ("cache_write", self.cache_written(), from.cache_written()),
            ("input_audio", self.input_audio, from.input_audio),
            ("input_image", self.input_image, from.input_image),
            ("reasoning", self.reasoning, from.reasoning),
            ("output_audio", self.output_audio, from.output_audio),
            ("output_image", self.output_image, from.output_image),
            ("searches", self.searches, from.searches),
        ];
        numbers.into_iter().filter(|(_, number, _)| *number > 0)
    }

    /// Where the least sure of the numbers comes from. A whole of nothing has no say beside one of something.
    #[must_use]
    pub fn least_sure(&self) -> Provenance {
        let least = self.numbers().map(|(_, _, from)| from).max();
        least.unwrap_or_else(|| self.input_from.max(self.output_from))
    }

    /// The numbers that are surer than the least sure, by their names; hardly any usage has some.
    pub fn surer(&self) -> impl Iterator<Item = (&'static str, Provenance)> {
        let least = self.least_sure();
        self.numbers().filter(move |(_, _, from)| *from != least).map(|(name, _, from)| (name, from))
    }

    /// Both in one line: `reported`, or `estimated; cache_read=reported`.
    #[must_use]
    pub fn marks(&self) -> Cow<'static, str> {
        let mut line = Cow::Borrowed(self.least_sure().as_str());
        for (name, from) in self.surer() {
            let line = line.to_mut();
            for word in ["; ", name, "=", from.as_str()] {
                line.push_str(word);
            }
        }
        line
    }
}

/// A number and its mark in one usage, and what another has in their place.
type Beside<'u> = (&'u mut u64, &'u mut Provenance, (u64, Provenance));

impl Buckets {
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_hour)
            .saturating_add(self.input_audio)
            .saturating_add(self.input_image)
            .saturating_add(self.output)
            .saturating_add(self.reasoning)
            .saturating_add(self.output_audio)
            .saturating_add(self.output_image)
    }
}

#[cfg(test)]
mod tests;
