use std::collections::BTreeMap;

use mainspring_llm::{
    TokenUsage,
    exchange::{
        Answer, Choice, Dialect, Event, Finish, Format, Media, Part, Reasoning, ReasoningWanted, Role, Tool, ToolChoice, Turn,
    },
};
use serde_json::{Map, Value, json};

use super::{PLAIN, UNKNOWN, at, decoded, events, fixture};
use crate::{
    openai::responses::{Named, Writer, read, write},
    seam::Adapter,
};

#[test]
fn what_nobody_knows_within_a_request_is_named_by_its_place() {
    let schema = json!({"type": "object", "properties": {"novel": {}}});
    let body = json!({
        "model": "m",
        "input": [
            {"type": "message", "id": "msg_1", "status": "completed", "role": "user", "novel": 1, "content": [
                {"type": "input_text", "text": "x", "novel": 1, "gone": null},
                {"type": "input_image", "image_url": "https://a.example/b.png", "novel": 1},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav", "novel": 1}},
            ]},
            {"type": "message", "id": "msg_2", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "x", "annotations": [{"type": "url_citation"}], "logprobs": []},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "status": null, "novel": 1},
            {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "a", "name": "f", "arguments": "{}", "novel": 1},
            {"type": "function_call_output", "call_id": "a", "output": "y", "novel": 1},
        ],
        "tools": [
            {"type": "function", "name": "f", "parameters": schema, "defer_loading": true, "novel": 1},
            {"type": "namespace", "name": "n", "novel": 1, "tools": [{"type": "function", "name": "g", "novel": 1}]},
        ],
        "tool_choice": {"type": "function", "name": "f", "novel": 1},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": schema, "novel": 1}},
        "reasoning": {"effort": "low", "novel": 1},
    });
    let call = read(body.to_string().as_bytes()).unwrap();
    let want = [
        "input[0].content[0].novel",
        "input[0].content[1].novel",
        "input[0].content[2].input_audio.novel",
        "input[0].novel",
        "input[2].novel",
        "input[3].novel",
        "input[4].novel",
        "tools[0].novel",
        "tools[1].novel",
        "tools[1].tools[0].novel",
        "tool_choice.novel",
        "text.format.novel",
        "reasoning.novel",
    ];
    assert_eq!(call.unread, want);
    let sent = PLAIN.encode(&at(UNKNOWN), &call).unwrap();
    let named: Vec<&str> = sent.lost.iter().map(|lost| lost.field.as_str()).filter(|field| field.contains("novel")).collect();
    assert_eq!(named, want);
}

#[test]
fn codex_is_read_with_everything_it_says() {
    let call = read(fixture!("responses_codex.json").as_bytes()).unwrap();
    assert_eq!((call.model.as_str(), call.said_in, call.stream), ("gpt-5-codex", Dialect::OpenAiResponses, true));
    let roles: Vec<Role> = call.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::Developer, Role::User, Role::Assistant, Role::Tool, Role::Tool]);
    let image = Media::Base64 { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
    assert_eq!(call.turns[2].parts[1], Part::Image { source: image, detail: Some("high".to_owned()), cache: None });
    let thought = Reasoning {
        id: Some("rs_68af1".to_owned()),
        text: "List the folder.".to_owned(),
        signature: None,
        sealed: Some("gAAAAABor0x1".to_owned()),
    };
    let tool_call = |id: &str, line: &str| Part::ToolCall {
        id: id.to_owned(),
        name: "shell".to_owned(),
        arguments: line.to_owned(),
        signature: None,
    };
    assert_eq!(
        call.turns[3].parts,
        [
            Part::Reasoning(thought),
            Part::text("I will look."),
            tool_call("call_a", "{\"command\":[\"ls\"]}"),
            tool_call("call_b", "{\"command\":[\"pwd\"]}"),
        ],
        "what a model said in several items is one turn"
    );
    assert!(
        matches!(&call.turns[5].parts[..], [Part::ToolResult { id, parts, .. }] if id == "call_b" && *parts == [Part::text("/work")])
    );
    assert!(matches!(
        &call.tools[..],
        [Tool::Function { strict: Some(false), .. }, Tool::Hosted { said_in: Dialect::OpenAiResponses, .. }]
    ));
    assert_eq!((call.tool_choice, call.parallel_tools), (Some(ToolChoice::Auto), Some(true)));
    let wanted = ReasoningWanted { effort: Some("medium".to_owned()), budget_tokens: None, summary: Some("auto".to_owned()) };
    assert_eq!(call.reasoning, Some(wanted));
    assert!(matches!(call.format, Format::Schema { name, strict: Some(true), .. } if name == "listing"));
    let extra: Vec<&str> = call.extra.keys().map(String::as_str).collect();
    assert_eq!(extra, ["store", "prompt_cache_key", "text"]);
    assert_eq!(call.extra["text"], json!({"verbosity": "medium"}));
}

