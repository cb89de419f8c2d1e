//! Receivers do not hold up each other, and notices keep their order.

use mainspring_catalog::Catalog;
use mainspring_kernel::Tasks;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Behaviour, Ended, Script, Upstream},
};

use super::*;
use crate::DeliveryState;

on_every_engine!(Catalog: [
    one_that_hangs_holds_up_nobody_else,
    what_an_incident_says_comes_in_its_order,
    one_that_is_never_taken_holds_up_none_of_the_others,
    no_more_is_sent_within_a_minute_than_a_receiver_wants,
]);

/// The one that hangs may do so for a minute; the other has its notices long before.
async fn one_that_hangs_holds_up_nobody_else(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("hangs", &upstream, "hang", json!({ "timeout": "60s" })).await;
    room.hook("well", &upstream, "").await;
    let tasks = Tasks::default();
    let alerts = room.alerts.clone();
    tasks.spawn("deliveries", |stop| alerts.keep_delivering(stop));
    let to = |name: &str| format!("to={name}");
    for n in 1..=3 {
        let alert = Alert { name: format!("monitor-{n}"), ..room.alert(&format!("f{n}")) };
        room.alerts.raise(alert).await.unwrap();
        upstream.wait_until(|seen| seen.iter().filter(|seen| seen.path.ends_with(&to("well"))).count() == n).await;
    }
    upstream.wait_until(|seen| seen.iter().any(|seen| seen.path.ends_with(&to("hangs")))).await;
    let hangs: Vec<Ended> =
        upstream.seen().into_iter().filter(|seen| seen.path.ends_with(&to("hangs"))).map(|seen| seen.ended).collect();
    assert_eq!(hangs, [Ended::Open], "one at a time, and it still hangs");

    // Whoever stops gives back what it was sending.
    tasks.shut_down(MINUTE).await.unwrap();
    let given_back = room.deliveries("hangs").await;
    assert!(
        given_back.iter().all(|delivery| (delivery.state, delivery.attempts) == (DeliveryState::Pending, 0)),
        "{given_back:#?}"
    );
    room.hook("hangs", &upstream, "").await;
    room.deliver().await;
    assert_eq!(room.said("hangs").await, ["opened delivered"; 3]);
}

async fn what_an_incident_says_comes_in_its_order(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().times(2, &Behaviour::status(500))).unwrap();
    room.hook("ops", &upstream, "").await;
    room.raise("de").await;
    room.deliver().await;
    room.resolve("de").await;
    room.deliver_later().await;
    assert_eq!(room.said("ops").await, ["opened pending", "resolved pending"]);
    room.deliver_later().await;
    let said: Vec<String> = upstream.seen().iter().map(|seen| seen.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, ["incident.opened", "incident.opened", "incident.opened", "incident.resolved"]);
}

/// A receiver that chokes on one notice gets the others all the same.
async fn one_that_is_never_taken_holds_up_none_of_the_others(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().then(Behaviour::status(500))).unwrap();
    room.hook("ops", &upstream, "").await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let alert = Alert { name: format!("monitor-{n}"), ..room.alert(&format!("f{n}")) };
        ids.push(room.alerts.raise(alert).await.unwrap().incident.to_string());
    }
    room.deliver().await;
    assert_eq!(upstream.count(), 1, "a receiver that is not well is left alone for a moment");
    room.deliver_later().await;
    let said: Vec<String> =
        upstream.seen().iter().map(|seen| seen.json()["data"]["incident"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, [&ids[0], &ids[1], &ids[2], &ids[0]].map(Clone::clone), "what was tried least goes first");
}

async fn no_more_is_sent_within_a_minute_than_a_receiver_wants(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "per_minute": 2 })).await;
    for n in 0..5 {
        let alert = Alert { name: format!("monitor-{n}"), ..room.alert(&format!("f{n}")) };
        room.alerts.raise(alert).await.unwrap();
    }
    for sent in [2, 4, 5] {
        room.deliver().await;
        assert_eq!(upstream.count(), sent);
        room.clock.advance(MINUTE);
    }
}
