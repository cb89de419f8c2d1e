use mainspring_kernel::Fault;
use mainspring_llm::exchange::{Dialect, Format, Media, Part, ReasoningWanted, Role, Tool, ToolChoice};
use serde_json::{Map, json};

use super::{PLAIN, UNKNOWN, at, fixture};
use crate::{
    openai::chat,
    plain::beside_content,
    seam::{Adapter, Endpoint, adapter},
    spec::ProviderKind,
};

fn base64(media_type: &str, data: &str) -> Media {
    Media::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
}

#[test]
fn a_client_is_read_with_everything_it_says() {
    let call = chat::read(fixture!("request_full.json").as_bytes()).unwrap();
    assert_eq!((call.model.as_str(), call.said_in, call.stream), ("gpt-4.1", Dialect::OpenAiChat, true));
    let roles: Vec<Role> = call.turns.iter().map(|turn| turn.role).collect();
    use Role::{Assistant, Developer, Tool as ToolRole, User};
    assert_eq!(roles, [Developer, User, Assistant, ToolRole, ToolRole, Assistant, Assistant, User]);
    assert_eq!(call.turns[1].name.as_deref(), Some("ada"));
    assert_eq!(
        call.turns[1].parts,
        [
            Part::text("What is on these?"),
            Part::Image {
                source: Media::Url("https://example.org/a.png".to_owned()),
                detail: Some("low".to_owned()),
                cache: None
            },
            Part::Image { source: base64("image/png", "iVBORw0KGgo="), detail: None, cache: None },
            Part::Audio { source: base64("audio/wav", "UklGRg=="), format: Some("wav".to_owned()) },
            Part::File { source: base64("application/pdf", "JVBERi0xLjcK"), name: Some("plan.pdf".to_owned()), cache: None },
            Part::File { source: Media::Id("file-6F2ksmvXxt4VdoqmHRw6kL".to_owned()), name: None, cache: None },
        ]
    );
    let broken =
        |part: &Part| matches!(part, Part::ToolCall { id, arguments, .. } if id == "call_2" && arguments == "{\"image\": 2");
    assert!(broken(&call.turns[2].parts[2]), "arguments are kept to the letter");
    let result = |id: &str, text: &str| Part::ToolResult {
        id: id.to_owned(),
        name: None,
        parts: vec![Part::text(text)],
        is_error: false,
        cache: None,
    };
    assert_eq!(
        (&call.turns[3].parts[..], &call.turns[4].parts[..]),
        (&[result("call_1", "A cat.")][..], &[result("call_2", "A dog.")][..])
    );
    assert_eq!(call.turns[6].parts, [Part::Refusal { text: "I will not say more.".to_owned() }]);
    assert!(matches!(
        &call.tools[..],
        [Tool::Function { strict: Some(true), .. }, Tool::Hosted { said_in: Dialect::OpenAiChat, .. }]
    ));
    assert_eq!(call.tool_choice, Some(ToolChoice::Function("describe".to_owned())));
    assert!(matches!(&call.format, Format::Schema { name, strict: Some(true), description: Some(_), .. } if name == "animals"));
    assert_eq!(
        (call.parallel_tools, call.max_tokens, call.n, call.logprobs, call.seed),
        (Some(false), Some(256), Some(2), Some(3), Some(42))
    );
    assert_eq!(
        (call.temperature, call.top_p, call.frequency_penalty, call.presence_penalty),
        (Some(0.25), Some(0.5), Some(-0.5), Some(1.5))
    );
    assert_eq!(call.stop, ["END", "\n\n"]);
    assert_eq!(call.reasoning, Some(ReasoningWanted { effort: Some("low".to_owned()), ..ReasoningWanted::default() }));
    assert_eq!((call.user.as_deref(), call.service_tier.as_deref()), (Some("user-123"), Some("flex")));
    assert_eq!(call.metadata, Map::from_iter([("team".to_owned(), json!("docs"))]));
    let extra: Vec<&str> = call.extra.keys().map(String::as_str).collect();
    let mut want = vec![
        "safety_identifier",
        "prompt_cache_key",
        "store",
        "verbosity",
        "modalities",
        "logit_bias",
        "prediction",
        "web_search_options",
        "mainspring",
        "stream_options",
    ];
    let mut extra = extra;
    extra.sort_unstable();
    want.sort_unstable();
    assert_eq!(extra, want);
}

