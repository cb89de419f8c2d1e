//! Notices reach their receivers, or are seen not to.

use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Behaviour, Script, Upstream, nobody},
};

use super::*;
use crate::{Backlog, DeliveryState};

on_every_engine!(Catalog: [
    who_matches_is_told_and_nobody_else,
    who_is_named_is_told_whatever_the_others_want,
    what_fails_is_tried_again_and_arrives,
    what_waits_and_what_was_given_up_is_counted_by_way,
    each_trouble_of_a_receiver_is_seen_and_passes,
    a_receiver_that_wants_to_be_left_alone_is,
    a_notice_is_given_up_after_its_attempts_and_tried_again_by_hand,
    what_will_never_be_taken_is_given_up_at_once,
    news_that_nobody_has_sent_yet_is_one_notice,
    who_does_not_want_to_hear_the_end_does_not,
    a_receiver_that_nobody_knows_is_seen,
    receivers_are_listed_with_how_they_stand,
]);

async fn who_matches_is_told_and_nobody_else(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("all", &upstream, "").await;
    room.hook_with("critical", &upstream, "", json!({ "severity": "critical" })).await;
    room.hook_with("desk", &upstream, "", json!({ "match": ["app=desk", "name!=drift-*"] })).await;
    room.hook_with("other", &upstream, "", json!({ "match": ["app=other"] })).await;
    room.raise("de").await;
    room.deliver().await;
    for (receiver, said) in [("all", 1), ("critical", 0), ("desk", 1), ("other", 0)] {
        assert_eq!(room.said(receiver).await, vec!["opened delivered"; said], "{receiver}");
    }
    // It gets worse: somebody hears of it for the first time.
    let worse = Alert { severity: Severity::Critical, ..room.alert("de") };
    room.alerts.raise(worse).await.unwrap();
    room.resolve("de").await;
    room.deliver().await;
    assert_eq!(room.said("critical").await, ["escalated delivered", "resolved delivered"]);
    assert_eq!(room.said("all").await, ["opened delivered", "escalated delivered", "resolved delivered"]);
    assert!(room.deliveries("other").await.is_empty());
}

async fn who_is_named_is_told_whatever_the_others_want(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("all", &upstream, "").await;
    room.hook_with("team", &upstream, "", json!({ "match": ["app=other"] })).await;
    let named = Alert { receivers: vec!["team".parse().unwrap()], ..room.alert("de") };
    let id = room.alerts.raise(named).await.unwrap().incident;
    room.deliver().await;
    assert_eq!(room.said("team").await, ["opened delivered"]);
    assert!(room.deliveries("all").await.is_empty());
    assert_eq!(room.incident(id).await.receivers.unwrap()[0].to_string(), "team");
}

async fn what_fails_is_tried_again_and_arrives(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().times(2, &Behaviour::status(503))).unwrap();
    room.hook("ops", &upstream, "").await;
    room.raise("de").await;
    room.deliver().await;
    let first = room.only_delivery("ops").await;
    assert_eq!((first.state, first.attempts, first.status), (DeliveryState::Pending, 1, Some(503)));
    assert!(first.error.as_deref().unwrap().starts_with("it answered 503"), "{first:?}");
    assert!(first.due > room.clock_now(), "after a pause");
    room.deliver().await;
    assert_eq!(upstream.count(), 1, "not before it is due");
    room.deliver_later().await;
    assert_eq!(room.only_delivery("ops").await.attempts, 2);
    room.deliver_later().await;
    let last = room.only_delivery("ops").await;
    assert_eq!((last.state, last.attempts, last.status, last.error), (DeliveryState::Delivered, 3, Some(200), None));
    let seen = upstream.seen();
    assert!(seen.iter().all(|seen| seen.header("webhook-id") == Some(first.id.to_string().as_str())), "one id for all tries");
    assert!(seen.iter().all(|other| other.body == seen[0].body), "which say the same");
}

