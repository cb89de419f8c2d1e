//! From AWS's event streams to events.

use mainspring_llm::{
    TokenUsage,
    exchange::{Dialect, Event, Finish},
};
use proptest::prelude::*;
use serde_json::json;

use super::{CLAUDE, endpoint, framed, recorded};
use crate::{
    bedrock::Bedrock,
    fault::{FaultClass, UpstreamFault},
    seam::Adapter,
};

const STREAMS: &[&str] = &["text.jsonl", "tools.jsonl", "throttled.jsonl", "cited.jsonl"];

/// The events, and how it went.
type Read = (Vec<Event>, Result<(), FaultClass>);

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut out = Vec::new();
    let went = feed(chunks, &mut out).map_err(|fault| fault.class);
    (out, went)
}

fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, out: &mut Vec<Event>) -> Result<(), UpstreamFault> {
    let mut events = Bedrock.events(&endpoint(CLAUDE));
    for chunk in chunks {
        events.push(chunk, out)?;
    }
    events.end(out)
}

fn whole(name: &str) -> Read {
    read([recorded(name).as_slice()])
}

fn began() -> Event {
    Event::Began { id: String::new(), model: CLAUDE.into() }
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.into(), logprobs: None }
}

fn thought(text: &str) -> Event {
    Event::Reasoning { choice: 0, text: text.into() }
}

fn thought_done(signature: Option<&str>, sealed: Option<&str>) -> Event {
    Event::ReasoningDone { choice: 0, id: None, signature: signature.map(str::to_owned), sealed: sealed.map(str::to_owned) }
}

fn called(call: u32, id: &str, name: &str) -> Event {
    Event::ToolCall { choice: 0, call, id: id.into(), name: name.into(), signature: None }
}

fn arguments(call: u32, fragment: &str) -> Event {
    Event::Arguments { choice: 0, call, fragment: fragment.into() }
}

fn finished(finish: Finish, stop_sequence: Option<&str>) -> Event {
    Event::Finished { choice: 0, finish, stop_sequence: stop_sequence.map(str::to_owned) }
}

#[test]
fn text_comes_piece_by_piece() {
    let used = TokenUsage { input: 114, output: 9, cache_read: 100, ..TokenUsage::default() };
    let want = vec![
        began(),
        text("The Danube"),
        text(" rises — twice."),
        finished(Finish::Stop, Some("END")),
        Event::Usage(used),
        Event::Ended,
    ];
    assert_eq!(whole("text.jsonl"), (want, Ok(())));
}

#[test]
fn thoughts_and_calls_come_in_their_order() {
    let used = TokenUsage { input: 419, output: 220, ..TokenUsage::default() };
    let want = vec![
        began(),
        thought("Two towns"),
        thought(" are asked for."),
        thought_done(Some("ErUBCkYIBxgCIkDcX0+/q1n8Q=="), None),
        thought_done(None, Some("EmwKAhgBEgy3va3pzix/Lafp")),
        text("I will look."),
        called(0, "tooluse_hbTgdi0CSLq_hM4P8csZJA", "weather"),
        arguments(0, "{\"city\": \"Ul"),
        arguments(0, "m\"}"),
        called(1, "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "now"),
        arguments(1, "{}"),
        finished(Finish::ToolCalls, None),
        Event::Usage(used),
        Event::Ended,
    ];
    assert_eq!(whole("tools.jsonl"), (want, Ok(())));
}

#[test]
fn an_exception_in_the_middle_ends_the_stream() {
    assert_eq!(whole("throttled.jsonl"), (vec![began(), text("The")], Err(FaultClass::RateLimited)));
    for (name, message, want) in [
        ("modelStreamErrorException", "A streaming error occurred.", FaultClass::Server),
        ("internalServerException", "x", FaultClass::Server),
        ("serviceUnavailableException", "x", FaultClass::Overloaded),
        ("modelTimeoutException", "x", FaultClass::Timeout),
        ("validationException", "Input is too long for requested model.", FaultClass::ContextWindow),
        ("validationException", "x", FaultClass::Invalid),
        ("somethingNewException", "x", FaultClass::Server),
    ] {
        let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
        let frame = framed(&headers, json!({"message": message}).to_string().as_bytes());
        let mut out = Vec::new();
        let fault = feed([frame.as_slice()], &mut out).unwrap_err();
        assert_eq!((fault.class, fault.message.as_str(), fault.said.as_deref()), (want, message, Some(name)));
    }
    let headers = [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "it broke")];
    let fault = feed([framed(&headers, b"").as_slice()], &mut Vec::new()).unwrap_err();
    assert_eq!((fault.class, fault.message.as_str()), (FaultClass::Server, "it broke"));
}

