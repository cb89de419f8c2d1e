use mainspring_llm::exchange::{Dialect, Event, Finish};
use serde_json::json;

use super::{SEALED, SIGNATURE, STREAM_OVERLOADED, STREAM_SEARCH, STREAM_TEXT, STREAM_TOOLS, read, read_in_pieces};
use crate::fault::FaultClass;

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

#[test]
fn text_comes_as_it_is_written() {
    let events = read(STREAM_TEXT);
    let began = Event::Began { id: "msg_01TextTextTextTextText01".to_owned(), model: "claude-haiku-4-5-20251001".to_owned() };
    assert_eq!(events[0], began);
    assert!(matches!(&events[1], Event::Usage(usage) if usage.input == 2125 && usage.cache_write_hour == 100), "{:?}", events[1]);
    assert_eq!(events[2..5], [Event::Ping, text("Grüße"), text(" aus 東京 🚀")]);
    assert!(matches!(&events[5], Event::Usage(usage) if usage.output == 15 && usage.cache_write_hour == 0), "{:?}", events[5]);
    assert_eq!(events[6..], [Event::Finished { choice: 0, finish: Finish::Stop, stop_sequence: None }, Event::Ended]);
}

#[test]
fn thinking_and_tools_come_whole() {
    let events = read(STREAM_TOOLS);
    let call = |call, id: &str, name: &str| Event::ToolCall {
        choice: 0,
        call,
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    };
    let arguments = |call, fragment: &str| Event::Arguments { choice: 0, call, fragment: fragment.to_owned() };
    let done = |signature: Option<&str>, sealed: Option<&str>| Event::ReasoningDone {
        choice: 0,
        id: None,
        signature: signature.map(str::to_owned),
        sealed: sealed.map(str::to_owned),
    };
    assert_eq!(
        events[2..13],
        [
            Event::Reasoning { choice: 0, text: "Two cities are asked for, ".to_owned() },
            Event::Reasoning { choice: 0, text: "so both are looked up at once.".to_owned() },
            done(Some(SIGNATURE), None),
            done(None, Some(SEALED)),
            text("Ich sehe nach. ☂"),
            call(0, "toolu_01A09q90qw90lq917835lq9", "weather"),
            arguments(0, r#"{"city":"#),
            arguments(0, r#""Köln","days":3}"#),
            call(1, "toolu_01B09q90qw90lq917835lq9", "now"),
            arguments(1, "{}"),
            Event::Usage(mainspring_llm::TokenUsage { output: 189, reasoning: 61, ..Default::default() }),
        ]
    );
    assert_eq!(events[13], Event::Finished { choice: 0, finish: Finish::ToolCalls, stop_sequence: None });
}

#[test]
fn blocks_without_a_word_go_on_as_they_came() {
    let events = read(STREAM_SEARCH);
    let others: Vec<&serde_json::Value> = events
        .iter()
        .filter_map(|event| match event {
            Event::Other { said_in: Dialect::Anthropic, value } => Some(value),
            _ => None,
        })
        .collect();
    let kinds: Vec<&str> = others.iter().filter_map(|value| value["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_stop",
            "content_block_delta"
        ]
    );
    assert_eq!(others[1]["delta"]["partial_json"], json!(r#"{"query": "tallest lighthouse"}"#));
    assert_eq!(others[5]["delta"]["type"], json!("citations_delta"));
    assert!(!events.iter().any(|event| matches!(event, Event::ToolCall { .. })), "the provider runs that tool itself");
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_events() {
    for stream in [STREAM_TEXT, STREAM_TOOLS, STREAM_SEARCH] {
        let whole = read(stream);
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read_in_pieces(bytes, &[cut]).unwrap(), whole, "cut at byte {cut}");
        }
        let every: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(read_in_pieces(bytes, &every).unwrap(), whole, "byte by byte");
        let crlf = stream.replace('\n', "\r\n");
        assert_eq!(read(&crlf), whole);
    }
}

#[test]
fn a_stream_that_says_it_is_overloaded_is_so() {
    let fault = read_in_pieces(STREAM_OVERLOADED.as_bytes(), &[]).unwrap_err();
    assert_eq!((fault.class, fault.said.as_deref()), (FaultClass::Overloaded, Some("overloaded_error")));
    assert_eq!(fault.message, "Overloaded");
}

#[test]
fn a_stream_that_breaks_off_is_never_taken_for_whole() {
    let end = STREAM_TOOLS.find("event: message_stop").unwrap();
    for cut in [0, 1, 100, end / 2, end, end + 20] {
        let fault = read_in_pieces(&STREAM_TOOLS.as_bytes()[..cut], &[]).unwrap_err();
        assert_eq!(fault.class, FaultClass::Reset, "cut at byte {cut}");
    }
}

#[test]
fn what_is_no_event_is_a_fault() {
    for data in ["{", "nonsense", "{\"type\":\"message_start\""] {
        let fault = read_in_pieces(format!("data: {data}\n\n").as_bytes(), &[]).unwrap_err();
        assert_eq!(fault.class, FaultClass::Malformed, "{data}");
    }
}

#[test]
fn events_to_come_are_passed_over() {
    let stream = STREAM_TEXT.replace(
        "event: ping\ndata: {\"type\": \"ping\"}",
        ": a comment\n\nevent: weather\ndata: {\"type\":\"weather\",\"sun\":true}\n\ndata: [DONE]\n\n\
         data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"smell_delta\",\"smell\":\"rain\"}}",
    );
    let mut known = read(STREAM_TEXT);
    known.retain(|event| *event != Event::Ping);
    assert_eq!(read(&stream), known);
}

#[test]
fn input_that_comes_with_the_call_itself_is_its_arguments() {
    let stream = STREAM_TOOLS.replace(r#""name":"now","input":{}"#, r#""name":"now","input":{"zone":"CET"}"#);
    let event = Event::Arguments { choice: 0, call: 1, fragment: r#"{"zone":"CET"}"#.to_owned() };
    assert!(read(&stream).contains(&event));
}
