//! Upstreams that misbehave, clients that vanish, clocks that jump: each call is settled once, with the right amount, and
//! breakers open and close as they say.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use mainspring_kernel::{Fault, FaultKind, Money};
use mainspring_llm::{Models, Provenance};
use mainspring_providers::{FaultClass, SocketConfig};
use mainspring_testservers::upstream::{Behaviour, Certificate, Options, Script, Trouble, Upstream, When, nobody};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, drain, provider, upstream};
use crate::{Body, CallRecord, CallStatus, GatewayFault, Standing};

/// One target, asked once, with little patience.
fn route(timeouts: &Value) -> Value {
    json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}, "timeouts": timeouts})
}

async fn room_for(place: Value, spec: Value) -> Room {
    let room = Room::open().await;
    room.apply(&[("provider", "main", place), ("route", "assistant", spec)]).await;
    room
}

/// What the request has in tokens, where nobody told.
fn guess(stream: bool) -> u64 {
    super::room::guess(&chat("assistant", stream))
}

#[track_caller]
fn failed(record: &CallRecord, class: FaultClass, (input, output): (u64, u64)) {
    assert_eq!((record.status, record.class), (CallStatus::Failed, Some(class)));
    assert_eq!((record.usage.input, record.usage.output), (input, output));
    assert_eq!(record.cost, cost(input, output));
}

#[tokio::test]
async fn an_upstream_that_hangs_is_left_in_time_and_its_input_is_paid() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let mut room = room_for(provider(&server), route(&json!({"whole": "150ms"}))).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("upstream-timeout", FaultKind::Timeout));
    let record = room.settled_once().await;
    failed(&record, FaultClass::Timeout, (guess(false), 0));
    assert_eq!(record.usage.input_from, Provenance::Estimated);
    server.wait_until_hung_up().await;
}

#[tokio::test]
async fn an_upstream_that_hangs_in_a_stream_ends_it_with_an_error() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(4)))));
    let mut room = room_for(provider(&server), route(&json!({"idle": "150ms"}))).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert_eq!(fault.and_then(|fault| fault.class()), Some(FaultClass::Timeout));
    assert!(text.ends_with("\n\n"), "{text}");
    let record = room.settled_once().await;
    assert_eq!(record.usage.input, guess(true));
    assert!(record.usage.output > 0 && record.usage.output_from == Provenance::Estimated);
    failed(&record, FaultClass::Timeout, (record.usage.input, record.usage.output));
}

#[tokio::test]
async fn a_stream_that_hangs_before_its_first_event_goes_elsewhere() {
    let (silent, well) =
        (upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(0))))), upstream(Script::default()));
    let mut room = Room::open().await;
    let targets = json!([{"provider": "silent", "model": "a"}, {"provider": "well", "model": "b"}]);
    let spec = json!({"targets": targets, "choose": "first", "retry": {"attempts": 0}, "timeouts": {"first": "2s"}});
    room.apply(&[("provider", "silent", provider(&silent)), ("provider", "well", provider(&well)), ("route", "assistant", spec)])
        .await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none() && text.ends_with("[DONE]\n\n"));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts), (CallStatus::Ok, 2));
    // The silent one had said yes: its input is paid beside the answer.
    assert_eq!(record.cost, cost(12, 8) + cost(guess(true), 0));
}

#[tokio::test]
async fn connections_that_break_before_an_answer_cost_nothing() {
    for (trouble, class) in
        [(Trouble::Reset(When::BeforeHead), FaultClass::Reset), (Trouble::Close(When::BeforeHead), FaultClass::Reset)]
    {
        let server = upstream(Script::always(Behaviour::trouble(trouble)));
        let mut room = room_for(provider(&server), route(&json!({}))).await;
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(class), "{trouble:?}: {fault}");
        failed(&room.settled_once().await, class, (0, 0));
    }
}

#[tokio::test]
async fn whole_answers_that_break_off_are_paid_by_a_guess() {
    for trouble in [Trouble::Reset(When::After(1)), Trouble::Close(When::After(1))] {
        let server = upstream(Script::always(Behaviour::trouble(trouble)));
        let mut room = room_for(provider(&server), route(&json!({}))).await;
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Reset), "{trouble:?}: {fault}");
        failed(&room.settled_once().await, FaultClass::Reset, (guess(false), 0));
    }
}