#[test]
fn what_has_no_word_is_handed_on_and_what_is_unknown_passed_over() {
    let citation =
        json!({"contentBlockIndex": 0, "delta": {"citation": {"title": "hours", "sourceContent": [{"text": "9 to 6"}]}}});
    let want = vec![
        began(),
        text("At six."),
        Event::Other { said_in: Dialect::Bedrock, value: citation },
        finished(Finish::ContentFilter, None),
        Event::Usage(TokenUsage { input: 3, output: 2, ..TokenUsage::default() }),
        Event::Ended,
    ];
    assert_eq!(whole("cited.jsonl"), (want, Ok(())));
}

fn event(name: &str, payload: &str) -> Vec<u8> {
    framed(&[(":event-type", name), (":message-type", "event")], payload.as_bytes())
}

#[test]
fn a_call_that_is_given_nothing_has_no_fields() {
    let start = json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t1", "name": "now"}}});
    let delta = json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": ""}}});
    let frames = [
        event("messageStart", r#"{"role": "assistant"}"#),
        event("contentBlockStart", &start.to_string()),
        event("contentBlockDelta", &delta.to_string()),
        event("contentBlockStop", r#"{"contentBlockIndex": 0}"#),
        event("messageStop", r#"{"stopReason": "tool_use"}"#),
    ];
    let want = vec![began(), called(0, "t1", "now"), arguments(0, "{}"), finished(Finish::ToolCalls, None), Event::Ended];
    assert_eq!(read(frames.iter().map(Vec::as_slice)), (want, Ok(())));
}

#[test]
fn sealed_thoughts_in_pieces_are_one() {
    let delta = |piece: &str| {
        let payload = json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": piece}}});
        event("contentBlockDelta", &payload.to_string())
    };
    let stream = [delta("YQ=="), delta("YmM="), event("contentBlockStop", r#"{"contentBlockIndex":0}"#)].concat();
    let (events, _) = read([stream.as_slice()]);
    assert_eq!(events[1..], [thought_done(None, Some("YWJj"))]);
}

#[test]
fn what_cannot_be_is_malformed() {
    let class = |bytes: Vec<u8>| read([bytes.as_slice()]).1;
    assert_eq!(class(event("messageStart", "{")), Err(FaultClass::Malformed));
    let stray = r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{}"}}}"#;
    assert_eq!(class(event("contentBlockDelta", stray)), Err(FaultClass::Malformed));
    assert_eq!(class(event("messageStop", r#"{"stopReason":"malformed_tool_use"}"#)), Err(FaultClass::Malformed));
    assert_eq!(class(b"<html>Bad Gateway</html>".to_vec()), Err(FaultClass::Malformed));
}

#[test]
fn a_stream_that_is_cut_is_no_answer() {
    let stream = recorded("text.jsonl");
    for at in [0, 5, stream.len() / 2, stream.len() - 1] {
        let (events, went) = read([&stream[..at]]);
        assert_eq!(went, Err(FaultClass::Reset), "{at}");
        assert!(!events.contains(&Event::Ended));
    }
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_events() {
    for name in STREAMS {
        let (stream, want) = (recorded(name), whole(name));
        assert_eq!(read(stream.chunks(1)), want, "{name} byte by byte");
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
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
    fn no_payload_makes_a_stream_panic(
        name in proptest::sample::select(vec!["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]),
        payload in "\\PC{0,80}",
    ) {
        let _ = read([event(name, &payload).as_slice()]);
    }

    #[test]
    fn a_damaged_stream_never_ends_well(name in proptest::sample::select(STREAMS), at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let mut stream = recorded(name);
        let at = at.index(stream.len());
        stream[at] ^= flip;
        let (events, went) = read([stream.as_slice()]);
        prop_assert!(went.is_err());
        prop_assert!(!events.contains(&Event::Ended));
    }
}
