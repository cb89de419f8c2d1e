//! From a call to Converse's JSON.

use mainspring_llm::exchange::{Call, Dialect, Format, Media, Part, Reasoning, ReasoningWanted, Role, Tool, ToolChoice, Turn};
use serde_json::{Value, json};

use super::{CLAUDE, NOVA, asks, body, call, encoded, endpoint, hello, lost, png, result, turn, weather};
use crate::{bedrock::Bedrock, fault::FaultClass, seam::Adapter};

#[test]
fn a_conversation_becomes_messages_of_alternating_roles() {
    let ephemeral = json!({"type": "ephemeral"});
    let asked = Call {
        tools: vec![weather()],
        ..call(vec![
            turn(Role::System, vec![Part::Text { text: "Be brief.".into(), cache: Some(ephemeral) }]),
            turn(
                Role::User,
                vec![Part::text("What is this?"), Part::Image { source: png(), detail: Some("auto".into()), cache: None }],
            ),
            turn(Role::Assistant, vec![Part::text("I will look."), asks("call_7", "weather", r#"{"city":"Ulm"}"#)]),
            turn(Role::Tool, vec![result("call_7", vec![Part::text("21 degrees")], false)]),
            Turn::text(Role::User, "And tomorrow?"),
        ])
    };
    let want = json!({
        "toolConfig": {"tools": [{"toolSpec": {
            "name": "weather",
            "description": "The weather now.",
            "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}}
        }}]},
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "What is this?"},
                {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
            ]},
            {"role": "assistant", "content": [
                {"text": "I will look."},
                {"toolUse": {"toolUseId": "call_7", "name": "weather", "input": {"city": "Ulm"}}}
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "call_7", "content": [{"text": "21 degrees"}]}},
                {"text": "And tomorrow?"}
            ]}
        ]
    });
    assert_eq!(body(CLAUDE, &asked), want);
    assert!(lost(CLAUDE, &asked).is_empty());
}

#[test]
fn instructions_alone_are_asked_as_a_person_would() {
    let asked = call(vec![Turn::text(Role::System, "Tell a joke.")]);
    assert_eq!(body(CLAUDE, &asked), json!({"messages": [{"role": "user", "content": [{"text": "Tell a joke."}]}]}));
}

#[test]
fn what_a_tool_gives_may_be_anything_but_nothing() {
    let asked = Call {
        tools: vec![weather()],
        ..call(vec![
            turn(Role::Assistant, vec![asks("a.b/c", "weather", ""), asks(&"x".repeat(80), "weather", "{}")]),
            turn(
                Role::Tool,
                vec![
                    result("a.b/c", Vec::new(), true),
                    result(&"x".repeat(80), vec![Part::Image { source: png(), detail: None, cache: None }], false),
                ],
            ),
        ])
    };
    let body = body(CLAUDE, &asked);
    let first = json!({"toolResult": {"toolUseId": "a_b_c", "content": [{"json": {}}], "status": "error"}});
    assert_eq!(body.pointer("/messages/1/content/0"), Some(&first));
    let id = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    assert_eq!(id("/messages/0/content/0/toolUse/toolUseId"), "a_b_c");
    let long = id("/messages/0/content/1/toolUse/toolUseId");
    assert_eq!(long, id("/messages/1/content/1/toolResult/toolUseId"));
    assert_eq!(long.len(), 64);
    assert!(body.pointer("/messages/1/content/1/toolResult/content/0/image").is_some());
}

#[test]
fn cache_marks_stand_behind_what_they_end() {
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let mut tool = weather();
    if let Tool::Function { cache, .. } = &mut tool {
        *cache = Some(hour.clone());
    }
    let marked = Part::ToolResult {
        id: "c".into(),
        name: None,
        parts: vec![Part::text("x")],
        is_error: false,
        cache: Some(json!({"type": "ephemeral"})),
    };
    let asked = Call {
        tools: vec![tool],
        ..call(vec![
            turn(Role::User, vec![Part::Image { source: png(), detail: None, cache: Some(hour) }, Part::text("Well?")]),
            turn(Role::Assistant, vec![asks("c", "weather", "{}")]),
            turn(Role::User, vec![marked]),
        ])
    };
    let body = body(CLAUDE, &asked);
    let hour = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    assert_eq!(body.pointer("/toolConfig/tools/1"), Some(&hour));
    assert_eq!(body.pointer("/messages/0/content/1"), Some(&hour));
    assert_eq!(body.pointer("/messages/2/content/1"), Some(&json!({"cachePoint": {"type": "default"}})));
}

