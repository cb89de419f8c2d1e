//! What spans of calls and attempts are told.

use std::time::Duration;

use mainspring_kernel::Money;
use mainspring_llm::{
    TokenUsage,
    trace::{OpenSpan, names},
};
use mainspring_providers::ProviderKind;

use crate::record::PriceStamp;

pub(crate) const CALL: &str = "mainspring.call";
pub(crate) const ROUTE: &str = "mainspring.route";
pub(crate) const TARGET: &str = "mainspring.target";
pub(crate) const STATUS: &str = "mainspring.status";
pub(crate) const ATTEMPTS: &str = "mainspring.attempts";
pub(crate) const CACHE: &str = "mainspring.cache";
pub(crate) const COST: &str = "mainspring.cost";
pub(crate) const PRICE: &str = "mainspring.price";
pub(crate) const CLASS: &str = "mainspring.fault_class";
pub(crate) const LOST: &str = "mainspring.lost";
pub(crate) const HEDGE: &str = "mainspring.hedge";
pub(crate) const SPEED: &str = "mainspring.tokens_per_second";
pub(crate) const INPUTS: &str = "mainspring.embeddings.inputs";
const USAGE_FROM: &str = "mainspring.usage_from";
const CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
const REASONING: &str = "gen_ai.usage.reasoning.output_tokens";

/// A kind of provider as the conventions name it.
pub(crate) const fn provider(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::OpenAi => "openai",
        ProviderKind::Azure => "azure.ai.openai",
        ProviderKind::Anthropic => "anthropic",
        ProviderKind::Gemini => "gcp.gemini",
        ProviderKind::Bedrock => "aws.bedrock",
        ProviderKind::Local => "mainspring",
    }
}

pub(crate) fn usage(span: &mut OpenSpan, usage: &TokenUsage) {
    span.set(names::INPUT_TOKENS, usage.input);
    span.set(names::OUTPUT_TOKENS, usage.output);
    let parts = [
        (names::CACHED_TOKENS, usage.cache_read),
        (CACHE_WRITE, usage.cache_write.saturating_add(usage.cache_write_hour)),
        (REASONING, usage.reasoning),
    ];
    for (name, tokens) in parts.into_iter().filter(|(_, tokens)| *tokens > 0) {
        span.set(name, tokens);
    }
    // Of nothing there is nobody who told it.
    if !usage.is_nothing() {
        span.set(USAGE_FROM, usage.least_sure().as_str());
        for (name, from) in usage.surer() {
            span.set(&format!("mainspring.{name}_from"), from.as_str());
        }
    }
}

/// Which entry of which version of a table.
pub(crate) fn price(PriceStamp { table, entry }: &PriceStamp) -> String {
    format!("{entry}@{}", table.short())
}

/// As text: it is exact, and numbers in JSON are not.
pub(crate) fn cost(span: &mut OpenSpan, cost: Money, price: Option<&PriceStamp>) {
    span.set(COST, cost.to_string());
    if let Some(stamp) = price {
        span.set(PRICE, self::price(stamp));
    }
}

pub(crate) fn millis(span: &mut OpenSpan, name: &str, duration: Duration) {
    span.set(name, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}
