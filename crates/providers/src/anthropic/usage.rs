//! Anthropic's counting and ours: it counts cached tokens outside the input, we count them inside.

use mainspring_llm::TokenUsage;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// Usage as a whole answer or an event of a stream gives it. The last event says how much was written to the cache, not for
/// how long: that it is kept as long as usual is what `TokenUsage::merge` corrects by what the first event said.
///
/// Where an answer took several turns of a model, `iterations` lists them. What was read and written to compact a
/// conversation stands there only, and is paid.
pub(super) fn read(said: &Value) -> TokenUsage {
    let turns = || said["iterations"].as_array().into_iter().flatten();
    let count = |place: &Value| place.as_u64().unwrap_or(0);
    let number = |name: &str| {
        let of_turns = turns().fold(0_u64, |sum, turn| sum.saturating_add(count(&turn[name])));
        count(&said[name]).max(of_turns)
    };
    let split = |name: &str| {
        let of = |place: &Value| count(&place["cache_creation"][name]);
        of(said).max(turns().fold(0_u64, |sum, turn| sum.saturating_add(of(turn))))
    };
    let hour = split("ephemeral_1h_input_tokens");
    let written = number("cache_creation_input_tokens").max(hour.saturating_add(split("ephemeral_5m_input_tokens")));
    let (cache_read, output) = (number("cache_read_input_tokens"), number("output_tokens"));
    let thinking = count(&said["output_tokens_details"]["thinking_tokens"]);
    TokenUsage {
        input: number("input_tokens").saturating_add(cache_read).saturating_add(written),
        output,
        cache_read,
        cache_write: written - hour,
        cache_write_hour: hour,
        reasoning: thinking.min(output),
        ..TokenUsage::default()
    }
}

/// A body or an event, read no further than to its usage.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// The usage in a whole answer or in one event of a stream; most events have none and are not read at all.
pub(super) fn peek(body: &[u8]) -> Option<TokenUsage> {
    memmem::find(body, b"\"usage\"")?;
    let outer: Outer<'_> = serde_json::from_slice(body).ok()?;
    let inner: Outer<'_> = match (outer.usage, outer.message) {
        (None, Some(message)) => serde_json::from_str(message.get()).ok()?,
        _ => outer,
    };
    let said: Value = serde_json::from_str(inner.usage?.get()).ok()?;
    said.is_object().then(|| read(&said))
}

/// Usage for a client: pieces that do not overlap, whatever a provider claimed.
pub(super) fn write(usage: &TokenUsage) -> Value {
    let pieces = usage.buckets();
    let mut said = json!({
        "input_tokens": pieces.input + pieces.input_audio + pieces.input_image,
        "cache_creation_input_tokens": pieces.cache_write + pieces.cache_write_hour,
        "cache_read_input_tokens": pieces.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": pieces.cache_write,
            "ephemeral_1h_input_tokens": pieces.cache_write_hour,
        },
        "output_tokens": usage.output,
    });
    if pieces.reasoning > 0 {
        said["output_tokens_details"] = json!({"thinking_tokens": pieces.reasoning});
    }
    said
}
