//! What whoever looks at calls is told, and what is remembered of the last hour.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use mainspring_kernel::{Actor, Timestamp, id::ProjectId};
use mainspring_providers::FaultClass;
use mainspring_testservers::upstream::{Behaviour, Script, Trouble, When};
use serde_json::json;
use tokio::time::Instant;

use super::room::{Room, chat, cost, drain, provider, upstream};
use crate::{
    Body, CallStatus, Live,
    health::Health,
    history::{History, Minute},
    ledger::CallFilter,
};

async fn room_with(server: &mainspring_testservers::upstream::Upstream) -> Room {
    let room = Room::open().await;
    let spec = json!({"targets": [{"provider": "main", "model": "a"}], "retry": {"attempts": 0}});
    room.apply(&[("provider", "main", provider(server)), ("route", "assistant", spec)]).await;
    room
}

#[tokio::test]
async fn a_stream_is_told_from_its_start_to_its_end_under_one_id() {
    // Some nine hundred bytes, in pieces that come one by one.
    let long = Behaviour { gap: Duration::from_millis(10), chunks: 30, bytes: Some(30), ..Behaviour::default() };
    let server = upstream(Script::always(long));
    let mut room = room_with(&server).await;
    let request = room.request(&chat("assistant", true));
    let trace = request.trace.trace;
    let answered = room.gateway.call(request).await.unwrap();
    drain(answered.body).await;

    let Live::Started(started) = room.heard().await else { panic!("a call starts first") };
    assert_eq!((started.route.as_deref(), started.stream, started.trace), (Some("assistant"), true, trace));
    let mut tokens = Vec::new();
    let settled = loop {
        match room.heard().await {
            Live::Answering(answering) => {
                assert_eq!((answering.id, answering.project), (started.id, room.project));
                assert_eq!((answering.provider.as_str(), answering.target.as_str(), answering.attempts), ("main", "a", 1));
                tokens.push(answering.output_tokens);
            }
            Live::Settled(record) => break record,
            Live::Started(_) => panic!("it starts once"),
        }
    };
    assert_eq!((settled.id, settled.status, settled.cost), (started.id, CallStatus::Ok, cost(12, 8)));
    assert!(tokens.len() >= 2 && tokens.is_sorted(), "{tokens:?}");
    assert!(tokens.last().is_some_and(|last| *last > 150), "{tokens:?}");
}

#[tokio::test]
async fn an_answer_in_one_piece_is_told_when_it_starts_and_when_it_ends() {
    let server = upstream(Script::always(Behaviour::saying("the whole answer")));
    let mut room = room_with(&server).await;
    room.ask("assistant").await.unwrap();
    let Live::Started(started) = room.heard().await else { panic!("a call starts first") };
    let Live::Settled(settled) = room.heard().await else { panic!("and then it has ended") };
    assert_eq!((settled.id, started.stream), (started.id, false));
}

