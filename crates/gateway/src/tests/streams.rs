//! Answers that come in pieces.

use std::time::Duration;

use futures::StreamExt;
use mainspring_llm::{End, Provenance, trace::names};
use mainspring_providers::FaultClass;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Used, When};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, drain, guess, provider, upstream};
use crate::{Body, CallStatus};

async fn room_with(server: &mainspring_testservers::upstream::Upstream) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"}});
    room.apply(&[("provider", "main", provider(server)), ("route", "assistant", spec)]).await;
    room
}

/// The events of a stream as JSON, without the `[DONE]` at its end.
fn events(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn said(text: &str) -> String {
    events(text).iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test]
async fn a_stream_passes_through_and_keeps_its_end() {
    let server = upstream(Script::always(Behaviour::saying("the whole answer")));
    let mut room = room_with(&server).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none(), "{fault:?}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(said(&text), "the whole answer");
    let record = room.settled_once().await;
    assert_eq!((record.status, record.usage.input, record.usage.output, record.cost), (CallStatus::Ok, 12, 8, cost(12, 8)));
    assert!(record.first_ms.is_some());
}

#[tokio::test]
async fn usage_is_asked_for_and_taken_out_where_the_client_did_not_ask() {
    let server = upstream(Script::default());
    let mut room = room_with(&server).await;
    let (text, _) = room.stream("assistant").await.unwrap();
    assert_eq!(server.seen()[0].json()["stream_options"]["include_usage"], true);
    assert!(events(&text).iter().all(|event| !event["choices"].as_array().unwrap().is_empty()), "{text}");
    assert!(events(&text).iter().all(|event| event["usage"].is_null()), "{text}");
    assert_eq!(room.settled_once().await.usage.output, 8);

    let mut body = chat("assistant", true);
    body["stream_options"] = json!({"include_usage": true});
    let answered = room.gateway.call(room.request(&body)).await.unwrap();
    let (text, _) = drain(answered.body).await;
    let last = events(&text).pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(8)));
    assert_eq!(room.settled_once().await.usage.output, 8, "told to both");
}

#[tokio::test]
async fn a_stream_is_settled_before_its_last_piece_goes_out() {
    let server = upstream(Script::default());
    let mut room = room_with(&server).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    // A client hangs up as soon as it has seen the end.
    while let Some(chunk) = chunks.next().await {
        if String::from_utf8_lossy(&chunk.unwrap()).contains("[DONE]") {
            break;
        }
    }
    drop(chunks);
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)));
}

#[tokio::test]
async fn pieces_go_on_while_later_ones_are_still_to_come() {
    let slow = Behaviour { trouble: Some(Trouble::Hang(When::After(3))), ..Behaviour::default() };
    let server = upstream(Script::always(slow));
    let mut room = room_with(&server).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    let mut text = String::new();
    while said(&text).is_empty() {
        text.push_str(&String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()));
    }
    drop(chunks);
    server.wait_until_hung_up().await;
    assert_eq!(room.settled_once().await.status, CallStatus::Cancelled);
}

