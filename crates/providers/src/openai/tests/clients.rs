use mainspring_kernel::Fault;
use mainspring_llm::exchange::{Dialect, Format, Media, Part, ReasoningWanted, Role, Tool, ToolChoice};
use serde_json::{Map, json};

use super::fixture;
use crate::openai::chat;

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
