//! What Gemini cannot say: listed where the answer stays the same, refused where it would be another.

use mainspring_llm::exchange::{Call, Dialect, Media, Part, Reasoning, Role, Tool, Turn};
use serde_json::{Value, json};

use super::{asks, encoded, flash, hello, lost, result, turn};
use crate::fault::FaultClass;

#[track_caller]
fn loses(change: impl FnOnce(&mut Call), want: &[&str]) {
    let mut asked = hello();
    change(&mut asked);
    assert_eq!(lost(&flash(), &asked), want);
}

#[test]
fn what_gemini_cannot_say_is_listed() {
    loses(|call| call.user = Some("u".into()), &["user"]);
    loses(|call| call.parallel_tools = Some(false), &["parallel_tool_calls"]);
    loses(|call| call.parallel_tools = Some(true), &[]);
    loses(|call| call.service_tier = Some("flex".into()), &["service_tier"]);
    loses(|call| call.service_tier = Some("auto".into()), &[]);
    loses(|call| drop(call.metadata.insert("run".into(), json!("7"))), &["metadata"]);
    loses(|call| drop(call.extra.insert("logit_bias".into(), json!({"50256": -100}))), &["logit_bias"]);
    loses(|call| drop(call.extra.insert("store".into(), Value::Null)), &[]);
    loses(|call| call.turns[0].name = Some("ada".into()), &["messages[0].name"]);
    loses(|call| call.turns.push(Turn::text(Role::System, "Hurry.")), &["messages[1]"]);
    let cached = Part::Text { text: "x".into(), cache: Some(json!({"type": "ephemeral"})) };
    loses(|call| call.turns[0].parts.push(cached), &["messages[0].cache_control"]);
    let base64 = || Media::Base64 { media_type: "image/png".into(), data: "AAAA".into() };
    loses(
        |call| call.turns[0].parts.push(Part::Image { source: base64(), detail: Some("high".into()), cache: None }),
        &["messages[0].detail"],
    );
    loses(
        |call| call.turns[0].parts.push(Part::File { source: base64(), name: Some("a.png".into()), cache: None }),
        &["messages[0].filename"],
    );
    let thought = Reasoning { text: "hm".into(), signature: Some("ErUB".into()), ..Reasoning::default() };
    loses(|call| call.turns.push(turn(Role::Assistant, vec![Part::Reasoning(thought)])), &["messages[1].reasoning"]);
    let sealed = Reasoning { id: Some("rs_1".into()), sealed: Some("gAAA".into()), ..Reasoning::default() };
    loses(|call| call.turns.push(turn(Role::Assistant, vec![Part::Reasoning(sealed)])), &["messages[1].reasoning"]);
    loses(
        |call| call.turns.push(turn(Role::Assistant, vec![asks("c", "a", "{\"city\": \"Par", None)])),
        &["messages[1].tool_calls"],
    );
    let theirs = Part::Other { said_in: Dialect::Anthropic, value: json!({"type": "server_tool_use"}) };
    loses(|call| call.turns.push(turn(Role::Assistant, vec![theirs])), &["messages[1]"]);
    let strict = Tool::Function {
        name: "f".into(),
        description: None,
        parameters: Some(json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^a", "not": {}}}})),
        strict: Some(true),
        cache: Some(json!({"type": "ephemeral"})),
    };
    loses(
        |call| call.tools.push(strict),
        &["tools[0].strict", "tools[0].cache_control", "tools[0].parameters.not", "tools[0].parameters.pattern"],
    );
}

#[track_caller]
fn refuses(change: impl FnOnce(&mut Call)) {
    let mut asked = hello();
    change(&mut asked);
    let fault = encoded(&flash(), &asked).unwrap_err();
    assert_eq!(fault.class, FaultClass::Unsupported, "{fault}");
}

#[test]
fn what_would_be_another_answer_is_refused() {
    refuses(|call| call.tools.push(Tool::Hosted { said_in: Dialect::OpenAiResponses, value: json!({"type": "web_search"}) }));
    refuses(|call| {
        call.turns[0].parts.push(Part::Other { said_in: Dialect::Anthropic, value: json!({"type": "search_result"}) })
    });
    refuses(|call| call.turns.push(turn(Role::Tool, vec![result("nobody", "x", false)])));
    refuses(|call| call.turns[0].parts.push(Part::File { source: Media::Id("file-abc".into()), name: None, cache: None }));
    let nameless = Media::Base64 { media_type: String::new(), data: "AAAA".into() };
    refuses(|call| call.turns[0].parts.push(Part::Audio { source: nameless, format: None }));
    refuses(|call| drop(call.extra.insert("previous_response_id".into(), json!("resp_1"))));
    refuses(|call| drop(call.extra.insert("audio".into(), json!({"voice": "alloy", "format": "wav"}))));
    refuses(|call| {
        let drawn = Part::Image { source: Media::Url("https://a/b.png".into()), detail: None, cache: None };
        call.turns.insert(0, turn(Role::System, vec![drawn]));
    });
}
