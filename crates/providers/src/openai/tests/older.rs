//! Clients that have functions, from before there were tools.

use mainspring_llm::exchange::{Answer, Call, Choice, Dialect, Event, Finish, Part, Role, Tool, ToolChoice};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{PLAIN, UNKNOWN, at};
use crate::{
    fault::FaultClass,
    openai::chat::{Writer, is_older, read, write_older},
    plain,
    seam::{Adapter as _, Endpoint, adapter},
    spec::ProviderKind,
};

fn body() -> Value {
    json!({
        "model": "m",
        "functions": [{"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}],
        "function_call": {"name": "weather"},
        "random_seed": 7,
        "messages": [
            {"role": "user", "content": "Is it warm in Köln?"},
            {"role": "assistant", "content": null, "function_call": {"name": "weather", "arguments": "{\"city\":\"Köln\"}"}},
            {"role": "function", "name": "weather", "content": "Warm."},
            {"role": "assistant", "content": "It is."},
        ],
    })
}

fn of(body: &Value) -> Call {
    read(body.to_string().as_bytes()).unwrap()
}

fn answer(calls: usize) -> Answer {
    let call = |number: usize| Part::ToolCall {
        id: format!("call_{number}"),
        name: "weather".to_owned(),
        arguments: r#"{"city":"Bonn"}"#.to_owned(),
        signature: None,
    };
    Answer {
        id: "msg_1".to_owned(),
        model: "served".to_owned(),
        choices: vec![Choice {
            parts: (0..calls).map(call).collect(),
            finish: Finish::ToolCalls,
            stop_sequence: None,
            logprobs: None,
        }],
        usage: None,
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::Anthropic,
        extra: Map::new(),
    }
}

#[test]
fn functions_are_tools_elsewhere() {
    let call = of(&body());
    let newer = plain::of(&call, Dialect::Gemini).into_owned();
    let Tool::Function { name, description, parameters, .. } = &newer.tools[0] else { panic!("{:?}", newer.tools) };
    assert_eq!((name.as_str(), description.as_deref()), ("weather", Some("Tells the weather.")));
    assert_eq!(parameters.as_ref().unwrap()["properties"]["city"]["type"], "string");
    let choice = Some(ToolChoice::Function("weather".to_owned()));
    assert_eq!((newer.tool_choice, newer.parallel_tools, newer.seed), (choice, Some(false), Some(7)));
    assert!(newer.extra.is_empty(), "{:?}", newer.extra);
    let called = Part::ToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: r#"{"city":"Köln"}"#.to_owned(),
        signature: None,
    };
    let result = Part::ToolResult {
        id: "call_1".to_owned(),
        name: Some("weather".to_owned()),
        parts: vec![Part::text("Warm.")],
        is_error: false,
        cache: None,
    };
    assert_eq!((&newer.turns[1].parts, &newer.turns[2].parts), (&vec![called], &vec![result]));
    assert!(plain::of(&call, Dialect::Bedrock).extra.contains_key("random_seed"), "it takes none");
    assert_eq!((newer.turns[2].role, newer.turns[3].joined_text()), (Role::Tool, "It is.".to_owned()));
}

#[test]
fn a_server_of_this_dialect_is_told_of_them_as_they_were() {
    let sent = PLAIN.encode(&at(UNKNOWN), &of(&body())).unwrap();
    let sent: Value = serde_json::from_slice(&sent.outgoing.body).unwrap();
    for name in ["functions", "function_call", "random_seed"] {
        assert_eq!(sent[name], body()[name], "{name}");
    }
    assert!(sent.get("tools").is_none(), "{sent}");
    assert_eq!((&sent["messages"][1], &sent["messages"][2]), (&body()["messages"][1], &body()["messages"][2]));
}

#[test]
fn what_cannot_be_read_stays_and_is_refused() {
    let mut odd = body();
    odd["functions"] = json!([{"description": "nameless"}]);
    odd["function_call"] = json!({"other": 1});
    odd["messages"] = json!([{"role": "user", "content": "x"}, {"role": "function", "name": "f", "content": "nobody called it"}]);
    let call = of(&odd);
    let newer = plain::of(&call, Dialect::Gemini);
    assert!(newer.extra.contains_key("functions") && newer.extra.contains_key("function_call"));
    assert_eq!((&newer.tools, &newer.turns), (&Vec::new(), &call.turns));
    refused_everywhere(&odd);
    let mut odd = body();
    odd["functions"][0]["parameters"] = json!("a city");
    assert!(plain::of(&of(&odd), Dialect::Gemini).extra.contains_key("functions"), "what it takes would be lost");
    refused_everywhere(&odd);
}

/// By everyone who does not know functions.
#[track_caller]
fn refused_everywhere(body: &Value) {
    for kind in [ProviderKind::Anthropic, ProviderKind::Gemini, ProviderKind::Bedrock] {
        let endpoint = Endpoint { kind, ..at(UNKNOWN) };
        let fault = adapter(kind).unwrap().encode(&endpoint, &of(body)).unwrap_err();
        assert_eq!(fault.class, FaultClass::Unsupported, "{kind:?}: {fault}");
    }
}

#[test]
fn a_call_that_cannot_be_read_is_not_left_out() {
    let answered = json!({"role": "tool", "tool_call_id": "c1", "content": "done"});
    let custom =
        json!({"role": "assistant", "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "f", "input": "x"}}]});
    for messages in
        [json!([custom, answered]), json!([{"role": "assistant", "content": "x", "function_call": {"arguments": "{}"}}])]
    {
        let mut all = vec![json!({"role": "user", "content": "x"})];
        all.extend(messages.as_array().unwrap().clone());
        refused_everywhere(&json!({"model": "m", "messages": all}));
    }
}

#[test]
fn a_function_that_gave_nothing_gave_an_empty_text() {
    let mut body = body();
    body["messages"][2]["content"] = Value::Null;
    let call = of(&body);
    let newer = plain::of(&call, Dialect::Gemini);
    let Part::ToolResult { id, parts, .. } = &newer.turns[2].parts[0] else { panic!("{:?}", newer.turns[2]) };
    assert_eq!((id.as_str(), parts), ("call_1", &vec![Part::text("")]));
}

#[test]
fn an_answer_calls_one_of_them() {
    assert!(is_older(body().to_string().as_bytes()));
    assert!(!is_older(br#"{"messages": [{"content": "\"functions\""}]}"#) && !is_older(br#"{"a": {"functions": []}}"#));
    let written = write_older(&answer(2), 1, "m");
    let choice = &written["choices"][0];
    let wanted = json!({"name": "weather", "arguments": r#"{"city":"Bonn"}"#});
    assert_eq!((&choice["message"]["function_call"], &choice["finish_reason"]), (&wanted, &json!("function_call")));
    assert!(choice["message"].get("tool_calls").is_none(), "{written}");

    let mut writer = Writer::new(1, "m", false).older();
    let mut chunks: Vec<String> = writer.push(Event::Began { id: "msg_1".to_owned(), model: "x".to_owned() });
    for call in 0..2 {
        let (id, name) = (format!("call_{call}"), "weather".to_owned());
        chunks.extend(writer.push(Event::ToolCall { choice: 0, call, id, name, signature: None }));
        for fragment in [r#"{"city":"#, r#""Bonn"}"#] {
            chunks.extend(writer.push(Event::Arguments { choice: 0, call, fragment: fragment.to_owned() }));
        }
    }
    chunks.extend(writer.push(Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None }));
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    let called = |name: &str| -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["function_call"][name].as_str()).collect()
    };
    assert_eq!((called("name"), called("arguments")), ("weather".to_owned(), r#"{"city":"Bonn"}"#.to_owned()));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "function_call");
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
}

proptest! {
    #[test]
    fn no_body_is_too_strange(field in "functions|function_call|messages|random_seed", value in "null|1|\"x\"|\\[\\]|\\[1\\]|\\{\\}|\\[\\{\\}\\]|\\[\\{\"role\":\"function\",\"content\":null\\}\\]", cut in 0_usize..900) {
        let mut body = body();
        body[field.as_str()] = serde_json::from_str(&value).unwrap();
        let body = body.to_string();
        for bytes in [body.as_bytes(), &body.as_bytes()[..cut.min(body.len())]] {
            let _ = is_older(bytes);
            if let Ok(call) = read(bytes) {
                plain::of(&call, Dialect::Bedrock);
            }
        }
    }
}
