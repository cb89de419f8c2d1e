//! A whole answer for a client of this dialect.

use mainspring_llm::exchange::{Answer, Dialect, Finish, Part};
use serde_json::{Value, json};

use super::{
    finish::{self, Seen},
    parts::{self, CITATIONS},
    sealed, usage,
};

/// The message of an answer. There is one choice in this dialect; a client of it cannot have asked for more.
#[must_use]
pub fn write(answer: &Answer) -> Value {
    let choice = answer.choices.first();
    let own = answer.said_in == Dialect::Anthropic;
    let parts = choice.map_or(&[][..], |choice| choice.parts.as_slice());
    let stop_sequence = choice.and_then(|choice| choice.stop_sequence.as_deref());
    let seen = Seen {
        tools: parts.iter().any(|part| matches!(part, Part::ToolCall { .. })),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal { .. })),
        stop_sequence: stop_sequence.is_some(),
    };
    let mut message = json!({
        "id": id(&answer.id),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content(parts),
        "stop_reason": finish::write(choice.map_or(Finish::Stop, |choice| choice.finish), seen),
        "stop_sequence": stop_sequence,
        "usage": usage::write(&answer.usage.unwrap_or_default()),
    });
    if let Some(tier) = answer.service_tier.as_ref().filter(|_| own) {
        message["usage"]["service_tier"] = json!(tier);
    }
    for (name, value) in answer.extra.iter().filter(|_| own) {
        if message.get(name).is_none() {
            message[name.as_str()] = value.clone();
        }
    }
    message
}

/// Ids of this dialect begin so, and some clients look.
pub(super) fn id(id: &str) -> String {
    if id.starts_with("msg_") { id.to_owned() } else { format!("msg_{}", parts::tool_id(id)) }
}

/// What has no block here, such as sound, is left out: an answer that has been paid for is not refused.
fn content(parts: &[Part]) -> Vec<Value> {
    let mut content: Vec<Value> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } if text.is_empty() => {}
            Part::Other { said_in: Dialect::Anthropic, value } if value["type"] == CITATIONS => {
                if let Some(last) = content.last_mut().filter(|block| block["type"] == "text") {
                    last[CITATIONS] = value[CITATIONS].clone();
                }
            }
            part => {
                if let Part::ToolCall { id, signature: Some(signature), .. } = part {
                    content.push(sealed::before_call(&parts::tool_id(id), signature));
                }
                content.extend(parts::blocks(part, true).unwrap_or_default());
            }
        }
    }
    content
}
