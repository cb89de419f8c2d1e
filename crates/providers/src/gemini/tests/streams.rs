//! From Google's event streams to events.

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish},
};
use proptest::prelude::*;
use serde_json::json;

use super::{damaged, fixture, flash};
use crate::{
    fault::{FaultClass, UpstreamFault},
    gemini::Gemini,
    seam::Adapter,
};

const STREAMS: &[&str] = &["text.sse", "tools.sse", "two_candidates.sse", "blocked.sse", "overloaded.sse"];

/// The events, and how it went.
type Read = (Vec<Event>, Result<(), FaultClass>);

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut out = Vec::new();
    let went = feed(chunks, &mut out).map_err(|fault| fault.class);
    (out, went)
}

fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
    let mut events = Gemini.events(&flash());
    for chunk in chunks {
        events.push(chunk, out)?;
    }
    events.end(out)
}

fn whole(name: &str) -> Read {
    read([fixture(name).as_bytes()])
}

fn began(model: &str, id: &str) -> Event {
    Event::Began { id: id.into(), model: model.into() }
}

fn text(choice: u32, text: &str) -> Event {
    Event::Text { choice, text: text.into(), logprobs: None }
}

fn used(input: u64, output: u64, reasoning: u64) -> Event {
    Event::Usage(TokenUsage { input, output, reasoning, ..TokenUsage::default() })
}

fn finished(choice: u32, finish: Finish) -> Event {
    Event::Finished { choice, finish, stop_sequence: None }
}

#[test]
fn text_comes_piece_by_piece() {
    let want = vec![
        began("gemini-2.5-flash", "Il0taoSYJ5Cez7IPlaXAyQ4"),
        text(0, "The Danube"),
        used(9, 226, 224),
        text(0, " rises in the Black Forest — "),
        used(9, 233, 224),
        text(0, "twice."),
        used(9, 236, 224),
        finished(0, Finish::Stop),
        Event::Ended,
    ];
    assert_eq!(whole("text.sse"), (want, Ok(())));
}

#[test]
fn thoughts_and_calls_come_with_their_signatures() {
    let (events, went) = whole("tools.sse");
    assert_eq!(went, Ok(()));
    assert_eq!(events[1], Event::Reasoning { choice: 0, text: "**Looking up**\n".into() });
    let Event::ReasoningDone { choice: 0, id: Some(id), signature: None, sealed: Some(sealed) } = &events[3] else {
        panic!("{:?}", events[3])
    };
    assert!(id.starts_with("gmn_"), "{id}");
    assert_eq!(sealed, "CiIBcsjaf9+Q0rGm/dJ4cYk1bQ==");
    assert_eq!(events[4], text(0, "I will look."));
    let Event::ToolCall { choice: 0, call: 0, id: first, name, signature: Some(signature) } = &events[5] else {
        panic!("{:?}", events[5])
    };
    assert_eq!((name.as_str(), signature.as_str()), ("weather", "CqYBcsjafzW/+3gbV8y0Kk3iX1Zt5nE0uQ=="));
    assert!(first.starts_with("gmn_"), "{first}");
    assert_eq!(events[6], Event::Arguments { choice: 0, call: 0, fragment: r#"{"city":"Ulm","days":2}"#.into() });
    let second = Event::ToolCall { choice: 0, call: 1, id: "fc-8814".into(), name: "weather".into(), signature: None };
    assert_eq!(events[8], second);
    let signed = json!({"text": "", "thoughtSignature": "EjQKMgEMOdbHVa5m1/r8yT+k="});
    assert!(events.contains(&Event::Other { said_in: Dialect::Gemini, value: signed }));
    let ends: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Finished { .. } | Event::Ended)).collect();
    assert_eq!(ends, [&finished(0, Finish::ToolCalls), &Event::Ended]);
    // What comes behind the reason to end still counts.
    let Some(Event::Usage(last)) = events.iter().rev().find(|event| matches!(event, Event::Usage(_))) else { panic!() };
    assert_eq!((last.input, last.output, last.cache_read), (113, 176, 64));
}

#[test]
fn candidates_end_one_by_one() {
    let want = vec![
        began("gemini-2.0-flash", "x"),
        text(0, "A"),
        text(1, "B"),
        used(3, 1, 0),
        finished(1, Finish::Length),
        text(0, "a"),
        used(3, 3, 0),
        finished(0, Finish::Stop),
        Event::Ended,
    ];
    assert_eq!(whole("two_candidates.sse"), (want, Ok(())));
}

#[test]
fn a_refused_prompt_tells_what_it_used_before_it_fails() {
    let want = vec![began("gemini-2.5-flash", "0m8taoDlK5"), used(57, 0, 0)];
    assert_eq!(whole("blocked.sse"), (want, Err(FaultClass::ContentFilter)));
}

#[test]
fn an_error_in_the_middle_ends_the_stream() {
    let (events, went) = whole("overloaded.sse");
    assert_eq!((events.len(), went), (3, Err(FaultClass::Overloaded)));
}

#[test]
fn a_call_the_model_broke_off_is_a_fault_behind_its_usage() {
    let data = r#"data: {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL"}], "usageMetadata": {"promptTokenCount": 5}}"#;
    let (events, went) = read([format!("{data}\n\n").as_bytes()]);
    assert_eq!(events.last(), Some(&used(5, 0, 0)));
    assert_eq!(went, Err(FaultClass::Malformed));
}

#[test]
fn a_stream_that_is_cut_is_no_answer() {
    let stream = fixture("text.sse");
    let at = stream.find("twice").unwrap();
    let (events, went) = read([&stream.as_bytes()[..at]]);
    assert_eq!(went, Err(FaultClass::Reset));
    assert!(!events.contains(&Event::Ended) && !events.is_empty());
    assert_eq!(read([]), (Vec::new(), Err(FaultClass::Reset)));
    let (_, went) = read([&b"data: {\"candidates\": [\n\n"[..]]);
    assert_eq!(went, Err(FaultClass::Malformed));
    let (_, went) = read([&b"<html>Bad Gateway</html>\n\n"[..]]);
    assert_eq!(went, Err(FaultClass::Reset));
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_events() {
    for name in STREAMS {
        let (stream, want) = (fixture(name), whole(name));
        let bytes = stream.as_bytes();
        assert_eq!(read(bytes.chunks(1)), want, "{name} byte by byte");
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(read([head, tail]), want, "{name} at {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_stream_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8)) {
        let _ = read(chunks.iter().map(Vec::as_slice));
    }

    #[test]
    fn no_damaged_stream_panics(bytes in damaged(STREAMS), at in any::<prop::sample::Index>()) {
        let (head, tail) = bytes.split_at(at.index(bytes.len() + 1));
        let _ = read([head, tail]);
    }
}
