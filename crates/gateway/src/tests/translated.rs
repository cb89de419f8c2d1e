//! Answers that come in another dialect than the client's: their names, and what is paid when nobody can read them.

use futures::StreamExt;
use mainspring_llm::{Provenance, exchange::Event};
use mainspring_providers::FaultClass;
use mainspring_testservers::upstream::{Behaviour, Script, Upstream};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, upstream};
use crate::{Body, CacheOutcome, CallStatus};

/// A provider of a kind, as its spec says it.
pub(super) fn place(kind: &str, server: &Upstream) -> Value {
    let url = server.url();
    match kind {
        "openai" => json!({"type": kind, "base_url": format!("{url}/v1")}),
        "azure" => json!({"type": kind, "base_url": format!("{url}/openai/v1")}),
        "gemini" => json!({"type": kind, "base_url": format!("{url}/v1beta")}),
        "bedrock" => json!({"type": kind, "base_url": url, "region": "eu-central-1"}),
        _ => json!({"type": kind, "base_url": url}),
    }
}

async fn room_with(kind: &str, server: &Upstream) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "m"}], "retry": {"attempts": 0}});
    room.apply(&[("provider", "main", place(kind, server)), ("route", "assistant", spec)]).await;
    room
}

#[tokio::test]
async fn an_answer_whose_provider_names_none_has_a_name_of_its_own() {
    let server = upstream(Script::default());
    let room = room_with("bedrock", &server).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let Body::Answer(answer) = room.ask("assistant").await.unwrap().body else { panic!("it is translated") };
        names.push(answer.id);
        let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
        let Body::Events(mut events) = answered.body else { panic!("{:?}", answered.body) };
        let Some(Ok(Event::Began { id, .. })) = events.next().await else { panic!("it begins") };
        names.push(id);
        while events.next().await.is_some() {}
    }
    assert!(names.iter().all(|name| name.starts_with("chatcmpl-") && name.len() > 30), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 4, "clients tell answers apart by their names: {names:?}");
}

#[tokio::test]
async fn a_ping_of_the_provider_is_passed_on_and_kept_by_nobody() {
    let server = upstream(Script::default());
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "m"}], "cache": {"ttl": "1h", "sampled": true}});
    room.apply(&[("provider", "main", place("anthropic", &server)), ("route", "assistant", spec)]).await;
    for (cache, pings) in [(CacheOutcome::Miss, 1), (CacheOutcome::Hit, 0)] {
        let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
        assert_eq!(answered.cache, cache);
        let Body::Events(events) = answered.body else { panic!("{:?}", answered.body) };
        let events: Vec<Event> = events.map(Result::unwrap).collect().await;
        assert!(matches!(events.first(), Some(Event::Began { .. })) && events.last() == Some(&Event::Ended), "{events:?}");
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Ping)).count(), pings, "{events:?}");
    }
}

/// A whole answer that says what it used and cannot be given to anyone.
const BROKEN: [(&str, &str); 4] = [
    (
        "anthropic",
        r#"{"id":"msg_1","type":"message","role":"assistant","content":7,"usage":{"input_tokens":31,"output_tokens":9}}"#,
    ),
    ("gemini", r#"{"candidates":7,"usageMetadata":{"promptTokenCount":31,"candidatesTokenCount":9,"totalTokenCount":40}}"#),
    (
        "bedrock",
        r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"malformed_model_output","usage":{"inputTokens":31,"outputTokens":9,"totalTokens":40}}"#,
    ),
    (
        "openai",
        r#"{"id":"c","object":"chat.completion","created":1,"model":"m","usage":{"prompt_tokens":31,"completion_tokens":9}}"#,
    ),
];

#[tokio::test]
async fn an_answer_nobody_can_read_is_paid_by_what_it_says_it_used() {
    for (kind, body) in BROKEN {
        let server = upstream(Script::always(Behaviour { body: Some(body.to_owned()), ..Behaviour::default() }));
        let mut room = room_with(kind, &server).await;
        let said = room.ask("assistant").await;
        let record = room.settled_once().await;
        // To clients of its own dialect an answer goes as it came.
        if kind == "openai" {
            assert_eq!((said.is_ok(), record.status), (true, CallStatus::Ok));
        } else {
            assert_eq!(said.unwrap_err().class(), Some(FaultClass::Malformed), "{kind}");
            assert_eq!((record.status, record.class), (CallStatus::Failed, Some(FaultClass::Malformed)), "{kind}");
        }
        assert_eq!((record.usage.input, record.usage.output, record.cost), (31, 9, cost(31, 9)), "{kind}");
        assert_eq!((record.usage.input_from, record.usage.output_from), (Provenance::Reported, Provenance::Reported), "{kind}");
    }
}

#[tokio::test]
async fn what_a_stream_told_before_it_broke_counts_even_where_both_came_at_once() {
    // The beginning tells the input; what follows it in the same piece is nothing anybody can read.
    let begins = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":321,"output_tokens":1}}}"#;
    let body = format!("event: message_start\ndata: {begins}\n\nevent: content_block_delta\ndata: {{\"type\": [\n\n");
    let server = upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }));
    let mut room = room_with("anthropic", &server).await;
    let fault = match room.stream("assistant").await {
        Ok((_, fault)) => fault.expect("it breaks"),
        Err(fault) => fault,
    };
    assert_eq!(fault.class(), Some(FaultClass::Malformed), "{fault}");
    let record = room.settled_once().await;
    assert_eq!((record.usage.input, record.usage.input_from), (321, Provenance::Reported));
    assert_eq!(record.cost, cost(321, record.usage.output));
}
