use mainspring_llm::{
    TokenUsage,
    exchange::{Answer, Choice, Dialect, Event, Finish, Format, Media, Part, Reasoning, ReasoningWanted, Role, Tool, ToolChoice},
};
use serde_json::{Map, Value, json};

use super::{
    MESSAGE_SEARCH, MESSAGE_TOOLS, REQUEST_AGENT, STREAM_SEARCH, STREAM_TEXT, STREAM_TOOLS, endpoint, grammar::assemble, json,
    read,
};
use crate::{
    anthropic::{self, Anthropic, Writer},
    seam::Adapter,
};

fn ephemeral() -> Option<Value> {
    Some(json!({"type": "ephemeral"}))
}

#[test]
fn an_agents_request_is_read_whole() {
    let call = anthropic::read(REQUEST_AGENT.as_bytes()).unwrap();
    assert_eq!((call.model.as_str(), call.max_tokens, call.stream), ("claude-sonnet-4-5-20250929", Some(32_000), true));
    assert_eq!(call.user.as_deref(), Some("user_9f2c_account__session_6b1d"));
    assert_eq!(call.reasoning, Some(ReasoningWanted { budget_tokens: Some(31_999), ..ReasoningWanted::default() }));
    assert_eq!((call.tool_choice, call.parallel_tools), (Some(ToolChoice::Auto), Some(false)));
    assert_eq!(call.stop, ["</done>"]);
    assert_eq!(call.extra.keys().collect::<Vec<_>>(), ["context_management"]);
    let roles: Vec<Role> = call.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool, Role::Tool, Role::User]);
    assert_eq!(call.turns[0].parts[0], Part::Text { text: "You work in a terminal.".to_owned(), cache: ephemeral() });
    let image = Media::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
    assert_eq!(call.turns[1].parts[2], Part::Image { source: image, detail: None, cache: None });
    let signed = Reasoning {
        text: "The log says more.".to_owned(),
        signature: Some("EpwGClsIBxABGAIqQL8+/wAB".to_owned()),
        ..Reasoning::default()
    };
    assert_eq!(call.turns[2].parts[0], Part::Reasoning(signed));
    assert!(
        matches!(&call.turns[4].parts[0], Part::ToolResult { id, parts, is_error: true, .. } if id == "toolu_02List" && parts.len() == 2),
        "{:?}",
        call.turns[4]
    );
    assert!(matches!(&call.tools[1], Tool::Function { name, cache: Some(_), .. } if name == "List"), "{:?}", call.tools[1]);
    assert!(matches!(&call.tools[2], Tool::Hosted { said_in: Dialect::Anthropic, .. }), "{:?}", call.tools[2]);
}

#[test]
fn the_shorter_forms_are_read_too() {
    let body = json!({
        "model": "m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": null}],
        "output_format": {"type": "json_schema", "schema": {"type": "object"}},
        "thinking": {"type": "adaptive"},
        "temperature": null,
    });
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(call.turns[0].joined_text(), "Be brief.");
    assert_eq!(call.turns[1].joined_text(), "Hi.");
    assert!(call.turns[2].parts.is_empty());
    assert!(matches!(&call.format, Format::Schema { schema, .. } if *schema == json!({"type": "object"})), "{:?}", call.format);
    assert_eq!(call.reasoning, Some(ReasoningWanted::default()));
    assert_eq!((call.max_tokens, call.temperature), (None, None));
}

#[test]
fn documents_that_say_more_than_a_file_stay_as_they_are() {
    let source = json!({"type": "text", "media_type": "text/plain", "data": "Grüße"});
    let body = |block: Value| json!({"model": "m", "messages": [{"role": "user", "content": [block]}]}).to_string();
    let part = |block: Value| anthropic::read(body(block).as_bytes()).unwrap().turns[0].parts[0].clone();
    let plain = part(json!({"type": "document", "source": source, "title": "a.txt", "citations": {"enabled": false}}));
    let text = Media::Base64 { media_type: "text/plain".to_owned(), data: "R3LDvMOfZQ==".to_owned() };
    assert_eq!(plain, Part::File { source: text, name: Some("a.txt".to_owned()), cache: None });
    for more in [json!({"citations": {"enabled": true}}), json!({"context": "a letter"})] {
        let mut block = json!({"type": "document", "source": source});
        for (name, value) in more.as_object().unwrap() {
            block[name.as_str()] = value.clone();
        }
        assert_eq!(part(block.clone()), Part::Other { said_in: Dialect::Anthropic, value: block });
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let message = |content: Value| json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    for (body, field) in [
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        (json!({"messages": []}).to_string(), "model"),
        (json!({"model": "m"}).to_string(), "messages"),
        (json!({"model": "m", "messages": []}).to_string(), "messages"),
        (json!({"model": "m", "messages": [{"role": "usr", "content": "x"}]}).to_string(), "messages[0].role"),
        (json!({"model": "m", "messages": [{"content": "x"}]}).to_string(), "messages[0].role"),
        (message(json!(5)).to_string(), "messages[0].content"),
        (message(json!([{"text": "x"}])).to_string(), "messages[0].content"),
        (message(json!([{"type": "tool_result"}])).to_string(), "messages[0].content"),
        (json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}).to_string(), "max_tokens"),
        (json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}).to_string(), "tools[0]"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": {"type": "maybe"}}).to_string(),
            "tool_choice.type",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "system": [{"type": "image"}]}).to_string(),
            "system",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "metadata": {"user_id": 5}}).to_string(),
            "metadata.user_id",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "output_config": {"format": {"type": "xml"}}})
                .to_string(),
            "output_config.format",
        ),
    ] {
        let fault = anthropic::read(body.as_bytes()).unwrap_err();
        assert_eq!(fault.field, field, "{body}: {fault}");
        assert!(!fault.message.is_empty());
    }
}

