//! What answers say they used. Servers of this dialect agree on the wholes and on little else.

use std::{fmt, marker::PhantomData};

use mainspring_llm::{Provenance, ServiceTier, TokenUsage};
use memchr::memmem;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, json};

use crate::sse;

/// Reads a whole answer, one event of a stream, or that event's data.
pub(super) fn peek(body: &[u8]) -> Option<TokenUsage> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'{' => read(body),
        _ => read(&sse::data(body)?),
    }
}

/// What an operation that writes no text used: of it a sum says what was read.
pub(super) const fn all_read(used: TokenUsage) -> TokenUsage {
    TokenUsage { input_from: Provenance::Reported, output_from: Provenance::Reported, ..used }
}

/// `usage` as an answer has it.
pub(super) fn of(usage: &Value) -> Option<TokenUsage> {
    Said::deserialize(usage).ok()?.tokens()
}

/// Most events of a stream hold none: they are not parsed.
fn read(json: &[u8]) -> Option<TokenUsage> {
    if memmem::find(json, b"\"usage\"").is_none() && memmem::find(json, b"\"meta\"").is_none() {
        return None;
    }
    let Envelope { usage, response, x_groq, meta, service_tier } = serde_json::from_slice(json).ok()?;
    let within = [response.0, x_groq.0].into_iter().flatten();
    let (mut said, mut tier) = (usage.0, tier(&service_tier));
    for within in within {
        said = said.or(within.usage.0);
        tier = tier.or(self::tier(&within.service_tier));
    }
    let used = said.and_then(Said::tokens).or_else(|| meta.0?.tokens())?;
    Some(TokenUsage { tier, ..used })
}

/// In which tier a call was served, as an answer says it beside its usage.
pub(super) fn tier(said: &Value) -> Option<ServiceTier> {
    said.as_str().and_then(ServiceTier::of)
}

/// Everything else is skipped without being kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    usage: Loose<Said>,
    /// The events that begin and end a streamed response.
    response: Loose<Within>,
    x_groq: Loose<Within>,
    meta: Loose<Meta>,
    service_tier: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Within {
    usage: Loose<Said>,
    service_tier: Value,
}

/// Cohere's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    billed_units: Loose<Said>,
    tokens: Loose<Said>,
}

