//! Parameters that nothing here reads: the ones that may be given all the same, and the rest, refused by name.

use std::collections::BTreeMap;

use mainspring_kernel::text;
use serde_json::{Value, json};

use crate::error::{Answer, OpenAiError};

/// What a body holds beside the parameters it declares.
pub(crate) type Others = BTreeMap<String, Value>;

/// They say how a provider stores, bills, routes or hurries a request, and change no answer.
const HARMLESS: &[&str] = &[
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
];

/// They change an answer, and nothing here can honour them.
const UNSUPPORTED: &[&str] = &[
    "audio",
    "function_call",
    "min_p",
    "reasoning_effort",
    "repetition_penalty",
    "tool_choice",
    "top_k",
    "verbosity",
    "web_search_options",
];

/// Refuses what would change the answer; `declared` are the names that were meant, for a name that is nearly one of them.
pub(crate) fn refuse(others: &Others, declared: &[&str]) -> Answer<()> {
    for (name, value) in others.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.as_str();
        if HARMLESS.contains(&name) || asks_for_nothing(name, value) {
            continue;
        }
        if let Some(name) = UNSUPPORTED.iter().find(|known| **known == name) {
            return Err(OpenAiError::unsupported(*name));
        }
        let near = text::did_you_mean(name, declared.iter().copied());
        let name = text::elide(name, 80);
        let detail = format!("there is no parameter `{name}` here{near}");
        return Err(OpenAiError::param(name, detail));
    }
    Ok(())
}

/// Values that ask for what happens anyway.
fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match name {
        "reasoning_effort" => *value == json!("none"),
        "verbosity" => *value == json!("medium"),
        "tool_choice" | "function_call" => *value == json!("none") || *value == json!("auto"),
        "top_k" => matches!(value.as_i64(), Some(-1 | 0)),
        "min_p" => value.as_f64() == Some(0.0),
        "repetition_penalty" => value.as_f64() == Some(1.0),
        _ => false,
    }
}
