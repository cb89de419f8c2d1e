//! Anthropic's counting and ours: it counts cached tokens outside the input, we count them inside.

use mainspring_llm::TokenUsage;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// Usage as a whole answer or the beginning of a stream gives it.
pub(super) fn read(said: &Value) -> TokenUsage {
    let number = |name: &str| said.get(name).and_then(Value::as_u64).unwrap_or(0);
    let split = |name: &str| said["cache_creation"].get(name).and_then(Value::as_u64).unwrap_or(0);
    let hour = split("ephemeral_1h_input_tokens");
    let written = number("cache_creation_input_tokens").max(hour.saturating_add(split("ephemeral_5m_input_tokens")));
    let (cache_read, output) = (number("cache_read_input_tokens"), number("output_tokens"));
    let thinking = said["output_tokens_details"].get("thinking_tokens").and_then(Value::as_u64).unwrap_or(0);
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

/// Usage as the end of a stream gives it: sums so far, without how long what was written to the cache is kept. The
/// beginning said that; guessing it here would count the same tokens in both places. What was written after the beginning
/// is counted as plain input.
pub(super) fn read_delta(said: &Value) -> TokenUsage {
    let usage = read(said);
    if said.get("cache_creation").is_some_and(Value::is_object) {
        return usage;
    }
    TokenUsage { cache_write: 0, cache_write_hour: 0, ..usage }
}

/// A body or an event, read no further than to its usage.
#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "type", default)]
    kind: &'a str,
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
    let usage = if inner.kind == "message_delta" { read_delta(&said) } else { read(&said) };
    said.is_object().then_some(usage)
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
