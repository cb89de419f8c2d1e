//! What was found at one time is told at once, and what only grows keeps nobody from hearing of what is new.

use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Script, Upstream},
};

use super::*;
use crate::{IncidentState, NewSilence, News};

on_every_engine!(Catalog: [
    what_was_found_at_one_time_is_one_notice,
    each_group_has_its_incident_and_alerts_their_outcomes,
    an_alert_that_comes_twice_at_one_time_is_one,
    of_what_came_together_silences_hide_what_they_cover,
    what_is_new_or_worse_goes_before_what_only_grew,
    an_update_waits_unless_something_else_is_to_be_said,
    an_update_does_not_wait_for_a_clock_that_was_ahead,
    a_reminder_that_waits_becomes_the_news_that_it_is_worse,
    an_incident_that_grows_with_every_look_leaves_room_for_others,
]);

impl Room {
    fn slices(&self, slices: std::ops::Range<u32>) -> Vec<Alert> {
        slices.map(|slice| self.alert(&format!("user-{slice:02}"))).collect()
    }

    async fn raise_all(&self, alerts: Vec<Alert>) -> Vec<Outcome> {
        self.alerts.raise_all(alerts).await.unwrap()
    }
}

/// What each notice said that arrived: `opened latency 66`.
fn heard(upstream: &Upstream) -> Vec<String> {
    let said = |body: Value| {
        let data = &body["data"];
        let monitor = data["title"].as_str().unwrap().split(':').next().unwrap().to_owned();
        format!("{} {monitor} {}", data["what"].as_str().unwrap(), data["firing"])
    };
    upstream.seen().iter().map(|seen| said(seen.json())).collect()
}

async fn what_was_found_at_one_time_is_one_notice(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let outcomes = room.raise_all(room.slices(0..66)).await;
    let id = outcomes[0].incident;
    assert_eq!(outcomes[0], Outcome { incident: id, news: News::Opened });
    assert_eq!(outcomes[1..], vec![Outcome { incident: id, news: News::Joined }; 65]);
    room.deliver().await;
    assert_eq!(heard(&upstream), ["opened latency 66"]);
    let events = kinds(&room.told(id).await.events).len();
    assert_eq!(events, 66, "its history has each of them");

    room.clock.advance(MINUTE);
    let again = room.raise_all(room.slices(50..96)).await;
    assert!(again[..16].iter().all(|outcome| outcome.news == News::Known), "{again:?}");
    assert!(again[16..].iter().all(|outcome| outcome.news == News::Joined), "{again:?}");
    room.deliver().await;
    assert_eq!(heard(&upstream), ["opened latency 66", "updated latency 96"]);
    room.clock.advance(MINUTE);
    room.raise_all(room.slices(0..96)).await;
    room.deliver().await;
    assert_eq!(heard(&upstream).len(), 2, "nothing is new");

    // What is over and comes back with others opens it again, and is told once as well.
    room.alerts.close(&room.editor, id, "").await.unwrap();
    let back = room.raise_all(room.slices(90..100)).await;
    assert_eq!((back[0].news, back[9].news), (News::Reopened, News::Joined));
    room.deliver().await;
    assert_eq!(heard(&upstream)[2..], ["resolved latency 0".to_owned(), "reopened latency 10".to_owned()]);
}

async fn each_group_has_its_incident_and_alerts_their_outcomes(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let named = |name: &str, fingerprint: &str| Alert { name: name.to_owned(), ..room.alert(fingerprint) };
    let alerts = vec![named("slow", "a"), named("errors", "b"), named("slow", "c"), named("errors", "d")];
    let outcomes = room.raise_all(alerts).await;
    let news: Vec<News> = outcomes.iter().map(|outcome| outcome.news).collect();
    assert_eq!(news, [News::Opened, News::Opened, News::Joined, News::Joined]);
    assert_eq!((outcomes[0].incident, outcomes[1].incident), (outcomes[2].incident, outcomes[3].incident));
    assert_ne!(outcomes[0].incident, outcomes[1].incident);
    assert_eq!(firing(&room.told(outcomes[0].incident).await.alerts), ["a", "c"]);
    assert!(room.raise_all(Vec::new()).await.is_empty());
}

/// Slices whose names differ only in what tables do not take.
async fn an_alert_that_comes_twice_at_one_time_is_one(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let outcomes = room.raise_all(vec![room.alert("a\nb"), room.alert("a b")]).await;
    assert_eq!((outcomes[0].news, outcomes[1].news), (News::Opened, News::Known));
    assert_eq!(room.told(outcomes[0].incident).await.alerts.len(), 1);
}