fn decoded(body: &str) -> Answer {
    Anthropic.decode(&endpoint("m"), body.as_bytes()).unwrap()
}

pub(super) fn streamed(events: Vec<Event>) -> Value {
    let mut writer = Writer::new("asked");
    let written: Vec<_> = events.into_iter().flat_map(|event| writer.write(event)).collect();
    assemble(&written)
}

#[test]
fn a_message_comes_out_as_it_went_in() {
    for message in [MESSAGE_TOOLS, MESSAGE_SEARCH] {
        let (written, original) = (anthropic::write(&decoded(message)), json(message));
        for field in ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "container"] {
            assert_eq!(written[field], original[field], "{field}");
        }
        for field in ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "service_tier"] {
            assert_eq!(written["usage"][field], original["usage"][field], "{field}");
        }
    }
}

#[test]
fn a_stream_comes_out_as_it_went_in() {
    let written = streamed(read(STREAM_TOOLS));
    let original = json(MESSAGE_TOOLS);
    for field in ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence"] {
        assert_eq!(written[field], original[field], "{field}");
    }
    assert_eq!((&written["usage"]["input_tokens"], &written["usage"]["output_tokens"]), (&json!(472), &json!(189)));
    assert_eq!(written["usage"]["output_tokens_details"], json!({"thinking_tokens": 61}));
    let search = streamed(read(STREAM_SEARCH));
    assert_eq!(search["content"][0]["input"], json!({"query": "tallest lighthouse"}));
    assert_eq!(search["content"][1]["content"][0]["title"], json!("Jeddah Light"));
    assert_eq!(search["content"][2]["text"], json!("The Jeddah Light stands 133 metres tall."));
    assert_eq!(search["content"][2]["citations"][0]["encrypted_index"], json!("Eo8BCioIAhgB"));
}

#[test]
fn usage_goes_back_in_anthropics_counting() {
    let usage = &streamed(read(STREAM_TEXT))["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(25), &json!(2000)));
    assert_eq!(usage["cache_creation"], json!({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100}));
    let written = anthropic::write(&Answer {
        usage: Some(TokenUsage { input: 100, cache_read: 90, output: 5, ..TokenUsage::default() }),
        ..empty()
    });
    assert_eq!((&written["usage"]["input_tokens"], &written["usage"]["cache_read_input_tokens"]), (&json!(10), &json!(90)));
    assert_eq!(anthropic::write(&empty())["usage"]["input_tokens"], json!(0), "clients insist on numbers");
}

pub(super) fn empty() -> Answer {
    Answer {
        id: "chatcmpl-9.x".to_owned(),
        model: "gpt".to_owned(),
        choices: vec![Choice { parts: Vec::new(), finish: Finish::Stop, stop_sequence: None, logprobs: None }],
        usage: None,
        service_tier: Some("default".to_owned()),
        fingerprint: Some("fp_1".to_owned()),
        said_in: Dialect::OpenAiChat,
        extra: Map::from_iter([("object".to_owned(), json!("chat.completion"))]),
    }
}

#[test]
fn an_answer_of_another_dialect_is_a_message() {
    let mut answer = empty();
    answer.choices[0].parts = vec![
        Part::Reasoning(Reasoning { text: "hm".to_owned(), ..Reasoning::default() }),
        Part::text(""),
        Part::text("One."),
        Part::ToolCall { id: "call 1".to_owned(), name: "f".to_owned(), arguments: "{\"a\":".to_owned(), signature: None },
        Part::Other { said_in: Dialect::OpenAiChat, value: json!({"audio": {}}) },
    ];
    assert_eq!(
        anthropic::write(&answer),
        json!({
            "id": "msg_chatcmpl-9_x",
            "type": "message",
            "role": "assistant",
            "model": "gpt",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "One."},
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"raw_arguments": "{\"a\":"}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": null,
            "usage": {
                "input_tokens": 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": 0,
            },
        })
    );
}

#[test]
fn clients_are_told_why_an_answer_ended() {
    let reason = |finish: Finish, parts: Vec<Part>, stop: Option<&str>| {
        let mut answer = empty();
        answer.choices[0] = Choice { parts, finish, stop_sequence: stop.map(str::to_owned), logprobs: None };
        anthropic::write(&answer)["stop_reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(Finish::Stop, Vec::new(), None), "end_turn");
    assert_eq!(reason(Finish::Stop, Vec::new(), Some("END")), "stop_sequence");
    assert_eq!(reason(Finish::Stop, vec![Part::Refusal { text: "No.".to_owned() }], None), "refusal");
    assert_eq!(reason(Finish::Length, Vec::new(), None), "max_tokens");
    assert_eq!(reason(Finish::ToolCalls, Vec::new(), None), "tool_use");
    assert_eq!(reason(Finish::ContentFilter, Vec::new(), None), "refusal");
    assert_eq!(reason(Finish::Pause, Vec::new(), None), "pause_turn");
}