#[test]
fn claude_gets_its_own_thoughts_back_and_nobody_elses() {
    let thought = |id: Option<&str>, signature: Option<&str>, sealed: Option<&str>| {
        Part::Reasoning(Reasoning {
            id: id.map(str::to_owned),
            text: "hm".into(),
            signature: signature.map(str::to_owned),
            sealed: sealed.map(str::to_owned),
        })
    };
    let asked = call(vec![
        Turn::text(Role::User, "Hello"),
        turn(
            Role::Assistant,
            vec![
                thought(None, Some("ErUBCkYI+/8="), None),
                thought(None, None, Some("EmwKAhgB==")),
                thought(Some("rs_1"), None, Some("gAAAAA")),
                thought(None, None, None),
                Part::text("Hi"),
            ],
        ),
    ]);
    assert_eq!(
        body(CLAUDE, &asked)["messages"][1]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "ErUBCkYI+/8="}}},
            {"reasoningContent": {"redactedContent": "EmwKAhgB=="}},
            {"text": "Hi"}
        ])
    );
    assert_eq!(lost(CLAUDE, &asked), ["messages[1].reasoning"]);
}

#[track_caller]
fn setting(model: &str, set: impl FnOnce(&mut Call), pointer: &str, want: Value) {
    let mut asked = hello();
    set(&mut asked);
    let body = body(model, &asked);
    assert_eq!(body.pointer(pointer), Some(&want), "{pointer} of {body}");
}

#[test]
fn settings_have_their_place() {
    setting(NOVA, |call| call.temperature = Some(0.2), "/inferenceConfig/temperature", json!(0.2));
    setting(NOVA, |call| call.temperature = Some(1.7), "/inferenceConfig/temperature", json!(1.0));
    setting(NOVA, |call| call.top_p = Some(0.9), "/inferenceConfig/topP", json!(0.9));
    setting(NOVA, |call| call.max_tokens = Some(64), "/inferenceConfig/maxTokens", json!(64));
    setting(NOVA, |call| call.stop = vec!["END".into()], "/inferenceConfig/stopSequences", json!(["END"]));
    setting(CLAUDE, |call| call.stop = vec!["END".into()], "/additionalModelResponseFieldPaths", json!(["/stop_sequence"]));
    setting(CLAUDE, |call| call.top_k = Some(40), "/additionalModelRequestFields", json!({"top_k": 40}));
    setting(NOVA, |call| call.top_k = Some(40), "/additionalModelRequestFields", json!({"inferenceConfig": {"topK": 40}}));
    setting("cohere.command-r-v1:0", |call| call.top_k = Some(40), "/additionalModelRequestFields", json!({"k": 40}));
    setting(NOVA, |call| call.service_tier = Some("flex".into()), "/serviceTier", json!({"type": "flex"}));
    setting(NOVA, |call| drop(call.metadata.insert("run".into(), json!("7"))), "/requestMetadata", json!({"run": "7"}));
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}});
    let closed = r#"{"type":"object","properties":{"age":{"type":"integer"}},"additionalProperties":false}"#;
    setting(
        CLAUDE,
        |call| {
            call.format =
                Format::Schema { name: "person".into(), schema, strict: Some(true), description: Some("A person.".into()) };
        },
        "/outputConfig",
        json!({"textFormat": {"type": "json_schema", "structure": {
            "jsonSchema": {"schema": closed, "name": "person", "description": "A person."}
        }}}),
    );
    setting(
        NOVA,
        |call| call.format = Format::Json,
        "/system/0/text",
        json!("Answer with one JSON object and nothing else: no other text and no code fence."),
    );
    let strict = Tool::Function { name: "f".into(), description: None, parameters: None, strict: Some(true), cache: None };
    setting(
        CLAUDE,
        |call| call.tools.push(strict),
        "/toolConfig/tools/0/toolSpec",
        json!({"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}, "strict": true}),
    );
}

#[test]
fn what_is_not_set_is_not_said() {
    assert_eq!(body(CLAUDE, &hello()), json!({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}));
    let mut provider = endpoint(CLAUDE);
    provider.default_max_tokens = Some(900);
    let sent = Bedrock.encode(&provider, &hello()).unwrap().outgoing.body;
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["inferenceConfig"], json!({"maxTokens": 900}));
}

