//! How much a call lets a target write: what its client says, and what the route always sends there instead.

use mainspring_providers::{
    Operation,
    peek::{Bound, Bounds},
};
use serde_json::{Map, Value};

use crate::parameters;

/// Written at most for each answer where neither the client nor the target says.
pub(crate) const USUAL: u64 = 4_096;

/// All answers together. `parameters` are a target's, and `usual` is what it writes at most where nobody says.
///
/// Whether the body goes there as it is or translated is known only when it goes, and the two read a parameter differently,
/// so that the larger of both counts.
pub(crate) fn most(bounds: &Bounds, operation: Operation, (parameters, usual): (&Map<String, Value>, Option<u32>)) -> u64 {
    let usual = usual.map_or(USUAL, u64::from);
    let all = |each: Option<u32>, answers: u64| each.map_or(usual, u64::from).saturating_mul(answers);
    if parameters.is_empty() {
        return all(bounds.each(operation), bounds.answers(operation));
    }
    let passed = parameters::said(operation, parameters).map_or(0, |said| {
        let bounds = replaced(*bounds, &said.top);
        all(bounds.each(operation), bounds.answers(operation))
    });
    let (each, answers) = translated(bounds, operation, parameters);
    passed.max(all(each, answers))
}

/// What a target's parameters add to the body, as JSON: tools are read too.
pub(crate) fn added(parameters: &Map<String, Value>) -> Vec<u8> {
    if parameters.is_empty() { Vec::new() } else { serde_json::to_vec(parameters).unwrap_or_default() }
}

/// What the body says with its fields replaced.
fn replaced(mut bounds: Bounds, parameters: &Map<String, Value>) -> Bounds {
    for (name, value) in parameters {
        match name.as_str() {
            "max_tokens" => bounds.max_tokens = bound(value),
            "max_completion_tokens" => bounds.max_completion_tokens = bound(value),
            "max_output_tokens" => bounds.max_output_tokens = bound(value),
            "n" => bounds.n = count(value),
            "best_of" => bounds.best_of = count(value),
            _ => {}
        }
    }
    bounds
}

/// In a call that is in no dialect there is one bound, and the last word of it counts.
fn translated(bounds: &Bounds, operation: Operation, parameters: &Map<String, Value>) -> (Option<u32>, u64) {
    let said = parameters.iter().rfind(|(name, _)| matches!(name.as_str(), "max_tokens" | "max_completion_tokens"));
    let each = match said {
        Some((_, value)) => bound(value).and_then(Bound::tokens),
        None => bounds.each(operation),
    };
    let answers = match parameters.get("n") {
        Some(n) => count(n).map_or(1, |n| n.max(1).into()),
        None => bounds.answers(operation),
    };
    (each, answers)
}

/// What is no number bounds nothing, whatever a server makes of it.
fn bound(value: &Value) -> Option<Bound> {
    match value.as_f64() {
        Some(number) if number >= 0.0 => Some(Bound::AtMost(number as u32)),
        _ if value.is_null() => None,
        _ => Some(Bound::Unbounded),
    }
}

fn count(value: &Value) -> Option<u32> {
    value.as_f64().map(|number| number as u32)
}
