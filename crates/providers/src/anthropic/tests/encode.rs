use mainspring_llm::exchange::{Call, Media, Part, Reasoning, Role, Turn};
use serde_json::{Value, json};

use super::{REQUEST_AGENT, call, endpoint, json};
use crate::{
    anthropic::{self, Anthropic},
    seam::{Adapter, Endpoint},
    spec::ProviderKind,
};

pub(super) const MODEL: &str = "claude-sonnet-4-5-20250929";

/// The body that is sent, and the fields that are not in it.
pub(super) fn sent_to(model: &str, call: &Call) -> (Value, Vec<String>) {
    let encoded = Anthropic.encode(&endpoint(model), call).unwrap();
    let lost = encoded.lost.into_iter().map(|lost| lost.field).collect();
    (serde_json::from_slice(&encoded.outgoing.body).unwrap(), lost)
}

pub(super) fn sent(call: &Call) -> Value {
    let (body, lost) = sent_to(MODEL, call);
    assert_eq!(lost, [""; 0]);
    body
}

pub(super) fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

pub(super) fn tool_call(id: &str, arguments: &str) -> Part {
    Part::ToolCall { id: id.to_owned(), name: "weather".to_owned(), arguments: arguments.to_owned(), signature: None }
}

pub(super) fn tool_result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.to_owned(), name: None, parts, is_error: false, cache: None }
}

pub(super) fn base64(media_type: &str, data: &str) -> Media {
    Media::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
}

#[test]
fn a_conversation_of_another_dialect_becomes_turns_that_alternate() {
    let mut call = call();
    call.turns = vec![
        Turn::text(Role::System, "Be brief."),
        Turn::text(Role::Developer, "Answer in German."),
        turn(Role::User, vec![Part::text("Wie wird das Wetter?"), Part::text("")]),
        Turn::text(Role::User, "In Köln."),
        turn(Role::Assistant, vec![Part::text(" "), tool_call("call_1", r#"{"city":"Köln"}"#), tool_call("functions.w:1", "")]),
        turn(Role::Tool, vec![tool_result("call_1", vec![Part::text("Regen")])]),
        turn(Role::Tool, vec![tool_result("functions.w:1", Vec::new())]),
        Turn::text(Role::User, "Und?"),
    ];
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        sent(&call),
        json!({
            "model": MODEL,
            "max_tokens": 4096,
            "system": [text("Be brief."), text("Answer in German.")],
            "messages": [
                {"role": "user", "content": [text("Wie wird das Wetter?"), text("In Köln.")]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Köln"}},
                    {"type": "tool_use", "id": "functions_w_1", "name": "weather", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "Regen"},
                    {"type": "tool_result", "tool_use_id": "functions_w_1"},
                    text("Und?"),
                ]},
            ],
        })
    );
}

#[test]
fn instructions_within_a_conversation_move_to_its_front_and_are_listed() {
    let mut call = call();
    call.turns.push(Turn::text(Role::Developer, "Be brief."));
    call.turns.push(Turn { name: Some("ann".to_owned()), ..Turn::text(Role::User, "Well?") });
    let (body, lost) = sent_to(MODEL, &call);
    assert_eq!(body["system"], json!("Be brief."));
    assert_eq!(lost, ["messages[1].role", "messages[2].name"]);
}

#[test]
fn images_and_files_go_in_the_form_they_came() {
    let mut call = call();
    let image = |source, detail: Option<&str>| Part::Image { source, detail: detail.map(str::to_owned), cache: None };
    let file = |source, name: Option<&str>| Part::File { source, name: name.map(str::to_owned), cache: None };
    call.turns = vec![turn(
        Role::User,
        vec![
            image(base64("image/png", "iVBORw0KGgo="), Some("auto")),
            image(Media::Url("https://a.example/b.jpg".to_owned()), Some("high")),
            image(Media::Url("data:image/webp;base64,UklGRg==".to_owned()), None),
            file(base64("application/pdf", "JVBERi0="), Some("a.pdf")),
            file(base64("text/markdown", "R3LDvMOfZQ=="), None),
            file(Media::Url("https://a.example/c.pdf".to_owned()), None),
        ],
    )];
    let (body, lost) = sent_to(MODEL, &call);
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.jpg"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "UklGRg=="}},
            {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
            {"type": "document", "source": {"type": "url", "url": "https://a.example/c.pdf"}},
        ])
    );
    assert_eq!(lost, ["messages[0].content[1].detail"]);
}

