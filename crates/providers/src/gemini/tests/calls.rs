//! From a call to Google's JSON.

use http::{HeaderMap, Method};
use mainspring_kernel::Timestamp;
use mainspring_llm::exchange::{Call, Dialect, Format, Media, Part, ReasoningWanted, Role, Tool, ToolChoice, Turn};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{KEY, asks, body, call, encoded, endpoint, flash, hello, lost, result, turn, weather};
use crate::{fault::FaultClass, gemini::Gemini, seam::Adapter};

#[test]
fn a_conversation_becomes_contents_and_instructions() {
    let image = Media::Base64 { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() };
    let asked = call(vec![
        Turn::text(Role::System, "Be brief."),
        Turn::text(Role::Developer, "Use metric units."),
        turn(
            Role::User,
            vec![
                Part::text("What is the weather here?"),
                Part::Image { source: image, detail: Some("auto".into()), cache: None },
            ],
        ),
        turn(
            Role::Assistant,
            vec![
                Part::text("I will look."),
                Part::ToolCall {
                    id: "call_7".into(),
                    name: "weather".into(),
                    arguments: r#"{"city":"Ulm"}"#.into(),
                    signature: None,
                },
            ],
        ),
        turn(
            Role::Tool,
            vec![Part::ToolResult {
                id: "call_7".into(),
                name: None,
                parts: vec![Part::text(r#"{"celsius": 21}"#)],
                is_error: false,
                cache: None,
            }],
        ),
        Turn::text(Role::User, "And tomorrow?"),
    ]);
    let want = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Use metric units."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "What is the weather here?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
            ]},
            {"role": "model", "parts": [
                {"text": "I will look."},
                {"functionCall": {"id": "call_7", "name": "weather", "args": {"city": "Ulm"}}}
            ]},
            {"role": "user", "parts": [{"functionResponse": {"id": "call_7", "name": "weather", "response": {"celsius": 21}}}]},
            {"role": "user", "parts": [{"text": "And tomorrow?"}]}
        ]
    });
    assert_eq!(body(&flash(), &asked), want);
    assert!(lost(&flash(), &asked).is_empty());
}

#[test]
fn instructions_alone_are_asked_as_a_person_would() {
    let asked = call(vec![Turn::text(Role::System, "Tell a joke.")]);
    assert_eq!(body(&flash(), &asked), json!({"contents": [{"role": "user", "parts": [{"text": "Tell a joke."}]}]}));
}

#[track_caller]
fn setting(set: impl FnOnce(&mut Call), pointer: &str, want: Value) {
    let mut asked = hello();
    set(&mut asked);
    let body = body(&flash(), &asked);
    assert_eq!(body.pointer(pointer), Some(&want), "{pointer} of {body}");
}

#[test]
fn settings_have_their_place() {
    setting(|call| call.temperature = Some(0.2), "/generationConfig/temperature", json!(0.2));
    setting(|call| call.top_p = Some(0.9), "/generationConfig/topP", json!(0.9));
    setting(|call| call.top_k = Some(40), "/generationConfig/topK", json!(40));
    setting(|call| call.max_tokens = Some(512), "/generationConfig/maxOutputTokens", json!(512));
    setting(|call| call.stop = vec!["END".into(), "\n\n".into()], "/generationConfig/stopSequences", json!(["END", "\n\n"]));
    setting(|call| call.n = Some(3), "/generationConfig/candidateCount", json!(3));
    setting(|call| call.seed = Some(7), "/generationConfig/seed", json!(7));
    setting(|call| call.seed = Some(-1), "/generationConfig/seed", json!(2_147_483_646));
    setting(|call| call.presence_penalty = Some(0.5), "/generationConfig/presencePenalty", json!(0.5));
    setting(|call| call.frequency_penalty = Some(-0.5), "/generationConfig/frequencyPenalty", json!(-0.5));
    setting(|call| call.logprobs = Some(0), "/generationConfig/responseLogprobs", json!(true));
    setting(|call| call.logprobs = Some(3), "/generationConfig/logprobs", json!(3));
    setting(|call| call.format = Format::Json, "/generationConfig/responseMimeType", json!("application/json"));
    let drawn = |call: &mut Call| drop(call.extra.insert("modalities".into(), json!(["text", "image"])));
    setting(drawn, "/generationConfig/responseModalities", json!(["TEXT", "IMAGE"]));
    let schema = |call: &mut Call| {
        call.format = Format::Schema {
            name: "person".into(),
            schema: json!({"type": "object", "properties": {"age": {"type": "integer"}}}),
            strict: Some(true),
            description: Some("A person.".into()),
        };
    };
    setting(schema, "/generationConfig/responseMimeType", json!("application/json"));
    setting(
        schema,
        "/generationConfig/responseJsonSchema",
        json!({"type": "object", "properties": {"age": {"type": "integer"}}, "description": "A person."}),
    );
}

