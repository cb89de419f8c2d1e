//! Functions as they were before there were tools: one call in an answer, and no ids. For other dialects they are tools; to
//! the client their calls come back as it knows them.

use std::borrow::Cow;

use mainspring_llm::exchange::{Answer, Call, Dialect, Part, Tool, ToolChoice};
use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    super::extra,
    turns::{SAID_IN, arguments},
    write::write,
};

const FUNCTIONS: &str = "functions";
pub(super) const CALL: &str = "function_call";
/// Mistral's word for the seed.
const SEED: &str = "random_seed";

/// The call as it is said in another dialect: with tools in the place of functions, and what else has a commoner word.
pub(crate) fn modern(call: &Call, dialect: Dialect) -> Cow<'_, Call> {
    let said = [FUNCTIONS, CALL, SEED].iter().any(|name| call.extra.contains_key(*name));
    if !said && !call.turns.iter().flat_map(|turn| &turn.parts).any(says_older) {
        return Cow::Borrowed(call);
    }
    let mut call = call.clone();
    // Others take none, whatever it is called.
    let takes_seed = dialect == Dialect::Gemini && call.seed.is_none();
    if let Some(seed) = call.extra.get(SEED).and_then(Value::as_i64).filter(|_| takes_seed) {
        call.extra.shift_remove(SEED);
        call.seed = Some(seed);
    }
    // What cannot be read stays, and is refused as what nobody knows.
    let functions: Option<Vec<Tool>> =
        call.extra.get(FUNCTIONS).and_then(Value::as_array).and_then(|list| list.iter().map(function).collect());
    if let Some(functions) = functions {
        call.extra.shift_remove(FUNCTIONS);
        call.tools.extend(functions);
        call.parallel_tools = Some(false);
    }
    if let Some(choice) = call.extra.get(CALL).and_then(choice) {
        call.extra.shift_remove(CALL);
        call.tool_choice = Some(choice);
    }
    let mut last = String::new();
    for (at, turn) in call.turns.iter_mut().enumerate() {
        let parts = std::mem::take(&mut turn.parts);
        turn.parts = parts.into_iter().flat_map(|part| newer(part, at, &mut last)).collect();
    }
    Cow::Owned(call)
}

fn function(value: &Value) -> Option<Tool> {
    let parameters = value.get("parameters").filter(|schema| !schema.is_null());
    if parameters.is_some_and(|schema| !schema.is_object()) {
        return None;
    }
    Some(Tool::Function {
        name: value.get("name")?.as_str()?.to_owned(),
        description: value.get("description").and_then(Value::as_str).map(str::to_owned),
        parameters: parameters.cloned(),
        strict: None,
        cache: None,
    })
}

fn choice(value: &Value) -> Option<ToolChoice> {
    match value.as_str() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("none") => Some(ToolChoice::None),
        _ => Some(ToolChoice::Function(value.get("name")?.as_str()?.to_owned())),
    }
}

fn says_older(part: &Part) -> bool {
    matches!(part, Part::Other { said_in: SAID_IN, value } if value["role"] == "function" || value[CALL].is_object())
}

/// A call and what stands beside it, or what it gave, which belongs to the call before it. Other parts are what they were.
fn newer(part: Part, at: usize, last: &mut String) -> Vec<Part> {
    let Part::Other { said_in: SAID_IN, value: Value::Object(fields) } = &part else { return vec![part] };
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let result = match fields.get("content") {
        None | Some(Value::Null) => Some(""),
        Some(content) => content.as_str(),
    };
    if let (Some("function"), Some(result), false) = (text("role"), result, last.is_empty()) {
        let name = text("name").map(str::to_owned);
        let parts = vec![Part::text(result)];
        return vec![Part::ToolResult { id: last.clone(), name, parts, is_error: false, cache: None }];
    }
    let Some(called) = fields.get(CALL) else { return vec![part] };
    let Some(name) = called.get("name").and_then(Value::as_str).map(str::to_owned) else { return vec![part] };
    *last = format!("call_{at}");
    let arguments = arguments(called.get("arguments").cloned());
    let mut rest = fields.clone();
    rest.shift_remove(CALL);
    let call = Part::ToolCall { id: last.clone(), name, arguments, signature: None };
    [call].into_iter().chain(extra::fields(rest)).collect()
}

/// Whether a client's body has functions.
#[must_use]
pub fn is_older(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Body {
        functions: Option<IgnoredAny>,
    }
    // Most have none, and need not be read for it.
    memmem::find(body, b"\"functions\"").is_some()
        && serde_json::from_slice::<Body>(body).is_ok_and(|body| body.functions.is_some())
}

/// An answer as a whole, for a client that has functions. It is told of the first call; for more it has no words.
#[must_use]
pub fn write_older(answer: &Answer, created: i64, model: &str) -> Value {
    let mut body = write(answer, created, model);
    for choice in body["choices"].as_array_mut().into_iter().flatten() {
        if choice["finish_reason"] == "tool_calls" {
            choice["finish_reason"] = CALL.into();
        }
        let Some(message) = choice["message"].as_object_mut() else { continue };
        if let Some(Value::Array(calls)) = message.shift_remove("tool_calls") {
            let first = calls.into_iter().next().and_then(|mut call| call.get_mut("function").map(Value::take));
            message.extend(first.map(|function| (CALL.to_owned(), function)));
        }
    }
    body
}
