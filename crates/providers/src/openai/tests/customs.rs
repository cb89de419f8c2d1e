//! Tools of the responses endpoint that take text, at providers that know functions only.

use mainspring_llm::exchange::{Answer, Choice, Dialect, Event, Finish, Part, Role, Tool, ToolChoice, Turn};
use serde_json::{Map, Value, json};

use super::responses::check_stream;
use crate::openai::responses::{CustomTools, Named, Writer, read, write, write_with};

const PATCH: &str = "*** Begin Patch\n*** Add File: é.txt\n+\"hi\" \\ there\n*** End Patch\n";

fn body() -> Value {
    json!({
        "model": "m",
        "tools": [
            {"type": "custom", "name": "apply_patch", "description": "Edits files."},
            {"type": "function", "name": "shell", "parameters": {"type": "object"}},
        ],
        "tool_choice": {"type": "custom", "name": "apply_patch"},
        "input": [
            {"role": "user", "content": "add it"},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "apply_patch", "input": PATCH},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Done."},
        ],
    })
}

fn patch(arguments: &str) -> Part {
    Part::ToolCall { id: "call_2".to_owned(), name: "apply_patch".to_owned(), arguments: arguments.to_owned(), signature: None }
}

fn custom() -> CustomTools {
    CustomTools::of(body().to_string().as_bytes())
}

#[test]
fn tools_that_take_text_their_calls_and_results_are_said_as_functions() {
    let call = read(body().to_string().as_bytes()).unwrap();
    let names: Vec<&str> = call
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function { name, .. } => name.as_str(),
            Tool::Hosted { .. } => "hosted",
        })
        .collect();
    assert_eq!((names, call.tool_choice), (vec!["apply_patch", "shell"], Some(ToolChoice::Function("apply_patch".to_owned()))));
    let Part::ToolCall { id, arguments, .. } = &call.turns[1].parts[0] else { panic!("{:?}", call.turns[1]) };
    assert_eq!((id.as_str(), serde_json::from_str::<Value>(arguments).unwrap()), ("call_1", json!({"input": PATCH})));
    let result =
        Part::ToolResult { id: "call_1".to_owned(), name: None, parts: vec![Part::text("Done.")], is_error: false, cache: None };
    assert_eq!(call.turns[2], Turn { role: Role::Tool, parts: vec![result], name: None });
}

#[test]
fn an_answer_calls_them_with_text_again() {
    let answer = Answer {
        id: "chatcmpl-7x".to_owned(),
        model: "served".to_owned(),
        choices: vec![Choice {
            parts: vec![patch(&json!({"input": PATCH}).to_string())],
            finish: Finish::ToolCalls,
            stop_sequence: None,
            logprobs: None,
        }],
        usage: None,
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::OpenAiChat,
        extra: Map::new(),
    };
    let written = write_with(&answer, (1, "m"), &custom());
    let item = json!({
        "id": "ctc_7x_0", "type": "custom_tool_call", "status": "completed", "call_id": "call_2", "name": "apply_patch", "input": PATCH,
    });
    assert_eq!(written["output"], json!([item]));
    // Sent back, it is the call that it was.
    let again = read(json!({"model": "m", "input": written["output"]}).to_string().as_bytes()).unwrap();
    assert_eq!(again.turns[0].parts, answer.choices[0].parts);
    assert_eq!(write(&answer, 1, "m")["output"][0]["type"], "function_call", "nobody sent such a tool");
}

#[test]
fn a_stream_tells_their_text_as_it_comes() {
    let fragment = |text: &str| Event::Arguments { choice: 0, call: 0, fragment: text.to_owned() };
    let whole = json!({"input": PATCH}).to_string();
    let (first, second) = whole.split_at(20);
    let mut writer = Writer::new(1, "m").with_custom(custom());
    let named: Vec<Named> = [
        Event::Began { id: "chatcmpl-1".to_owned(), model: "x".to_owned() },
        Event::ToolCall { choice: 0, call: 0, id: "call_2".to_owned(), name: "apply_patch".to_owned(), signature: None },
        fragment(first),
        fragment(second),
        Event::ToolCall { choice: 0, call: 1, id: "call_3".to_owned(), name: "shell".to_owned(), signature: None },
        Event::Arguments { choice: 0, call: 1, fragment: "{}".to_owned() },
        Event::ToolCall { choice: 0, call: 2, id: "call_4".to_owned(), name: "apply_patch".to_owned(), signature: None },
        Event::Arguments { choice: 0, call: 2, fragment: "as it stands".to_owned() },
        Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None },
        Event::Ended,
    ]
    .into_iter()
    .flat_map(|event| writer.push(event))
    .collect();
    let response = check_stream(&named);
    let said: Vec<(&Value, &Value, &Value)> =
        response["output"].as_array().unwrap().iter().map(|item| (&item["type"], &item["input"], &item["arguments"])).collect();
    let (custom, none) = (json!("custom_tool_call"), Value::Null);
    assert_eq!(
        said,
        [
            (&custom, &json!(PATCH), &none),
            (&json!("function_call"), &none, &json!("{}")),
            (&custom, &json!("as it stands"), &none)
        ]
    );
    let names: Vec<&str> = named.iter().map(|named| named.event).collect();
    let deltas = names.iter().filter(|name| **name == "response.custom_tool_call_input.delta").count();
    let done = names.iter().filter(|name| **name == "response.custom_tool_call_input.done").count();
    assert_eq!((deltas, done), (3, 2), "{names:?}");
}
