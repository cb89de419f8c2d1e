//! What a call used, from Converse's `usage`.

use mainspring_llm::{Provenance, TokenUsage};
use serde::Deserialize;

/// As AWS counts: the input holds neither what came from the cache nor what was written to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Used {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<Written>>,
}

/// What was written to the cache for a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    ttl: String,
    input_tokens: u64,
}

/// The numbers in a whole answer or in one event; reads nothing else.
pub(super) fn read(body: &[u8]) -> Option<TokenUsage> {
    #[derive(Deserialize)]
    struct Holder {
        usage: Option<Used>,
    }
    let holder: Holder = serde_json::from_slice(body).ok()?;
    holder.usage.as_ref().map(tokens)
}

pub(super) fn tokens(used: &Used) -> TokenUsage {
    let read = used.cache_read_input_tokens.unwrap_or(0);
    let details = || used.cache_details.iter().flatten();
    let sum =
        |ttl: &str| details().filter(|written| written.ttl == ttl).fold(0_u64, |sum, one| sum.saturating_add(one.input_tokens));
    let hour = sum("1h");
    // The total is the number AWS has always given; the details may be missing.
    let written = used.cache_write_input_tokens.unwrap_or(0).max(hour.saturating_add(sum("5m")));
    TokenUsage {
        input: used.input_tokens.unwrap_or(0).saturating_add(read).saturating_add(written),
        output: used.output_tokens.unwrap_or(0),
        cache_read: read,
        cache_write: written - hour,
        cache_write_hour: hour,
        ..TokenUsage::default()
    }
    .all_from(Provenance::Reported)
}