#[tokio::test]
async fn what_is_settled_is_no_longer_under_way_and_can_be_listed_when_it_is_told() {
    let hangs = Behaviour { trouble: Some(Trouble::Hang(When::After(3))), ..Behaviour::default() };
    let server = upstream(Script::always(hangs));
    let mut room = room_with(&server).await;
    let request = room.request(&chat("assistant", true));
    let trace = request.trace.trace;
    let answered = room.gateway.call(request).await.unwrap();
    let Body::Chunks(mut chunks) = answered.body else { panic!("{:?}", answered.body) };
    chunks.next().await.unwrap().unwrap();

    let ledger = room.gateway.ledger().clone();
    let open = ledger.open_calls(&room.admin()).unwrap();
    assert_eq!(open.iter().map(|call| (call.id, call.trace)).collect::<Vec<_>>(), [(answered.call, trace)]);
    let stranger = Actor { project: ProjectId::from_raw(77), ..room.admin() };
    assert!(ledger.open_calls(&stranger).unwrap().is_empty());

    drop(chunks);
    let settled = room.settled().await;
    assert_eq!((settled.id, settled.status), (answered.call, CallStatus::Cancelled));
    assert!(ledger.open_calls(&room.admin()).unwrap().is_empty());
    ledger.flush().await.unwrap();
    let page = mainspring_kernel::PageRequest::first(10);
    let of_trace = CallFilter { trace: Some(trace), ..CallFilter::default() };
    assert_eq!(ledger.calls(&room.admin(), &of_trace, &page).await.unwrap().items, [settled]);
    let of_another = CallFilter { trace: Some("0af7651916cd43dd8448eb211c80319c".parse().unwrap()), ..CallFilter::default() };
    assert!(ledger.calls(&room.admin(), &of_another, &page).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_target_shows_how_long_whole_answers_take_and_what_failed_in_which_minute() {
    let slow = Behaviour { first: Duration::from_millis(5), gap: Duration::from_millis(20), chunks: 4, ..Behaviour::default() };
    let server = upstream(Script::always(slow).then(Behaviour::status(503)));
    let room = room_with(&server).await;
    room.ask("assistant").await.unwrap_err();
    let (_, fault) = room.stream("assistant").await.unwrap();
    assert!(fault.is_none());

    let health = room.gateway.health(room.project).await.remove(0);
    let (begin, whole) = (health.begin_p50_ms.unwrap(), health.whole_p50_ms.unwrap());
    assert!(whole >= begin && whole >= 60, "the upstream takes its time: {begin} {whole}");
    assert_eq!(health.whole_p50_ms, health.whole_p95_ms);
    let history = room.gateway.history(room.project).await.remove(0);
    assert_eq!((history.route.as_deref(), history.provider.as_str(), history.model.as_str()), (Some("assistant"), "main", "a"));
    let all: u32 = history.minutes.iter().map(|minute| minute.attempts).sum();
    let failed: u32 = history.minutes.iter().flat_map(|minute| minute.failed.values()).sum();
    assert_eq!((all, failed), (2, 1), "{history:?}");
    assert_eq!(history.minutes[0].failed, BTreeMap::from([("overloaded", 1)]));
}

#[test]
fn minutes_are_those_of_the_wall_clock_and_go_after_an_hour() {
    let start = Instant::now();
    let after = |seconds: u64| start + Duration::from_secs(seconds);
    let mut history = History::new(start);
    history.attempt(start);
    history.attempt(after(59));
    history.failure(FaultClass::Server, after(59));
    history.attempt(after(200));
    let wall = |text: &str| Timestamp::parse(text).unwrap();
    let minute = |at: &str, attempts, failed: &[(&'static str, u32)]| Minute {
        at: wall(at),
        attempts,
        failed: failed.iter().copied().collect(),
    };
    // Counting began at 10:00:20, and is shown a little later.
    let shown = history.show((after(220), wall("2026-11-26T10:04:00Z")));
    assert_eq!(shown, [minute("2026-11-26T10:00:00Z", 2, &[("server", 1)]), minute("2026-11-26T10:03:00Z", 1, &[])]);
    // Nothing happened since, and what is older than an hour is not shown.
    assert_eq!(history.show((after(3_610), wall("2026-11-26T11:00:30Z"))).len(), 1);
    history.attempt(after(3_620));
    history.failure(FaultClass::Timeout, after(3_590));
    let late = history.show((after(3_620), wall("2026-11-26T11:00:40Z")));
    assert_eq!(late.last().map(|minute| (minute.attempts, minute.failed.clone())), Some((1, BTreeMap::from([("timeout", 1)]))));
}

#[test]
fn only_the_last_whole_answers_count() {
    let now = Instant::now();
    let mut health = Health::new(now);
    (0..300).for_each(|_| health.completed(Duration::from_secs(9)));
    (1..=256).for_each(|ms| health.completed(Duration::from_millis(ms)));
    let shown = health.show((None, "main".to_owned(), "a".to_owned()), crate::Standing::Closed, 0);
    assert_eq!((shown.whole_p50_ms, shown.whole_p95_ms), (Some(128), Some(244)));
}
