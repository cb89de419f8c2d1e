//! Thinking in chat completions, which the dialect's author does not show and its speakers write in three ways:
//! `reasoning_content` (DeepSeek, vLLM), `reasoning` (OpenRouter, newer vLLM), and `reasoning_details` (OpenRouter) where
//! it is signed or sealed and has to come back.

use mainspring_llm::exchange::Reasoning;
use serde_json::{Map, Value, json};

pub(super) const TEXT: &str = "reasoning_content";
const TEXT_TOO: &str = "reasoning";
pub(super) const DETAILS: &str = "reasoning_details";

/// The text, out of a message or a delta.
pub(super) fn take_text(map: &mut Map<String, Value>) -> Option<String> {
    let mut text = None;
    for name in [TEXT, TEXT_TOO] {
        // An object under this name is somebody's setting.
        if map.get(name).is_some_and(|value| value.is_string() || value.is_null())
            && let Some(Value::String(said)) = map.shift_remove(name)
        {
            text = text.or(Some(said).filter(|said| !said.is_empty()));
        }
    }
    text
}

/// The pieces, out of a message or a delta.
pub(super) fn take_details(map: &mut Map<String, Value>) -> Vec<Reasoning> {
    let Some(Value::Array(details)) = map.shift_remove(DETAILS) else { return Vec::new() };
    let mut pieces: Vec<Reasoning> = Vec::new();
    for detail in &details {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let (id, sealed) = (text("id"), text("data"));
        match pieces.last_mut() {
            // A summary and its sealed form are one item in two pieces.
            Some(last) if sealed.is_some() && last.sealed.is_none() && id.is_some() && last.id == id => last.sealed = sealed,
            _ => pieces.push(Reasoning {
                id,
                text: text("text").or_else(|| text("summary")).unwrap_or_default(),
                signature: text("signature"),
                sealed,
            }),
        }
    }
    pieces
}

/// All of a message's thinking.
pub(super) fn take(map: &mut Map<String, Value>) -> Vec<Reasoning> {
    let text = take_text(map);
    let mut pieces = take_details(map);
    if let Some(text) = text
        && pieces.iter().all(|piece| piece.text.is_empty())
    {
        pieces.insert(0, Reasoning { text, ..Reasoning::default() });
    }
    pieces
}

/// Must it come back as it is?
pub(super) fn is_bound(reasoning: &Reasoning) -> bool {
    reasoning.signature.is_some() || reasoning.sealed.is_some()
}

/// One piece as `reasoning_details` has it.
pub(super) fn details(reasoning: &Reasoning) -> Vec<Value> {
    let Reasoning { id, text, signature, sealed } = reasoning;
    let mut out = Vec::new();
    let mut entry = |mut value: Value| {
        if let Some(id) = id {
            value["id"] = id.as_str().into();
        }
        out.push(value);
    };
    match (signature, sealed) {
        (Some(signature), _) => entry(json!({"type": "reasoning.text", "text": text, "signature": signature})),
        (None, Some(_)) if text.is_empty() => {}
        (None, Some(_)) => entry(json!({"type": "reasoning.summary", "summary": text})),
        (None, None) => entry(json!({"type": "reasoning.text", "text": text})),
    }
    if let Some(sealed) = sealed {
        entry(json!({"type": "reasoning.encrypted", "data": sealed}));
    }
    out
}

/// Writes a message's thinking: its text for everyone, and its pieces where one of them has to come back.
pub(super) fn put(map: &mut Map<String, Value>, pieces: &[&Reasoning], with_details: bool) {
    let text: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).filter(|text| !text.is_empty()).collect();
    if !text.is_empty() {
        map.insert(TEXT.to_owned(), text.join("\n").into());
    }
    if with_details && pieces.iter().any(|piece| is_bound(piece) || piece.id.is_some()) {
        map.insert(DETAILS.to_owned(), pieces.iter().flat_map(|piece| details(piece)).collect());
    }
}
