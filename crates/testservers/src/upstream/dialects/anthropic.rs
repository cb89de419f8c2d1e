//! Anthropic's messages.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Asked, EVENT_STREAM, GARBAGE, JSON, Question, Reply, bits, halves};
use crate::upstream::script::{Behaviour, Used};

/// Clients must send it back as it came.
const SIGNATURE: &str = "EqQBCkYIBRgCKkBvcGFxdWUr/w==";

pub(super) fn reply(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Reply {
    let stream = question.stream && question.asked == Asked::Messages;
    let pieces = match question.asked {
        Asked::CountTokens => halves(json!({ "input_tokens": behaviour.usage.unwrap_or_default().input }).to_string()),
        _ if stream => streamed(question, number, behaviour),
        _ => halves(message(question, number, behaviour).to_string()),
    };
    Reply {
        media_type: if stream { EVENT_STREAM } else { JSON },
        headers: vec![("request-id", format!("req_{number}"))],
        pieces,
        error: event("error", json!({ "error": { "type": "overloaded_error", "message": "Overloaded" } })),
        garbage: Bytes::from_static(GARBAGE),
    }
}

pub(super) fn error(status: u16, code: Option<&str>) -> String {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": code.unwrap_or(kind), "message": "the script says so" }, "request_id": "req_0" })
        .to_string()
}

/// Input that was cached is counted beside the rest of it.
fn usage(used: Used, output: u64) -> Value {
    json!({
        "input_tokens": used.input.saturating_sub(used.cache_read + used.cache_write),
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cache_read,
        "output_tokens": output,
        "service_tier": "standard",
    })
}

const fn stop_reason(behaviour: &Behaviour) -> &'static str {
    if behaviour.tool.is_some() { "tool_use" } else { "end_turn" }
}

/// The block without its text, and the text's pieces as deltas.
fn blocks(behaviour: &Behaviour) -> Vec<(Value, Vec<Value>)> {
    let mut blocks = Vec::new();
    if let Some(think) = &behaviour.think {
        let mut deltas: Vec<Value> = bits(think).iter().map(|bit| json!({ "type": "thinking_delta", "thinking": bit })).collect();
        deltas.push(json!({ "type": "signature_delta", "signature": SIGNATURE }));
        blocks.push((json!({ "type": "thinking", "thinking": "", "signature": "" }), deltas));
    }
    if let Some((name, arguments)) = &behaviour.tool {
        let deltas = bits(arguments).iter().map(|bit| json!({ "type": "input_json_delta", "partial_json": bit })).collect();
        blocks.push((json!({ "type": "tool_use", "id": "toolu_0", "name": name, "input": {} }), deltas));
    } else {
        let deltas = behaviour.texts().iter().map(|text| json!({ "type": "text_delta", "text": text })).collect();
        blocks.push((json!({ "type": "text", "text": "" }), deltas));
    }
    blocks
}

fn message(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Value {
    let mut content = Vec::new();
    if let Some(think) = &behaviour.think {
        content.push(json!({ "type": "thinking", "thinking": think, "signature": SIGNATURE }));
    }
    if let Some((name, arguments)) = &behaviour.tool {
        let input: Value = serde_json::from_str(arguments).unwrap_or_default();
        content.push(json!({ "type": "tool_use", "id": "toolu_0", "name": name, "input": input }));
    } else {
        content.push(json!({ "type": "text", "text": behaviour.texts().concat() }));
    }
    let mut whole = json!({
        "id": format!("msg_{number}"),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": content,
        "stop_reason": stop_reason(behaviour),
        "stop_sequence": null,
    });
    if let Some(used) = behaviour.usage {
        whole["usage"] = usage(used, used.output);
    }
    whole
}

fn streamed(question: &Question<'_>, number: u64, behaviour: &Behaviour) -> Vec<Bytes> {
    let mut begun = json!({
        "id": format!("msg_{number}"),
        "type": "message",
        "role": "assistant",
        "model": question.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
    });
    if let Some(used) = behaviour.usage {
        begun["usage"] = usage(used, 1);
    }
    let mut pieces = vec![event("message_start", json!({ "message": begun }))];
    for (index, (block, deltas)) in blocks(behaviour).into_iter().enumerate() {
        pieces.push(event("content_block_start", json!({ "index": index, "content_block": block })));
        if index == 0 {
            pieces.push(event("ping", json!({})));
        }
        pieces.extend(deltas.into_iter().map(|delta| event("content_block_delta", json!({ "index": index, "delta": delta }))));
        pieces.push(event("content_block_stop", json!({ "index": index })));
    }
    let mut last = json!({ "delta": { "stop_reason": stop_reason(behaviour), "stop_sequence": null } });
    if let Some(used) = behaviour.usage {
        last["usage"] = usage(used, used.output);
    }
    pieces.push(event("message_delta", last));
    pieces.push(event("message_stop", json!({})));
    pieces
}

fn event(name: &str, mut data: Value) -> Bytes {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n").into()
}