#[test]
fn a_short_request_is_read_too() {
    let body = br#"{"model":"m","input":"Hi","max_output_tokens":5,"temperature":0.5,"top_logprobs":2,"include":["message.output_text.logprobs"],"user":"u","tool_choice":{"type":"function","name":"f"},"metadata":{"a":"b"},"text":null}"#;
    let call = read(body).unwrap();
    assert_eq!(call.turns, [Turn::text(Role::User, "Hi")]);
    assert_eq!(
        (call.max_tokens, call.temperature, call.logprobs, call.user.as_deref()),
        (Some(5), Some(0.5), Some(2), Some("u"))
    );
    assert_eq!((call.tool_choice, call.format), (Some(ToolChoice::Function("f".to_owned())), Format::Text));
    let messages = br#"{"model":"m","input":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"output_text","text":"b"},{"type":"refusal","refusal":"c"}]},{"type":"message","role":"user","content":[{"type":"input_file","file_url":"https://example.org/a.pdf"},{"type":"input_image","file_id":"file-1"}]}]}"#;
    let parts: Vec<Vec<Part>> = read(messages).unwrap().turns.into_iter().map(|turn| turn.parts).collect();
    assert_eq!(parts[..2], [vec![Part::text("a")], vec![Part::text("b"), Part::Refusal { text: "c".to_owned() }]]);
    assert!(matches!(&parts[2][..], [Part::File { source: Media::Url(_), .. }, Part::Image { source: Media::Id(_), .. }]));
    assert!(read(br#"{"model":"m","prompt":{"id":"pmpt_1"}}"#).unwrap().turns.is_empty());
}

#[track_caller]
fn check_fault(body: &str, param: &str) {
    let fault = read(body.as_bytes()).unwrap_err();
    assert_eq!(fault.param, param, "{body}: {fault}");
}

#[test]
fn requests_that_cannot_be_read_are_refused_by_name() {
    check_fault("{", "");
    check_fault(r#"{"input":"Hi"}"#, "model");
    check_fault(r#"{"model":"m"}"#, "input");
    check_fault(r#"{"model":"m","input":7}"#, "input");
    for (item, param) in [
        ("7", "input[0]"),
        ("{}", "input[0].type"),
        (r#"{"type":"message","content":"x"}"#, "input[0].role"),
        (r#"{"role":"usr","content":"x"}"#, "input[0].role"),
        (r#"{"role":"user"}"#, "input[0].content"),
        (r#"{"role":"user","content":[{"type":"input_image"}]}"#, "input[0].content[0].file_id"),
        (r#"{"role":"user","content":[{"type":"input_file"}]}"#, "input[0].content[0].file_data"),
        (r#"{"type":"function_call","name":"f","arguments":"{}"}"#, "input[0].call_id"),
        (r#"{"type":"function_call","call_id":"c","arguments":"{}"}"#, "input[0].name"),
        (r#"{"type":"function_call_output","output":"x"}"#, "input[0].call_id"),
        (r#"{"type":"function_call_output","call_id":"c","output":7}"#, "input[0].output"),
        (r#"{"type":"custom_tool_call","call_id":"c","name":"f","input":7}"#, "input[0].input"),
        (r#"{"type":"custom_tool_call_output","output":"x"}"#, "input[0].call_id"),
        (r#"{"type":"reasoning","summary":"x"}"#, "input[0].summary"),
    ] {
        check_fault(&format!(r#"{{"model":"m","input":[{item}]}}"#), param);
    }
    check_fault(r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}"#, "text.format.schema");
    check_fault(r#"{"model":"m","input":"x","tools":[{"type":"function"}]}"#, "tools[0].name");
    check_fault(r#"{"model":"m","input":"x","tools":[{"type":"custom"}]}"#, "tools[0].name");
}

fn answer(parts: Vec<Part>, finish: Finish) -> Answer {
    Answer {
        id: "chatcmpl-7x".to_owned(),
        model: "served".to_owned(),
        choices: vec![Choice { parts, finish, stop_sequence: None, logprobs: None }],
        usage: Some(TokenUsage { input: 10, output: 6, cache_read: 4, reasoning: 2, ..TokenUsage::default() }),
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::OpenAiChat,
        extra: Map::new(),
    }
}

fn thought(text: &str, signature: Option<&str>, sealed: Option<&str>) -> Part {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Part::Reasoning(Reasoning { id: None, text: text.to_owned(), signature: owned(signature), sealed: owned(sealed) })
}

fn tool_call() -> Part {
    Part::ToolCall { id: "call_1".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned(), signature: None }
}

#[test]
fn an_answer_is_written_as_items() {
    let parts = vec![thought("Hm.", Some("sig=="), None), Part::text("a"), Part::text("b"), tool_call()];
    let written = write(&answer(parts, Finish::ToolCalls), 1_751_445_001, "asked-model");
    let text = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    assert_eq!(
        written["output"],
        json!([
            {"id": "rs_made_7x_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "mainspring.signature.sig=="},
            {"id": "msg_7x_1", "type": "message", "status": "completed", "role": "assistant", "content": [text("a"), text("b")]},
            {"id": "fc_7x_2", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}"},
        ])
    );
    assert_eq!(
        written["usage"],
        json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 16})
    );
    for (name, value) in [
        ("id", json!("resp_7x")),
        ("object", json!("response")),
        ("created_at", json!(1_751_445_001)),
        ("status", json!("completed")),
        ("model", json!("asked-model")),
        ("error", Value::Null),
        ("incomplete_details", Value::Null),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("parallel_tool_calls", json!(true)),
    ] {
        assert_eq!(written.get(name), Some(&value), "{name}");
    }
}

#[test]
fn an_answer_that_was_cut_says_why() {
    for (finish, status, why, item) in [
        (Finish::Stop, "completed", Value::Null, "completed"),
        (Finish::Pause, "completed", Value::Null, "completed"),
        (Finish::Length, "incomplete", json!({"reason": "max_output_tokens"}), "incomplete"),
        (Finish::ContentFilter, "incomplete", json!({"reason": "content_filter"}), "completed"),
    ] {
        let written = write(&answer(vec![Part::text("a")], finish), 1, "m");
        assert_eq!(
            (&written["status"], &written["incomplete_details"], &written["output"][0]["status"]),
            (&json!(status), &why, &json!(item))
        );
    }
}

#[test]
fn citations_stand_in_the_text_they_belong_to() {
    let written = write(&decoded(fixture!("chat_openrouter.json")), 1, "m");
    assert_eq!(
        written["output"][1]["content"][0]["annotations"],
        json!([{"type": "url_citation", "url": "https://example.org/tower", "title": "The tower", "start_index": 0, "end_index": 31}])
    );
}

#[test]
fn what_a_client_sends_back_is_what_it_was_given() {
    let parts = vec![
        thought("Hm.", Some("sig=="), None),
        thought("", None, Some("sealed==")),
        thought("Plain.", None, None),
        Part::Reasoning(Reasoning {
            id: Some("rs_1".to_owned()),
            text: "Own.".to_owned(),
            signature: None,
            sealed: Some("gAAA".to_owned()),
        }),
        Part::text("a"),
        Part::Refusal { text: "b".to_owned() },
        tool_call(),
    ];
    let output = write(&answer(parts.clone(), Finish::Stop), 1, "m")["output"].take();
    let body = json!({"model": "m", "input": output}).to_string();
    assert_eq!(read(body.as_bytes()).unwrap().turns, [Turn { role: Role::Assistant, parts, name: None }]);
}

/// Every event in its place: items are added before they are told of and done after, deltas add up to what is done, and
/// the response at the end has the items as they were done.
#[track_caller]
pub(super) fn check_stream(named: &[Named]) -> Value {
    let mut done = BTreeMap::new();
    let (mut texts, mut open) = (BTreeMap::<(u64, u64), String>::new(), Vec::new());
    let all: Vec<Value> = named.iter().map(|named| serde_json::from_str(&named.data).unwrap()).collect();
    for (at, (named, data)) in named.iter().zip(&all).enumerate() {
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(named.event), &json!(at)));
        let index = data["output_index"].as_u64();
        let part = data["content_index"].as_u64().or(data["summary_index"].as_u64()).unwrap_or(0);
        if named.event == "response.output_item.added" {
            assert_eq!(index, Some((open.len() + done.len()) as u64), "items are counted in turn");
            open.push(index.unwrap());
            continue;
        }
        let Some(index) = index else { continue };
        assert!(open.contains(&index), "{data}");
        let text = texts.entry((index, part)).or_default();
        match named.event {
            "response.output_item.done" => {
                open.retain(|open| *open != index);
                done.insert(index, data["item"].clone());
            }
            name if name.ends_with(".delta") => text.push_str(data["delta"].as_str().unwrap()),
            "response.output_text.done" | "response.reasoning_summary_text.done" => assert_eq!(data["text"], **text),
            "response.refusal.done" => assert_eq!(data["refusal"], **text),
            "response.function_call_arguments.done" => assert_eq!(data["arguments"], **text),
            "response.custom_tool_call_input.done" => assert_eq!(data["input"], **text),
            _ => {}
        }
    }
    let (first, last) = (&all[0], all.last().unwrap());
    assert_eq!(
        (&first["type"], &first["response"]["status"], &first["response"]["output"]),
        (&json!("response.created"), &json!("in_progress"), &json!([]))
    );
    assert_eq!(all[1]["type"], "response.in_progress");
    assert!(open.is_empty());
    let response = &last["response"];
    assert_eq!(last["type"], format!("response.{}", response["status"].as_str().unwrap()));
    assert_eq!((&response["id"], &response["output"]), (&first["response"]["id"], &done.into_values().collect::<Value>()));
    response.clone()
}

fn streamed(told: Vec<Event>) -> Vec<Named> {
    let mut writer = Writer::new(1_751_445_001, "asked-model");
    told.into_iter().flat_map(|event| writer.push(event)).collect()
}

#[test]
fn a_stream_names_its_events_as_openai_does() {
    let names = |stream: &str| -> Vec<&'static str> { streamed(events(stream)).into_iter().map(|named| named.event).collect() };
    assert_eq!(
        names(fixture!("stream_deepseek.sse")),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(
        names(fixture!("stream_tools.sse")),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.delta",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(names(fixture!("stream_azure.sse")).last(), Some(&"response.incomplete"));
}

#[test]
fn a_stream_ends_with_the_answer_as_a_whole() {
    let response = check_stream(&streamed(events(fixture!("stream_text.sse"))));
    assert_eq!(
        (&response["id"], &response["model"], &response["service_tier"]),
        (&json!("resp_BnrF1"), &json!("asked-model"), &json!("default"))
    );
    let content = &response["output"][0]["content"][0];
    assert_eq!((&content["text"], &content["logprobs"][0]["token"]), (&json!("Port 7400 – größer 🦀"), &json!("Port")));
    assert_eq!(response["usage"]["total_tokens"], 28);
    let response = check_stream(&streamed(events(fixture!("stream_openrouter.sse"))));
    assert_eq!(response["output"][0]["encrypted_content"], "mainspring.signature.ErUBCkYIBRgCIkDZ");
    assert_eq!(response["output"][1]["content"][0]["annotations"][0]["url"], "https://example.org/tower");
    let response = check_stream(&streamed(events(fixture!("stream_azure.sse"))));
    assert_eq!(
        (&response["incomplete_details"]["reason"], &response["output"][0]["status"]),
        (&json!("max_output_tokens"), &json!("incomplete"))
    );
}

#[test]
fn calls_may_come_in_turn_and_a_refusal_after_the_text() {
    let fragment = |call: u32, text: &str| Event::Arguments { choice: 0, call, fragment: text.to_owned() };
    let begun = |call: u32| Event::ToolCall { choice: 0, call, id: format!("c{call}"), name: "f".to_owned(), signature: None };
    let text = |text: &str| Event::Text { choice: 0, text: text.to_owned(), logprobs: None };
    let response = check_stream(&streamed(vec![
        Event::Began { id: String::new(), model: String::new() },
        text("a"),
        Event::Refusal { choice: 0, text: "b".to_owned() },
        begun(0),
        fragment(0, "{"),
        begun(1),
        fragment(1, "["),
        fragment(0, "}"),
        fragment(1, "]"),
        fragment(7, "lost"),
        Event::Text { choice: 1, text: "nobody asked".to_owned(), logprobs: None },
        text("c"),
        Event::ReasoningDone { choice: 0, id: Some("rs_9".to_owned()), signature: None, sealed: Some("s".to_owned()) },
        Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None },
        Event::Ended,
    ]));
    let kinds: Vec<&str> = response["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "function_call", "function_call", "message", "reasoning"]);
    let kinds: Vec<&Value> = response["output"][0]["content"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
    assert_eq!(kinds, ["output_text", "refusal"]);
    assert_eq!((&response["output"][1]["arguments"], &response["output"][2]["arguments"]), (&json!("{}"), &json!("[]")));
    assert_eq!((&response["output"][4]["id"], &response["output"][4]["encrypted_content"]), (&json!("rs_9"), &json!("s")));
    assert_eq!((&response["id"], &response["usage"]), (&json!("resp_1751445001"), &Value::Null));
}

#[test]
fn a_stream_that_fails_says_so_in_its_place() {
    let mut writer = Writer::new(1, "m");
    let mut named = writer.push(Event::Began { id: "chatcmpl-1".to_owned(), model: "x".to_owned() });
    named.extend(writer.push(Event::Text { choice: 0, text: "a".to_owned(), logprobs: None }));
    let at = named.len();
    let failed = writer.fail("upstream-reset", "the stream ended before the answer did");
    assert_eq!((failed.len(), failed[0].event), (1, "response.failed"));
    let data: Value = serde_json::from_str(&failed[0].data).unwrap();
    assert_eq!((&data["sequence_number"], &data["response"]["status"]), (&json!(at), &json!("failed")));
    assert_eq!(data["response"]["error"], json!({"code": "upstream-reset", "message": "the stream ended before the answer did"}));
    assert_eq!(data["response"]["output"][0]["content"][0]["text"], "a");
}
