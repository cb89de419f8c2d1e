//! Tokens and money of a span, in one reading for every convention.
//!
//! `input` is everything that was read and `output` everything that was written; every other number is a part of one of the two
//! and is never larger than it. Where a sender counts parts beside the whole, they are added.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    aliases::{Convention, Fact},
    said::Said,
    values::{self, count, nanos},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tokens {
    pub input: Option<i64>,
    pub output: Option<i64>,
    /// Of the input: found in a cache.
    pub cache_read: Option<i64>,
    /// Of the input: written to a cache.
    pub cache_write: Option<i64>,
    /// Of the output: thinking that the answer may not show.
    pub reasoning: Option<i64>,
}

impl Tokens {
    pub(super) fn of(said: &Said<'_>) -> Self {
        let number = |fact: Fact| said.value(fact).and_then(count);
        let tokens = Self {
            input: number(Fact::InputTokens),
            output: number(Fact::OutputTokens),
            cache_read: number(Fact::CacheRead),
            cache_write: number(Fact::CacheWrite),
            reasoning: number(Fact::Reasoning),
        };
        if tokens.is_said() {
            return tokens.with_total(number(Fact::TotalTokens)).whole(said.counts_cache_beside());
        }
        let map = said.heard(Fact::Usage).map(|(spoken, value)| (spoken, values::opened(value)));
        match map.as_ref().and_then(|(spoken, value)| Some((spoken, value.as_object()?))) {
            Some((spoken, map)) => Self::of_map(map, *spoken == Convention::Langfuse).whole(false),
            None => Self { input: number(Fact::TotalTokens).filter(|_| said.reads_only()), ..Self::default() },
        }
    }

    /// Langfuse's numbers do not overlap: each is a bucket with a price of its own. Others say a whole and parts of it.
    fn of_map(map: &Map<String, Value>, buckets: bool) -> Self {
        let number = |key: &str| map.get(key).and_then(count);
        let first = |keys: &[&str]| keys.iter().find_map(|key| number(key));
        let within =
            |outer: &[&str], inner: &str| outer.iter().find_map(|key| map.get(*key)?.as_object()?.get(inner)).and_then(count);
        let like_openai =
            map.contains_key("prompt_tokens") || map.contains_key("completion_tokens") || map.values().any(Value::is_object);
        if buckets && !like_openai {
            return Self::of_buckets(map);
        }
        Self {
            input: first(&["input_tokens", "prompt_tokens", "input", "prompt"]),
            output: first(&["output_tokens", "completion_tokens", "output", "completion"]),
            cache_read: first(&["cache_read_input_tokens", "cached_tokens", "cache_read_tokens"])
                .or_else(|| within(&["prompt_tokens_details", "input_tokens_details"], "cached_tokens")),
            cache_write: first(&["cache_creation_input_tokens", "cache_write_input_tokens", "cache_write_tokens"]),
            reasoning: first(&["reasoning_tokens"])
                .or_else(|| within(&["completion_tokens_details", "output_tokens_details"], "reasoning_tokens")),
        }
        .with_total(first(&["total_tokens", "total"]))
    }

    fn of_buckets(map: &Map<String, Value>) -> Self {
        let (mut tokens, mut total) = (Self::default(), None);
        let add = |sum: &mut Option<i64>, more: i64| *sum = Some(sum.unwrap_or_default().saturating_add(more));
        for (key, more) in map.iter().filter_map(|(key, value)| Some((key.to_ascii_lowercase(), count(value)?))) {
            let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
            if has(&["total"]) {
                total = Some(more);
            } else if has(&["output", "completion", "reasoning", "thought"]) {
                add(&mut tokens.output, more);
                if has(&["reasoning", "thought"]) {
                    add(&mut tokens.reasoning, more);
                }
            } else if has(&["input", "prompt", "cache"]) {
                add(&mut tokens.input, more);
                if has(&["cache"]) {
                    let written = has(&["creation", "write"]);
                    add(if written { &mut tokens.cache_write } else { &mut tokens.cache_read }, more);
                }
            }
        }
        tokens.with_total(total)
    }

    const fn is_said(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }

    /// What is missing of a sum.
    fn with_total(mut self, total: Option<i64>) -> Self {
        match (self.input, self.output, total) {
            (None, Some(part), Some(total)) if total >= part => self.input = Some(total - part),
            (Some(part), None, Some(total)) if total >= part => self.output = Some(total - part),
            _ => {}
        }
        self
    }

    /// Parts of numbers that are known to be wholes: what does not fit is cut.
    pub(super) fn cut(self) -> Self {
        let (input, output) = (self.input.unwrap_or_default(), self.output.unwrap_or_default());
        let cache_read = self.cache_read.map(|part| part.min(input));
        let left = input - cache_read.unwrap_or_default();
        let (cache_write, reasoning) = (self.cache_write.map(|part| part.min(left)), self.reasoning.map(|part| part.min(output)));
        Self { cache_read, cache_write, reasoning, ..self }
    }

    /// Parts that are more than their whole were counted beside it.
    fn whole(mut self, cache_beside: bool) -> Self {
        let cached = self.cache_read.unwrap_or_default().saturating_add(self.cache_write.unwrap_or_default());
        let input = self.input.unwrap_or_default();
        if cached > input || (cache_beside && cached > 0) {
            self.input = Some(input.saturating_add(cached));
        }
        let (output, reasoning) = (self.output.unwrap_or_default(), self.reasoning.unwrap_or_default());
        if reasoning > output {
            self.output = Some(output.saturating_add(reasoning));
        }
        self
    }
}

/// Billionths of a dollar.
pub(super) fn cost(said: &Said<'_>) -> Option<i64> {
    let amount = |fact: Fact| said.value(fact).and_then(nanos);
    if let Some(whole) = amount(Fact::Cost) {
        return Some(whole);
    }
    let parts = [amount(Fact::InputCost), amount(Fact::OutputCost)];
    if parts.iter().any(Option::is_some) {
        return Some(parts.iter().flatten().fold(0, |sum, part| sum.saturating_add(*part)));
    }
    let map = values::opened(said.value(Fact::Costs)?);
    let map = map.as_object()?;
    let whole = ["total", "total_cost"].iter().find_map(|key| map.get(*key).and_then(nanos));
    whole.or_else(|| map.values().filter_map(nanos).reduce(i64::saturating_add))
}
