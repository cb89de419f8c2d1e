//! A second attempt beside one that is late.

use std::time::Duration;

use mainspring_testservers::upstream::{Behaviour, Script, Trouble, Upstream, When};
use serde_json::json;

use super::room::{Room, chat, cost, provider, upstream};
use crate::{CallStatus, hedge::Allowance};

async fn room_with(late: &Upstream, quick: &Upstream, after: &str, at_most: f64) -> Room {
    let room = Room::open().await;
    let targets = json!([{"provider": "late", "model": "a"}, {"provider": "quick", "model": "b"}]);
    let spec =
        json!({"targets": targets, "choose": "first", "hedge": {"after": after, "at_most": at_most}, "retry": {"attempts": 0}});
    room.apply(&[("provider", "late", provider(late)), ("provider", "quick", provider(quick)), ("route", "assistant", spec)])
        .await;
    room
}

fn late() -> Upstream {
    upstream(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))))
}

#[tokio::test]
async fn whichever_begins_first_is_used_and_both_are_settled() {
    for stream in [false, true] {
        let (late, quick) = (late(), upstream(Script::default()));
        let mut room = room_with(&late, &quick, "50ms", 1.0).await;
        let answered = room.gateway.call(room.request(&chat("assistant", stream))).await.unwrap();
        assert_eq!((answered.provider.as_str(), answered.attempts), ("quick", 2));
        super::room::drain(answered.body).await;
        let record = room.settled_once().await;
        // The late one may have read the request before it was dropped.
        let wasted = super::room::guess(&chat("assistant", stream));
        assert_eq!((record.status, record.attempts), (CallStatus::Ok, 2));
        assert_eq!(record.provider.as_deref(), Some("quick"));
        assert_eq!(record.cost, cost(12, 8) + cost(wasted, 0));
        late.wait_until_hung_up().await;
        room.gateway.publish();
        assert!(room.metrics.render().contains("mainspring_gateway_hedged_total 1"));
    }
}

#[tokio::test]
async fn one_that_is_not_late_is_left_alone() {
    let (first, second) = (upstream(Script::default()), upstream(Script::default()));
    let mut room = room_with(&first, &second, "30s", 1.0).await;
    room.ask("assistant").await.unwrap();
    assert_eq!((room.settled_once().await.attempts, second.count()), (1, 0));
}

#[tokio::test]
async fn a_line_of_a_batch_is_not_asked_twice_to_be_quicker() {
    let slow = Behaviour { delay: Duration::from_millis(200), ..Behaviour::default() };
    let (first, second) = (upstream(Script::always(slow)), upstream(Script::default()));
    let mut room = room_with(&first, &second, "1ms", 1.0).await;
    let mut request = room.request(&chat("assistant", false));
    request.caller.line_of = Some(mainspring_kernel::id::BatchId::from_raw(1));
    room.gateway.call(request).await.unwrap();
    assert_eq!((room.settled_once().await.attempts, second.count()), (1, 0));
}

#[tokio::test]
async fn a_percentile_is_that_of_the_targets_own_recent_times_once_there_are_enough() {
    let slow = Behaviour { delay: Duration::from_millis(200), ..Behaviour::default() };
    let (first, second) = (upstream(Script::default().then(slow)), upstream(Script::default()));
    let mut room = room_with(&first, &second, "p95", 1.0).await;
    for number in 1..=20 {
        room.ask("assistant").await.unwrap();
        assert_eq!((room.settled().await.attempts, second.count()), (1, 0), "too little is known of it, call {number}");
    }
    // One in twenty was slow, which is not what it usually takes.
    first.script(Script::always(Behaviour::trouble(Trouble::Hang(When::BeforeHead))));
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, second.count()), ("quick", 2, 1));
    assert_eq!(room.settled_once().await.attempts, 2);
    first.wait_until_hung_up().await;
}

#[tokio::test]
async fn a_stream_is_not_late_by_the_times_of_whole_answers() {
    let (first, second) = (upstream(Script::default()), upstream(Script::default()));
    let mut room = room_with(&first, &second, "p95", 1.0).await;
    for _ in 0..20 {
        room.ask("assistant").await.unwrap();
        room.settled().await;
    }
    first.script(Script::always(Behaviour { delay: Duration::from_millis(400), ..Behaviour::default() }));
    let answered = room.gateway.call(room.request(&chat("assistant", true))).await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, second.count()), ("late", 1, 0));
    super::room::drain(answered.body).await;
    room.settled_once().await;
}

#[tokio::test]
async fn a_late_answer_that_is_first_all_the_same_is_used() {
    let slow = Behaviour { delay: Duration::from_millis(200), ..Behaviour::default() };
    let (first, second) = (upstream(Script::always(slow)), late());
    let mut room = room_with(&first, &second, "50ms", 1.0).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts), ("late", 2));
    room.settled_once().await;
    second.wait_until_hung_up().await;
}

#[tokio::test]
async fn where_the_second_fails_the_first_goes_on() {
    let slow = Behaviour { delay: Duration::from_millis(300), ..Behaviour::default() };
    let (first, second) = (upstream(Script::always(slow)), upstream(Script::always(Behaviour::status(500))));
    let mut room = room_with(&first, &second, "50ms", 1.0).await;
    let answered = room.ask("assistant").await.unwrap();
    assert_eq!((answered.provider.as_str(), answered.attempts, answered.cost), ("late", 2, Some(cost(12, 8))));
    room.settled_once().await;
}

#[tokio::test]
async fn no_more_calls_are_hedged_than_the_route_allows() {
    let slow = Behaviour { delay: Duration::from_millis(60), ..Behaviour::default() };
    let (first, second) = (upstream(Script::always(slow)), upstream(Script::default()));
    let room = room_with(&first, &second, "10ms", 0.25).await;
    for _ in 0..8 {
        room.ask("assistant").await.unwrap();
    }
    assert_eq!((first.count(), second.count()), (8, 2));
}

#[test]
fn an_allowance_is_earned_by_calls_and_saved_up_to_ten() {
    let allowance = Allowance::default();
    (0..9).for_each(|_| allowance.earn(0.1));
    assert!(!allowance.spend());
    allowance.earn(0.1);
    assert!(allowance.spend());
    assert!(!allowance.spend());
    (0..1_000).for_each(|_| allowance.earn(0.5));
    assert_eq!((0..100).filter(|_| allowance.spend()).count(), 10);
}
