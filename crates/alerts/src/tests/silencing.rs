//! Nobody is told of what is silenced, until it is not.

use mainspring_catalog::Catalog;
use mainspring_kernel::Clock as _;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Script, Upstream},
};

use super::*;
use crate::{IncidentState, NewSilence, Silence};

on_every_engine!(Catalog: [
    what_a_silence_covers_is_kept_and_told_of_when_it_ends,
    a_silence_that_is_ended_early_hides_nothing_more,
    a_silence_covers_reminders_too,
    what_is_over_by_the_end_is_told_of_to_nobody,
    others_of_the_incident_are_heard,
    silences_are_listed_and_checked,
]);

impl Room {
    async fn silence(&self, matchers: &[&str], lasts: Duration) -> Silence {
        let matchers = matchers.iter().map(|matcher| matcher.parse().unwrap()).collect();
        let ends = self.clock.now().plus(lasts);
        let new = NewSilence { matchers, starts: None, ends, comment: "works".to_owned() };
        self.alerts.silence(&self.editor, new).await.unwrap()
    }

    async fn later(&self, time: Duration) {
        self.clock.advance(time);
        self.alerts.remind_due().await.unwrap();
        self.deliver().await;
    }
}

async fn what_a_silence_covers_is_kept_and_told_of_when_it_ends(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let silence = room.silence(&["app=desk", "name=lat*"], HOUR).await;
    let id = room.raise("de").await.incident;
    room.later(HOUR / 2).await;
    let incident = room.incident(id).await;
    assert_eq!((incident.state, incident.silence), (IncidentState::Open, Some(silence.id)));
    assert_eq!(kinds(&room.told(id).await.events), ["opened", "silenced"]);
    assert!(room.deliveries("ops").await.is_empty());
    let other = Alert { labels: [("app".to_owned(), "other".to_owned())].into(), name: "errors".to_owned(), ..room.alert("e") };
    room.alerts.raise(other).await.unwrap();
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered"], "it covers nothing else");
    room.later(HOUR).await;
    assert_eq!(room.said("ops").await, ["opened delivered", "opened delivered"]);
    assert_eq!(room.incident(id).await.silence, None);
}

async fn a_silence_that_is_ended_early_hides_nothing_more(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let silence = room.silence(&["app=desk"], 24 * HOUR).await;
    room.raise("de").await;
    room.later(MINUTE).await;
    assert_eq!(code(room.alerts.unsilence(&room.reader, silence.id).await), "incident-forbidden");
    assert_eq!(code(room.alerts.unsilence(&room.stranger, silence.id).await), "silence-not-found");
    room.alerts.unsilence(&room.editor, silence.id).await.unwrap();
    assert_eq!(code(room.alerts.unsilence(&room.editor, silence.id).await), "silence-ended");
    room.later(Duration::from_secs(5)).await;
    assert_eq!(room.said("ops").await, ["opened delivered"]);
}

async fn a_silence_covers_reminders_too(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "remind_every": "1h" })).await;
    room.raise("de").await;
    room.later(2 * MINUTE).await;
    room.silence(&["name=latency"], 3 * HOUR).await;
    room.later(HOUR).await;
    room.later(HOUR).await;
    assert_eq!(room.said("ops").await, ["opened delivered"]);
    room.later(2 * HOUR).await;
    assert_eq!(room.said("ops").await, ["opened delivered", "reminder delivered"]);
}

async fn what_is_over_by_the_end_is_told_of_to_nobody(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    room.silence(&["app=desk"], HOUR).await;
    let id = room.raise("de").await.incident;
    assert_eq!(room.resolve("de").await, [id]);
    room.later(2 * HOUR).await;
    assert!(room.deliveries("ops").await.is_empty());
}

async fn others_of_the_incident_are_heard(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    room.silence(&["language=fr"], HOUR).await;
    let mut french = room.alert("fr");
    french.labels.insert("language".to_owned(), "fr".to_owned());
    let id = room.alerts.raise(french.clone()).await.unwrap().incident;
    room.deliver().await;
    assert!(room.deliveries("ops").await.is_empty());
    room.raise("de").await;
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered"], "the first that is heard opens it");
    assert_eq!(room.incident(id).await.silence, None);
    french.fingerprint = "fr-2".to_owned();
    room.alerts.raise(french).await.unwrap();
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered"], "another that is covered is not");
    assert_eq!(room.incident(id).await.silence, None, "and hides none of the others");
}

async fn silences_are_listed_and_checked(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let now = room.clock.now();
    let make = async |matchers: &[&str], starts: Option<Timestamp>, ends: Timestamp| {
        let matchers = matchers.iter().map(|matcher| matcher.parse().unwrap()).collect();
        room.alerts.silence(&room.editor, NewSilence { matchers, starts, ends, comment: String::new() }).await
    };
    assert_eq!(code(make(&[], None, now.plus(HOUR)).await), "silence-invalid");
    assert_eq!(code(make(&["a=b"; 21], None, now.plus(HOUR)).await), "silence-invalid");
    assert_eq!(code(make(&["a=b"], None, now).await), "silence-invalid");
    assert_eq!(code(make(&["a=b"], Some(now.plus(2 * HOUR)), now.plus(HOUR)).await), "silence-invalid");
    assert_eq!(code(make(&["a=b"], None, now.plus(9_000 * HOUR)).await), "silence-invalid");
    let first = make(&["a=b"], None, now.plus(HOUR)).await.unwrap();
    room.clock.advance(MINUTE);
    let second = make(&["a=b", "c!=d*"], Some(now.plus(HOUR)), now.plus(3 * HOUR)).await.unwrap();
    let list = async |ended: bool, page: &PageRequest| {
        let found = room.alerts.silences(&room.reader, ended, page).await.unwrap();
        (found.items.iter().map(|silence| silence.id).collect::<Vec<_>>(), found.next)
    };
    assert_eq!(list(false, &PageRequest::first(5)).await.0, [second.id, first.id]);
    let (page, next) = list(false, &PageRequest::first(1)).await;
    assert_eq!((page, next.is_some()), (vec![second.id], true));
    room.clock.advance(2 * HOUR);
    assert_eq!(list(false, &PageRequest::first(5)).await.0, [second.id]);
    assert_eq!(list(true, &PageRequest::first(5)).await.0, [second.id, first.id]);
    let theirs = room.alerts.silences(&room.stranger, true, &PageRequest::first(5)).await.unwrap();
    assert!(theirs.items.is_empty());
}
