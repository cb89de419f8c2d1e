//! Tools of the responses endpoint that stand in a namespace, at providers that know one list of functions.

use std::collections::BTreeSet;

use mainspring_llm::exchange::{Answer, Call, Choice, Dialect, Event, Finish, Part, Tool};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::responses::check_stream;
use crate::openai::responses::{self, CustomTools, Named, Writer, write_with};

fn body() -> Value {
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    json!({
        "model": "m",
        "tools": [
            {"type": "function", "name": "search", "parameters": {"type": "object"}},
            {"type": "namespace", "name": "mcp__mail", "description": "Mail.", "tools": [
                {"type": "function", "name": "search", "description": "Searches.", "strict": false, "parameters": schema},
                {"type": "function", "name": "count", "parameters": schema},
                {"type": "custom", "name": "write", "description": "Writes."},
            ]},
        ],
        "input": [
            {"role": "user", "content": "how many?"},
            {"type": "function_call", "call_id": "call_1", "namespace": "mcp__mail", "name": "search", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "none"},
        ],
    })
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned(), signature: None }
}

fn answer(parts: Vec<Part>) -> Answer {
    Answer {
        id: "chatcmpl-7x".to_owned(),
        model: "served".to_owned(),
        choices: vec![Choice { parts, finish: Finish::ToolCalls, stop_sequence: None, logprobs: None }],
        usage: None,
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::OpenAiChat,
        extra: Map::new(),
    }
}

fn read(body: &Value) -> Call {
    responses::read(body.to_string().as_bytes()).unwrap()
}

fn refused(tools: &Value) -> String {
    responses::read(json!({"model": "m", "input": "x", "tools": tools}).to_string().as_bytes()).unwrap_err().param
}

fn names(call: &Call) -> Vec<(&str, Option<&str>)> {
    let all = call.tools.iter().map(|tool| match tool {
        Tool::Function { name, description, .. } => (name.as_str(), description.as_deref()),
        Tool::Hosted { .. } => panic!("{tool:?} is no function"),
    });
    all.collect()
}

#[test]
fn a_namespace_stands_before_the_names_of_its_tools() {
    let asked = read(&body());
    let told = names(&asked);
    assert_eq!(told[..3], [("search", None), ("mcp__mail__search", Some("Searches.")), ("mcp__mail__count", Some("Mail."))]);
    assert_eq!((told.len(), told[3].0), (4, "mcp__mail__write"));
    assert_eq!(asked.turns[1].parts, [call("call_1", "mcp__mail__search", "{}")]);
    let nameless = json!([{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]);
    assert_eq!(refused(&nameless), "tools[0].tools[0].name");
    assert_eq!(refused(&json!([{"type": "namespace", "tools": []}])), "tools[0].name");
}

#[test]
fn an_answer_calls_them_in_their_namespace_again() {
    let parts = vec![
        call("call_2", "mcp__mail__count", r#"{"query":"x"}"#),
        call("call_3", "search", "{}"),
        call("call_4", "mcp__mail__write", r#"{"input":"Dear é"}"#),
    ];
    let custom = CustomTools::of(body().to_string().as_bytes());
    let written = write_with(&answer(parts.clone()), (1, "m"), &custom);
    let said = |item: &Value| ["type", "namespace", "name", "arguments", "input"].map(|field| item[field].clone());
    let items: Vec<[Value; 5]> = written["output"].as_array().unwrap().iter().map(said).collect();
    let none = Value::Null;
    let expected = [
        [json!("function_call"), json!("mcp__mail"), json!("count"), json!(r#"{"query":"x"}"#), none.clone()],
        [json!("function_call"), none.clone(), json!("search"), json!("{}"), none.clone()],
        [json!("custom_tool_call"), json!("mcp__mail"), json!("write"), none, json!("Dear é")],
    ];
    assert_eq!(items, expected);
    // Sent back, they are the calls that they were.
    let again = read(&json!({"model": "m", "input": written["output"]}));
    assert_eq!(again.turns[0].parts, parts);
    // In a stream they are the same.
    let mut writer = Writer::new(1, "m").with_custom(custom);
    let mut named: Vec<Named> = writer.push(Event::Began { id: "chatcmpl-7x".to_owned(), model: "x".to_owned() });
    for (number, part) in (0..).zip(&parts) {
        let Part::ToolCall { id, name, arguments, .. } = part else { panic!("{part:?}") };
        let (id, name) = (id.clone(), name.clone());
        named.extend(writer.push(Event::ToolCall { choice: 0, call: number, id, name, signature: None }));
        named.extend(writer.push(Event::Arguments { choice: 0, call: number, fragment: arguments.clone() }));
    }
    named.extend(writer.push(Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None }));
    named.extend(writer.push(Event::Ended));
    let streamed = check_stream(&named);
    assert_eq!(streamed["output"].as_array().unwrap().iter().map(said).collect::<Vec<_>>(), expected);
}

#[test]
fn names_fit_everywhere_and_stay_apart() {
    let space = "mcp__a_server_with_a_name_that_goes_on_and_on_and_on_and_on";
    let own = ["search_everything", "search_everywhere", "é"];
    let tools = own.map(|name| json!({"type": "function", "name": name}));
    let body = json!({"model": "m", "input": "x", "tools": [{"type": "namespace", "name": space, "tools": tools}]});
    let asked = read(&body);
    let all: BTreeSet<&str> = names(&asked).into_iter().map(|(name, _)| name).collect();
    assert!(all.len() == 3 && all.iter().all(|name| name.len() <= 64), "{all:?}");
    let custom = CustomTools::of(body.to_string().as_bytes());
    let parts = names(&asked).into_iter().map(|(name, _)| call("c", name, "{}")).collect();
    let written = write_with(&answer(parts), (1, "m"), &custom);
    for (item, own) in written["output"].as_array().unwrap().iter().zip(own) {
        assert_eq!((&item["namespace"], &item["name"]), (&json!(space), &json!(own)));
    }
}

proptest! {
    #[test]
    fn no_namespace_is_too_strange(space in "\\PC{0,80}", names in proptest::collection::vec("\\PC{0,80}", 0..4), cut in 0_usize..400) {
        let tools: Vec<Value> = names.iter().map(|name| json!({"type": "function", "name": name})).collect();
        let body = json!({"model": "m", "input": "x", "tools": [{"type": "namespace", "name": space, "tools": tools}]});
        prop_assert_eq!(read(&body).tools.len(), names.len());
        let body = body.to_string();
        let bytes = &body.as_bytes()[..cut.min(body.len())];
        let _ = (responses::read(bytes), CustomTools::of(bytes));
    }
}
