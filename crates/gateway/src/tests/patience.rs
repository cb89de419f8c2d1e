//! How long answers are waited for.

use std::time::Duration;

use mainspring_providers::{FaultClass, Operation};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use super::room::{Room, chat, cost, drain, provider, upstream};
use crate::{CallStatus, RouteSpec};

const SLOW: Duration = Duration::from_millis(600);

async fn room_with(timeouts: &Value, server: &Upstream) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "timeouts": timeouts});
    room.apply(&[("provider", "main", provider(server)), ("route", "assistant", spec)]).await;
    room
}

#[tokio::test]
async fn a_whole_answer_may_take_longer_than_a_stream_may_take_to_begin() {
    // Some send the head when all is written, others at once and the text when it is there.
    let late_head = Behaviour { delay: SLOW, ..Behaviour::default() };
    let late_text = Behaviour { first: SLOW, ..Behaviour::default() };
    for slow in [late_head, late_text] {
        let server = upstream(Script::always(slow.clone()));
        let mut room = room_with(&json!({"first": "150ms", "idle": "150ms"}), &server).await;
        let answered = room.ask("assistant").await.unwrap();
        assert_eq!((answered.attempts, answered.cost), (1, Some(cost(12, 8))), "{slow:?}");
        assert!(!drain(answered.body).await.0.is_empty());
        let record = room.settled_once().await;
        assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Ok, 1, cost(12, 8)));
        let fault = room.stream("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Timeout), "a stream begins soon: {slow:?}");
    }
}

#[tokio::test]
async fn who_was_late_is_not_asked_again_unless_the_route_says_so() {
    let server = upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let mut room = room_with(&json!({"first": "150ms", "whole": "150ms"}), &server).await;
    for stream in [false, true] {
        let fault = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Timeout));
        assert_eq!(room.settled_once().await.attempts, 1, "the work would be paid twice");
    }
    assert_eq!(server.count(), 2);
    let spec = json!({
        "targets": [{"provider": "main", "model": "a"}],
        "timeouts": {"whole": "150ms"},
        "retry": {"attempts": 1, "backoff": "1ms", "max_backoff": "1ms", "on": ["timeout"]},
    });
    room.apply(&[("route", "stubborn", spec)]).await;
    room.ask("stubborn").await.unwrap_err();
    assert_eq!(room.settled_once().await.attempts, 2);
}

#[tokio::test]
async fn what_is_no_text_begins_soon_or_not_at_all() {
    let server = upstream(Script::always(Behaviour { delay: SLOW, ..Behaviour::default() }));
    let mut room = room_with(&json!({"first": "150ms"}), &server).await;
    let mut request = room.request(&json!({"model": "assistant", "input": "text"}));
    request.operation = Operation::Embeddings;
    let fault = room.gateway.call(request).await.unwrap_err();
    assert_eq!(fault.class(), Some(FaultClass::Timeout));
    assert_eq!(room.settled_once().await.status, CallStatus::Failed);
}

/// Models that think take minutes, and a route that says nothing of time, or the path to `provider/model`, lets them.
#[test]
fn a_route_that_says_nothing_waits_ten_minutes_and_more_for_a_text() {
    let spec: RouteSpec = serde_json::from_value(json!({"targets": [{"provider": "main", "model": "a"}]})).unwrap();
    let timeouts = spec.timeouts;
    assert!(timeouts.for_whole().as_duration() >= Duration::from_secs(600));
    assert!(timeouts.total > timeouts.attempt, "another target has time after one that hangs");
    assert!(!spec.retry.on.contains(&FaultClass::Timeout));
}