#[track_caller]
fn check_fault(body: &str, param: &str) {
    let fault = chat::read(body.as_bytes()).unwrap_err();
    assert_eq!(fault.param, param, "{body}: {fault}");
    assert_eq!(fault.code(), if param.is_empty() { "body-not-json" } else { "openai-invalid-parameter" });
}

#[test]
fn requests_that_cannot_be_read_are_refused_by_name() {
    for body in ["", "{", "[]", "7"] {
        check_fault(body, "");
    }
    check_fault(r#"{"messages":[{"role":"user","content":"x"}]}"#, "model");
    check_fault(r#"{"model":"m"}"#, "messages");
    check_fault(r#"{"model":"m","messages":[]}"#, "messages");
    check_fault(r#"{"model":"m","messages":"x"}"#, "messages");
    for (message, param) in [
        ("7", "messages[0]"),
        (r#"{"content":"x"}"#, "messages[0].role"),
        (r#"{"role":"usr","content":"x"}"#, "messages[0].role"),
        (r#"{"role":"user"}"#, "messages[0].content"),
        (r#"{"role":"user","content":7}"#, "messages[0].content"),
        (r#"{"role":"user","content":[7]}"#, "messages[0].content[0]"),
        (r#"{"role":"user","content":[{}]}"#, "messages[0].content[0].type"),
        (r#"{"role":"user","content":[{"type":"text"}]}"#, "messages[0].content[0].text"),
        (r#"{"role":"user","content":[{"type":"image_url","image_url":{}}]}"#, "messages[0].content[0].image_url.url"),
        (r#"{"role":"user","content":[{"type":"input_audio"}]}"#, "messages[0].content[0].input_audio"),
        (r#"{"role":"user","content":[{"type":"file","file":{}}]}"#, "messages[0].content[0].file.file_data"),
        (r#"{"role":"tool","content":"x"}"#, "messages[0].tool_call_id"),
        (r#"{"role":"assistant","tool_calls":{}}"#, "messages[0].tool_calls"),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"arguments":"{}"}}]}"#,
            "messages[0].tool_calls[0].function.name",
        ),
    ] {
        check_fault(&format!(r#"{{"model":"m","messages":[{message}]}}"#), param);
    }
    for (field, param) in [
        (r#""temperature":"hot""#, "temperature"),
        (r#""n":1.5"#, "n"),
        (r#""stream":"yes""#, "stream"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",7]"#, "stop"),
        (r#""tools":{}"#, "tools"),
        (r#""tools":[{"type":"function"}]"#, "tools[0].function"),
        (r#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#, "response_format.json_schema.schema"),
        (r#""metadata":[]"#, "metadata"),
        (r#""stream_options":{"include_usage":1}"#, "stream_options.include_usage"),
    ] {
        check_fault(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{field}}}"#), param);
    }
    let near = chat::read(br#"{"model":"m","messages":[{"role":"usr","content":"x"}]}"#).unwrap_err();
    assert_eq!(near.message, "`usr` is no role: did you mean `user`?");
}

#[test]
fn what_nobody_knows_within_a_request_is_named_by_its_place() {
    let schema = json!({"type": "object", "properties": {"novel": {}}});
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "user", "novel": 1, "content": [
                {"type": "text", "text": "x", "novel": 1, "cache_control": {"type": "ephemeral"}, "gone": null},
                {"type": "image_url", "novel": 1, "image_url": {"url": "https://a.example/b.png", "novel": 1}},
                {"type": "image_url", "image_url": "https://a.example/b.png"},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav", "novel": 1}},
                {"type": "file", "file": {"file_id": "file-1", "novel": 1}},
                {"type": "novel", "novel": 1},
            ]},
            {"role": "assistant", "annotations": [{"type": "url_citation"}], "tool_calls": [
                {"id": "a", "index": 0, "type": "function", "novel": 1, "function": {"name": "f", "arguments": "{}", "novel": 1}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "y", "novel": 1},
        ],
        "tools": [{"type": "function", "novel": 1, "function": {"name": "f", "parameters": schema, "novel": 1}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}, "novel": 1},
        "response_format": {"type": "json_schema", "novel": 1, "json_schema": {"name": "a", "schema": schema, "novel": 1}},
    });
    let call = chat::read(body.to_string().as_bytes()).unwrap();
    let want = [
        "messages[0].content[0].novel",
        "messages[0].content[1].image_url.novel",
        "messages[0].content[1].novel",
        "messages[0].content[3].input_audio.novel",
        "messages[0].content[4].file.novel",
        "messages[1].tool_calls[0].function.novel",
        "messages[1].tool_calls[0].novel",
        "messages[2].novel",
        "tools[0].novel",
        "tools[0].function.novel",
        "tool_choice.novel",
        "response_format.novel",
        "response_format.json_schema.novel",
    ];
    assert_eq!(call.unread, want);
    // What a message says beside its content is repeated to its own dialect, as a part of a kind that nobody knows is.
    assert_eq!(beside_content(call.turns[0].parts.last().unwrap()), Some(&Map::from_iter([("novel".to_owned(), json!(1))])));
    let sent = PLAIN.encode(&at(UNKNOWN), &call).unwrap();
    assert_eq!(sent.lost.iter().map(|lost| lost.field.as_str()).collect::<Vec<_>>(), want);
}

#[test]
fn a_message_or_a_text_that_says_more_is_sent_to_everyone_without_it() {
    for role in ["system", "developer", "user", "assistant"] {
        let text = json!([{"type": "text", "text": "hello", "novel": 1}]);
        let body =
            json!({"model": "m", "messages": [{"role": role, "content": text, "odd": 2}, {"role": "user", "content": "x"}]});
        let call = chat::read(body.to_string().as_bytes()).unwrap();
        for kind in [ProviderKind::Anthropic, ProviderKind::Gemini, ProviderKind::Bedrock] {
            let region = Some("eu-central-1".to_owned());
            let endpoint = Endpoint { region, ..Endpoint::new("main".parse().unwrap(), kind, "https://a.example", "a-model") };
            let sent = adapter(kind).unwrap().encode(&endpoint, &call).unwrap();
            let lost: Vec<&str> = sent.lost.iter().map(|lost| lost.field.as_str()).collect();
            assert_eq!(lost, ["messages[0].odd", "messages[0].content[0].novel"], "{kind:?} {role}");
            let body = String::from_utf8(sent.outgoing.body.to_vec()).unwrap();
            assert!(body.contains("hello") && !body.contains("novel") && !body.contains("odd"), "{kind:?} {role}: {body}");
        }
    }
}

#[test]
fn what_a_parameter_says_takes_the_place_of_what_the_client_says() {
    let body = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f"}, "novel": 1}],
        "tool_choice": {"type": "allowed_tools"},
        "response_format": {"type": "json_object"},
    });
    let mut call = chat::read(body.to_string().as_bytes()).unwrap();
    let tools = json!([{"type": "function", "function": {"name": "g"}}]);
    for (name, value) in [("tools", tools), ("tool_choice", json!("required")), ("response_format", json!(null))] {
        assert!(chat::set(&mut call, name, &value), "{name}");
    }
    assert!(matches!(call.tools.as_slice(), [Tool::Function { name, .. }] if name == "g"), "{:?}", call.tools);
    assert_eq!((&call.tool_choice, &call.format), (&Some(ToolChoice::Required), &Format::Text));
    assert!(call.unread.is_empty() && call.extra.is_empty(), "{:?} {:?}", call.unread, call.extra);
    // What has no word stays as it was.
    let before = call.clone();
    for (name, value) in [("tools", json!([{"type": "web_search"}])), ("response_format", json!(7)), ("novel", json!(1))] {
        assert!(!chat::set(&mut call, name, &value), "{name}");
    }
    assert_eq!(call, before);
}
