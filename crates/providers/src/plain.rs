//! What a client said as its own dialect alone has it, in the words that all share. Providers of the same dialect are told
//! of it as it was said.

use std::borrow::Cow;

use mainspring_llm::exchange::{Call, Dialect, Part};
use serde_json::{Map, Value};

use crate::{openai, seam::Lost};

/// The call as it is said to a provider of this dialect.
pub(crate) fn of(call: &Call, dialect: Dialect) -> Cow<'_, Call> {
    if call.said_in == dialect {
        return Cow::Borrowed(call);
    }
    match call.said_in {
        Dialect::Anthropic => summarised(call),
        Dialect::OpenAiChat => without_idle(openai::chat::modern(call, dialect)),
        Dialect::OpenAiResponses => without_idle(Cow::Borrowed(call)),
        _ => Cow::Borrowed(call),
    }
}

/// Whether a field asks for what happens anyway, and is missed by nobody.
fn is_idle(name: &str, value: &Value) -> bool {
    match name {
        "background" | "store" => *value == Value::Bool(false),
        "truncation" => value == "disabled",
        _ => false,
    }
}

fn without_idle(mut call: Cow<'_, Call>) -> Cow<'_, Call> {
    if call.extra.iter().any(|(name, value)| is_idle(name, value)) {
        call.to_mut().extra.retain(|name, value| !is_idle(name, value));
    }
    call
}

/// Why a part was left out.
pub(crate) const ITS_OWN: &str = "a part that only its own provider knows";

/// Whether a part of another dialect may be left out of what a model has said, where that is named: what tools that its
/// provider ran have done, and fields of the message. What stands for a piece of the conversation may not, and no call that
/// something answers.
pub(crate) fn may_go(value: &Value) -> bool {
    match value.get("type").and_then(Value::as_str) {
        None => !["role", "tool_calls", "function_call"].iter().any(|name| value.get(name).is_some()),
        Some("server_tool_use" | "mcp_tool_use" | "mcp_list_tools") => true,
        Some(kind) => kind.ends_with("_call") || kind.ends_with("_tool_result"),
    }
}

/// What chat completions say of a message beside its content, where a part is that and no more. It may be left out, whoever
/// speaks, where it is named.
#[must_use]
pub fn beside_content(part: &Part) -> Option<&Map<String, Value>> {
    match part {
        Part::Other { said_in: Dialect::OpenAiChat, value } if value.get("type").is_none() && may_go(value) => value.as_object(),
        _ => None,
    }
}

/// The same, as it is named of a message at this place.
pub(crate) fn left_out(fields: &Map<String, Value>, place: &str) -> impl Iterator<Item = Lost> {
    fields.keys().map(move |name| Lost { field: format!("{place}.{name}"), why: "a field that only its own provider knows" })
}

/// Where Anthropic has put a summary in the place of a conversation, that is a text.
fn summarised(call: &Call) -> Cow<'_, Call> {
    if !call.turns.iter().flat_map(|turn| &turn.parts).any(|part| summary(part).is_some()) {
        return Cow::Borrowed(call);
    }
    let mut call = call.clone();
    for part in call.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let Some(text) = summary(part).map(str::to_owned) {
            *part = Part::text(text);
        }
    }
    Cow::Owned(call)
}

fn summary(part: &Part) -> Option<&str> {
    match part {
        Part::Other { said_in: Dialect::Anthropic, value } if value["type"] == "compaction" => {
            value.get("content").and_then(Value::as_str)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mainspring_llm::exchange::Dialect;
    use serde_json::json;

    use super::{may_go, of};
    use crate::{anthropic, openai::responses};

    #[test]
    fn what_asks_for_what_happens_anyway_is_missed_by_nobody() {
        let body = json!({"model": "m", "input": "x", "store": false, "background": false, "truncation": "disabled"});
        let call = responses::read(body.to_string().as_bytes()).unwrap();
        assert!(of(&call, Dialect::Anthropic).extra.is_empty());
        let body = json!({"model": "m", "input": "x", "store": true, "background": true, "truncation": "auto"});
        let call = responses::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(*of(&call, Dialect::Gemini), call);
    }

    #[test]
    fn what_stands_for_a_piece_of_the_conversation_may_not_go() {
        for kind in ["web_search_call", "server_tool_use", "web_search_tool_result", "mcp_list_tools"] {
            assert!(may_go(&json!({"type": kind})), "{kind}");
        }
        for kind in ["item_reference", "compaction", "container_upload", "novel"] {
            assert!(!may_go(&json!({"type": kind})), "{kind}");
        }
        assert!(may_go(&json!({"prefix": true})) && !may_go(&json!({"role": "function"})));
        assert!(!may_go(&json!({"tool_calls": [{"type": "custom"}]})) && !may_go(&json!({"function_call": "odd"})));
    }

    #[test]
    fn a_summary_of_a_conversation_is_a_text_elsewhere() {
        let block = json!({"type": "compaction", "content": "They said hello."});
        let messages = json!([
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "Hi."}]},
            {"role": "user", "content": "go on"},
        ]);
        let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
        let call = anthropic::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(*of(&call, Dialect::Anthropic), call);
        for dialect in [Dialect::OpenAiChat, Dialect::Gemini, Dialect::Bedrock] {
            assert_eq!(of(&call, dialect).turns[1].joined_text(), "They said hello.\nHi.", "{dialect:?}");
        }
    }
}
