//! Clients that keep their connection and take nothing: what is held for them ends all the same.

use std::time::Duration;

use futures::StreamExt;
use mainspring_kernel::Fault;
use mainspring_llm::{Budget, ChatRequest, End, Message};
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    room::{Room, chat, cost, upstream},
    translated::place,
};
use crate::{
    Body, CallStatus, GatewayFault, Standing,
    ledger::{Amount, Metric, NewLimit, SubjectKind},
};

/// Longer than a client of the room is waited for, and shorter than its calls may take.
const GONE: Duration = Duration::from_secs(21);

/// One place at the provider and one for the project, so that a call which keeps either keeps everyone else out.
async fn room_with(kind: &str, server: &Upstream, timeouts: &Value) -> Room {
    let room = Room::open().await;
    let mut place = place(kind, server);
    place["max_concurrent"] = json!(1);
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}, "timeouts": timeouts});
    room.apply(&[("provider", "main", place), ("route", "assistant", spec)]).await;
    let (kind, metric) = (SubjectKind::Project, Metric::Concurrent);
    let new = NewLimit { kind, subject: "*".to_owned(), metric, amount: Amount::Count(1) };
    room.gateway.ledger().set_limit(&room.admin(), new).await.unwrap();
    room
}

/// A provider that begins and then says nothing more.
fn hanging() -> Upstream {
    upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::After(5)))))
}

/// As whoever looks after streams does, so much later.
fn look(room: &Room, later: Duration) {
    room.gateway.inner.desk.streams.look(Instant::now() + later);
}

async fn next(body: &mut Body) -> Option<Result<(), GatewayFault>> {
    match body {
        Body::Chunks(chunks) => chunks.next().await.map(|chunk| chunk.map(drop)),
        Body::Events(events) => events.next().await.map(|event| event.map(drop)),
        other => panic!("{other:?}"),
    }
}

/// The call that was ended is on the books once, and everything it held is free, while its client still has its end.
async fn ended(room: &mut Room, server: &Upstream, mut body: Body, what: &str) {
    server.wait_until_hung_up().await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts), (CallStatus::Cancelled, 1), "{what}");
    assert!(record.usage.input > 0 && record.cost == cost(record.usage.input, record.usage.output), "{what}: {record:?}");
    assert_eq!(room.gateway.health(room.project).await[0].standing, Standing::Closed, "{what}: the target did nothing wrong");
    server.script(Script::default());
    room.ask("assistant").await.unwrap();
    assert_eq!(room.settled_once().await.cost, cost(12, 8), "{what}");
    let fault = next(&mut body).await.expect("a client that comes back is told").unwrap_err();
    assert_eq!(fault.code(), "gateway-not-taken", "{what}");
    assert!(next(&mut body).await.is_none(), "{what}");
}

#[tokio::test]
async fn a_stream_that_nobody_takes_ends_at_the_calls_deadline_by_itself() {
    let server = hanging();
    let mut room = room_with("openai", &server, &json!({"total": "1500ms"})).await;
    let request = room.request(&chat("assistant", true));
    let told = request.told.clone();
    let mut body = room.gateway.call(request).await.unwrap().body;
    assert!(next(&mut body).await.unwrap().is_ok());
    ended(&mut room, &server, body, "by the clock").await;
    assert_eq!(told.ending().told(), Some(End::Broken("gateway-not-taken")));
}

#[tokio::test]
async fn the_deadline_and_the_patience_hold_for_streams_of_any_kind() {
    for kind in ["openai", "azure", "anthropic", "gemini", "bedrock"] {
        for (what, timeouts, before, after) in [
            ("patience", json!({}), Duration::from_secs(18), GONE),
            ("deadline", json!({"total": "10s"}), Duration::from_secs(8), Duration::from_secs(11)),
        ] {
            let what = format!("{kind}: {what}");
            let server = hanging();
            let mut room = room_with(kind, &server, &timeouts).await;
            let mut body = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap().body;
            assert!(next(&mut body).await.unwrap().is_ok(), "{what}");
            look(&room, before);
            assert!(room.none_settled(), "{what}: not yet");
            look(&room, after);
            ended(&mut room, &server, body, &what).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_its_provider_is_not_given_up() {
    let server = hanging();
    let mut room = room_with("openai", &server, &json!({})).await;
    let mut body = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap().body;
    // Until it has all that came.
    while timeout(Duration::from_millis(300), next(&mut body)).await.is_ok() {}
    look(&room, GONE);
    assert!(room.none_settled());
    drop(body);
    assert_eq!(room.settled_once().await.status, CallStatus::Cancelled);
}

#[tokio::test]
async fn a_stream_that_was_taken_whole_is_settled_by_itself() {
    let server = upstream(Script::default());
    let mut room = room_with("openai", &server, &json!({})).await;
    let mut body = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap().body;
    while let Some(piece) = next(&mut body).await {
        piece.unwrap();
    }
    let record = room.settled_once().await;
    assert_eq!((record.status, record.cost), (CallStatus::Ok, cost(12, 8)));
    look(&room, Duration::from_secs(3_600));
    assert!(next(&mut body).await.is_none());
    assert!(room.none_settled(), "once");
}

#[tokio::test]
async fn a_stream_of_which_only_the_end_is_not_taken_is_told_no_fault() {
    let server = upstream(Script::default());
    let mut room = room_with("openai", &server, &json!({})).await;
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    while !String::from_utf8_lossy(&chunks.next().await.unwrap().unwrap()).contains("[DONE]") {}
    assert_eq!(room.settled_once().await.status, CallStatus::Ok);
    look(&room, GONE);
    assert!(chunks.next().await.is_none());
    assert!(room.none_settled(), "once");
}

/// Whoever asks through the seam of chains holds the call's bill as well.
#[tokio::test]
async fn what_an_app_asks_for_ends_too_when_nobody_takes_it() {
    let server = hanging();
    let mut room = room_with("openai", &server, &json!({})).await;
    let model = room.gateway.chat_model(room.asks(), "assistant").unwrap();
    let request = ChatRequest::of(vec![Message::user("x")]);
    let mut stream = model.stream(request, Budget::of(Duration::from_secs(60))).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    look(&room, GONE);
    server.wait_until_hung_up().await;
    let record = room.settled_once().await;
    assert_eq!((record.status, record.attempts), (CallStatus::Cancelled, 1));
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), "gateway-not-taken");
}
