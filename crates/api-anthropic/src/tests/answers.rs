use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderName, HeaderValue};
use mainspring_gateway::{Body, CacheOutcome, GatewayFault};
use mainspring_kernel::Money;
use mainspring_llm::{
    Provenance, TokenUsage, TraceId,
    exchange::{Answer, Choice, Dialect, Event, Finish, Part},
};
use mainspring_providers::Operation;
use serde_json::{Map, Value, json};

use super::{answered, bytes, text};
use crate::answer::response;

fn sent(body: Body) -> axum::response::Response {
    response(answered(body), (Operation::Messages, "asked"), TraceId::random(), Some("req_7")).unwrap()
}

fn late() -> GatewayFault {
    GatewayFault::Late { model: "chat".to_owned(), within: std::time::Duration::from_secs(3) }
}

fn whole() -> Answer {
    Answer {
        id: "chatcmpl-1".to_owned(),
        model: "gpt".to_owned(),
        choices: vec![Choice { parts: vec![Part::text("Hi.")], finish: Finish::Stop, stop_sequence: None, logprobs: None }],
        usage: Some(TokenUsage { input: 10, output: 2, cache_read: 4, ..TokenUsage::default() }),
        service_tier: None,
        fingerprint: None,
        said_in: Dialect::OpenAiChat,
        extra: Map::new(),
    }
}

/// The events of a stream: names, and data as JSON.
pub(super) fn events(stream: &str) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        (name, serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    };
    // Comments are no events.
    stream.split("\n\n").filter(|piece| !piece.trim().is_empty() && !piece.starts_with(':')).map(event).collect()
}

#[test]
fn what_passes_through_is_not_touched() {
    let said = b"{ \"id\" : \"msg_1\",\n\"content\":[] }";
    let response = sent(Body::Bytes(Bytes::from_static(said)));
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(bytes(response), said);
    let chunks = ["event: mess", "age_start\ndata: {}\n", "\n: a comment\n\n"];
    let stream = stream::iter(chunks.map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))).boxed();
    let response = sent(Body::Chunks(stream));
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(text(response), chunks.concat());
}

#[test]
fn a_stream_that_fails_ends_with_an_event_that_says_so() {
    let chunk = Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
    let stream = stream::iter([Ok(chunk), Err(late())]).boxed();
    let through = events(&text(sent(Body::Chunks(stream))).replace("\n\n\n", "\n\n"));
    let began = Event::Began { id: "x".to_owned(), model: "gpt".to_owned() };
    let text_event = Event::Text { choice: 0, text: "Hi".to_owned(), logprobs: None };
    let stream = stream::iter([Ok(began), Ok(text_event), Err(late())]).boxed();
    let translated = events(&text(sent(Body::Events(stream))));
    assert_eq!(translated[0].0, "message_start");
    for stream in [through, translated] {
        let (name, data) = stream.last().unwrap();
        assert_eq!((name.as_str(), &data["type"], &data["error"]["type"]), ("error", &json!("error"), &json!("timeout_error")));
        assert_eq!((&data["error"]["code"], &data["request_id"]), (&json!("gateway-late"), &json!("req_7")));
    }
}

#[test]
fn a_chunk_cut_within_a_line_does_not_swallow_the_error() {
    let stream = stream::iter([Ok(Bytes::from_static(b"data: {\"type\":\"content_bl")), Err(late())]).boxed();
    let said = text(sent(Body::Chunks(stream)));
    assert!(said.contains("content_bl\nevent: error\ndata: {\"type\":\"error\""), "{said}");
}

#[test]
fn translated_answers_have_anthropics_shape() {
    let message: Value = serde_json::from_str(&text(sent(Body::Answer(Box::new(whole()))))).unwrap();
    assert_eq!((&message["type"], &message["content"][0]["text"]), (&json!("message"), &json!("Hi.")));
    assert_eq!((&message["usage"]["input_tokens"], &message["usage"]["cache_read_input_tokens"]), (&json!(6), &json!(4)));
    let said = [
        Event::Began { id: "x".to_owned(), model: String::new() },
        Event::Text { choice: 0, text: "Hi.".to_owned(), logprobs: None },
        Event::Finished { choice: 0, finish: Finish::Length, stop_sequence: None },
        Event::Usage(TokenUsage { input: 3, output: 1, ..TokenUsage::default() }),
        Event::Ended,
    ];
    let stream = events(&text(sent(Body::Events(stream::iter(said.map(Ok)).boxed()))));
    let names: Vec<&str> = stream.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]
    );
    assert!(stream.iter().all(|(name, data)| data["type"] == json!(name)));
    assert_eq!(stream[0].1["message"]["model"], json!("asked"));
    assert_eq!((&stream[4].1["delta"]["stop_reason"], &stream[4].1["usage"]["input_tokens"]), (&json!("max_tokens"), &json!(3)));
}

#[test]
fn counted_tokens_are_a_number() {
    let counted = |usage, known| {
        let mut answered = answered(Body::Answer(Box::new(Answer { usage, ..whole() })));
        answered.usage = known;
        let response = response(answered, (Operation::CountTokens, "asked"), TraceId::random(), None).unwrap();
        let from = response.headers()["x-mainspring-usage"].to_str().unwrap().to_owned();
        (serde_json::from_str::<Value>(&text(response)).unwrap(), from)
    };
    let guess = TokenUsage { input: 77, input_from: Provenance::Estimated, ..TokenUsage::default() };
    let none = TokenUsage::default();
    assert_eq!(counted(Some(guess), Some(none)), (json!({"input_tokens": 77}), "estimated".to_owned()));
    assert_eq!(counted(None, Some(TokenUsage { input: 5, ..none })), (json!({"input_tokens": 5}), "reported".to_owned()));
}

#[test]
fn headers_say_what_became_of_the_call() {
    let mut answered = answered(Body::Bytes(Bytes::new()));
    answered.cost = Some("0.00123".parse::<Money>().unwrap());
    answered.cache = CacheOutcome::SemanticHit;
    answered.lost = vec!["top_k".to_owned(), "metadata".to_owned()];
    for (name, value) in
        [("anthropic-ratelimit-requests-remaining", "49"), ("content-type", "text/html"), ("content-length", "9")]
    {
        answered.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let trace = TraceId::random();
    let response = response(answered, (Operation::Messages, "asked"), trace, Some("req_7")).unwrap();
    for (name, value) in [
        ("x-mainspring-trace-id", trace.to_string().as_str()),
        ("x-mainspring-cost", "0.00123"),
        ("x-mainspring-provider", "claude"),
        ("x-mainspring-model", "claude/claude-sonnet-4-5"),
        ("x-mainspring-cache", "semantic-hit"),
        ("x-mainspring-attempts", "2"),
        ("x-mainspring-lost", "top_k, metadata"),
        ("request-id", "req_7"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(response.headers().get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
    }
    assert_eq!(response.headers().get("content-length"), None);
    let plain = sent(Body::Bytes(Bytes::new()));
    assert!(plain.headers().get("x-mainspring-cost").is_none() && plain.headers().get("x-mainspring-lost").is_none());
}