#[test]
fn tools_are_chosen_and_named_again_where_they_were_called() {
    for (choice, want) in [
        (Some(ToolChoice::Auto), json!({"auto": {}})),
        (Some(ToolChoice::Required), json!({"any": {}})),
        (Some(ToolChoice::Function("weather".into())), json!({"tool": {"name": "weather"}})),
        (None, Value::Null),
    ] {
        let asked = Call { tools: vec![weather()], tool_choice: choice, ..hello() };
        assert_eq!(body(CLAUDE, &asked)["toolConfig"]["toolChoice"], want);
    }
    let silent = Call { tools: vec![weather()], tool_choice: Some(ToolChoice::None), ..hello() };
    assert_eq!(body(CLAUDE, &silent).get("toolConfig"), None);
    let talk = vec![
        Turn::text(Role::User, "Hello"),
        turn(Role::Assistant, vec![asks("c", "weather", "{}"), asks("d", "weather", "{}")]),
        turn(Role::Tool, vec![result("c", vec![Part::text("x")], false), result("d", vec![Part::text("y")], false)]),
    ];
    let toolless = call(talk.clone());
    let spec = json!({"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object", "properties": {}}}}});
    assert_eq!(body(CLAUDE, &toolless)["toolConfig"], json!({"tools": [spec]}));
    assert_eq!(lost(CLAUDE, &toolless), ["tools"]);
    let silent = Call { tools: vec![weather()], tool_choice: Some(ToolChoice::None), ..call(talk) };
    assert_eq!(encoded(CLAUDE, &silent).unwrap_err().class, FaultClass::Unsupported);
}

fn effort(word: &str) -> ReasoningWanted {
    ReasoningWanted { effort: Some(word.into()), budget_tokens: None, summary: None }
}

fn budget(tokens: u32) -> ReasoningWanted {
    ReasoningWanted { effort: None, budget_tokens: Some(tokens), summary: None }
}

