//! Gemini's `generateContent` and its relatives.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, EVENT_STREAM, GARBAGE, JSON, Question, Reply, halves, openai::vector};
use crate::upstream::script::{Behaviour, Used};

pub(super) fn reply(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Reply {
    let stream = question.stream && question.asked == Asked::Generate;
    let pieces = match question.asked {
        Asked::EmbedContent | Asked::EmbedContents => halves(embedded(question)),
        Asked::CountContent => halves(json!({ "totalTokens": behaviour.usage.unwrap_or_default().input }).to_string()),
        _ if stream => streamed(question, number, behaviour),
        _ => halves(whole(question, number, behaviour)),
    };
    Reply {
        media_type: if stream { EVENT_STREAM } else { JSON },
        headers: Vec::new(),
        pieces,
        error: format!("data: {}\n\n", error(503, None)).into(),
        garbage: Bytes::from_static(GARBAGE),
    }
}

pub(super) fn error(status: u16, code: Option<&str>) -> String {
    let usual = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        402..500 => "FAILED_PRECONDITION",
        _ => "INTERNAL",
    };
    json!({ "error": { "code": status, "message": "the script says so", "status": code.unwrap_or(usual) } }).to_string()
}

/// Thoughts are counted beside what is said.
fn usage(used: Used) -> Value {
    json!({
        "promptTokenCount": used.input,
        "candidatesTokenCount": used.output.saturating_sub(used.reasoning),
        "totalTokenCount": used.input + used.output,
        "cachedContentTokenCount": used.cache_read,
        "thoughtsTokenCount": used.reasoning,
    })
}

fn chunk(question: &Question<'_>, number: u64, parts: Vec<Value>, end: Option<Option<Used>>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if end.is_some() {
        candidate["finishReason"] = json!("STOP");
    }
    let mut chunk = json!({
        "candidates": [candidate],
        "modelVersion": question.model,
        "responseId": format!("resp-{number}"),
    });
    if let Some(used) = end.flatten() {
        chunk["usageMetadata"] = usage(used);
    }
    chunk
}

fn tool_part((name, arguments): &(String, String)) -> Value {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
    json!({ "functionCall": { "name": name, "args": arguments }, "thoughtSignature": "c2lnbmF0dXJl" })
}

fn whole(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> String {
    let mut parts = Vec::new();
    parts.extend(behaviour.think.iter().map(|think| json!({ "text": think, "thought": true })));
    match &behaviour.tool {
        Some(tool) => parts.push(tool_part(tool)),
        None => parts.push(json!({ "text": behaviour.texts().concat() })),
    }
    chunk(question, number, parts, Some(behaviour.usage)).to_string()
}

fn streamed(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Vec<Bytes> {
    let mut parts = Vec::new();
    parts.extend(behaviour.think.iter().map(|think| json!({ "text": think, "thought": true })));
    match &behaviour.tool {
        Some(tool) => parts.push(tool_part(tool)),
        None => parts.extend(behaviour.texts().iter().map(|text| json!({ "text": text }))),
    }
    let last = parts.len().saturating_sub(1);
    let chunks = parts.into_iter().enumerate().map(|(at, part)| {
        let end = (at == last).then_some(behaviour.usage);
        Bytes::from(format!("data: {}\r\n\r\n", chunk(question, number, vec![part], end)))
    });
    chunks.collect()
}

fn embedded(question: &Question<'_>) -> String {
    let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
    let text_of = |content: &Value| content["parts"][0]["text"].as_str().unwrap_or_default().to_owned();
    if question.asked == Asked::EmbedContent {
        return json!({ "embedding": { "values": vector(&text_of(&asked["content"])) } }).to_string();
    }
    let asked = asked["requests"].as_array().cloned().unwrap_or_default();
    let found = asked.iter().map(|request| json!({ "values": vector(&text_of(&request["content"])) }));
    json!({ "embeddings": found.collect::<Vec<_>>() }).to_string()
}