#[test]
fn arguments_that_are_no_object_are_kept_whole() {
    let mut call = call();
    for broken in [r#"{"city": "Par"#, "[1]", "null", "\"text\"", "Paris"] {
        call.turns = vec![turn(Role::User, vec![Part::text("x")]), turn(Role::Assistant, vec![tool_call("a", broken)])];
        let body = sent(&call);
        assert_eq!(body["messages"][1]["content"][0]["input"], json!({anthropic::RAW_ARGUMENTS: broken}));
        let back = anthropic::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(back.turns[1].parts[0], tool_call("a", broken), "{broken}");
    }
}

#[test]
fn thinking_goes_back_only_with_what_anthropic_signed() {
    let mut call = call();
    let reasoning = |id: Option<&str>, signature: Option<&str>, sealed: Option<&str>| {
        Part::Reasoning(Reasoning {
            id: id.map(str::to_owned),
            text: "hm".to_owned(),
            signature: signature.map(str::to_owned),
            sealed: sealed.map(str::to_owned),
        })
    };
    let sealed = Part::Reasoning(Reasoning { sealed: Some("data+/=".to_owned()), ..Reasoning::default() });
    call.turns.push(turn(
        Role::Assistant,
        vec![
            reasoning(None, Some("sig+/="), None),
            sealed,
            reasoning(None, None, None),
            reasoning(Some("rs_1"), None, Some("gAAA")),
            Part::text("Yes."),
        ],
    ));
    call.turns.push(Turn::text(Role::User, "Sure?"));
    let (body, lost) = sent_to(MODEL, &call);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "sig+/="},
            {"type": "redacted_thinking", "data": "data+/="},
            {"type": "text", "text": "Yes."},
        ])
    );
    assert_eq!(lost, ["messages[1].content[2]", "messages[1].content[3]"]);
}

/// Whole numbers are read as fractions where the field takes any.
fn with_fractions(mut body: Value) -> Value {
    if let Some(number) = body["temperature"].as_f64() {
        body["temperature"] = json!(number);
    }
    body
}

#[test]
fn a_request_of_this_dialect_comes_out_as_it_went_in() {
    let original = json(REQUEST_AGENT);
    let read = anthropic::read(REQUEST_AGENT.as_bytes()).unwrap();
    assert_eq!(sent(&read), with_fractions(without_shorthand(original)));
}

#[test]
fn what_a_function_says_beside_what_all_know_is_repeated_to_it_and_named_elsewhere() {
    let tools = json!([
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {"name": "weather", "input_schema": {"type": "object", "properties": {}}, "defer_loading": true, "allowed_callers": ["direct"]},
    ]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": tools});
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(sent(&call)["tools"], tools);
    let other = endpoint("a-model");
    let other = Endpoint { kind: ProviderKind::OpenAi, ..other };
    let lost = crate::seam::adapter(other.kind).unwrap().encode(&other, &call).unwrap().lost;
    let lost: Vec<&str> = lost.iter().map(|lost| lost.field.as_str()).collect();
    assert_eq!(lost, ["tools[0]", "tools[1].defer_loading", "tools[1].allowed_callers"]);
}

#[test]
fn what_blocks_say_beside_what_all_know_is_named_everywhere() {
    let direct = json!({"type": "direct"});
    let program = json!({"type": "code_execution_20250825", "tool_id": "srvtoolu_1"});
    let cited = json!([{"type": "char_location", "cited_text": "9 to 6", "document_index": 0}]);
    let messages = json!([
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "From 9.", "citations": cited},
            {"type": "text", "text": "So go.", "citations": []},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": program},
            {"type": "tool_use", "id": "t2", "name": "f", "input": {}, "caller": direct},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "a"},
            {"type": "tool_result", "tool_use_id": "t2", "content": "b"},
        ]},
    ]);
    let tools = json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages, "tools": tools});
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    for kind in [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Gemini, ProviderKind::Bedrock] {
        let endpoint = Endpoint { kind, ..endpoint("a-model") };
        let encoded = crate::seam::adapter(kind).unwrap().encode(&endpoint, &call).unwrap();
        let body: Value = serde_json::from_slice(&encoded.outgoing.body).unwrap();
        assert!(body.as_object().unwrap().keys().all(|name| !name.contains('[')), "{body}");
        let lost: Vec<&str> = encoded.lost.iter().map(|lost| lost.field.as_str()).collect();
        assert_eq!(lost, ["messages[1].content[0].citations", "messages[1].content[2].caller"], "{kind:?}");
    }
}