impl Meta {
    fn tokens(self) -> Option<TokenUsage> {
        let Self { billed_units: Loose(billed_units), tokens: Loose(tokens) } = self;
        let said = billed_units.and_then(Said::tokens).or_else(|| tokens?.tokens());
        // Searches are billed by the piece, and no tokens are.
        match billed_units.and_then(|billed| billed.search_units) {
            Some(Count(searches)) => Some(TokenUsage { searches, ..said.unwrap_or_default() }),
            None => said,
        }
    }
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Said {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Loose<Details>,
    completion_tokens_details: Loose<Details>,
    input_tokens_details: Loose<Details>,
    output_tokens_details: Loose<Details>,
    /// DeepSeek's.
    prompt_cache_hit_tokens: Option<Count>,
    /// Moonshot's and Together's.
    cached_tokens: Option<Count>,
    search_units: Option<Count>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
    reasoning_tokens: Option<Count>,
}

impl Said {
    fn tokens(self) -> Option<TokenUsage> {
        let total = number(self.total_tokens);
        let sides = (self.prompt_tokens.or(self.input_tokens), self.completion_tokens.or(self.output_tokens));
        let (input, output) = match sides {
            (None, None) => (self.total_tokens?.0, 0),
            (None, Some(Count(output))) => (total.saturating_sub(output), output),
            (Some(Count(input)), None) => (input, total.saturating_sub(input)),
            (Some(Count(input)), Some(Count(output))) => (input, output),
        };
        let read = self.prompt_tokens_details.0.or(self.input_tokens_details.0).unwrap_or_default();
        let written = self.completion_tokens_details.0.or(self.output_tokens_details.0).unwrap_or_default();
        let cached = read.cached_tokens.or(self.prompt_cache_hit_tokens).or(self.cached_tokens);
        let (output, reasoning) = with_thoughts(input, output, number(written.reasoning_tokens), total);
        let used = TokenUsage {
            input,
            output,
            cache_read: number(cached),
            cache_write: number(read.cache_write_tokens),
            input_audio: number(read.audio_tokens),
            input_image: number(read.image_tokens),
            reasoning,
            output_audio: number(written.audio_tokens),
            output_image: number(written.image_tokens),
            ..TokenUsage::default()
        }
        .all_from(Provenance::Reported);
        Some(if sides == (None, None) { used.undivided() } else { used })
    }
}

/// xAI and Google's servers of this dialect count thinking beside the completion, and the total says so: what is beyond
/// the other two is what was thought.
const fn with_thoughts(input: u64, output: u64, reasoning: u64, total: u64) -> (u64, u64) {
    let beyond = total.saturating_sub(input.saturating_add(output));
    if beyond > 0 && (reasoning == 0 || reasoning == beyond) { (output + beyond, beyond) } else { (output, reasoning) }
}

fn number(count: Option<Count>) -> u64 {
    count.map_or(0, |count| count.0)
}

/// A number of tokens as servers write it: as a float now and then, and below nothing where they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tokens")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
        Ok(Count(number.min(MOST)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(number).unwrap_or(0)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        Ok(Count(text.parse().unwrap_or(0).min(MOST)))
    }

    /// The cast saturates at both ends.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Count, E> {
        Ok(Count((number as u64).min(MOST)))
    }
}

/// An object where there is one. Under these names others say other things, which is no reason to miss the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loose<T>(Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor(PhantomData))
    }
}

struct LooseVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LooseVisitor<T> {
    type Value = Loose<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|read| Loose(Some(read)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Loose(None))
    }
}

/// More than anybody reads or writes in one call; sums of it do not overflow.
const MOST: u64 = 1 << 53;

/// As chat says it.
pub(super) fn chat(used: &TokenUsage) -> Value {
    let mut read = json!({"cached_tokens": used.cache_read, "audio_tokens": used.input_audio});
    // OpenRouter's name for it: OpenAI charges nothing for writing to its cache.
    let written_to_cache = used.cache_write.saturating_add(used.cache_write_hour);
    if written_to_cache > 0 {
        read["cache_write_tokens"] = json!(written_to_cache);
    }
    if used.input_image > 0 {
        read["image_tokens"] = json!(used.input_image);
    }
    let mut written = json!({
        "reasoning_tokens": used.reasoning,
        "audio_tokens": used.output_audio,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    });
    if used.output_image > 0 {
        written["image_tokens"] = json!(used.output_image);
    }
    json!({
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.total(),
        "prompt_tokens_details": read,
        "completion_tokens_details": written,
    })
}

/// As the responses endpoint says it. Parts that it has no name for have the one that chat gives them, where there are any.
pub(super) fn responses(used: &TokenUsage) -> Value {
    let mut read = json!({"cached_tokens": used.cache_read});
    let mut written = json!({"reasoning_tokens": used.reasoning});
    let written_to_cache = used.cache_write.saturating_add(used.cache_write_hour);
    for (name, tokens) in
        [("cache_write_tokens", written_to_cache), ("audio_tokens", used.input_audio), ("image_tokens", used.input_image)]
    {
        if tokens > 0 {
            read[name] = json!(tokens);
        }
    }
    for (name, tokens) in [("audio_tokens", used.output_audio), ("image_tokens", used.output_image)] {
        if tokens > 0 {
            written[name] = json!(tokens);
        }
    }
    json!({
        "input_tokens": used.input,
        "input_tokens_details": read,
        "output_tokens": used.output,
        "output_tokens_details": written,
        "total_tokens": used.total(),
    })
}
