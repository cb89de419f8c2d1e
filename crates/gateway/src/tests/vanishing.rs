//! Clients that go away, wherever they are: what is behind them ends, and what came is paid once.

use std::time::Duration;

use futures::StreamExt;
use mainspring_kernel::Money;
use mainspring_llm::Provenance;
use mainspring_testservers::upstream::{Behaviour, Ended, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use super::{
    room::{Room, chat, cost, guess, provider, upstream},
    translated::place,
};
use crate::{
    Body, CallStatus, Standing,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

/// A route on whose project there is one place: a call that kept it after its end would keep everyone else out.
async fn room_with(place: Value, retry: &Value) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": retry});
    room.apply(&[("provider", "main", place), ("route", "assistant", spec)]).await;
    let (kind, metric) = (SubjectKind::Project, Metric::Concurrent);
    let new = NewLimit { kind, subject: "*".to_owned(), metric, amount: Amount::Count(1) };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    room
}

/// Makes a call and drops it as soon as something is so.
async fn dropped(room: &Room, stream: bool, when: impl Future) {
    let call = room.gateway.call(room.request(&chat("assistant", stream)));
    tokio::pin!(call);
    tokio::select! {
        answered = &mut call => panic!("{answered:?}"),
        _ = when => {}
    }
}

/// Until so many attempts of the route have failed.
async fn failed(room: &Room, count: u32) {
    loop {
        let health = room.gateway.health(room.project).await;
        if health.iter().map(|target| target.failed.values().sum::<u32>()).sum::<u32>() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn well(room: &mut Room, server: &Upstream) {
    server.script(Script::default());
    room.ask("assistant").await.unwrap();
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)), "the place is free again");
}

#[tokio::test]
async fn a_client_that_vanishes_while_a_retry_is_waited_for_pays_nothing_and_nobody_is_asked_again() {
    let server = upstream(Script::always(Behaviour::status(429).header("retry-after", "30")));
    let mut room = room_with(provider(&server), &json!({"attempts": 5, "max_backoff": "1m"})).await;
    dropped(&room, false, failed(&room, 1)).await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Cancelled, 1, Money::ZERO));
    assert_eq!((record.usage.total(), server.count()), (0, 1));
    well(&mut room, &server).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_client_that_vanishes_in_a_retry_after_a_paid_attempt_pays_that_attempt_and_a_guess() {
    // The first breaks off after its head, which is paid; the second is under way.
    let broken = Behaviour::trouble(Trouble::Reset(When::After(1)));
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))).then(broken));
    let mut room = room_with(provider(&server), &json!({"attempts": 1, "backoff": "1ms", "max_backoff": "1ms"})).await;
    dropped(&room, false, server.wait_until(|seen| seen.len() == 2)).await;
    server.wait_until_hung_up().await;
    let record = room.settled_once().await;
    let input = guess(&chat("assistant", false));
    assert_eq!((record.status, record.attempts), (CallStatus::Cancelled, 2));
    assert_eq!((record.usage.input, record.usage.output, record.cost), (2 * input, 0, cost(2 * input, 0)));
    assert_eq!(record.usage.input_from, Provenance::Estimated);
    well(&mut room, &server).await;
}

#[tokio::test]
async fn a_client_that_vanishes_between_head_and_body_cancels_upstream_and_pays_the_input() {
    for stream in [false, true] {
        let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(0)))));
        let mut room = room_with(provider(&server), &json!({"attempts": 0})).await;
        dropped(&room, stream, server.wait_until(|seen| !seen.is_empty())).await;
        server.wait_until_hung_up().await;
        let record = room.settled_once().await;
        let input = guess(&chat("assistant", stream));
        assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Cancelled, 1, cost(input, 0)), "{stream}");
        assert_eq!(room.gateway.health(room.project).await[0].standing, Standing::Closed, "the target did nothing wrong");
        well(&mut room, &server).await;
    }
}

#[tokio::test]
async fn a_client_that_vanishes_from_a_stream_of_any_kind_pays_once_and_ends_it_upstream() {
    for kind in ["openai", "azure", "anthropic", "gemini", "bedrock"] {
        let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(5)))));
        let mut room = room_with(place(kind, &server), &json!({"attempts": 0})).await;
        let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
        match answered.body {
            Body::Chunks(mut chunks) => assert!(chunks.next().await.unwrap().is_ok(), "{kind}"),
            Body::Events(mut events) => assert!(events.next().await.unwrap().is_ok(), "{kind}"),
            other => panic!("{kind}: {other:?}"),
        }
        // The body is dropped with the match.
        server.wait_until_hung_up().await;
        let record = room.settled_once().await;
        assert_eq!((record.status, record.attempts), (CallStatus::Cancelled, 1), "{kind}");
        assert!(record.usage.input > 0 && record.cost == cost(record.usage.input, record.usage.output), "{kind}: {record:?}");
        well(&mut room, &server).await;
    }
}

#[tokio::test]
async fn a_client_that_vanishes_from_the_queue_of_a_busy_provider_was_never_there() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let mut room = Room::open().await;
    let mut place = provider(&server);
    place["max_concurrent"] = json!(1);
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}});
    room.apply(&[("provider", "main", place), ("route", "assistant", spec)]).await;
    let gateway = room.gateway.clone();
    {
        let first = gateway.call(room.request(&chat("assistant", false)));
        tokio::pin!(first);
        tokio::select! {
            answered = &mut first => panic!("{answered:?}"),
            _ = server.wait_until(|seen| seen.len() == 1) => {}
        }
        // It waits for its place until it is dropped.
        dropped(&room, false, tokio::time::sleep(Duration::from_millis(50))).await;
        let record = room.settled().await;
        assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Cancelled, 0, Money::ZERO));
        assert_eq!(server.count(), 1);
    }
    server.wait_until_hung_up().await;
    assert_eq!(room.settled_once().await.status, CallStatus::Cancelled);
    well(&mut room, &server).await;
    assert!(matches!(server.seen().last().unwrap().ended, Ended::Answered(_)));
}