async fn what_waits_and_what_was_given_up_is_counted_by_way(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    assert_eq!(room.alerts.measured(), None, "nobody has looked");
    room.hook("well", &upstream, "").await;
    room.hook_with("down", &upstream, "status=503", json!({ "attempts": 1 })).await;
    room.hook_with("later", &upstream, "status=503", json!({})).await;
    let id = room.raise("de").await.incident;
    let measured = async || {
        room.alerts.measure().await.unwrap();
        room.alerts.measured().unwrap()
    };
    let before = measured().await;
    assert_eq!((before.open, before.acknowledged, before.deliveries["webhook"].waiting), (1, 0, 3));
    room.deliver().await;
    let after = measured().await;
    let webhooks = Backlog { waiting: 1, failed: 1, failed_lately: 1 };
    assert_eq!(after.deliveries["webhook"], webhooks);
    assert_eq!(after.deliveries["slack"], Backlog::default(), "every way is there, so that what is mended falls to nothing");
    room.alerts.acknowledge(&room.editor, id, "").await.unwrap();
    room.clock.advance(25 * HOUR);
    let later = measured().await;
    assert_eq!((later.open, later.acknowledged), (0, 1));
    assert_eq!((later.deliveries["webhook"].failed, later.deliveries["webhook"].failed_lately), (1, 0), "it is no news");
}

/// What a receiver does, and what is seen of it.
const TROUBLES: &[(&str, &str)] = &[
    ("hang", "it was not done within 1s"),
    ("hang=1", ""),
    ("reset", "the connection to"),
    ("close", "closed the connection"),
    ("status=500", "it answered 500"),
    ("status=429", "it answered 429"),
    ("status=404", "it answered 404"),
    ("status=302", "it answered 302"),
    ("drip=2s", "it was not done within 1s"),
];

async fn each_trouble_of_a_receiver_is_seen_and_passes(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    for (n, (behaviour, _)) in TROUBLES.iter().enumerate() {
        room.hook_with(&format!("r{n}"), &upstream, behaviour, json!({ "timeout": "1s" })).await;
    }
    let nobody = format!("{}/x", nobody().unwrap());
    room.apply("receiver", "nobody", json!({ "webhook": { "url": nobody } })).await;
    room.hook("well", &upstream, "").await;
    room.raise("de").await;
    room.deliver().await;
    assert_eq!(room.said("well").await, ["opened delivered"]);
    for (n, (behaviour, error)) in TROUBLES.iter().enumerate() {
        let delivery = room.only_delivery(&format!("r{n}")).await;
        // Once the head is there that says it was taken, nothing more is waited for.
        let state = if error.is_empty() { DeliveryState::Delivered } else { DeliveryState::Pending };
        let said = delivery.error.unwrap_or_default();
        assert_eq!((delivery.state, delivery.attempts), (state, 1), "{behaviour}: {said}");
        assert!(said.contains(error), "{behaviour}: {said}");
    }
    let error = room.only_delivery("nobody").await.error.unwrap();
    assert!(error.ends_with("nothing listens there"), "{error}");

    for (n, _) in TROUBLES.iter().enumerate() {
        room.hook(&format!("r{n}"), &upstream, "").await;
    }
    room.hook("nobody", &upstream, "").await;
    room.deliver_later().await;
    for n in 0..TROUBLES.len() {
        assert_eq!(room.said(&format!("r{n}")).await, ["opened delivered"], "it is mended: the new version is used");
    }
    assert_eq!(room.said("nobody").await, ["opened delivered"]);
}

async fn a_receiver_that_wants_to_be_left_alone_is(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let busy = Behaviour::status(429).header("retry-after", "1800");
    let upstream = Upstream::start(Script::default().then(busy)).unwrap();
    room.hook("ops", &upstream, "").await;
    room.raise("de").await;
    let other = Alert { name: "errors".to_owned(), ..room.alert("e") };
    room.alerts.raise(other).await.unwrap();
    room.deliver().await;
    assert_eq!(upstream.count(), 1, "the other one is not sent either");
    let due = room.clock_now().plus(HOUR / 2);
    assert!(room.deliveries("ops").await.iter().all(|delivery| delivery.due >= due));
    room.clock.advance(HOUR / 2 - MINUTE);
    room.deliver().await;
    assert_eq!(upstream.count(), 1);
    room.clock.advance(MINUTE);
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "opened delivered"]);
}

async fn a_notice_is_given_up_after_its_attempts_and_tried_again_by_hand(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default().times(3, &Behaviour::status(500))).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "attempts": 3 })).await;
    let id = room.raise("de").await.incident;
    room.deliver().await;
    for _ in 0..4 {
        room.deliver_later().await;
    }
    let given_up = room.only_delivery("ops").await;
    assert_eq!((given_up.state, given_up.attempts, upstream.count()), (DeliveryState::Failed, 3, 3));
    assert!(given_up.error.unwrap().contains("500") && given_up.ended.is_some());
    assert_eq!(code(room.alerts.retry(&room.reader, id).await), "incident-forbidden");
    assert_eq!(room.alerts.retry(&room.editor, id).await.unwrap(), 1);
    room.deliver().await;
    let arrived = room.only_delivery("ops").await;
    assert_eq!((arrived.state, arrived.attempts), (DeliveryState::Delivered, 1));
    assert_eq!(kinds(&room.told(id).await.events), ["opened", "retried"]);
}

