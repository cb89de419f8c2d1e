//! Bedrock's Converse, whose streams are frames of bytes, and InvokeModel for embeddings.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use super::{Asked, JSON, Question, Reply, bits, halves, openai::vector};
use crate::upstream::script::{Behaviour, Used};

const FRAMES: &str = "application/vnd.amazon.eventstream";

/// A header's value is text.
const TEXT: u8 = 7;

pub(super) fn reply(question: &Question<'_>, behaviour: &Behaviour) -> Reply {
    let pieces = match question.asked {
        Asked::Invoke => halves(embedded(question, behaviour)),
        _ if question.stream => streamed(behaviour),
        _ => halves(whole(behaviour)),
    };
    Reply {
        media_type: if question.stream { FRAMES } else { JSON },
        headers: vec![("x-amzn-requestid", "00000000-0000-4000-8000-000000000000".to_owned())],
        pieces,
        error: frame("exception", "throttlingException", br#"{"message":"no capacity"}"#),
        // A length that is longer than any frame, and checksums that fit nothing.
        garbage: Bytes::from_static(b"\xff\xff\xff\xff\x00\x00\x00\x10no frame of bytes"),
    }
}

pub(super) fn error_kind(status: u16, code: Option<&str>) -> &str {
    code.unwrap_or(match status {
        401 => "MissingAuthenticationTokenException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        413 => "RequestEntityTooLargeException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        400..500 => "ValidationException",
        _ => "InternalServerException",
    })
}

/// Input that was cached is counted beside the rest of it.
fn usage(used: Used) -> Value {
    let input = used.input.saturating_sub(used.cache_read + used.cache_write);
    json!({
        "inputTokens": input,
        "outputTokens": used.output,
        "totalTokens": used.input + used.output,
        "cacheReadInputTokens": used.cache_read,
        "cacheWriteInputTokens": used.cache_write,
    })
}

const fn stop_reason(behaviour: &Behaviour) -> &'static str {
    if behaviour.tool.is_some() { "tool_use" } else { "end_turn" }
}

fn whole(behaviour: &Behaviour) -> String {
    let mut content = Vec::new();
    if let Some(think) = &behaviour.think {
        content.push(json!({ "reasoningContent": { "reasoningText": { "text": think, "signature": "c2lnbmF0dXJl" } } }));
    }
    match &behaviour.tool {
        Some((name, arguments)) => {
            let input: Value = serde_json::from_str(arguments).unwrap_or_default();
            content.push(json!({ "toolUse": { "toolUseId": "tooluse_0", "name": name, "input": input } }));
        }
        None => content.push(json!({ "text": behaviour.texts().concat() })),
    }
    let mut whole = json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(behaviour),
        "metrics": { "latencyMs": 1 },
    });
    if let Some(used) = behaviour.usage {
        whole["usage"] = usage(used);
    }
    whole.to_string()
}

fn streamed(behaviour: &Behaviour) -> Vec<Bytes> {
    let event = |name: &str, value: Value| frame("event", name, value.to_string().as_bytes());
    let delta = |block: usize, delta: Value| event("contentBlockDelta", json!({ "contentBlockIndex": block, "delta": delta }));
    let stop = |block: usize| event("contentBlockStop", json!({ "contentBlockIndex": block }));
    let mut pieces = vec![event("messageStart", json!({ "role": "assistant" }))];
    let mut block = 0;
    if let Some(think) = &behaviour.think {
        pieces.extend(bits(think).iter().map(|text| delta(0, json!({ "reasoningContent": { "text": text } }))));
        pieces.push(delta(0, json!({ "reasoningContent": { "signature": "c2lnbmF0dXJl" } })));
        pieces.push(stop(0));
        block = 1;
    }
    match &behaviour.tool {
        Some((name, arguments)) => {
            let start = json!({ "toolUse": { "toolUseId": "tooluse_0", "name": name } });
            pieces.push(event("contentBlockStart", json!({ "contentBlockIndex": block, "start": start })));
            pieces.extend(bits(arguments).iter().map(|bit| delta(block, json!({ "toolUse": { "input": bit } }))));
        }
        None => pieces.extend(behaviour.texts().iter().map(|text| delta(block, json!({ "text": text })))),
    }
    pieces.push(stop(block));
    pieces.push(event("messageStop", json!({ "stopReason": stop_reason(behaviour) })));
    let mut metadata = json!({ "metrics": { "latencyMs": 1 } });
    if let Some(used) = behaviour.usage {
        metadata["usage"] = usage(used);
    }
    pieces.push(event("metadata", metadata));
    pieces
}

fn embedded(question: &Question<'_>, behaviour: &Behaviour) -> String {
    let asked: Value = serde_json::from_slice(question.body).unwrap_or_default();
    if let Some(texts) = asked["texts"].as_array() {
        let vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(text.as_str().unwrap_or_default())).collect();
        return json!({ "embeddings": vectors, "id": "0", "response_type": "embeddings_floats" }).to_string();
    }
    let tokens = behaviour.usage.unwrap_or_default().input;
    json!({ "embedding": vector(asked["inputText"].as_str().unwrap_or_default()), "inputTextTokenCount": tokens }).to_string()
}

/// Lengths and a checksum, headers, payload, a checksum of it all.
pub(super) fn frame(kind: &str, name: &str, payload: &[u8]) -> Bytes {
    let mut headers = BytesMut::new();
    let of_name = if kind == "exception" { ":exception-type" } else { ":event-type" };
    for (header, value) in [(of_name, name), (":content-type", JSON), (":message-type", kind)] {
        headers.put_u8(u8::try_from(header.len()).expect("names of headers are short"));
        headers.put_slice(header.as_bytes());
        headers.put_u8(TEXT);
        headers.put_u16(u16::try_from(value.len()).expect("values of headers are short"));
        headers.put_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).expect("a frame is below four gigabytes");
    let mut frame = BytesMut::with_capacity(16 + headers.len() + payload.len());
    frame.put_u32(length(16 + headers.len() + payload.len()));
    frame.put_u32(length(headers.len()));
    let checksum = crc32fast::hash(&frame);
    frame.put_u32(checksum);
    frame.put_slice(&headers);
    frame.put_slice(payload);
    let checksum = crc32fast::hash(&frame);
    frame.put_u32(checksum);
    frame.freeze()
}
