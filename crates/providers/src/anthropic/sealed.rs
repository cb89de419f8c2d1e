//! Signatures of other providers in places where Anthropic's clients keep them.
//!
//! A client of this dialect sends thinking back with its signature, unread. Reasoning of OpenAI and Gemini has two such
//! texts, an id and a sealed form; both stand in the one signature. Gemini signs tool calls too, and refuses a call that
//! comes back without; that signature stands in a block of sealed thinking before the call.

use std::collections::BTreeMap;

use mainspring_llm::exchange::{Part, Reasoning};
use serde_json::{Value, json};

const PREFIX: &str = "mainspring.";
const CALL: &str = "mainspring.call.";

/// The signature of a thinking block that carries an item of another provider's.
pub(super) fn signature(id: &str, sealed: &str) -> String {
    format!("{PREFIX}{id}.{sealed}")
}

/// Thinking as it came back from a client.
pub(super) fn reasoning(text: String, signature: Option<String>) -> Reasoning {
    let parts = signature.as_deref().and_then(|signature| signature.strip_prefix(PREFIX)).and_then(|rest| rest.split_once('.'));
    match parts {
        Some((id, sealed)) => Reasoning { id: Some(id.to_owned()), text, signature: None, sealed: Some(sealed.to_owned()) },
        None => Reasoning { id: None, text, signature, sealed: None },
    }
}

/// The block before a call that carries its signature. The call's id has no dot in it.
pub(super) fn before_call(id: &str, signature: &str) -> Value {
    json!({"type": "redacted_thinking", "data": format!("{CALL}{id}.{signature}")})
}

/// Calls with the signatures that came back before them.
pub(super) fn signed_calls(parts: Vec<Part>) -> Vec<Part> {
    let mut signatures: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::Reasoning(Reasoning { sealed: Some(data), .. }) = &part
            && let Some((call, signature)) = data.strip_prefix(CALL).and_then(|data| data.split_once('.'))
        {
            signatures.insert(call.to_owned(), signature.to_owned());
            continue;
        }
        if let Part::ToolCall { id, signature, .. } = &mut part {
            *signature = signatures.remove(id.as_str());
        }
        rest.push(part);
    }
    rest
}
