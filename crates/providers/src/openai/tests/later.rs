//! Tools that a client tells of when they are looked for, at providers that know one list of functions.

use mainspring_llm::exchange::{Answer, Call, Choice, Dialect, Event, Finish, Part, Role, Tool};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{OPENAI, PLAIN, at, responses::check_stream};
use crate::{
    openai::responses::{CustomTools, Named, Writer, read, write, write_with},
    seam::Adapter as _,
};

/// As Codex has it: the search is its own, and what is found stands in the conversation.
fn body() -> Value {
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let mail = json!({"type": "namespace", "name": "mcp__mail", "description": "Mail.", "tools": [
        {"type": "function", "name": "search", "description": "Searches.", "defer_loading": true, "parameters": schema},
        {"type": "custom", "name": "write", "description": "Writes."},
    ]});
    let shell = json!({"type": "function", "name": "shell", "description": "Once.", "parameters": schema});
    json!({
        "model": "m",
        "tools": [{"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": schema}],
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [shell]},
            {"role": "user", "content": "any mail?"},
            {"type": "tool_search_call", "call_id": "call_1", "status": "completed", "execution": "client", "arguments": {"query": "mail"}},
            {"type": "tool_search_output", "call_id": "call_1", "status": "completed", "execution": "client", "tools": [mail]},
            {"type": "tool_search_call", "call_id": "call_2", "execution": "client", "arguments": {"query": "weather"}},
            {"type": "tool_search_output", "call_id": "call_2", "execution": "client", "tools": []},
            {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "shell", "description": "Later."}]},
        ],
    })
}

fn of(body: &Value) -> Call {
    read(body.to_string().as_bytes()).unwrap()
}

fn names(call: &Call) -> Vec<(&str, Option<&str>)> {
    let all = call.tools.iter().map(|tool| match tool {
        Tool::Function { name, description, .. } => (name.as_str(), description.as_deref()),
        Tool::Hosted { .. } => panic!("{tool:?} is no function"),
    });
    all.collect()
}

fn search(id: &str, arguments: &str) -> Part {
    Part::ToolCall { id: id.to_owned(), name: "tool_search".to_owned(), arguments: arguments.to_owned(), signature: None }
}

#[test]
fn all_tools_are_told_of_at_once_and_the_search_is_a_function() {
    let call = of(&body());
    let told = [
        ("tool_search", Some("Finds tools.")),
        ("shell", Some("Later.")),
        ("mcp__mail__search", Some("Searches.")),
        ("mcp__mail__write", Some("Writes.")),
    ];
    assert_eq!(names(&call), told);
    let roles: Vec<Role> = call.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::Assistant, Role::Tool]);
    assert_eq!(call.turns[1].parts, [search("call_1", r#"{"query":"mail"}"#)]);
    let result = |at: usize, wanted: &str, text: &str| {
        let Part::ToolResult { id, parts, .. } = &call.turns[at].parts[0] else { panic!("{:?}", call.turns[at]) };
        assert_eq!((id.as_str(), parts.as_slice()), (wanted, [Part::text(text)].as_slice()));
    };
    result(2, "call_1", "Found: mcp__mail__search, mcp__mail__write");
    result(4, "call_2", "No tools were found.");
    let sent = PLAIN.encode(&at(OPENAI), &call).unwrap();
    assert_eq!(sent.lost, []);
}

#[test]
fn a_search_that_openai_makes_is_left_out_and_named() {
    let call = of(&json!({
        "model": "m",
        "tools": [{"type": "tool_search"}, {"type": "function", "name": "mail", "defer_loading": true}],
        "input": [
            {"role": "user", "content": "any mail?"},
            {"type": "tool_search_call", "call_id": null, "execution": "server", "arguments": {"paths": ["crm"]}},
            {"type": "tool_search_output", "execution": "server", "tools": [{"type": "function", "name": "orders"}]},
        ],
    }));
    assert_eq!(names(&call), [("mail", None), ("orders", None)]);
    assert_eq!(call.turns.len(), 1, "{:?}", call.turns);
    let lost = PLAIN.encode(&at(OPENAI), &call).unwrap().lost;
    assert_eq!(lost.iter().map(|lost| lost.field.as_str()).collect::<Vec<_>>(), ["input[1]", "input[2]", "tools[0]"]);
    let wrong = json!({"model": "m", "input": [{"type": "additional_tools", "tools": [{"type": "function"}]}]});
    assert_eq!(read(wrong.to_string().as_bytes()).unwrap_err().param, "input[0].tools[0].name");
}

#[test]
fn an_answer_searches_and_calls_what_was_found_in_the_clients_words() {
    let called = Part::ToolCall {
        id: "call_4".to_owned(),
        name: "mcp__mail__write".to_owned(),
        arguments: r#"{"input":"Dear é"}"#.to_owned(),
        signature: None,
    };
    let parts = vec![search("call_3", r#"{"query":"x"}"#), called];
    let answer = Answer {
        id: "chatcmpl-7x".to_owned(),
        model: "served".to_owned(),
        choices: vec![Choice { parts: parts.clone(), finish: Finish::ToolCalls, stop_sequence: None, logprobs: None }],
        usage: None,
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::OpenAiChat,
        extra: Map::new(),
    };
    let custom = CustomTools::of(body().to_string().as_bytes());
    let written = write_with(&answer, (1, "m"), &custom);
    let expected = json!([
        {"id": "tsc_7x_0", "type": "tool_search_call", "status": "completed", "call_id": "call_3", "execution": "client", "arguments": {"query": "x"}},
        {"id": "ctc_7x_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_4", "name": "write", "input": "Dear é", "namespace": "mcp__mail"},
    ]);
    assert_eq!(written["output"], expected);
    assert_eq!(write(&answer, 1, "m")["output"][0]["type"], "function_call", "nobody sent such a tool");
    // Sent back, they are the calls that they were.
    assert_eq!(of(&json!({"model": "m", "input": written["output"]})).turns[0].parts, parts);
    // In a stream they are the same, however the arguments are cut.
    let mut writer = Writer::new(1, "m").with_custom(custom);
    let mut named: Vec<Named> = writer.push(Event::Began { id: "chatcmpl-7x".to_owned(), model: "x".to_owned() });
    for (number, part) in (0..).zip(&parts) {
        let Part::ToolCall { id, name, arguments, .. } = part else { panic!("{part:?}") };
        let (id, name) = (id.clone(), name.clone());
        named.extend(writer.push(Event::ToolCall { choice: 0, call: number, id, name, signature: None }));
        for fragment in [&arguments[..3], &arguments[3..]] {
            named.extend(writer.push(Event::Arguments { choice: 0, call: number, fragment: fragment.to_owned() }));
        }
    }
    named.extend(writer.push(Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None }));
    named.extend(writer.push(Event::Ended));
    assert_eq!(check_stream(&named)["output"], expected);
}

proptest! {
    #[test]
    fn no_item_is_too_strange(field in "type|tools|call_id|execution|arguments", value in "null|1|\"x\"|\\[\\]|\\[1\\]|\\{\\}|\\[\\{\\}\\]|\"tool_search_output\"", at in 0_usize..7, cut in 0_usize..2400) {
        let mut body = body();
        body["input"][at][field.as_str()] = serde_json::from_str(&value).unwrap();
        let body = body.to_string();
        let bytes = &body.as_bytes()[..cut.min(body.len())];
        for bytes in [body.as_bytes(), bytes] {
            let _ = (read(bytes), CustomTools::of(bytes));
        }
    }
}