#[track_caller]
fn thinks(model: &str, reasoning: ReasoningWanted, max_tokens: Option<u32>, want: Value, losses: &[&str]) {
    let asked = Call { reasoning: Some(reasoning.clone()), max_tokens, ..hello() };
    let fields = body(model, &asked).get("additionalModelRequestFields").cloned().unwrap_or_default();
    assert_eq!(fields, want, "{model} {reasoning:?}");
    assert_eq!(lost(model, &asked), losses, "{model} {reasoning:?}");
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_maker() {
    let newest = "eu.anthropic.claude-opus-4-7";
    let oldest = "anthropic.claude-3-haiku-20240307-v1:0";
    let fixed = |tokens: u32| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
    thinks(CLAUDE, budget(2000), None, fixed(2000), &[]);
    thinks(CLAUDE, budget(100), None, fixed(1024), &[]);
    thinks(CLAUDE, budget(9000), Some(4000), fixed(3999), &[]);
    thinks(CLAUDE, effort("low"), None, fixed(2048), &[]);
    thinks(CLAUDE, effort("high"), Some(8000), fixed(4000), &[]);
    thinks(CLAUDE, effort("high"), Some(1000), Value::Null, &["reasoning"]);
    thinks(CLAUDE, effort("none"), None, Value::Null, &[]);
    thinks(newest, effort("high"), None, json!({"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}), &[]);
    thinks(oldest, effort("high"), None, Value::Null, &["reasoning"]);
    thinks(
        "us.amazon.nova-2-lite-v1:0",
        effort("low"),
        None,
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        &[],
    );
    thinks(
        "us.amazon.nova-2-lite-v1:0",
        budget(20_000),
        None,
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        &[],
    );
    thinks("us.amazon.nova-2-lite-v1:0", effort("none"), None, json!({"reasoningConfig": {"type": "disabled"}}), &[]);
    thinks("openai.gpt-oss-120b-1:0", effort("medium"), None, json!({"reasoning_effort": "medium"}), &[]);
    thinks("openai.gpt-oss-120b-1:0", effort("none"), None, Value::Null, &["reasoning"]);
    thinks("openai.gpt-oss-120b-1:0", effort("furious"), None, Value::Null, &["reasoning"]);
    thinks(NOVA, effort("high"), None, Value::Null, &["reasoning"]);
    thinks(NOVA, effort("none"), None, Value::Null, &[]);
}

#[test]
fn claude_samples_only_as_it_can() {
    let sampled = Call { temperature: Some(0.3), top_p: Some(0.8), top_k: Some(5), ..hello() };
    assert_eq!(lost(CLAUDE, &sampled), ["top_p"]);
    assert_eq!(body(CLAUDE, &sampled)["inferenceConfig"], json!({"temperature": 0.3}));
    let thinking = Call { reasoning: Some(budget(2000)), ..sampled.clone() };
    assert_eq!(lost(CLAUDE, &thinking), ["temperature", "top_p", "top_k"]);
    let forced =
        Call { tools: vec![weather()], tool_choice: Some(ToolChoice::Required), reasoning: Some(budget(2000)), ..hello() };
    assert_eq!(lost(CLAUDE, &forced), ["reasoning"]);
    let thoughtless = call(vec![
        Turn::text(Role::User, "Hello"),
        turn(Role::Assistant, vec![asks("c", "weather", "{}")]),
        turn(Role::Tool, vec![result("c", vec![Part::text("x")], false)]),
    ]);
    let thoughtless = Call { tools: vec![weather()], reasoning: Some(budget(2000)), ..thoughtless };
    assert_eq!(lost(CLAUDE, &thoughtless), ["reasoning"]);
    assert_eq!(lost(NOVA, &sampled), [""; 0]);
}

#[track_caller]
fn medium(part: Part, want: Value) {
    let asked = call(vec![turn(Role::User, vec![part])]);
    assert_eq!(body(CLAUDE, &asked)["messages"][0]["content"], json!([want]));
}

#[test]
fn media_have_the_formats_aws_takes() {
    let base64 = |media_type: &str| Media::Base64 { media_type: media_type.into(), data: "AAAA".into() };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let file = |source, name: &str| Part::File { source, name: Some(name.into()), cache: None };
    let bytes = json!({"bytes": "AAAA"});
    medium(image(base64("image/jpg")), json!({"image": {"format": "jpeg", "source": bytes}}));
    medium(image(Media::Url("data:image/webp;base64,AAAA".into())), json!({"image": {"format": "webp", "source": bytes}}));
    medium(
        image(Media::Url("s3://bucket/cat.png".into())),
        json!({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/cat.png"}}}}),
    );
    medium(file(base64("image/png"), "a.png"), json!({"image": {"format": "png", "source": bytes}}));
    medium(
        file(base64("application/pdf"), "Report_Q3  (final).v2.pdf"),
        json!({"document": {"format": "pdf", "name": "Report Q3 (final) v2", "source": bytes}}),
    );
    medium(file(base64(""), "notes.MD"), json!({"document": {"format": "md", "name": "notes", "source": bytes}}));
    medium(
        Part::File { source: base64("text/plain"), name: None, cache: None },
        json!({"document": {"format": "txt", "name": "document", "source": bytes}}),
    );
    medium(Part::Audio { source: base64("audio/x-wav"), format: None }, json!({"audio": {"format": "wav", "source": bytes}}));
    medium(Part::Audio { source: base64(""), format: Some("mp3".into()) }, json!({"audio": {"format": "mp3", "source": bytes}}));
}

#[test]
fn documents_have_names_of_their_own() {
    let pdf = || Media::Base64 { media_type: "application/pdf".into(), data: "AAAA".into() };
    let file = |name: &str| Part::File { source: pdf(), name: Some(name.into()), cache: None };
    let asked =
        call(vec![turn(Role::User, vec![file("a.pdf"), file("a.pdf"), file("…")]), turn(Role::User, vec![file("a.pdf")])]);
    let body = body(CLAUDE, &asked);
    let content = body["messages"][0]["content"].as_array().unwrap();
    let names: Vec<&str> = content.iter().map(|block| block["document"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "a (2)", "document", "a (3)"]);
}

#[test]
fn fields_said_in_this_dialect_are_said_again() {
    let mut asked = Call { said_in: Dialect::Bedrock, top_k: Some(5), ..hello() };
    asked.extra.insert("guardrailConfig".into(), json!({"guardrailIdentifier": "g", "guardrailVersion": "1"}));
    asked.extra.insert("additionalModelRequestFields".into(), json!({"anthropic_beta": ["context-1m-2025-08-07"]}));
    let body = body(CLAUDE, &asked);
    assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], json!("g"));
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 5, "anthropic_beta": ["context-1m-2025-08-07"]}));
    assert!(lost(CLAUDE, &asked).is_empty());
}

#[test]
fn streams_have_an_address_of_their_own() {
    let path = |stream| encoded(NOVA, &Call { stream, ..hello() }).unwrap().outgoing.uri.to_string();
    let base = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.amazon.nova-lite-v1%3A0";
    assert_eq!(path(false), format!("{base}/converse"));
    assert_eq!(path(true), format!("{base}/converse-stream"));
}