#[test]
fn what_is_not_set_is_not_said() {
    assert_eq!(body(&flash(), &hello()), json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}));
    let mut provider = flash();
    provider.default_max_tokens = Some(900);
    assert_eq!(body(&provider, &hello())["generationConfig"], json!({"maxOutputTokens": 900}));
}

#[test]
fn functions_are_declared_and_chosen() {
    let nothing = |name: &str| Tool::Function {
        name: name.into(),
        description: None,
        parameters: Some(json!({"type": "object", "properties": {}})),
        strict: None,
        cache: None,
    };
    let search = Tool::Hosted { said_in: Dialect::Gemini, value: json!({"googleSearch": {}}) };
    let asked = Call { tools: vec![search, weather(), nothing("now")], ..hello() };
    assert_eq!(
        body(&flash(), &asked)["tools"],
        json!([
            {"functionDeclarations": [
                {
                    "name": "weather",
                    "description": "The weather now.",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
                },
                {"name": "now"}
            ]},
            {"googleSearch": {}}
        ])
    );
    for (choice, want) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (ToolChoice::Function("weather".into()), json!({"mode": "ANY", "allowedFunctionNames": ["weather"]})),
    ] {
        let asked = Call { tool_choice: Some(choice), ..asked.clone() };
        assert_eq!(body(&flash(), &asked)["toolConfig"], json!({"functionCallingConfig": want}));
        let toolless = Call { tools: Vec::new(), ..asked };
        assert_eq!(body(&flash(), &toolless).get("toolConfig"), None);
    }
}

fn wanted(effort: Option<&str>, budget_tokens: Option<u32>, summary: Option<&str>) -> ReasoningWanted {
    ReasoningWanted { effort: effort.map(str::to_owned), budget_tokens, summary: summary.map(str::to_owned) }
}