#[tokio::test]
async fn what_breaks_before_the_first_event_is_tried_again_unseen() {
    let broken = [Trouble::Malformed(0), Trouble::End(0), Trouble::Reset(When::After(0)), Trouble::Error(0), Trouble::NotJson];
    for trouble in broken {
        let server = upstream(Script::default().then(Behaviour::trouble(trouble)));
        let mut room = room_with(&server).await;
        let (text, fault) = room.stream("assistant").await.unwrap();
        assert!(fault.is_none(), "{trouble:?}: {fault:?}");
        assert!(text.ends_with("data: [DONE]\n\n"), "{trouble:?}: {text}");
        assert_eq!(server.count(), 2, "{trouble:?}");
        let record = room.settled_once().await;
        assert_eq!((record.status, record.attempts), (CallStatus::Ok, 2), "{trouble:?}");
        let input = guess(&chat("assistant", true));
        let wasted = match trouble {
            // Refused, whatever its status said.
            Trouble::Error(_) => cost(0, 0),
            // Whether its head came before it was broken is a matter of luck.
            Trouble::Reset(_) => record.cost - cost(12, 8),
            _ => cost(input, 0),
        };
        assert_eq!(record.cost, cost(12, 8) + wasted, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_breaks_later_is_an_error_and_no_second_attempt() {
    for trouble in [Trouble::Malformed(3), Trouble::End(3), Trouble::Reset(When::After(3)), Trouble::Close(When::After(3))] {
        // Pieces that come together with what breaks would still be tried again.
        let slowly = Behaviour { gap: Duration::from_millis(20), ..Behaviour::trouble(trouble) };
        let server = upstream(Script::always(slowly));
        let mut room = room_with(&server).await;
        let (text, fault) = room.stream("assistant").await.unwrap();
        assert!(fault.is_some(), "{trouble:?}");
        assert!(text.is_empty() || text.ends_with("\n\n"), "an error can follow: {text:?}");
        assert!(!said(&text).is_empty(), "{trouble:?}");
        assert_eq!(server.count(), 1, "{trouble:?}");
        let record = room.settled_once().await;
        // Nobody told what it used: the input, and what was seen of the output.
        let (input, output) = (guess(&chat("assistant", true)), crate::reckon::text(&said(&text)));
        assert_eq!(record.status, CallStatus::Failed, "{trouble:?}");
        assert_eq!((record.usage.input, record.usage.output), (input, output), "{trouble:?}");
        assert_eq!((record.usage.output_from, record.cost), (Provenance::Estimated, cost(input, output)));
    }
}

#[tokio::test]
async fn an_error_the_provider_says_in_the_stream_goes_to_the_client_as_it_is() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Error(3))));
    let mut room = room_with(&server).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none(), "the client has it in its own dialect: {fault:?}");
    assert!(text.contains("\"error\""), "{text}");
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts), (CallStatus::Failed, 1));
    assert!(record.class.is_some());
}

/// As OpenRouter says it, whose provider broke off.
#[tokio::test]
async fn an_answer_that_ends_with_an_error_failed_is_paid_as_told_and_kept_by_nobody() {
    let error = json!({"code": 502, "message": "Provider disconnected"});
    let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15});
    let begun = json!({"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "half"}}]});
    let ended = json!({"index": 0, "delta": {"content": ""}, "finish_reason": "error"});
    let ended = json!({"id": "1", "error": error, "choices": [ended], "usage": usage});
    let streamed = format!("data: {begun}\n\ndata: {ended}\n\ndata: [DONE]\n\n");
    let message = json!({"role": "assistant", "content": "half"});
    let choice = json!({"index": 0, "message": message, "finish_reason": "error", "error": error});
    let whole = json!({"id": "1", "choices": [choice], "usage": usage}).to_string();
    for (stream, body) in [(true, streamed), (false, whole)] {
        let server = upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }));
        let mut room = Room::open().await;
        let targets = json!([{"provider": "main", "model": "a"}]);
        let spec = json!({"targets": targets, "retry": {"attempts": 0}, "cache": {"ttl": "1h", "sampled": true}});
        room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", spec)]).await;
        for asked in 1..=2 {
            match room.gateway.call(room.request(&chat("assistant", stream))).await {
                Ok(answered) => assert!(stream && drain(answered.body).await.0.contains("Provider disconnected")),
                Err(fault) => assert_eq!((stream, fault.class()), (false, Some(FaultClass::Server)), "{fault}"),
            }
            let record = room.settled_once().await;
            assert_eq!((record.status, record.class), (CallStatus::Failed, Some(FaultClass::Server)), "{stream}");
            assert_eq!((record.usage.input, record.usage.output, record.cost), (12, 3, cost(12, 3)), "{stream}");
            assert_eq!(server.count(), asked, "it is no answer to give again");
        }
    }
}