#[tokio::test]
async fn answers_that_are_none_are_malformed() {
    for trouble in [Trouble::WrongJson, Trouble::NotJson, Trouble::Malformed(0)] {
        let server = upstream(Script::always(Behaviour::trouble(trouble)));
        let mut room = room_for(provider(&server), route(&json!({}))).await;
        for stream in [false, true] {
            let fault = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap_err();
            assert_eq!(fault.code(), "upstream-malformed", "{trouble:?} {stream}: {fault}");
            let record = room.settled_once().await;
            assert_eq!((record.status, record.class), (CallStatus::Failed, Some(FaultClass::Malformed)));
            assert_eq!(record.usage.input, guess(stream), "the provider said yes");
        }
    }
}

#[tokio::test]
async fn a_line_of_ten_megabytes_passes() {
    const LENGTH: usize = 10_000_000;
    let server = upstream(Script::always(Behaviour::trouble(Trouble::LongLine(LENGTH))));
    let mut room = room_for(provider(&server), route(&json!({}))).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none(), "{fault:?}");
    assert!(text.contains(&"x".repeat(LENGTH)));
    assert!(text.ends_with("[DONE]\n\n"));
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)));
    let whole = room.ask("assistant").await.unwrap();
    let Body::Bytes(bytes) = whole.body else { panic!("{:?}", whole.body) };
    assert!(bytes.len() > LENGTH);
    assert_eq!(room.settled_once().await.cost, cost(12, 8));
}

#[tokio::test]
async fn a_line_without_an_end_is_ended() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::EndlessLine)));
    let mut room = room_for(provider(&server), route(&json!({"first": "20s"}))).await;
    let (text, fault) = room.stream("assistant").await.unwrap();
    assert_eq!(fault.map(|fault| fault.code()), Some("upstream-malformed"));
    assert!(text.ends_with("\n\n") && text.len() < 1_000, "nothing of the line went out");
    failed(&room.settled_once().await, FaultClass::Malformed, (guess(true), 0));
    server.wait_until_hung_up().await;
}

#[tokio::test]
async fn bytes_that_trickle_in_do_not_hold_a_call_for_ever() {
    let drip = Behaviour { drip: Some(Duration::from_millis(20)), ..Behaviour::default() };
    let server = upstream(Script::always(drip));
    // Something always comes within `idle`, and never an answer.
    let mut room = room_for(provider(&server), route(&json!({"attempt": "300ms", "first": "10s", "idle": "10s"}))).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!(fault.class(), Some(FaultClass::Timeout), "{fault}");
    failed(&room.settled_once().await, FaultClass::Timeout, (guess(false), 0));
    let fault = room.stream("assistant").await.unwrap_err();
    assert_eq!(fault.class(), Some(FaultClass::Timeout), "{fault}");
    room.settled_once().await;
}

#[tokio::test]
async fn names_that_do_not_resolve_and_ports_nobody_listens_on_cost_nothing() {
    for place in ["http://no-such-host.invalid/v1".to_owned(), format!("{}/v1", nobody().unwrap())] {
        let mut room = room_for(json!({"type": "openai", "base_url": place}), route(&json!({"connect": "20s"}))).await;
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.code(), "upstream-connect", "{place}: {fault}");
        failed(&room.settled_once().await, FaultClass::Connect, (0, 0));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_is_no_connection() {
    let stranger = Arc::new(Certificate::for_another_name().unwrap());
    let options = Options { certificate: Some(Arc::clone(&stranger)), ..Options::default() };
    let server = Upstream::start_with(Script::default(), &options).unwrap();
    for authorities in [None, Some(stranger.path())] {
        let socket = SocketConfig { allow_private: true, authorities, ..SocketConfig::default() };
        let mut room = Room::with(Models::default(), socket).await;
        room.apply(&[("provider", "main", provider(&server)), ("route", "assistant", route(&json!({})))]).await;
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.code(), "upstream-connect", "{fault}");
        failed(&room.settled_once().await, FaultClass::Connect, (0, 0));
    }
    assert_eq!(server.count(), 0);
}

fn breaking(open_for: &str) -> Value {
    json!({
        "targets": [{"provider": "main", "model": "a"}],
        "retry": {"attempts": 0},
        "breaker": {"failure_rate": 0.5, "min_attempts": 3, "window": "1m", "open_for": open_for, "probes": 1},
    })
}

async fn standing(room: &Room) -> Standing {
    room.gateway.health(room.project).await[0].standing
}

