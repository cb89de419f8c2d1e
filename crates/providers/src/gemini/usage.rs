//! What a call used, from `usageMetadata`.

use mainspring_llm::{Provenance, TokenUsage};
use serde::Deserialize;

/// As Google counts: the prompt holds what came from the cache but not what tools read, the candidates do not hold thoughts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageMetadata {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    total_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<ModalityCount>>,
    cache_tokens_details: Option<Vec<ModalityCount>>,
    candidates_tokens_details: Option<Vec<ModalityCount>>,
    tool_use_prompt_tokens_details: Option<Vec<ModalityCount>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ModalityCount {
    modality: String,
    token_count: u64,
}

/// The number in a whole answer or in one event; reads nothing else.
pub(super) fn read(body: &[u8]) -> Option<TokenUsage> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Holder {
        usage_metadata: Option<UsageMetadata>,
    }
    let holder: Holder = serde_json::from_slice(body).ok()?;
    holder.usage_metadata.as_ref().map(tokens)
}

pub(super) fn tokens(usage: &UsageMetadata) -> TokenUsage {
    let or_zero = |count: Option<u64>| count.unwrap_or(0);
    let prompt = or_zero(usage.prompt_token_count);
    let tools = or_zero(usage.tool_use_prompt_token_count);
    let candidates = or_zero(usage.candidates_token_count);
    let thoughts = or_zero(usage.thoughts_token_count);
    let input = prompt.saturating_add(tools);
    // Some servers that speak this dialect count thoughts among the candidates; their total gives them away.
    let inside = usage.total_token_count.is_some_and(|total| thoughts > 0 && total == input.saturating_add(candidates));
    // What was cached is no longer audio or image: each token is in one part only.
    let read = |modality: &str| {
        let details = [&usage.prompt_tokens_details, &usage.tool_use_prompt_tokens_details];
        let all = details.into_iter().fold(0_u64, |sum, details| sum.saturating_add(of(details.as_deref(), modality)));
        all.saturating_sub(of(usage.cache_tokens_details.as_deref(), modality))
    };
    TokenUsage {
        input,
        output: if inside { candidates } else { candidates.saturating_add(thoughts) },
        cache_read: or_zero(usage.cached_content_token_count),
        input_audio: read("AUDIO"),
        input_image: read("IMAGE"),
        reasoning: thoughts,
        output_audio: of(usage.candidates_tokens_details.as_deref(), "AUDIO"),
        output_image: of(usage.candidates_tokens_details.as_deref(), "IMAGE"),
        ..TokenUsage::default()
    }
    .all_from(Provenance::Reported)
}

fn of(details: Option<&[ModalityCount]>, modality: &str) -> u64 {
    let counts = details.into_iter().flatten().filter(|count| count.modality == modality);
    counts.fold(0, |sum, count| sum.saturating_add(count.token_count))
}