#[track_caller]
fn thinks(model: &str, reasoning: ReasoningWanted, said_in: Dialect, want: Value, losses: usize) {
    let asked = Call { reasoning: Some(reasoning.clone()), said_in, ..hello() };
    let config = body(&endpoint(model), &asked).pointer("/generationConfig/thinkingConfig").cloned().unwrap_or_default();
    assert_eq!(config, want, "{model} {reasoning:?}");
    assert_eq!(lost(&endpoint(model), &asked).len(), losses, "{model} {reasoning:?}");
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_generation() {
    use Dialect::{Anthropic, OpenAiChat};
    let effort = |word| wanted(Some(word), None, None);
    thinks("gemini-2.5-flash", effort("none"), OpenAiChat, json!({"thinkingBudget": 0}), 0);
    thinks("gemini-2.5-flash", effort("minimal"), OpenAiChat, json!({"thinkingBudget": 1024}), 0);
    thinks("gemini-2.5-flash", effort("low"), OpenAiChat, json!({"thinkingBudget": 1024}), 0);
    thinks("gemini-2.5-flash", effort("medium"), OpenAiChat, json!({"thinkingBudget": 8192}), 0);
    thinks("gemini-2.5-flash", effort("high"), OpenAiChat, json!({"thinkingBudget": 24576}), 0);
    thinks("gemini-2.5-flash", effort("furious"), OpenAiChat, Value::Null, 1);
    thinks("gemini-3.5-flash", effort("none"), OpenAiChat, json!({"thinkingLevel": "minimal"}), 1);
    thinks("gemini-3.5-flash", effort("medium"), OpenAiChat, json!({"thinkingLevel": "medium"}), 0);
    thinks("gemini-4-argon", effort("high"), OpenAiChat, json!({"thinkingLevel": "high"}), 0);
    thinks("gemini-pro-latest", effort("xhigh"), OpenAiChat, json!({"thinkingLevel": "high"}), 1);
    thinks(
        "gemini-2.5-pro",
        wanted(None, Some(2000), None),
        OpenAiChat,
        json!({"thinkingBudget": 2000, "includeThoughts": true}),
        0,
    );
    thinks("gemini-2.5-pro", wanted(None, Some(0), None), Anthropic, json!({"thinkingBudget": 0}), 0);
    thinks(
        "gemini-3.5-flash",
        wanted(Some("low"), None, Some("auto")),
        OpenAiChat,
        json!({"thinkingLevel": "low", "includeThoughts": true}),
        0,
    );
    thinks("gemini-3.5-flash", effort("low"), Anthropic, json!({"thinkingLevel": "low", "includeThoughts": true}), 0);
    thinks("gemini-3.5-flash", wanted(None, None, None), Anthropic, json!({"includeThoughts": true}), 0);
    thinks("gemini-3.5-flash", wanted(None, None, None), OpenAiChat, Value::Null, 0);
}

#[track_caller]
fn medium(part: Part, want: Value) {
    let asked = call(vec![turn(Role::User, vec![part])]);
    assert_eq!(body(&flash(), &asked)["contents"][0]["parts"], json!([want]));
}

#[test]
fn media_go_inline_or_by_address() {
    let base64 = |media_type: &str| Media::Base64 { media_type: media_type.into(), data: "AAAA".into() };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let file = |source| Part::File { source, name: None, cache: None };
    let sound = |format: &str| Part::Audio { source: base64(""), format: Some(format.into()) };
    medium(image(base64("image/webp")), json!({"inlineData": {"mimeType": "image/webp", "data": "AAAA"}}));
    medium(
        image(Media::Url("data:image/gif;base64,R0lGOD==".into())),
        json!({"inlineData": {"mimeType": "image/gif", "data": "R0lGOD=="}}),
    );
    medium(
        image(Media::Url("https://example.org/a/cat.JPG?size=2".into())),
        json!({"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/a/cat.JPG?size=2"}}),
    );
    medium(image(Media::Url("https://example.org/cat".into())), json!({"fileData": {"fileUri": "https://example.org/cat"}}));
    medium(sound("wav"), json!({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}));
    medium(sound("mp3"), json!({"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}));
    medium(file(base64("application/pdf")), json!({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}));
    medium(
        file(Media::Id("files/abc-123".into())),
        json!({"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc-123"}}),
    );
    medium(file(Media::Id("gs://bucket/a.pdf".into())), json!({"fileData": {"fileUri": "gs://bucket/a.pdf"}}));
    let named = Part::File { source: base64(""), name: Some("notes.md".into()), cache: None };
    medium(named, json!({"inlineData": {"mimeType": "text/markdown", "data": "AAAA"}}));
}

#[test]
fn results_are_objects_and_those_of_one_turn_stay_together() {
    let asked = call(vec![
        Turn::text(Role::User, "Both?"),
        turn(Role::Assistant, vec![asks("gmn_1", "a", "", None), asks("gmn_2", "b", "{}", None)]),
        turn(Role::Tool, vec![result("gmn_1", "twelve", false)]),
        turn(Role::Tool, vec![result("gmn_2", r#"{"down": true}"#, true)]),
        Turn::text(Role::User, "Well?"),
    ]);
    let body = body(&flash(), &asked);
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{"functionCall": {"name": "a", "args": {}}}, {"functionCall": {"name": "b", "args": {}}}])
    );
    assert_eq!(
        body["contents"][2]["parts"],
        json!([
            {"functionResponse": {"name": "a", "response": {"result": "twelve"}}},
            {"functionResponse": {"name": "b", "response": {"error": "{\"down\": true}"}}}
        ])
    );
    assert_eq!(body["contents"][3]["parts"], json!([{"text": "Well?"}]));
}

#[test]
fn what_a_tool_shows_stands_beside_its_result() {
    let shown = Part::ToolResult {
        id: "toolu_1".into(),
        name: None,
        parts: vec![
            Part::text("here"),
            Part::Image {
                source: Media::Base64 { media_type: "image/png".into(), data: "AAAA".into() },
                detail: None,
                cache: None,
            },
        ],
        is_error: false,
        cache: None,
    };
    let asked = call(vec![
        turn(Role::Assistant, vec![asks("toolu_1", "look", "{}", None)]),
        turn(Role::User, vec![shown, Part::text("What is it?")]),
    ]);
    assert_eq!(
        body(&flash(), &asked)["contents"],
        json!([
            {"role": "model", "parts": [{"functionCall": {"id": "toolu_1", "name": "look", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "toolu_1", "name": "look", "response": {"result": "here"}}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
            ]},
            {"role": "user", "parts": [{"text": "What is it?"}]}
        ])
    );
}

#[test]
fn a_call_without_its_signature_is_excused_where_gemini_asks() {
    let asked = call(vec![
        turn(Role::Assistant, vec![asks("c1", "a", "{}", None), asks("c2", "b", "{}", None)]),
        turn(Role::Assistant, vec![asks("c3", "a", "{}", Some("Ci8B+/=="))]),
    ]);
    let third = body(&endpoint("gemini-3.5-flash"), &asked);
    assert_eq!(third.pointer("/contents/0/parts/0/thoughtSignature"), Some(&json!("skip_thought_signature_validator")));
    assert_eq!(third.pointer("/contents/0/parts/1/thoughtSignature"), None);
    assert_eq!(third.pointer("/contents/1/parts/0/thoughtSignature"), Some(&json!("Ci8B+/==")));
    assert_eq!(lost(&endpoint("gemini-3.5-flash"), &asked), ["messages[0].tool_calls"]);
    assert_eq!(body(&flash(), &asked).pointer("/contents/0/parts/0/thoughtSignature"), None);
    assert!(lost(&flash(), &asked).is_empty());
}

#[test]
fn fields_said_in_this_dialect_are_said_again() {
    let mut asked = Call { said_in: Dialect::Gemini, temperature: Some(0.1), ..hello() };
    asked.extra.insert("safetySettings".into(), json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]));
    asked.extra.insert("generationConfig".into(), json!({"mediaResolution": "MEDIA_RESOLUTION_LOW"}));
    let body = body(&flash(), &asked);
    assert_eq!(body["safetySettings"][0]["threshold"], json!("OFF"));
    assert_eq!(body["generationConfig"], json!({"temperature": 0.1, "mediaResolution": "MEDIA_RESOLUTION_LOW"}));
    assert!(lost(&flash(), &asked).is_empty());
}

#[test]
fn the_address_names_model_and_method_and_never_the_key() {
    for (model, stream, want) in [
        ("gemini-2.5-flash", false, "models/gemini-2.5-flash:generateContent"),
        ("gemini-2.5-flash", true, "models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-2.5-pro", false, "models/gemini-2.5-pro:generateContent"),
        ("tunedModels/my model", false, "tunedModels/my%20model:generateContent"),
    ] {
        let endpoint = endpoint(model);
        let mut outgoing = encoded(&endpoint, &Call { stream, ..hello() }).unwrap().outgoing;
        Gemini.authorize(&endpoint, &mut outgoing, Timestamp::default()).unwrap();
        assert_eq!(outgoing.uri.to_string(), format!("{}/{want}", endpoint.base_url));
        assert_eq!(outgoing.method, Method::POST);
        assert_eq!(outgoing.headers["x-goog-api-key"], KEY);
        assert_eq!(outgoing.headers["content-type"], "application/json");
        assert!(!format!("{outgoing:?}").contains(KEY));
    }
}

#[test]
fn headers_of_the_provider_go_along_and_bad_ones_are_refused() {
    let mut endpoint = flash();
    endpoint.headers.insert("x-team".into(), "red".into());
    let headers: HeaderMap = encoded(&endpoint, &hello()).unwrap().outgoing.headers;
    assert_eq!(headers["x-team"], "red");
    endpoint.headers.insert("x team".into(), "red".into());
    assert_eq!(encoded(&endpoint, &hello()).unwrap_err().class, FaultClass::Invalid);
    let mut endpoint = flash();
    endpoint.credential = Some(SecretString::from("line\nbreak"));
    let mut outgoing = encoded(&endpoint, &hello()).unwrap().outgoing;
    let fault = Gemini.authorize(&endpoint, &mut outgoing, Timestamp::default()).unwrap_err();
    assert_eq!(fault.class, FaultClass::Auth);
    assert!(!fault.to_string().contains("line"));
    endpoint.credential = None;
    Gemini.authorize(&endpoint, &mut outgoing, Timestamp::default()).unwrap();
    assert!(!outgoing.headers.contains_key("x-goog-api-key"));
}
