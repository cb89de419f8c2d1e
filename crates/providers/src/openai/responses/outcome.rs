//! The objects of an answer, whole or under way: both kinds of answer are made of the same.

use mainspring_llm::{
    TokenUsage,
    exchange::{Finish, Part, Reasoning},
};
use serde_json::{Map, Value, json};

use super::{super::usage, sealed};

/// What is told of a response beside its items.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    pub(super) tier: Option<String>,
}

impl Frame {
    pub(super) fn new(said: &str, created: i64, model: &str, tier: Option<String>) -> Self {
        Self { id: format!("resp_{}", stem(said, created)), created, model: model.to_owned(), tier }
    }

    /// The id of an item that came without.
    pub(super) fn item_id(&self, prefix: &str, number: usize) -> String {
        format!("{prefix}{}_{number}", self.id.trim_start_matches("resp_"))
    }

    /// With the status `in_progress` where it has not finished.
    pub(super) fn response(&self, output: Vec<Value>, finish: Option<Finish>, used: Option<&TokenUsage>) -> Value {
        let (status, why) = match finish {
            None => ("in_progress", None),
            Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
            Some(Finish::ContentFilter) => ("incomplete", Some("content_filter")),
            Some(Finish::Stop | Finish::ToolCalls | Finish::Pause) => ("completed", None),
        };
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": why.map(|reason| json!({"reason": reason})),
            "instructions": null,
            "max_output_tokens": null,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "service_tier": self.tier,
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": used.map(usage::responses),
            "user": null,
            "metadata": {},
        })
    }

    pub(super) fn failed(&self, code: &str, message: &str, output: Vec<Value>, used: Option<&TokenUsage>) -> Value {
        let mut response = self.response(output, None, used);
        response["status"] = "failed".into();
        response["error"] = json!({"code": code, "message": message});
        response
    }
}

/// An id without what other endpoints begin theirs with.
fn stem(said: &str, created: i64) -> String {
    let stem = ["resp_", "chatcmpl-", "msg_"].iter().find_map(|prefix| said.strip_prefix(prefix)).unwrap_or(said);
    if stem.is_empty() { created.to_string() } else { stem.to_owned() }
}

pub(super) fn text_part(text: &str, annotations: &[Value], logprobs: &[Value]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

pub(super) fn refusal_part(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

pub(super) fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

pub(super) fn function_call(id: &str, status: &str, call: &Call<'_>) -> Value {
    let Call { id: call_id, name, arguments, .. } = call;
    let item =
        json!({"id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": arguments});
    in_space(item, call)
}

/// A call of a tool that takes text.
pub(super) fn custom_call(id: &str, status: &str, call: &Call<'_>) -> Value {
    let Call { id: call_id, name, arguments: input, .. } = call;
    let item = json!({"id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, "name": name, "input": input});
    in_space(item, call)
}

fn in_space(mut item: Value, call: &Call<'_>) -> Value {
    if let Some(space) = call.space {
        item["namespace"] = space.into();
    }
    item
}

/// A tool call without what only other dialects keep of it.
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    /// The namespace of the tool, where it has one.
    pub(super) space: Option<&'a str>,
    pub(super) name: &'a str,
    /// Or the text, of a tool that takes that.
    pub(super) arguments: &'a str,
}

pub(super) fn reasoning(id: &str, thought: &Reasoning) -> Value {
    let summary: Vec<Value> = if thought.text.is_empty() { Vec::new() } else { vec![summary_part(&thought.text)] };
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    if let Some(content) = sealed::seal(thought) {
        item["encrypted_content"] = content.into();
    }
    item
}

pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// Citations, which chat nests and this endpoint does not.
pub(super) fn annotations(value: &Value) -> Vec<Value> {
    let list = value.get("annotations").and_then(Value::as_array);
    let flat = |annotation: &Value| {
        let kind = annotation.get("type").and_then(Value::as_str)?;
        let mut flat = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        match annotation.get(kind).and_then(Value::as_object) {
            Some(inside) => flat.extend(inside.clone()),
            None => flat.extend(annotation.as_object()?.clone()),
        }
        Some(Value::Object(flat))
    };
    list.into_iter().flatten().filter_map(flat).collect()
}

/// The log probabilities of a text's tokens, out of chat's object.
pub(super) fn token_logprobs(logprobs: Option<&Value>) -> Vec<Value> {
    logprobs.and_then(|logprobs| logprobs.get("content")).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What of an answer has no item here.
pub(super) const fn is_left_out(part: &Part) -> bool {
    matches!(part, Part::Image { .. } | Part::Audio { .. } | Part::File { .. } | Part::ToolResult { .. })
}
