//! What one model call used, in one form for every provider.
//!
//! Providers disagree: OpenAI and Gemini count cached tokens inside the input, Anthropic and Bedrock outside; OpenAI counts
//! reasoning inside the output, Gemini outside. Here `input` is everything that was read and `output` everything that was
//! written, and every other number is a part of one of the two. Parts are never added to the whole.

use serde::{Deserialize, Serialize};

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
/// `input` and `output` say where they come from. Parts need no such mark: they are as somebody reported or counted them, and
/// nobody guesses one. An estimate is of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Everything read, cached or not.
    pub input: u64,
    /// Everything written, reasoning included.
    pub output: u64,
    /// Of the input: found in the provider's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Of the input: written to the provider's cache, for its usual time.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Of the input: written to the provider's cache for an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_hour: u64,
    /// Of the input: audio and images.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub input_image: u64,
    /// Of the output: thinking that the answer may not show.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
    /// Of the output: audio and images.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_audio: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub output_image: u64,
    /// Searches of a reranker, where it says how many it bills: a hundred documents are one, and more are several.
    #[serde(skip_serializing_if = "is_zero")]
    pub searches: u64,
    /// Absent: as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<ServiceTier>,
    pub input_from: Provenance,
    pub output_from: Provenance,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// As an engine of this process counted them.
impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input_tokens,
            output: usage.output_tokens,
            cache_read: usage.cached_tokens.min(usage.input_tokens),
            input_from: Provenance::Counted,
            output_from: Provenance::Counted,
            ..Self::default()
        }
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
    /// the numbers of a stream only grow and some events leave out what others said.
    pub fn merge(&mut self, later: &Self) {
        let max = |now: &mut u64, then: u64| *now = (*now).max(then);
        max(&mut self.input, later.input);
        max(&mut self.output, later.output);
        max(&mut self.cache_read, later.cache_read);
        // Some events leave out for how long it was written: what is known to be kept for an hour is not the other too.
        let written = self.cache_written().max(later.cache_written());
        max(&mut self.cache_write_hour, later.cache_write_hour);
        self.cache_write = written.saturating_sub(self.cache_write_hour);
        max(&mut self.input_audio, later.input_audio);
        max(&mut self.input_image, later.input_image);
        max(&mut self.reasoning, later.reasoning);
        max(&mut self.output_audio, later.output_audio);
        max(&mut self.output_image, later.output_image);
        max(&mut self.searches, later.searches);
        self.tier = later.tier.or(self.tier);
        self.input_from = later.input_from;
        self.output_from = later.output_from;
    }
}

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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{ServiceTier, TokenUsage};

    /// In answers, in tables of prices and in what is kept of calls.
    #[test]
    fn a_tier_of_service_has_one_name() {
        for tier in ServiceTier::ALL {
            let name = tier.as_str();
            assert_eq!((json!(tier), ServiceTier::of(name)), (json!(name), Some(tier)));
        }
    }

    proptest! {
        #[test]
        fn pieces_add_up_to_the_whole(input in 0_u64..1_000_000, output in 0_u64..1_000_000, parts in proptest::array::uniform8(0_u64..2_000_000)) {
            let [cache_read, cache_write, cache_write_hour, input_audio, input_image, reasoning, output_audio, output_image] = parts;
            let usage = TokenUsage {
                input, output, cache_read, cache_write, cache_write_hour, input_audio, input_image, reasoning, output_audio,
                output_image, ..TokenUsage::default()
            };
            prop_assert_eq!(usage.buckets().total(), usage.total());
        }

        /// Providers send any number, the largest there is among them.
        #[test]
        fn numbers_that_no_call_has_do_not_overflow(input in any::<u64>(), output in any::<u64>(), part in any::<u64>()) {
            let usage = TokenUsage { input, output, cache_read: part, reasoning: part, ..TokenUsage::default() };
            let largest = TokenUsage { input: u64::MAX, output: u64::MAX, ..usage };
            prop_assert_eq!(usage.buckets().total(), usage.total());
            prop_assert_eq!(largest.buckets().total(), u64::MAX);
        }

        /// An event says how much was written for how long, the next only how much in all.
        #[test]
        fn what_was_written_to_the_cache_is_told_twice_and_counted_once(five in 0_u64..1_000_000, hour in 0_u64..1_000_000, more in 0_u64..1_000_000) {
            let mut seen = TokenUsage { input: five + hour, cache_write: five, cache_write_hour: hour, ..TokenUsage::default() };
            let whole = five + hour + more;
            let later = TokenUsage { input: whole, cache_write: whole, ..TokenUsage::default() };
            for _ in 0..2 {
                seen.merge(&later);
                prop_assert_eq!((seen.cache_write, seen.cache_write_hour), (five + more, hour));
                prop_assert_eq!(seen.buckets().input, 0);
            }
        }
    }
}