/// As vLLM says it, in a stream that began with yes.
#[tokio::test]
async fn a_call_too_long_for_a_stream_goes_to_the_target_that_takes_long_ones() {
    let said = json!({"object": "error", "message": "This model's maximum context length is 10 tokens", "code": 400});
    let body = format!("data: {said}\n\ndata: [DONE]\n\n");
    let short = upstream(Script::always(Behaviour { body: Some(body), ..Behaviour::default() }));
    let long = upstream(Script::default());
    let room = Room::open().await;
    let targets = json!([
        {"provider": "short", "model": "a"},
        {"provider": "long", "model": "b", "tier": 1, "on": ["context_window"]},
    ]);
    let spec = json!({"targets": targets});
    room.apply(&[("provider", "short", provider(&short)), ("provider", "long", provider(&long)), ("route", "assistant", spec)])
        .await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts), ("long", 2));
}

#[tokio::test]
async fn streams_of_another_dialect_come_as_events() {
    let server = upstream(Script::always(Behaviour::saying("bonjour le monde")));
    let mut room = Room::open().await;
    let spec = json!({"targets": [{"provider": "claude", "model": "claude-x"}]});
    let provider = json!({"type": "anthropic", "base_url": server.url()});
    room.apply(&[("provider", "claude", provider), ("route", "assistant", spec)]).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    assert!(matches!(answered.body, Body::Events(_)), "{:?}", answered.body);
    let (text, fault) = drain(answered.body).await;
    assert_eq!((text.as_str(), fault.is_none()), ("bonjour le monde", true));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.usage.input, record.usage.output, record.cost), (CallStatus::Ok, 12, 8, cost(12, 8)));
}

#[tokio::test]
async fn a_translated_stream_that_breaks_is_told_and_settled() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::End(4))));
    let mut room = Room::open().await;
    let spec = json!({"targets": [{"provider": "claude", "model": "claude-x"}]});
    let provider = json!({"type": "anthropic", "base_url": server.url()});
    room.apply(&[("provider", "claude", provider), ("route", "assistant", spec)]).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_some() && !text.is_empty());
    let record = room.settled_once().await;
    assert_eq!((record.status, record.usage.input), (CallStatus::Failed, 12), "the beginning told the input");
    assert!(record.usage.output >= crate::reckon::text(&text));
    assert_eq!((record.usage.input_from, record.usage.output_from), (Provenance::Reported, Provenance::Estimated));
}

/// Anthropic tells the input, and what of it was cached, when a stream begins. The output of one that breaks is a guess, and
/// no other number is.
#[tokio::test]
async fn what_was_told_before_a_stream_broke_stays_as_it_was_told() {
    let used = Used { input: 1_000, output: 8, cache_read: 600, cache_write: 50, reasoning: 0 };
    let server = upstream(Script::always(Behaviour { usage: Some(used), ..Behaviour::trouble(Trouble::End(4)) }));
    let mut room = Room::open().await;
    let spec = json!({"targets": [{"provider": "claude", "model": "claude-x"}]});
    let provider = json!({"type": "anthropic", "base_url": server.url()});
    room.apply(&[("provider", "claude", provider), ("route", "assistant", spec)]).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_some() && !text.is_empty());
    let usage = room.settled_once().await.usage;
    assert_eq!((usage.input, usage.cache_read, usage.cache_write), (1_000, 600, 50));
    assert_eq!(usage.marks(), "estimated; input=reported; cache_read=reported; cache_write=reported");
    let spans = room.spans.all();
    let told = spans.iter().filter(|span| span.attributes.contains_key("mainspring.usage_from"));
    let marks = told.map(|span| {
        let says = |name: &str| span.attributes.get(name).and_then(Value::as_str);
        let names = ["usage_from", "input_from", "cache_read_from", "cache_write_from", "output_from"];
        names.map(|name| says(&format!("mainspring.{name}")))
    });
    let reported = Some("reported");
    // The call and its attempt.
    assert_eq!(marks.collect::<Vec<_>>(), [[Some("estimated"), reported, reported, reported, None]; 2]);
}

