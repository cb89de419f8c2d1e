//! How much to think, in the words of the model's generation.

use mainspring_llm::exchange::{Call, Dialect, ReasoningWanted};
use serde_json::{Map, Value};

use crate::seam::Losses;

/// The first number in the model's name: 3 of `gemini-3.5-flash`. Names that follow the newest model are taken as new.
fn generation(model: &str) -> Option<u32> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let rest = name.strip_prefix("gemini-")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(number) => Some(number),
        Err(_) => rest.ends_with("latest").then_some(u32::MAX),
    }
}

/// Since its third generation Gemini refuses a conversation in which a function call lacks its signature.
pub(super) fn checks_signatures(model: &str) -> bool {
    generation(model).is_some_and(|number| number >= 3)
}

/// `thinkingConfig`; absent where nothing was asked or can be said.
pub(super) fn config(model: &str, call: &Call, lost: &mut Losses) -> Option<Value> {
    let wanted = call.reasoning.as_ref()?;
    let mut config = Map::new();
    match wanted.budget_tokens {
        Some(budget) => {
            config.insert("thinkingBudget".into(), budget.into());
        }
        None if generation(model).is_some_and(|number| number >= 3) => {
            config.extend(level(wanted, lost).map(|level| ("thinkingLevel".to_owned(), level.into())));
        }
        None => {
            config.extend(budget(wanted, lost).map(|budget| ("thinkingBudget".to_owned(), budget.into())));
        }
    }
    if shown(call, wanted) {
        config.insert("includeThoughts".into(), true.into());
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// Clients that ask for a budget or a summary, and all of Anthropic's, want to see the thoughts; those that name an effort
/// only do not.
fn shown(call: &Call, wanted: &ReasoningWanted) -> bool {
    let off = wanted.budget_tokens == Some(0) || wanted.effort.as_deref() == Some("none");
    let summary = wanted.summary.as_deref().is_some_and(|summary| summary != "none");
    !off && (summary || wanted.budget_tokens.is_some() || call.said_in == Dialect::Anthropic)
}

fn level(wanted: &ReasoningWanted, lost: &mut Losses) -> Option<&'static str> {
    Some(match wanted.effort.as_deref()? {
        "none" => {
            lost.note("reasoning_effort", "these models always think; they are asked for as little as they can");
            "minimal"
        }
        "minimal" => "minimal",
        "low" => "low",
        "medium" => "medium",
        "high" => "high",
        "xhigh" | "max" => {
            lost.note("reasoning_effort", "Gemini's highest level is `high`");
            "high"
        }
        _ => return unknown(lost),
    })
}

/// The budgets Google documents for these words.
fn budget(wanted: &ReasoningWanted, lost: &mut Losses) -> Option<i32> {
    Some(match wanted.effort.as_deref()? {
        "none" => 0,
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        "high" | "xhigh" | "max" => 24_576,
        _ => return unknown(lost),
    })
}

fn unknown<T>(lost: &mut Losses) -> Option<T> {
    lost.note("reasoning_effort", "Gemini has no such level");
    None
}
