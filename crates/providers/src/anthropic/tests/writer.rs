use mainspring_llm::{
    TokenUsage,
    exchange::{Event, Finish, Part, Reasoning},
};
use serde_json::{Value, json};

use super::{
    client::{empty, streamed},
    grammar::assemble,
};
use crate::anthropic::{self, Writer};

fn began() -> Event {
    Event::Began { id: "x".to_owned(), model: String::new() }
}

fn call(call: u32) -> Event {
    Event::ToolCall { choice: 0, call, id: format!("call_{call}"), name: format!("f{call}"), signature: None }
}

fn arguments(call: u32, fragment: &str) -> Event {
    Event::Arguments { choice: 0, call, fragment: fragment.to_owned() }
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

#[test]
fn tool_calls_that_come_mixed_go_out_one_after_another() {
    let mixed = vec![
        began(),
        text("See:"),
        call(0),
        call(1),
        arguments(1, "{\"b\": [\"}\""),
        arguments(0, "{\"a\": \"\\\"{\""),
        call(2),
        arguments(2, "{}"),
        arguments(0, ", \"z\": {}}"),
        arguments(1, "]}"),
        Event::Finished { choice: 0, finish: Finish::Stop, stop_sequence: None },
        Event::Ended,
        text("too late"),
    ];
    let message = streamed(mixed);
    let inputs: Vec<&Value> = (1..4).map(|index| &message["content"][index]["input"]).collect();
    assert_eq!(inputs, [&json!({"a": "\"{", "z": {}}), &json!({"b": ["}"]}), &json!({})]);
    assert_eq!((&message["stop_reason"], &message["model"]), (&json!("tool_use"), &json!("asked")));
}

#[test]
fn a_ping_goes_out_at_once_and_behind_the_beginning() {
    let mut writer = Writer::new("asked");
    let names = |written: anthropic::Written| written.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(writer.write(began())), [""; 0], "the beginning waits for what is read");
    assert_eq!(names(writer.write(Event::Ping)), ["message_start", "ping"], "and not for what is thought");
    assert_eq!(names(writer.write(Event::Ping)), ["ping"]);
    assert_eq!(names(writer.write(text("Hi."))), ["content_block_start", "content_block_delta"]);
    assert_eq!(writer.write(Event::Ping), [("ping", json!({"type": "ping"}))]);
    assert_eq!(names(writer.write(text("Ho."))), ["content_block_delta"], "the block goes on");
    assert_eq!(names(writer.write(Event::Ended)), ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(names(writer.write(Event::Ping)), [""; 0]);
}

#[test]
fn a_second_call_goes_out_as_it_comes_once_the_first_is_whole() {
    let mut writer = Writer::new("asked");
    let mut written = |event| writer.write(event).len();
    assert_eq!(written(began()), 0, "the beginning waits for what is read");
    assert_eq!(written(call(0)), 2, "message and block begin");
    assert_eq!(written(arguments(0, "{}")), 1);
    assert_eq!(written(call(1)), 2, "one block ends, the next begins");
    assert_eq!(written(arguments(1, "{\"a\":")), 1);
}

#[test]
fn calls_without_arguments_hold_nothing_back_for_ever() {
    let message = streamed(vec![began(), call(0), call(1), arguments(1, "{\"b\":1}"), text("Done."), Event::Ended]);
    let kinds: Vec<&str> = (0..3).map(|index| message["content"][index]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tool_use", "tool_use", "text"]);
    assert_eq!((&message["content"][0]["input"], &message["content"][1]["input"]), (&json!({}), &json!({"b": 1})));
}

#[test]
fn broken_arguments_stay_the_text_they_are() {
    let message = streamed(vec![began(), call(0), arguments(0, "{\"a\": "), Event::Ended]);
    assert_eq!(message["content"][0]["input"], json!("{\"a\": "));
}

#[test]
fn reasoning_of_openai_comes_back_with_the_next_request() {
    let reasoning = Reasoning {
        id: Some("rs_68af".to_owned()),
        text: "hm".to_owned(),
        signature: None,
        sealed: Some("gAAAAABo.r-_5==".to_owned()),
    };
    let mut answer = empty();
    answer.choices[0].parts = vec![Part::Reasoning(reasoning.clone())];
    let whole = anthropic::write(&answer)["content"].clone();
    let done = Event::ReasoningDone { choice: 0, id: reasoning.id.clone(), signature: None, sealed: reasoning.sealed.clone() };
    let said = Event::Reasoning { choice: 0, text: "hm".to_owned() };
    assert_eq!(streamed(vec![began(), said, done, Event::Ended])["content"], whole);
    let body = json!({"model": "m", "messages": [{"role": "assistant", "content": whole}]});
    let call = anthropic::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(call.turns[0].parts, [Part::Reasoning(reasoning)]);
}

#[test]
fn the_signature_of_a_call_comes_back_with_it() {
    let signed = |call, id: &str| Event::ToolCall {
        choice: 0,
        call,
        id: id.to_owned(),
        name: "f".to_owned(),
        signature: Some(format!("{id}+/.=")),
    };
    let plain = call(2);
    let said = vec![began(), signed(0, "a.b"), signed(1, "c"), arguments(1, "{}"), arguments(0, "{}"), plain, Event::Ended];
    let streamed = streamed(said)["content"].clone();
    let part = |id: &str, name: &str, signature: Option<&str>| Part::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
        signature: signature.map(str::to_owned),
    };
    let mut answer = empty();
    answer.choices[0].parts = vec![part("a.b", "f", Some("a.b+/.=")), part("c", "f", Some("c+/.=")), part("call_2", "f2", None)];
    assert_eq!(streamed, anthropic::write(&answer)["content"]);
    let body = json!({"model": "m", "messages": [{"role": "assistant", "content": streamed}]});
    let read = anthropic::read(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        read.turns[0].parts,
        [part("a_b", "f", Some("a.b+/.=")), part("c", "f", Some("c+/.=")), part("call_2", "f2", None)]
    );
}

#[test]
fn thinking_without_text_or_signature_is_written_as_far_as_there_is_any() {
    let done = |signature: Option<&str>, sealed: Option<&str>| Event::ReasoningDone {
        choice: 0,
        id: None,
        signature: signature.map(str::to_owned),
        sealed: sealed.map(str::to_owned),
    };
    let said = |text: &str| Event::Reasoning { choice: 0, text: text.to_owned() };
    let message = streamed(vec![
        began(),
        done(None, None),
        done(Some("sig"), None),
        said("a"),
        done(None, None),
        said("b"),
        done(None, Some("data")),
        Event::Refusal { choice: 0, text: "No.".to_owned() },
        Event::Ended,
    ]);
    assert_eq!(
        message["content"],
        json!([
            {"type": "thinking", "thinking": "", "signature": "sig"},
            {"type": "thinking", "thinking": "a", "signature": ""},
            {"type": "thinking", "thinking": "b", "signature": ""},
            {"type": "redacted_thinking", "data": "data"},
            {"type": "text", "text": "No."},
        ])
    );
    assert_eq!(message["stop_reason"], json!("refusal"));
}

#[test]
fn the_beginning_says_what_is_known_of_the_input() {
    let usage = Event::Usage(TokenUsage { input: 12, cache_read: 2, ..TokenUsage::default() });
    let mut writer = Writer::new("asked");
    let named = Event::Began { id: "gen-1".to_owned(), model: "gemini-2.5-pro".to_owned() };
    assert!(writer.write(named).is_empty() && writer.write(usage).is_empty());
    let start = writer.write(text("Hi."));
    assert_eq!(start[0].1["message"]["usage"]["input_tokens"], json!(10));
    assert_eq!(start[0].1["message"]["model"], json!("gemini-2.5-pro"));
    let mut silent = Writer::new("asked");
    assert_eq!(assemble(&[silent.write(began()), silent.write(Event::Ended)].concat())["content"], json!([]));
}