/// The log has it in the line of the request.
#[tokio::test]
async fn how_a_stream_ended_is_told_by_whoever_knows() {
    let slowly = |trouble| Behaviour { gap: Duration::from_millis(20), ..Behaviour::trouble(trouble) };
    let whole = || Behaviour { gap: Duration::from_millis(20), ..Behaviour::default() };
    for kind in ["openai", "anthropic"] {
        for (behaviour, ends) in [
            (whole(), [Some(End::Complete); 2]),
            (slowly(Trouble::Malformed(3)), [Some(End::Broken("upstream-malformed")); 2]),
            (slowly(Trouble::End(3)), [Some(End::Broken("upstream-reset")); 2]),
            // Its client has it as the provider said it, where the two speak alike.
            (slowly(Trouble::Error(3)), [Some(End::Broken("upstream-server")), Some(End::Broken("upstream-overloaded"))]),
        ] {
            let what = format!("{kind} {behaviour:?}");
            let server = upstream(Script::always(behaviour));
            let room = Room::open().await;
            let base = if kind == "openai" { format!("{}/v1", server.url()) } else { server.url() };
            let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}});
            room.apply(&[("provider", "main", json!({"type": kind, "base_url": base})), ("route", "assistant", spec)]).await;
            let request = room.request(&chat("assistant", true));
            let told = request.told.clone();
            let answered = room.gateway.call(request).await.unwrap();
            assert_eq!(told.ending().told(), None, "{what}: it goes on");
            drain(answered.body).await;
            assert!(ends.contains(&told.ending().told()), "{what}: {:?}", told.ending());
            assert!(told.facts().headers.is_empty(), "{what}: the head has said it");
        }
    }
    let server = upstream(Script::always(whole()));
    let room = room_with(&server).await;
    let request = room.request(&chat("assistant", true));
    let told = request.told.clone();
    let Body::Chunks(mut chunks) = room.gateway.call(request).await.unwrap().body else { panic!("no chunks") };
    chunks.next().await.unwrap().unwrap();
    drop(chunks);
    assert_eq!(told.ending().told(), None, "who left knows it");
}

#[tokio::test]
async fn spans_of_a_stream_tell_when_it_began_how_fast_it_went_and_what_it_cost() {
    let steady = Behaviour { gap: Duration::from_millis(20), ..Behaviour::default() };
    let server = upstream(Script::always(steady));
    let mut room = room_with(&server).await;
    let (_, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none(), "{fault:?}");
    let record = room.settled_once().await;
    let spans = room.spans.all();
    let call = spans.iter().find(|span| span.parent.is_none()).unwrap();
    let attempt = spans.iter().find(|span| span.parent == Some(call.span)).unwrap();
    assert_eq!((spans.len(), attempt.name.as_str()), (2, "attempt main/a"));
    for span in [call, attempt] {
        let says = |name: &str| span.attributes.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(says("mainspring.target").as_deref(), Some("main/a"), "{}", span.name);
        assert_eq!(says("mainspring.cost"), Some(record.cost.to_string()), "{}", span.name);
        assert_eq!(says("mainspring.usage_from").as_deref(), Some("reported"), "{}", span.name);
        assert_eq!(
            (&span.attributes["gen_ai.usage.input_tokens"], &span.attributes["gen_ai.usage.output_tokens"]),
            (&json!(12), &json!(8))
        );
        assert!(span.attributes.get(names::FIRST_TOKEN_MS).is_some_and(Value::is_u64), "{}: {:?}", span.name, span.attributes);
    }
    assert!(
        attempt.attributes["mainspring.tokens_per_second"].as_f64().is_some_and(|speed| speed > 0.0),
        "{:?}",
        attempt.attributes
    );
    assert_eq!(call.attributes["mainspring.cache"], "off");
    let metrics = room.metrics.render();
    for name in ["begin", "output_token", "call"] {
        let line = format!("mainspring_gateway_{name}_seconds_count{{operation=\"chat\"}} 1");
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}