async fn of_what_came_together_silences_hide_what_they_cover(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    room.hook_with("french", &upstream, "", json!({ "match": ["language=fr"] })).await;
    let (matchers, ends) = (vec!["language=fr".parse().unwrap()], start().plus(HOUR));
    let silence = NewSilence { matchers, starts: None, ends, comment: String::new() };
    let silence = room.alerts.silence(&room.editor, silence).await.unwrap().id;
    let french = |fingerprint: &str| {
        let mut alert = room.alert(fingerprint);
        alert.labels.insert("language".to_owned(), "fr".to_owned());
        alert
    };
    let id = room.raise_all(vec![french("fr-1"), french("fr-2")]).await[0].incident;
    let hidden = room.incident(id).await;
    assert_eq!((hidden.silence, hidden.remind), (Some(silence), Some(ends)));
    assert!(room.deliveries("ops").await.is_empty());
    room.raise_all(vec![french("fr-3"), room.alert("de"), french("fr-4")]).await;
    assert_eq!((room.said("ops").await, room.incident(id).await.silence), (vec!["opened pending".to_owned()], None));
    assert!(room.deliveries("french").await.is_empty(), "what it wants to hear of is hidden");
}

async fn what_is_new_or_worse_goes_before_what_only_grew(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "per_minute": 4 })).await;
    let raise = async |name: &str, fingerprint: &str, severity| {
        let alert = Alert { name: name.to_owned(), severity, ..room.alert(fingerprint) };
        room.alerts.raise(alert).await.unwrap();
    };
    for name in ["grows", "worse", "over"] {
        raise(name, &format!("{name}-1"), Severity::Warning).await;
    }
    room.deliver().await;
    room.clock.advance(2 * MINUTE);
    raise("grows", "grows-2", Severity::Warning).await;
    room.resolve("over-1").await;
    raise("new", "new-1", Severity::Error).await;
    // It grew, and before anybody heard of that, it became worse.
    raise("worse", "worse-2", Severity::Warning).await;
    raise("worse", "worse-3", Severity::Critical).await;
    room.deliver().await;
    let said = heard(&upstream);
    assert_eq!(said[3..], ["escalated worse 3", "opened new 1", "resolved over 0", "updated grows 2"].map(str::to_owned));
}

async fn an_update_waits_unless_something_else_is_to_be_said(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let id = room.raise("de").await.incident;
    room.deliver().await;
    room.raise("fr").await;
    room.clock.advance(MINUTE / 2);
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "updated pending"]);
    // That it is over is not to wait, and what was said before comes before.
    room.resolve("de").await;
    room.resolve("fr").await;
    room.deliver().await;
    assert_eq!(room.incident(id).await.state, IncidentState::Resolved);
    assert_eq!(heard(&upstream), ["opened latency 1", "updated latency 2", "resolved latency 0"]);
}

async fn an_update_does_not_wait_for_a_clock_that_was_ahead(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    room.clock.advance(24 * HOUR);
    room.raise("de").await;
    room.deliver().await;
    room.clock.set_back(24 * HOUR);
    room.raise("fr").await;
    room.deliver().await;
    assert_eq!(heard(&upstream), ["opened latency 1", "updated latency 2"]);
}

async fn a_reminder_that_waits_becomes_the_news_that_it_is_worse(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "remind_every": "1h" })).await;
    room.raise("de").await;
    room.deliver().await;
    room.clock.advance(2 * HOUR);
    room.alerts.remind_due().await.unwrap();
    assert_eq!(room.said("ops").await, ["opened delivered", "reminder pending"]);
    room.raise("fr").await;
    assert_eq!(room.said("ops").await, ["opened delivered", "reminder pending"], "that there is more of it says it as well");
    room.alerts.raise(Alert { severity: Severity::Critical, ..room.alert("it") }).await.unwrap();
    room.deliver().await;
    assert_eq!(room.said("ops").await, ["opened delivered", "escalated delivered"]);
    assert_eq!(heard(&upstream), ["opened latency 1", "escalated latency 3"]);
}

async fn an_incident_that_grows_with_every_look_leaves_room_for_others(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook_with("ops", &upstream, "", json!({ "per_minute": 3 })).await;
    for look in 0..12 {
        room.raise_all(room.slices(look * 10..look * 10 + 10)).await;
        room.deliver().await;
        room.clock.advance(Duration::from_secs(5));
    }
    let critical = Alert { name: "crit".to_owned(), severity: Severity::Critical, ..room.alert("crit") };
    room.alerts.raise(critical).await.unwrap();
    room.deliver().await;
    let said = heard(&upstream);
    assert_eq!(said[1], "opened crit 1", "it does not wait for the next minute: {said:?}");
}
