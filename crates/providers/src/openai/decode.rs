//! A whole chat completion, read.

use mainspring_llm::exchange::{Answer, Choice, Dialect, Finish, Part};
use serde_json::{Map, Value};

use super::{chat::turns, refusal, usage};
use crate::{fault::UpstreamFault, seam::Endpoint};

pub(super) fn answer(endpoint: &Endpoint, body: &[u8]) -> Result<Answer, UpstreamFault> {
    let value: Value = serde_json::from_slice(body).map_err(|error| UpstreamFault::malformed(endpoint, error.to_string()))?;
    let Value::Object(mut map) = value else {
        return Err(UpstreamFault::malformed(endpoint, "it is no object"));
    };
    if let Some(fault) = refusal::within(endpoint, &map) {
        return Err(fault);
    }
    let Some(Value::Array(listed)) = map.shift_remove("choices") else {
        return Err(UpstreamFault::malformed(endpoint, "it has no `choices`"));
    };
    let id = text(&mut map, "id").unwrap_or_default();
    let mut choices = Vec::with_capacity(listed.len());
    for (at, value) in listed.into_iter().enumerate() {
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        choices.push((index, choice(endpoint, value, &id, at)?));
    }
    choices.sort_by_key(|(index, _)| *index);
    let said = map.shift_remove("usage");
    let model = text(&mut map, "model").filter(|model| !model.is_empty());
    let (service_tier, fingerprint) = (text(&mut map, "service_tier"), text(&mut map, "system_fingerprint"));
    for name in ["object", "created", "error"] {
        map.shift_remove(name);
    }
    map.retain(|_, value| !value.is_null());
    Ok(Answer {
        model: model.unwrap_or_else(|| endpoint.model.clone()),
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage: said.filter(Value::is_object).and_then(|said| usage::of(&said)),
        service_tier,
        fingerprint,
        said_in: Dialect::OpenAiChat,
        extra: map,
        id,
    })
}

fn text(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    match map.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn choice(endpoint: &Endpoint, mut value: Value, id: &str, at: usize) -> Result<Choice, UpstreamFault> {
    let message = match value.get_mut("message").map(Value::take) {
        Some(Value::Object(message)) => plain(message),
        // Azure leaves out the message of which its filter left nothing.
        None | Some(Value::Null) if value.get("finish_reason").is_some_and(Value::is_string) => Map::new(),
        _ => return Err(UpstreamFault::malformed(endpoint, format!("`choices[{at}]` has no message"))),
    };
    let place = format!("choices[{at}].message");
    let mut parts = turns::assistant(message, &place, &mut Vec::new())
        .map_err(|fault| UpstreamFault::malformed(endpoint, fault.to_string()))?;
    let mut calls = 0;
    for part in &mut parts {
        if let Part::ToolCall { id: call, arguments, .. } = part {
            if call.is_empty() {
                *call = call_id(id, at, calls);
            }
            if arguments.is_empty() {
                // Nothing at all is no JSON, which clients of other dialects insist on.
                "{}".clone_into(arguments);
            }
            calls += 1;
        }
    }
    let reason = value.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
    Ok(Choice {
        finish: finish(reason, calls > 0),
        stop_sequence: stop_sequence(&value),
        logprobs: value.get_mut("logprobs").map(Value::take).filter(|logprobs| !logprobs.is_null()),
        parts,
    })
}

/// Cloudflare gives JSON of a schema as the object that it should be the text of.
fn plain(mut message: Map<String, Value>) -> Map<String, Value> {
    if let Some(content @ Value::Object(_)) = message.get_mut("content") {
        *content = Value::String(content.to_string());
    }
    message
}

/// Ids are made where a server gives none, so that results find their calls.
pub(super) fn call_id(answer: &str, choice: usize, call: usize) -> String {
    let answer = answer.rsplit('-').next().unwrap_or_default();
    let plain: String = answer.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
    format!("call_{plain}_{choice}_{call}")
}

/// Servers end an answer that calls tools with `stop` where one had to be called, and some always do; clients go by it.
pub(super) fn finish(reason: &str, has_calls: bool) -> Finish {
    match reason {
        "length" | "max_tokens" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        _ if has_calls => Finish::ToolCalls,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// vLLM says which sequence was met; a number is a token.
pub(super) fn stop_sequence(choice: &Value) -> Option<String> {
    choice.get("stop_reason").and_then(Value::as_str).map(str::to_owned)
}