async fn what_will_never_be_taken_is_given_up_at_once(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("gone", &upstream, "status=410").await;
    let address = room.file("slack", &at(&upstream, "slack", "status=404,body=no_service"));
    room.apply("receiver", "slack", json!({ "slack": { "url": address } })).await;
    room.raise("de").await;
    room.deliver().await;
    let gone = room.only_delivery("gone").await;
    assert_eq!((gone.state, gone.attempts, gone.status), (DeliveryState::Failed, 1, Some(410)));
    let slack = room.only_delivery("slack").await;
    assert_eq!((slack.state, slack.error.as_deref()), (DeliveryState::Failed, Some("it answered 404: no_service")));
}

async fn news_that_nobody_has_sent_yet_is_one_notice(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    for slice in ["de", "fr", "it"] {
        room.raise(slice).await;
    }
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered"]);
    let body = upstream.seen()[0].json();
    assert_eq!((&body["type"], &body["data"]["firing"]), (&json!("incident.opened"), &json!(3)));
    room.raise("es").await;
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "updated pending"], "there may be more of it in a moment");
    room.raise("pt").await;
    room.clock.advance(MINUTE);
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "updated delivered"]);
    assert_eq!(upstream.seen()[1].json()["data"]["firing"], 5);
}

async fn who_does_not_want_to_hear_the_end_does_not(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "resolved": false })).await;
    let address = room.file("slack", &at(&upstream, "slack", ""));
    room.apply("receiver", "slack", json!({ "slack": { "url": address } })).await;
    let id = room.raise("de").await.incident;
    room.alerts.acknowledge(&room.editor, id, "").await.unwrap();
    room.resolve("de").await;
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "acknowledged delivered", "resolved skipped"]);
    assert_eq!(room.said("slack").await, ["opened delivered", "acknowledged skipped", "resolved delivered"]);
    let why = |deliveries: Vec<Delivery>| deliveries.into_iter().filter_map(|delivery| delivery.error).collect::<Vec<_>>();
    assert_eq!(why(room.deliveries("ops").await), ["its spec says `resolved: false`"]);
    assert_eq!(why(room.deliveries("slack").await), ["only webhooks and PagerDuty are told that somebody looks after it"]);
    assert_eq!(upstream.count(), 4);
}

async fn a_receiver_that_nobody_knows_is_seen(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let named = Alert { receivers: vec!["later".parse().unwrap()], ..room.alert("de") };
    room.alerts.raise(named).await.unwrap();
    room.deliver().await;
    let delivery = room.only_delivery("later").await;
    assert_eq!((delivery.state, delivery.error.as_deref()), (DeliveryState::Pending, Some("there is no receiver `later`")));
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("later", &upstream, "").await;
    room.deliver_later().await;
    assert_eq!(room.said("later").await, ["opened delivered"]);
}

async fn receivers_are_listed_with_how_they_stand(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("a-well", &upstream, "").await;
    room.hook("b-broken", &upstream, "status=500").await;
    room.hook_with("c-gone", &upstream, "status=410", json!({ "match": ["app=desk"] })).await;
    room.raise("de").await;
    room.deliver().await;
    let listed = room.alerts.receivers(&room.reader, &PageRequest::first(2)).await.unwrap();
    assert!(listed.next.is_some());
    let listed = room.alerts.receivers(&room.reader, &PageRequest::first(10)).await.unwrap().items;
    let standing: Vec<(&str, u64, u64, bool)> = listed
        .iter()
        .map(|found| (found.name.as_str(), found.standing.pending, found.standing.failed, found.standing.delivered.is_some()))
        .collect();
    assert_eq!(standing, [("a-well", 0, 0, true), ("b-broken", 1, 0, false), ("c-gone", 0, 1, false)]);
    assert!(listed[1].standing.error.as_deref().unwrap().contains("500"));
    assert!(room.alerts.receivers(&room.stranger, &PageRequest::first(10)).await.unwrap().items.is_empty());
}

impl Room {
    fn clock_now(&self) -> Timestamp {
        use mainspring_kernel::Clock as _;
        self.clock.now()
    }
}
