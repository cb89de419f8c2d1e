use mainspring_llm::exchange::{Call, Dialect, Format, Media, Part, Reasoning, ReasoningWanted, Role, Tool, ToolChoice};
use serde_json::{Value, json};

use super::{
    call,
    encode::{MODEL, base64, sent, sent_to, tool_call, tool_result, turn},
    endpoint, json,
};
use crate::{anthropic::Anthropic, fault::FaultClass, seam::Adapter};

fn tool(name: &str, parameters: Option<Value>) -> Tool {
    Tool::Function { name: name.to_owned(), description: None, parameters, strict: None, cache: None }
}

#[test]
fn tools_have_a_schema_and_a_choice() {
    let mut call = call();
    let closed = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    call.tools = vec![tool("bare", None), tool("full", Some(closed.clone())), tool("untyped", Some(json!({"properties": {}})))];
    if let Tool::Function { description, strict, .. } = &mut call.tools[1] {
        (*description, *strict) = (Some("Weather.".to_owned()), Some(true));
    }
    let body = sent(&call);
    assert_eq!(
        body["tools"],
        json!([
            {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
            {"name": "full", "description": "Weather.", "input_schema": closed, "strict": true},
            {"name": "untyped", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
    assert_eq!(body.get("tool_choice"), None);
    for (choice, parallel, expected) in [
        (None, Some(true), Value::Null),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Required), Some(false), json!({"type": "any", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Function("full".to_owned())), None, json!({"type": "tool", "name": "full"})),
    ] {
        (call.tool_choice, call.parallel_tools) = (choice, parallel);
        assert_eq!(sent(&call)["tool_choice"], expected);
    }
    call.tools.clear();
    (call.tool_choice, call.parallel_tools) = (Some(ToolChoice::Auto), Some(false));
    assert_eq!(sent(&call).get("tool_choice"), None, "without tools there is nothing to choose");
}

#[test]
fn an_answer_always_has_a_bound() {
    let mut call = call();
    assert_eq!(sent(&call)["max_tokens"], json!(4096));
    let mut near = endpoint(MODEL);
    near.default_max_tokens = Some(99);
    let body = |call: &Call| json(std::str::from_utf8(&Anthropic.encode(&near, call).unwrap().outgoing.body).unwrap());
    assert_eq!(body(&call)["max_tokens"], json!(99));
    call.max_tokens = Some(7);
    assert_eq!(body(&call)["max_tokens"], json!(7));
}

#[test]
fn a_wish_to_think_is_said_as_the_model_takes_it() {
    let wish = |effort: Option<&str>, budget_tokens: Option<u32>, max_tokens: Option<u32>| {
        let mut call = call();
        call.reasoning = Some(ReasoningWanted { effort: effort.map(str::to_owned), budget_tokens, summary: None });
        call.max_tokens = max_tokens;
        call
    };
    let budget = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = json!({"type": "adaptive"});
    for (model, wish, thinking, effort, max_tokens, lost) in [
        ("claude-sonnet-4-5", wish(Some("high"), None, None), budget(16_384), None, 4096 + 16_384, ""),
        ("claude-opus-4-20250514", wish(Some("minimal"), None, None), budget(1024), None, 5120, ""),
        ("claude-3-7-sonnet-20250219", wish(Some("medium"), None, Some(8000)), budget(4000), None, 8000, ""),
        ("claude-sonnet-4-5", wish(Some("low"), None, Some(2000)), Value::Null, None, 2000, "reasoning"),
        ("claude-sonnet-4-5", wish(None, Some(3000), Some(2000)), budget(1999), None, 2000, ""),
        ("claude-sonnet-4-5", wish(None, Some(10), None), budget(1024), None, 5120, ""),
        ("deepseek-reasoner", wish(Some("max"), None, None), budget(32_768), None, 4096 + 32_768, ""),
        ("claude-opus-4-6", wish(Some("xhigh"), None, None), adaptive.clone(), Some("high"), 4096, ""),
        ("claude-opus-4-6", wish(None, Some(2048), None), budget(2048), None, 6144, ""),
        ("claude-opus-4-7", wish(Some("xhigh"), None, None), adaptive.clone(), Some("xhigh"), 4096, ""),
        ("claude-opus-4-8", wish(None, Some(5000), None), adaptive.clone(), Some("medium"), 4096, ""),
        ("claude-mythos-preview", wish(Some("minimal"), None, None), adaptive, Some("low"), 4096, ""),
        ("claude-3-5-haiku-20241022", wish(Some("high"), None, None), Value::Null, None, 4096, "reasoning"),
        ("claude-opus-4-7", wish(Some("wild"), None, None), Value::Null, None, 4096, "reasoning"),
        ("claude-opus-4-7", wish(Some("none"), None, None), Value::Null, None, 4096, ""),
        ("claude-sonnet-4-5", wish(None, Some(0), None), Value::Null, None, 4096, ""),
        ("claude-sonnet-4-5", wish(None, None, None), Value::Null, None, 4096, ""),
    ] {
        let (body, missing) = sent_to(model, &wish);
        let case = format!("{model} {:?} {:?}", wish.reasoning, wish.max_tokens);
        assert_eq!(body["thinking"], thinking, "{case}");
        assert_eq!(body["output_config"]["effort"], json!(effort), "{case}");
        assert_eq!(body["max_tokens"], json!(max_tokens), "{case}");
        assert_eq!(missing.join(" "), lost, "{case}");
    }
}

#[test]
fn thinking_gives_way_to_what_it_cannot_go_with() {
    let mut thinking = call();
    thinking.reasoning = Some(ReasoningWanted { effort: Some("low".to_owned()), ..ReasoningWanted::default() });
    thinking.tools = vec![tool("weather", None)];
    thinking.turns.push(turn(Role::Assistant, vec![tool_call("a", "{}")]));
    thinking.turns.push(turn(Role::Tool, vec![tool_result("a", vec![Part::text("rain")])]));
    let (body, lost) = sent_to(MODEL, &thinking);
    assert_eq!((body.get("thinking"), lost), (None, vec!["reasoning".to_owned()]), "its thinking did not come back");
    let (body, lost) = sent_to("claude-opus-4-6", &thinking);
    assert_eq!((body["thinking"]["type"].as_str(), lost.len()), (Some("adaptive"), 0));

    let signed = Reasoning { text: "hm".to_owned(), signature: Some("sig".to_owned()), ..Reasoning::default() };
    thinking.turns[1].parts.insert(0, Part::Reasoning(signed));
    assert_eq!(sent(&thinking)["thinking"]["budget_tokens"], json!(2048));

    thinking.tool_choice = Some(ToolChoice::Required);
    let (body, lost) = sent_to(MODEL, &thinking);
    assert_eq!((body.get("thinking"), lost), (None, vec!["reasoning".to_owned()]));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
}

#[test]
fn sampling_is_sent_where_the_model_takes_it() {
    let sampling = |temperature: Option<f64>, top_p: Option<f64>, top_k: Option<u32>| {
        let mut call = call();
        (call.temperature, call.top_p, call.top_k) = (temperature, top_p, top_k);
        call
    };
    for (model, call, expected, lost) in [
        (MODEL, sampling(Some(0.25), None, Some(40)), [json!(0.25), json!(null), json!(40)], ""),
        (MODEL, sampling(Some(0.0), Some(1.0), None), [json!(0.0), json!(null), json!(null)], ""),
        (MODEL, sampling(Some(1.0), Some(0.5), None), [json!(null), json!(0.5), json!(null)], ""),
        (MODEL, sampling(Some(0.5), Some(0.5), None), [json!(0.5), json!(null), json!(null)], "top_p"),
        ("claude-3-haiku-20240307", sampling(Some(0.5), Some(0.5), None), [json!(0.5), json!(0.5), json!(null)], ""),
        (MODEL, sampling(Some(1.5), None, None), [json!(null), json!(null), json!(null)], "temperature"),
        (
            "claude-opus-4-7",
            sampling(Some(0.5), Some(0.5), Some(1)),
            [json!(null), json!(null), json!(null)],
            "temperature top_p top_k",
        ),
    ] {
        let (body, missing) = sent_to(model, &call);
        let said = ["temperature", "top_p", "top_k"].map(|name| body[name].clone());
        assert_eq!((said, missing.join(" ").as_str()), (expected, lost), "{model} {:?} {:?}", call.temperature, call.top_p);
    }
    let mut thinking = sampling(Some(0.5), None, Some(5));
    thinking.reasoning = Some(ReasoningWanted { effort: Some("low".to_owned()), ..ReasoningWanted::default() });
    assert_eq!(sent_to(MODEL, &thinking).1, ["temperature", "top_k"]);
}

#[test]
fn a_schema_is_closed_and_any_json_is_asked_for_in_words() {
    let mut call = call();
    let schema = json!({
        "type": "object",
        "properties": {
            "properties": {"type": "string"},
            "of": {"type": "array", "items": {"type": "object", "properties": {}}},
            "open": {"type": "object", "additionalProperties": {"type": "object"}},
        },
        "$defs": {"a": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
    });
    call.format = Format::Schema { name: "x".to_owned(), schema, strict: Some(true), description: None };
    assert_eq!(
        sent(&call)["output_config"],
        json!({"format": {"type": "json_schema", "schema": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "properties": {"type": "string"},
                "of": {"type": "array", "items": {"type": "object", "properties": {}, "additionalProperties": false}},
                "open": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": false}},
            },
            "$defs": {"a": {"anyOf": [{"type": "object", "additionalProperties": false}, {"type": "null"}]}},
        }}})
    );
    call.format = Format::Json;
    let (body, lost) = sent_to(MODEL, &call);
    assert!(body["system"].as_str().unwrap().contains("JSON"), "{body}");
    assert_eq!(lost, ["response_format"]);
}

#[test]
fn what_would_change_the_answer_is_refused() {
    let refused = |change: &dyn Fn(&mut Call)| {
        let mut call = call();
        change(&mut call);
        Anthropic.encode(&endpoint(MODEL), &call).unwrap_err()
    };
    let hosted = Tool::Hosted { said_in: Dialect::OpenAiResponses, value: json!({"type": "web_search"}) };
    let foreign = Part::Other { said_in: Dialect::Gemini, value: json!({"executableCode": {}}) };
    let sound = Part::Audio { source: base64("audio/wav", "UklGRg=="), format: Some("wav".to_owned()) };
    let changes: [(&str, Box<dyn Fn(&mut Call)>); 13] = [
        ("`n`", Box::new(|call: &mut Call| call.n = Some(2))),
        ("`logprobs`", Box::new(|call: &mut Call| call.logprobs = Some(0))),
        ("`stop`", Box::new(|call: &mut Call| call.stop = vec!["\n".to_owned()])),
        ("audio", Box::new(move |call: &mut Call| call.turns[0].parts.push(sound.clone()))),
        ("tools[0]", Box::new(move |call: &mut Call| call.tools.push(hosted.clone()))),
        ("messages[0].content[1]", Box::new(move |call: &mut Call| call.turns[0].parts.push(foreign.clone()))),
        (
            "another provider keeps",
            Box::new(|call: &mut Call| {
                call.turns[0].parts.push(Part::File { source: Media::Id("file-1".to_owned()), name: None, cache: None });
            }),
        ),
        (
            "neither PDF nor text",
            Box::new(|call: &mut Call| {
                call.turns[0].parts.push(Part::File { source: base64("application/zip", "UEs="), name: None, cache: None });
            }),
        ),
        (
            "not on the web",
            Box::new(|call: &mut Call| {
                call.turns[0].parts.push(Part::Image {
                    source: Media::Url("gs://a/b.png".to_owned()),
                    detail: None,
                    cache: None,
                });
            }),
        ),
        ("without a user message", Box::new(|call: &mut Call| call.turns[0].role = Role::System)),
        (
            "`web_search_options`",
            Box::new(|call: &mut Call| {
                call.extra.insert("web_search_options".to_owned(), json!({}));
            }),
        ),
        (
            "`modalities`",
            Box::new(|call: &mut Call| {
                call.extra.insert("modalities".to_owned(), json!(["text", "audio"]));
            }),
        ),
        (
            "`previous_response_id`",
            Box::new(|call: &mut Call| {
                call.extra.insert("previous_response_id".to_owned(), json!("resp_1"));
            }),
        ),
    ];
    for (named, change) in changes {
        let fault = refused(change.as_ref());
        assert_eq!(fault.class, FaultClass::Unsupported, "{named}");
        assert!(fault.message.contains(named), "{named}: {}", fault.message);
    }
}

#[test]
fn what_changes_little_is_left_behind_and_listed() {
    let mut call = call();
    call.seed = Some(1);
    call.frequency_penalty = Some(0.5);
    call.presence_penalty = Some(0.0);
    call.user = Some("ann".to_owned());
    call.metadata.insert("ticket".to_owned(), json!("7"));
    call.service_tier = Some("flex".to_owned());
    call.stop = vec!["END".to_owned()];
    call.stream = true;
    call.extra.insert("logit_bias".to_owned(), json!({"5": 1}));
    call.extra.insert("modalities".to_owned(), json!(["text"]));
    call.extra.insert("audio".to_owned(), Value::Null);
    let (body, lost) = sent_to(MODEL, &call);
    assert_eq!(lost, ["metadata", "service_tier", "seed", "frequency_penalty", "logit_bias", "modalities"]);
    assert_eq!(body["metadata"], json!({"user_id": "ann"}));
    assert_eq!((&body["stop_sequences"], &body["stream"]), (&json!(["END"]), &json!(true)));
}
