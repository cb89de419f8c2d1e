//! What is kept of what people wrote and read.

use std::{borrow::Cow, sync::LazyLock};

use mainspring_llm::Span;
use regex::Regex;
use serde_json::Value;

use crate::conventions::{is_content, is_content_of_event, is_person};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capture {
    /// Names, times, tokens, versions; no content, no user and no session.
    None,
    /// No content.
    Metadata,
    /// Content with addresses, numbers and secrets replaced.
    Redacted,
    #[default]
    Full,
}

impl Capture {
    /// Takes out of a span what may not be kept.
    pub(crate) fn apply(self, span: &mut Span) {
        match self {
            Self::Full => {}
            Self::Redacted => {
                for value in span.attributes.values_mut() {
                    redact_value(value);
                }
                for event in &mut span.events {
                    event.attributes.values_mut().for_each(redact_value);
                }
                for link in &mut span.links {
                    link.attributes.values_mut().for_each(redact_value);
                }
                if let mainspring_llm::trace::SpanStatus::Error(message) = &mut span.status {
                    *message = redact(message).into_owned();
                }
            }
            Self::Metadata | Self::None => {
                span.attributes.retain(|key, _| !is_content(key));
                for event in &mut span.events {
                    let name = &event.name;
                    event.attributes.retain(|key, _| !is_content_of_event(name, key));
                }
                for link in &mut span.links {
                    link.attributes.retain(|key, _| !is_content(key));
                }
                if self == Self::None {
                    span.attributes.retain(|key, _| !is_person(key));
                    span.events.iter_mut().for_each(|event| event.attributes.retain(|key, _| !is_person(key)));
                }
            }
        }
    }
}

fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(changed) = redact(text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_value),
        Value::Object(fields) => fields.values_mut().for_each(redact_value),
        _ => {}
    }
}

struct Rule {
    name: &'static str,
    pattern: Regex,
    accept: fn(&str) -> bool,
}

/// Linear-time patterns; the checksum decides for cards, so that ids and timestamps stay.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |name, pattern: &str, accept| Regex::new(pattern).ok().map(|pattern| Rule { name, pattern, accept });
    let any: fn(&str) -> bool = |_| true;
    [
        rule("email", r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9.\-]{1,255}\.[A-Za-z]{2,24}", any),
        rule("secret", r"\b(?:msk_|sk-|pk_live_|sk_live_|ghp_|gho_|xox[abp]-|AKIA|hf_|glpat-)[A-Za-z0-9_\-]{12,200}", any),
        rule("secret", r"(?i)\bbearer\s+[A-Za-z0-9._~+/\-]{16,2000}=*", any),
        rule("card", r"\b[0-9](?:[ \-]?[0-9]){12,18}\b", luhn),
        rule("iban", r"\b[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\b", iban),
        rule("phone", r"\+[0-9][0-9 ()\-]{7,17}[0-9]", any),
    ]
    .into_iter()
    .flatten()
    .collect()
});

pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for rule in RULES.iter() {
        let replaced = rule.pattern.replace_all(&text, |found: &regex::Captures<'_>| {
            if (rule.accept)(&found[0]) { format!("[{}]", rule.name) } else { found[0].to_owned() }
        });
        if let Cow::Owned(changed) = replaced {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// The checksum of payment cards (ISO/IEC 7812-1).
fn luhn(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match index % 2 {
            0 => *digit,
            _ => (digit * 2) / 10 + (digit * 2) % 10,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// The checksum of account numbers (ISO 13616): the rearranged number is 1 modulo 97.
fn iban(text: &str) -> bool {
    let plain: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    if plain.len() < 15 || plain.len() > 34 {
        return false;
    }
    let mut rest: u32 = 0;
    for c in plain[4..].iter().chain(&plain[..4]) {
        let Some(value) = c.to_digit(36) else { return false };
        rest = if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97;
    }
    rest == 1
}