#[tokio::test]
async fn a_storm_of_errors_opens_the_breaker_and_a_probe_closes_it() {
    let server = upstream(Script::always(Behaviour::status(503)));
    let mut room = room_for(provider(&server), breaking("300ms")).await;
    for _ in 0..3 {
        let fault = room.ask("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Overloaded));
        failed(&room.settled_once().await, FaultClass::Overloaded, (0, 0));
    }
    assert!(matches!(standing(&room).await, Standing::Open { .. }));
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!((fault.code(), fault.kind()), ("gateway-no-target", FaultKind::Unavailable));
    assert!(fault.retry_after().is_some_and(|wait| wait <= Duration::from_millis(300)), "{fault}: {:?}", fault.retry_after());
    assert_eq!(server.count(), 3, "the upstream is left alone");
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Failed, 0, Money::ZERO));

    server.script(Script::default());
    while matches!(standing(&room).await, Standing::Open { .. }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(standing(&room).await, Standing::HalfOpen);
    room.ask("assistant").await.unwrap();
    assert_eq!(standing(&room).await, Standing::Closed);
    assert_eq!(room.settled_once().await.cost, cost(12, 8));
}

#[tokio::test]
async fn a_failed_probe_doubles_the_wait() {
    let server = upstream(Script::always(Behaviour::status(500)));
    let room = room_for(provider(&server), breaking("200ms")).await;
    for _ in 0..3 {
        room.ask("assistant").await.unwrap_err();
    }
    while matches!(standing(&room).await, Standing::Open { .. }) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    room.ask("assistant").await.unwrap_err();
    assert_eq!(server.count(), 4);
    let Standing::Open { wait_ms } = standing(&room).await else { panic!("the probe failed") };
    assert!(wait_ms > 200, "{wait_ms}");
}

#[tokio::test]
async fn what_clients_do_wrong_never_opens_a_breaker() {
    let server = upstream(Script::always(Behaviour::status(400)));
    let room = room_for(provider(&server), breaking("1m")).await;
    for _ in 0..20 {
        assert_eq!(room.ask("assistant").await.unwrap_err().class(), Some(FaultClass::Invalid));
    }
    assert_eq!((standing(&room).await, server.count()), (Standing::Closed, 20));
}

#[tokio::test]
async fn a_clock_that_jumps_changes_neither_times_nor_breakers() {
    let slow = Behaviour { delay: Duration::from_millis(100), ..Behaviour::default() };
    let server = upstream(Script::always(slow).times(3, &Behaviour::status(500)));
    let mut room = room_for(provider(&server), breaking("10m")).await;
    for _ in 0..3 {
        room.ask("assistant").await.unwrap_err();
        room.settled_once().await;
    }
    let Standing::Open { wait_ms: before } = standing(&room).await else { panic!("it is open") };
    room.clock.advance(Duration::from_secs(400 * 24 * 3600));
    let Standing::Open { wait_ms: after } = standing(&room).await else { panic!("a jump of the clock closes nothing") };
    assert!(after <= before && after > before / 2, "{before} {after}");

    room.apply(&[("route", "other", json!({"targets": [{"provider": "main", "model": "b"}]}))]).await;
    let jump = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        room.clock.advance(Duration::from_secs(30 * 24 * 3600));
    };
    let (answered, ()) = tokio::join!(room.ask("other"), jump);
    answered.unwrap();
    let record = room.settled_once().await;
    assert!(record.took_ms >= 100 && record.took_ms < 60_000, "{}", record.took_ms);
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)));
}

#[tokio::test]
async fn a_client_that_vanishes_before_an_answer_cancels_upstream_and_pays_the_input() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let mut room = room_for(provider(&server), route(&json!({}))).await;
    {
        let call = room.gateway.call(room.request(&chat("assistant", false)));
        tokio::pin!(call);
        let asked = server.wait_until(|seen| !seen.is_empty());
        tokio::select! {
            answered = &mut call => panic!("{answered:?}"),
            _ = asked => {}
        }
    }
    server.wait_until_hung_up().await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts), (CallStatus::Cancelled, 1));
    assert_eq!((record.usage.input, record.usage.output, record.cost), (guess(false), 0, cost(guess(false), 0)));
    assert_eq!(record.usage.input_from, Provenance::Estimated);
    assert_eq!(standing(&room).await, Standing::Closed);
}

