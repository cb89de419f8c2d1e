//! What a route always sends to a target, in the words of the endpoint that a body passes to.
//!
//! Parameters are written as chat completions have them. Other endpoints call some of them otherwise, have some within an
//! object of the body, and do not know the rest: those are left out and named, since most servers refuse what they do not
//! know. What is no field of chat completions is the server's own word, and goes as it is.

use std::borrow::Cow;

use bytes::Bytes;
use mainspring_providers::{
    Operation,
    openai::responses,
    peek::{self, PeekFault},
};
use serde_json::{Map, Value};

use Operation::{Chat, Compact, Completions, CountTokens, Embeddings, Messages, Rerank, Responses};

/// Fields of chat completions, and the other endpoints that have them, if by another name.
const FIELDS: [(&[&str], &[Operation]); 8] = [
    (
        &["max_completion_tokens", "max_tokens", "response_format", "service_tier", "temperature", "top_p"],
        &[Completions, Responses, Messages],
    ),
    (&["metadata", "parallel_tool_calls", "reasoning_effort", "tool_choice", "tools"], &[Responses, Messages]),
    (&["frequency_penalty", "logit_bias", "logprobs", "n", "presence_penalty", "seed"], &[Completions]),
    (&["prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "top_logprobs", "verbosity"], &[Responses]),
    (&["stop"], &[Completions, Messages]),
    // Some rerankers call so how many are wanted.
    (&["top_k"], &[Completions, Responses, Messages, Rerank]),
    (&["user"], &[Completions, Responses, Messages, Embeddings]),
    (&["audio", "function_call", "functions", "modalities", "prediction", "web_search_options"], &[]),
];

/// How an endpoint has a field of chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    AsItIs,
    Called(&'static str),
    /// An object of the body, and the field in it.
    Within(&'static str, &'static str),
    /// In a form that depends on the model or on the rest of the body.
    Translated,
    Unknown,
}

fn word(operation: Operation, name: &str) -> Word {
    match (operation, name) {
        (Chat, _) => Word::AsItIs,
        (Completions | Messages, "max_completion_tokens") => Word::Called("max_tokens"),
        (Messages, "stop") => Word::Called("stop_sequences"),
        (Messages, "user") => Word::Within("metadata", "user_id"),
        (Messages, "parallel_tool_calls" | "reasoning_effort" | "response_format" | "tool_choice" | "tools") => Word::Translated,
        (Responses, "max_completion_tokens" | "max_tokens") => Word::Called("max_output_tokens"),
        (Responses, "reasoning_effort") => Word::Within("reasoning", "effort"),
        (Responses, "response_format") => Word::Within("text", "format"),
        (Responses, "verbosity") => Word::Within("text", "verbosity"),
        (Responses, "tool_choice") => Word::Called("tool_choice"),
        (Responses, "tools") => Word::Called("tools"),
        _ => match FIELDS.iter().find(|(names, _)| names.contains(&name)) {
            Some((_, has)) if !has.contains(&operation) => Word::Unknown,
            _ => Word::AsItIs,
        },
    }
}

fn value_of(operation: Operation, name: &str, value: &Value) -> Value {
    match (operation, name) {
        (Messages, "stop") if value.is_string() => Value::Array(vec![value.clone()]),
        (Responses, "tools") => responses::flat_tools(value),
        (Responses, "response_format" | "tool_choice") => responses::flat(value),
        _ => value.clone(),
    }
}

/// A target's parameters as an endpoint has them.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// Fields at the top of the body; `null` takes one away.
    pub(crate) top: Cow<'a, Map<String, Value>>,
    within: Vec<(&'static str, &'static str, Value)>,
    /// What the endpoint does not know.
    pub(crate) lost: Vec<String>,
}

/// Absent where only a translation can say them.
pub(crate) fn said(operation: Operation, parameters: &Map<String, Value>) -> Option<Said<'_>> {
    let mut said = Said { top: Cow::Borrowed(parameters), within: Vec::new(), lost: Vec::new() };
    // Neither writes an answer, and both refuse what says how to.
    if matches!(operation, Compact | CountTokens) {
        return Some(Said { top: Cow::Owned(Map::new()), ..said });
    }
    if parameters.keys().all(|name| word(operation, name) == Word::AsItIs) {
        return Some(said);
    }
    let mut top = Map::new();
    for (name, value) in parameters {
        let meant = value_of(operation, name, value);
        match word(operation, name) {
            Word::AsItIs => drop(top.insert(name.clone(), meant)),
            Word::Called(other) => drop(top.insert(other.to_owned(), meant)),
            Word::Within(object, field) => said.within.push((object, field, meant)),
            Word::Translated => return None,
            Word::Unknown if value.is_null() => drop(top.insert(name.clone(), meant)),
            Word::Unknown => said.lost.push(lost(name)),
        }
    }
    said.top = Cow::Owned(top);
    Some(said)
}

/// Under which name a parameter is told of that was left out.
pub(crate) fn lost(name: &str) -> String {
    format!("parameters.{name}")
}

impl Said<'_> {
    /// The body with them. What the client says in the same objects stays beside them.
    pub(crate) fn put(self, body: Bytes) -> Result<Bytes, PeekFault> {
        let Self { mut top, within, .. } = self;
        for (object, field, value) in within {
            let said = match top.get(object) {
                Some(own) => Some(own.clone()),
                None => peek::value(&body, object)?,
            };
            let mut fields = match said {
                Some(Value::Object(fields)) => fields,
                _ => Map::new(),
            };
            if value.is_null() {
                fields.shift_remove(field);
            } else {
                fields.insert(field.to_owned(), value);
            }
            let left = if fields.is_empty() { Value::Null } else { Value::Object(fields) };
            top.to_mut().insert(object.to_owned(), left);
        }
        if top.is_empty() {
            return Ok(body);
        }
        peek::set_fields(&body, &top)
    }
}