#[test]
fn what_nobody_knows_within_a_request_is_named_everywhere() {
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBO", "novel": 1});
    let body = json!({
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "novel": 1}],
        "messages": [
            {"role": "user", "novel": 1, "content": [
                {"type": "text", "text": "x", "novel": 1, "gone": null},
                {"type": "image", "source": source},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"novel": 1}, "novel": 1}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "novel": 1, "content": [{"type": "text", "text": "a", "novel": 1}]},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"novel": {}}}}],
        "tool_choice": {"type": "auto", "novel": 1},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}, "novel": 1}},
    });
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    let want = [
        "system[0].novel",
        "messages[0].content[0].novel",
        "messages[0].content[1].source.novel",
        "messages[0].novel",
        "messages[1].content[0].novel",
        "messages[2].content[0].content[0].novel",
        "messages[2].content[0].novel",
        "tool_choice.novel",
        "output_config.format.novel",
    ];
    for kind in [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Gemini, ProviderKind::Bedrock] {
        let endpoint = Endpoint { kind, ..endpoint("a-model") };
        let encoded = crate::seam::adapter(kind).unwrap().encode(&endpoint, &call).unwrap();
        let lost = encoded.lost.iter().map(|lost| lost.field.as_str()).filter(|field| field.ends_with(".novel"));
        assert_eq!(lost.collect::<Vec<_>>(), want, "{kind:?}");
    }
}

/// A text for `content` is a block of text: only tool results keep the shorter form.
fn without_shorthand(mut body: Value) -> Value {
    for message in body["messages"].as_array_mut().unwrap() {
        if let Some(text) = message["content"].as_str() {
            message["content"] = json!([{"type": "text", "text": text}]);
        }
    }
    body
}

#[test]
fn what_this_dialect_alone_says_is_repeated_to_it() {
    let body = json!({
        "model": "claude-opus-4-6",
        "max_tokens": 900,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}]},
            {"role": "system", "content": [{"type": "text", "text": "The user is back."}]},
        ],
        "output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 20_000}, "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "thinking": {"type": "adaptive", "display": "omitted"},
        "top_p": 0.95,
        "top_k": 3,
        "service_tier": "standard_only",
        "metadata": {"user_id": "u", "team": "t"},
        "cache_control": {"type": "ephemeral"},
        "mcp_servers": [{"type": "url", "url": "https://mcp.example/sse", "name": "m"}],
    });
    let read = anthropic::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(read.reasoning.as_ref().unwrap().effort.as_deref(), Some("low"));
    let (again, lost) = sent_to("claude-opus-4-6", &read);
    assert_eq!((again, lost.len()), (body, 0));
    let older = sent_to("claude-sonnet-4-5", &read).0;
    assert_eq!(older.get("thinking"), None, "900 tokens leave no room to think within a budget");
    for thinking in [json!({"type": "disabled"}), json!({"type": "enabled", "budget_tokens": 12})] {
        let body = json!({"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
            "thinking": thinking, "output_config": {"effort": "max"}});
        assert_eq!(sent(&anthropic::read(body.to_string().as_bytes()).unwrap()), body);
    }
}