#[tokio::test]
async fn a_client_that_vanishes_from_a_stream_pays_what_was_streamed() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(5)))));
    let mut room = room_for(provider(&server), route(&json!({}))).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    let mut text = String::new();
    // Until nothing more comes.
    while let Ok(Some(chunk)) = tokio::time::timeout(Duration::from_millis(300), chunks.next()).await {
        text.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
    }
    assert!(room.none_settled(), "it is not settled while it goes on");
    drop(chunks);
    server.wait_until_hung_up().await;
    let words = text.split("\"content\":\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let written = crate::reckon::tokens(words.map(crate::reckon::eighths).sum());
    let record = room.settled_once().await;
    assert_eq!(record.status, CallStatus::Cancelled);
    assert_eq!((record.usage.input, record.usage.output), (guess(true), written));
    assert_eq!(record.usage.output_from, Provenance::Estimated);
    assert_eq!(record.cost, cost(record.usage.input, record.usage.output));
}

/// Nobody told what they used. A piece is three letters, which are nine eighths of a token.
#[tokio::test]
async fn a_broken_stream_in_small_pieces_is_paid_as_a_whole_and_no_more_than_was_set_aside() {
    for (allowed, output) in [(1_000, 12), (5, 5)] {
        let (text, gap) = (Some("ж".repeat(60)), Duration::from_millis(20));
        let pieces = Behaviour { text, gap, chunks: 20, ..Behaviour::trouble(Trouble::End(11)) };
        let server = upstream(Script::always(pieces));
        let mut room = room_for(provider(&server), route(&json!({}))).await;
        let mut body = chat("assistant", true);
        body["max_tokens"] = json!(allowed);
        let answered = room.gateway.call(room.request(&body)).await.unwrap();
        let (told, fault) = drain(answered.body).await;
        assert!(fault.is_some(), "{told}");
        assert_eq!(told.matches('ж').count(), 30, "{told}");
        let record = room.settled_once().await;
        assert_eq!((record.usage.output, record.usage.output_from), (output, Provenance::Estimated));
    }
}

#[tokio::test]
async fn a_call_is_over_at_its_deadline_whatever_its_attempts_would_still_do() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let mut spec = route(&json!({"first": "10s", "total": "200ms"}));
    spec["retry"] = json!({"attempts": 10, "backoff": "1ms", "max_backoff": "1ms"});
    let mut room = room_for(provider(&server), spec).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Timeout);
    assert_eq!((server.count(), room.settled_once().await.attempts), (1, 1));
}

#[tokio::test]
async fn a_key_that_is_missing_is_said_and_asks_nobody() {
    let server = upstream(Script::default());
    let mut place = provider(&server);
    place["credential"] = json!("env:MAINSPRING_TEST_NO_SUCH_VARIABLE");
    let mut room = room_for(place, route(&json!({}))).await;
    let fault = room.ask("assistant").await.unwrap_err();
    assert_eq!(fault.class(), Some(FaultClass::Auth));
    assert!(fault.to_string().contains("MAINSPRING_TEST_NO_SUCH_VARIABLE"), "{fault}");
    failed(&room.settled_once().await, FaultClass::Auth, (0, 0));
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_key_is_in_nothing_that_is_told() {
    const KEY: &str = "sk-test-0123456789abcdefghijklmnop";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, KEY).unwrap();
    let quoting =
        Behaviour { body: Some(format!("{{\"error\":{{\"message\":\"wrong key {KEY}\"}}}}")), ..Behaviour::status(500) };
    let server = upstream(Script::always(Behaviour::default()).then(Behaviour::default()).times(2, &quoting));
    let mut place = provider(&server);
    place["credential"] = json!(format!("file:{}", file.display()));
    let mut room = room_for(place, route(&json!({}))).await;
    let mut told = String::new();
    let answered = room.ask("assistant").await.unwrap();
    told.push_str(&format!("{answered:?}{:?}", room.gateway));
    for stream in [false, true] {
        let fault: GatewayFault = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap_err();
        told.push_str(&format!("{fault} {fault:?} {:?} {}", fault.hint(), mainspring_kernel::fault::chain(&fault)));
    }
    for _ in 0..3 {
        told.push_str(&format!("{:?}", room.settled().await));
    }
    room.gateway.publish();
    told.push_str(&format!("{:?}{}{:?}", room.spans.all(), room.metrics.render(), room.gateway.health(room.project).await));
    assert!(!told.contains(KEY), "a key leaked");
    assert_eq!(server.seen()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()), "but it is sent");
}
