//! Streams as the whole answers that they are pieces of, put together by hand.

use std::collections::BTreeMap;

use mainspring_testservers::recordings::{Api, Recording};
use serde_json::{Map, Value, json};

/// The answer of a recording as a whole.
pub(super) fn whole(recording: &Recording) -> Value {
    if !recording.is_streamed() {
        return super::json(&recording.response);
    }
    match recording.api {
        Api::Converse => converse(&recording.response),
        api => of_events(api, &events(&recording.response)),
    }
}

pub(super) fn of_events(api: Api, events: &[Value]) -> Value {
    match api {
        Api::Chat => chat(events),
        Api::Responses => responses(events),
        Api::Messages => messages(events),
        Api::Gemini => gemini(events),
        other => panic!("{other:?} has no streams of events that are read here"),
    }
}

/// The data of server-sent events, each of which is one line in every recording.
pub(super) fn events(stream: &[u8]) -> Vec<Value> {
    let stream = String::from_utf8_lossy(stream);
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter(|data| !data.is_empty() && *data != "[DONE]").map(|data| super::json(data.as_bytes())).collect()
}

fn append(map: &mut Map<String, Value>, name: &str, more: &str) {
    let so_far = map.get(name).and_then(Value::as_str).unwrap_or_default();
    let text = format!("{so_far}{more}");
    map.insert(name.to_owned(), text.into());
}

/// The first choice.
fn chat(chunks: &[Value]) -> Value {
    let (mut message, mut calls) = (Map::new(), BTreeMap::<u64, Map<String, Value>>::new());
    let (mut reason, mut used) = (Value::Null, Value::Null);
    for chunk in chunks {
        if chunk["usage"].is_object() {
            used = chunk["usage"].clone();
        }
        for choice in chunk["choices"].as_array().into_iter().flatten().filter(|choice| choice["index"] == 0) {
            for (name, value) in choice["delta"].as_object().into_iter().flatten() {
                match (name.as_str(), value) {
                    ("content" | "refusal" | "reasoning" | "reasoning_content", Value::String(more)) => {
                        append(&mut message, name, more);
                    }
                    ("tool_calls", Value::Array(pieces)) => pieces.iter().for_each(|piece| call(&mut calls, piece)),
                    _ => {}
                }
            }
            if choice["finish_reason"].is_string() {
                reason = choice["finish_reason"].clone();
            }
        }
    }
    let calls = calls.into_values().map(|call| json!({"id": call.get("id"), "function": call}));
    message.insert("tool_calls".to_owned(), calls.collect());
    json!({"choices": [{"message": message, "finish_reason": reason}], "usage": used})
}

fn call(calls: &mut BTreeMap<u64, Map<String, Value>>, piece: &Value) {
    let call = calls.entry(piece["index"].as_u64().unwrap_or(0)).or_default();
    for (name, value) in
        [("id", &piece["id"]), ("name", &piece["function"]["name"]), ("arguments", &piece["function"]["arguments"])]
    {
        if let Some(more) = value.as_str() {
            append(call, name, more);
        }
    }
}

/// The last event holds all of it.
fn responses(events: &[Value]) -> Value {
    events.iter().rev().find_map(|event| event.get("response")).cloned().unwrap_or_default()
}

fn messages(events: &[Value]) -> Value {
    let (mut blocks, mut inputs) = (BTreeMap::<u64, Map<String, Value>>::new(), BTreeMap::<u64, String>::new());
    let (mut used, mut reason) = (Map::new(), Value::Null);
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => used.extend(event["message"]["usage"].as_object().cloned().unwrap_or_default()),
            "content_block_start" => {
                blocks.insert(index, event["content_block"].as_object().cloned().unwrap_or_default());
            }
            "content_block_delta" => {
                let (delta, block) = (&event["delta"], blocks.entry(index).or_default());
                for name in ["text", "thinking"] {
                    append(block, name, delta[name].as_str().unwrap_or_default());
                }
                inputs.entry(index).or_default().push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "message_delta" => {
                used.extend(event["usage"].as_object().cloned().unwrap_or_default());
                reason = event["delta"]["stop_reason"].clone();
            }
            _ => {}
        }
    }
    for (index, input) in inputs.into_iter().filter(|(_, input)| !input.is_empty()) {
        blocks.entry(index).or_default().insert("input".to_owned(), super::json(input.as_bytes()));
    }
    json!({"content": blocks.into_values().collect::<Vec<_>>(), "stop_reason": reason, "usage": used})
}

fn gemini(events: &[Value]) -> Value {
    let (mut parts, mut reason, mut used) = (Vec::new(), Value::Null, Value::Null);
    for event in events {
        let candidate = &event["candidates"][0];
        parts.extend(candidate["content"]["parts"].as_array().cloned().unwrap_or_default());
        if candidate["finishReason"].is_string() {
            reason = candidate["finishReason"].clone();
        }
        if event["usageMetadata"].is_object() {
            used = event["usageMetadata"].clone();
        }
    }
    json!({"candidates": [{"content": {"parts": parts}, "finishReason": reason}], "usageMetadata": used})
}

fn converse(stream: &[u8]) -> Value {
    let (mut blocks, mut inputs) = (BTreeMap::<u64, Map<String, Value>>::new(), BTreeMap::<u64, String>::new());
    let (mut reason, mut used) = (Value::Null, Value::Null);
    for (name, event) in frames(stream) {
        let index = event["contentBlockIndex"].as_u64().unwrap_or(0);
        match name.as_str() {
            "contentBlockStart" => {
                blocks.insert(index, event["start"].as_object().cloned().unwrap_or_default());
            }
            "contentBlockDelta" => {
                if let Some(more) = event["delta"]["text"].as_str() {
                    append(blocks.entry(index).or_default(), "text", more);
                }
                inputs.entry(index).or_default().push_str(event["delta"]["toolUse"]["input"].as_str().unwrap_or_default());
            }
            "messageStop" => reason = event["stopReason"].clone(),
            "metadata" => used = event["usage"].clone(),
            _ => {}
        }
    }
    for (index, input) in inputs.into_iter().filter(|(_, input)| !input.is_empty()) {
        if let Some(call) = blocks.get_mut(&index).and_then(|block| block.get_mut("toolUse")) {
            call["input"] = super::json(input.as_bytes());
        }
    }
    json!({"output": {"message": {"content": blocks.into_values().collect::<Vec<_>>()}}, "stopReason": reason, "usage": used})
}

/// Each frame's event and payload. A frame is its length, the length of its headers, a checksum, the headers, the payload and
/// another checksum.
fn frames(mut stream: &[u8]) -> Vec<(String, Value)> {
    let length = |at: &[u8]| u32::from_be_bytes(at[..4].try_into().unwrap()) as usize;
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let (frame, rest) = stream.split_at(length(stream));
        let (headers, payload) = frame[12..frame.len() - 4].split_at(length(&frame[4..]));
        frames.push((event_type(headers), super::json(payload)));
        stream = rest;
    }
    frames
}

fn event_type(mut headers: &[u8]) -> String {
    while !headers.is_empty() {
        let (name, rest) = headers[1..].split_at(usize::from(headers[0]));
        assert_eq!(rest[0], 7, "a header that is no text");
        let (value, rest) = rest[3..].split_at(usize::from(u16::from_be_bytes([rest[1], rest[2]])));
        if name == b":event-type" {
            return String::from_utf8_lossy(value).into_owned();
        }
        headers = rest;
    }
    String::new()
}
