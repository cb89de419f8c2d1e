//! How long answers are waited for.

use std::time::Duration;

use mainspring_providers::{FaultClass, Operation};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};

use super::{
    room::{Room, chat, cost, drain, provider, upstream},
    translated::place,
};
use crate::{CallStatus, RouteSpec};

const SLOW: Duration = Duration::from_millis(600);

async fn room_with(timeouts: &Value, server: &Upstream) -> Room {
    room_for(timeouts, provider(server)).await
}

async fn room_for(timeouts: &Value, place: Value) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "timeouts": timeouts});
    room.apply(&[("provider", "main", place), ("route", "assistant", spec)]).await;
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

/// A model that thinks says nothing, and its server that it is there.
#[tokio::test]
async fn a_comment_is_a_sign_of_life_and_gives_a_stream_as_much_time_again() {
    let silent = Behaviour { first: Duration::from_secs(2), ..Behaviour::saying("thought through") };
    let alive = Behaviour { comments: Some(Duration::from_millis(50)), ..silent.clone() };
    // As it came, and translated.
    for kind in ["openai", "anthropic"] {
        let server = upstream(Script::always(alive.clone()));
        let mut room = room_for(&json!({"first": "900ms"}), place(kind, &server)).await;
        let (text, fault) = room.stream("assistant").await.unwrap();
        assert!(fault.is_none() && !text.is_empty(), "{kind}: {fault:?}");
        assert!(!text.contains("keep-alive"), "what came while there was no answer is old by now: {text}");
        let record = room.settled_once().await;
        assert_eq!((record.status, record.attempts, record.cost), (CallStatus::Ok, 1, cost(12, 8)), "{kind}");
        server.script(Script::always(silent.clone()));
        let fault = room.stream("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Timeout), "{kind}");
        room.settled_once().await;
    }
}

#[tokio::test]
async fn signs_of_life_alone_do_not_outlast_an_attempt() {
    let endless = Behaviour { first: Duration::from_secs(60), comments: Some(Duration::from_millis(50)), ..Behaviour::default() };
    for kind in ["openai", "anthropic"] {
        let server = upstream(Script::always(endless.clone()));
        let mut room = room_for(&json!({"attempt": "500ms"}), place(kind, &server)).await;
        let fault = room.stream("assistant").await.unwrap_err();
        assert_eq!(fault.class(), Some(FaultClass::Timeout), "{kind}");
        assert_eq!(room.settled_once().await.status, CallStatus::Failed, "{kind}");
        server.wait_until_hung_up().await;
    }
}

/// Models that think take minutes, and a route that says nothing of time, or the path to `provider/model`, lets them.
#[test]
fn a_route_that_says_nothing_waits_ten_minutes_and_more_for_a_text() {
    let spec: RouteSpec = serde_json::from_value(json!({"targets": [{"provider": "main", "model": "a"}]})).unwrap();
    let timeouts = spec.timeouts;
    assert!(timeouts.for_whole().as_duration() >= Duration::from_secs(600));
    assert!(timeouts.for_stream().as_duration() >= Duration::from_secs(600), "a stream is as silent while its model thinks");
    assert!(timeouts.idle.as_duration() >= Duration::from_secs(600), "and some begin it before they think");
    assert!(timeouts.attempt > timeouts.for_stream(), "it has time to write what it thought");
    assert!(timeouts.for_brief().as_duration() <= Duration::from_secs(60), "an embedding needs no thought");
    assert!(timeouts.total > timeouts.attempt, "another target has time after one that hangs");
    assert!(!spec.retry.on.contains(&FaultClass::Timeout));
}
