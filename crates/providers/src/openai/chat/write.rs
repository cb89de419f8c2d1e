//! An answer as a whole, for a client.

use mainspring_llm::exchange::{Answer, Choice, Dialect, Finish};
use serde_json::{Map, Value, json};

use super::{
    super::usage,
    message::{self, Taken},
};

/// `created` is in seconds; `model` is the name the client knows.
#[must_use]
pub fn write(answer: &Answer, created: i64, model: &str) -> Value {
    let choices = answer.choices.iter().enumerate().map(|(index, written)| choice(index, written));
    let mut body = Map::new();
    body.insert("id".to_owned(), id(&answer.id, created).into());
    body.insert("object".to_owned(), "chat.completion".into());
    body.insert("created".to_owned(), created.into());
    body.insert("model".to_owned(), model.into());
    body.insert("choices".to_owned(), choices.collect());
    if let Some(used) = &answer.usage {
        body.insert("usage".to_owned(), usage::chat(used));
    }
    if let Some(tier) = &answer.service_tier {
        body.insert("service_tier".to_owned(), tier.as_str().into());
    }
    if let Some(fingerprint) = &answer.fingerprint {
        body.insert("system_fingerprint".to_owned(), fingerprint.as_str().into());
    }
    if answer.said_in == Dialect::OpenAiChat {
        for (name, value) in &answer.extra {
            body.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    Value::Object(body)
}

/// Clients tell streams apart by their ids.
pub(super) fn id(said: &str, created: i64) -> String {
    if said.is_empty() { format!("chatcmpl-{created}") } else { said.to_owned() }
}

fn choice(index: usize, choice: &Choice) -> Value {
    let Choice { parts, finish, stop_sequence, logprobs } = choice;
    // What an answer holds can be said; what only its own dialect knows is left out.
    let ours = parts.iter().filter(|part| message::is_ours(part));
    let mut said = message::assistant(ours, Taken { lists: false, ..Taken::ALL }).unwrap_or_default();
    said.entry("content").or_insert(Value::Null);
    said.entry("refusal").or_insert(Value::Null);
    let mut message = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
    message.extend(said);
    let mut written = json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish_reason(*finish)});
    if let Some(stop) = stop_sequence {
        // vLLM's name for it; OpenAI does not say.
        written["stop_reason"] = stop.as_str().into();
    }
    written
}

pub(super) const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Pause => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}
