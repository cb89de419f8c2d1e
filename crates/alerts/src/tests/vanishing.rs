//! Whoever sends may die in the middle.

use mainspring_catalog::Catalog;
use mainspring_kernel::Stop;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Behaviour, Script, Trouble, Upstream, When},
};

use super::*;
use crate::DeliveryState;

on_every_engine!(Catalog: [
    another_process_sends_what_a_dead_one_was_sending,
    whoever_is_alone_goes_on_at_once,
    two_processes_send_each_notice_once,
    a_notice_that_kills_whoever_sends_it_is_given_up,
]);

impl Room {
    /// Begins to send and dies before an answer is there: for the catalog, nothing happens any more.
    async fn die_sending(&self, alerts: Alerts, upstream: &Upstream) {
        let before = upstream.count();
        let lane = alerts.due_lanes().await.unwrap().remove(0);
        let sending = alerts.work_lane(lane, Stop::never());
        tokio::select! {
            () = sending => panic!("it hangs"),
            _ = upstream.wait_until(|seen| seen.len() as u64 > before) => {}
        }
    }
}

fn hanging() -> Behaviour {
    Behaviour::trouble(Trouble::Hang(When::BeforeHead))
}

async fn another_process_sends_what_a_dead_one_was_sending(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().then(hanging())).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "timeout": "60s" })).await;
    room.raise("de").await;
    room.die_sending(room.another(), &upstream).await;
    room.deliver().await;
    assert_eq!(upstream.count(), 1, "its lease has not ended");
    room.clock.advance(2 * MINUTE);
    room.deliver().await;
    let arrived = room.only_delivery("ops").await;
    assert_eq!((arrived.state, arrived.attempts), (DeliveryState::Delivered, 2));
    let seen = upstream.seen();
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"), "so that the receiver knows it again");
}

async fn whoever_is_alone_goes_on_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().then(hanging())).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "timeout": "60s" })).await;
    room.raise("de").await;
    room.die_sending(room.another(), &upstream).await;
    let restarted = room.another();
    assert_eq!(restarted.end_leases().await.unwrap(), 1);
    deliver(&restarted).await;
    assert_eq!(room.said("ops").await, ["opened delivered"]);
}

async fn two_processes_send_each_notice_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    let receivers = ["a", "b", "c"];
    for receiver in receivers {
        room.hook(receiver, &upstream, "").await;
    }
    for n in 0..4 {
        let alert = Alert { name: format!("monitor-{n}"), ..room.alert(&format!("f{n}")) };
        room.alerts.raise(alert).await.unwrap();
    }
    let (one, other) = (room.another(), room.another());
    tokio::join!(deliver(&one), deliver(&other));
    // A lane that the other was at may have been passed over.
    room.deliver().await;
    let mut ids: Vec<String> =
        upstream.seen().iter().map(|seen| seen.header("webhook-id").unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), upstream.count()), (12, 12));
    for receiver in receivers {
        assert_eq!(room.said(receiver).await, ["opened delivered"; 4]);
    }
}

async fn a_notice_that_kills_whoever_sends_it_is_given_up(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::always(hanging())).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "timeout": "60s", "attempts": 2 })).await;
    room.raise("de").await;
    for _ in 0..2 {
        room.die_sending(room.another(), &upstream).await;
        room.clock.advance(HOUR);
    }
    room.deliver().await;
    let given_up = room.only_delivery("ops").await;
    assert_eq!((given_up.state, given_up.attempts, upstream.count()), (DeliveryState::Failed, 2, 2));
    assert!(given_up.error.unwrap().contains("in the middle of the last try"));
}
