//! From alerts to incidents.

use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Script, Upstream},
};
use tokio::task::JoinSet;

use std::collections::HashSet;

use super::*;
use crate::{IncidentState, NewSilence, News};

on_every_engine!(Catalog: [
    every_statement_compiles,
    an_alert_opens_an_incident_and_others_of_its_group_join_it,
    the_same_alert_again_is_no_news,
    the_traces_that_an_alert_began_with_stay,
    an_incident_ends_with_its_last_alert,
    what_comes_back_soon_opens_the_same_incident_again,
    a_worse_alert_makes_the_incident_worse,
    an_incident_is_called_by_the_worst_alert_that_goes_on,
    an_incident_is_called_as_its_alert_is_now_and_by_what_is_wrong_before_what_is_missing,
    what_is_erased_is_not_what_an_incident_is_called_by,
    raised_at_once_they_are_one_incident,
    somebody_looks_after_it,
    what_somebody_ends_opens_again_when_it_is_still_so,
    a_project_sees_its_own_incidents_only,
    lists_page_and_filter,
    old_incidents_go_with_all_that_belongs_to_them,
    more_alerts_than_an_incident_may_have_are_not_kept,
    what_was_told_of_somebody_names_nobody_after_their_erasure,
    incidents_are_told_to_whoever_sees_every_trace,
]);

async fn every_statement_compiles(catalog: Catalog) {
    for statements in crate::store::STATEMENTS {
        let failed = mainspring_catalog::testing::prepare_all(&catalog, statements).await;
        assert!(failed.is_empty(), "{failed:#?}");
    }
}

async fn an_alert_opens_an_incident_and_others_of_its_group_join_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.raise("de").await;
    assert_eq!(first.news, News::Opened);
    let mut second = room.alert("fr");
    second.labels.insert("language".to_owned(), "fr".to_owned());
    assert_eq!(room.alerts.raise(second).await.unwrap(), Outcome { incident: first.incident, news: News::Joined });
    let other = Alert { name: "errors".to_owned(), ..room.alert("errors") };
    let other = room.alerts.raise(other).await.unwrap();
    assert_ne!(other.incident, first.incident);

    let told = room.told(first.incident).await;
    assert_eq!((told.incident.state, told.incident.severity), (IncidentState::Open, Severity::Error));
    assert_eq!(told.incident.title, "latency: answers of fr are slow");
    assert_eq!(told.incident.labels, [("app".to_owned(), "desk".to_owned())].into(), "what both have");
    assert_eq!(firing(&told.alerts), ["de", "fr"]);
    assert_eq!(kinds(&told.events), ["opened", "joined"]);
    let de = told.alerts.iter().find(|alert| alert.fingerprint == "de").unwrap();
    assert_eq!((de.traces.as_slice(), &de.facts["p95"]), (&["a1b2".to_owned()][..], &json!(4.2)));
}

async fn the_same_alert_again_is_no_news(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let first = room.raise("de").await;
    let again = Alert { summary: "slower".to_owned(), facts: [("p95".to_owned(), json!(9))].into(), ..room.alert("de") };
    room.clock.advance(MINUTE);
    assert_eq!(room.alerts.raise(again).await.unwrap().news, News::Known);
    let told = room.told(first.incident).await;
    assert_eq!(kinds(&told.events), ["opened"]);
    assert_eq!((told.alerts[0].summary.as_str(), &told.alerts[0].facts["p95"]), ("slower", &json!(9)), "but it is up to date");
    assert!(told.alerts[0].seen > told.alerts[0].began);
}

async fn the_traces_that_an_alert_began_with_stay(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let traces = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let raise = async |names: &[&str]| {
        room.clock.advance(MINUTE);
        let id = room.alerts.raise(Alert { traces: traces(names), ..room.alert("de") }).await.unwrap().incident;
        room.told(id).await.alerts[0].traces.clone()
    };
    assert_eq!(raise(&["a", "b"]).await, traces(&["a", "b"]));
    assert_eq!(raise(&["c", "b", "d", "e", "f", "g"]).await, traces(&["a", "b", "c", "d", "e", "f", "g"]));
    assert_eq!(raise(&["h"]).await, traces(&["a", "b", "c", "d", "e", "h"]), "the first, and those of now");
    // What comes back in the same incident began when it did.
    room.resolve("de").await;
    assert_eq!(raise(&["i"]).await, traces(&["a", "b", "c", "d", "e", "i"]));
}

async fn an_incident_ends_with_its_last_alert(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    room.raise("fr").await;
    assert!(room.resolve("nothing").await.is_empty());
    assert!(room.resolve("de").await.is_empty());
    assert_eq!(firing(&room.told(id).await.alerts), ["fr"]);
    assert_eq!(room.resolve("fr").await, [id]);
    let told = room.told(id).await;
    assert_eq!((told.incident.state, told.incident.resolved_by), (IncidentState::Resolved, None));
    assert_eq!(kinds(&told.events), ["opened", "joined", "ended", "ended", "resolved"]);
    assert!(room.resolve("fr").await.is_empty(), "it is over already");
}

async fn what_comes_back_soon_opens_the_same_incident_again(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    room.resolve("de").await;
    room.clock.advance(HOUR / 2);
    assert_eq!(room.raise("de").await, Outcome { incident: id, news: News::Reopened });
    let told = room.told(id).await;
    assert_eq!((told.incident.state, told.incident.resolved), (IncidentState::Open, None));
    assert_eq!(firing(&told.alerts), ["de"]);
    room.resolve("de").await;
    room.clock.advance(2 * HOUR);
    let later = room.raise("de").await;
    assert_eq!(later.news, News::Opened);
    assert_ne!(later.incident, id);
}

async fn a_worse_alert_makes_the_incident_worse(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    let worse = Alert { severity: Severity::Critical, summary: "nothing is answered".to_owned(), ..room.alert("de") };
    assert_eq!(room.alerts.raise(worse).await.unwrap().news, News::Escalated);
    assert_eq!(room.incident(id).await.title, "latency: nothing is answered");
    let better = Alert { severity: Severity::Info, ..room.alert("de") };
    assert_eq!(room.alerts.raise(better).await.unwrap().news, News::Known);
    let told = room.told(id).await;
    let said = (told.incident.severity, told.incident.title.as_str());
    assert_eq!(said, (Severity::Critical, "latency: answers of de are slow"), "it has been worse than it is");
    assert_eq!(kinds(&told.events), ["opened", "escalated"]);
}

async fn an_incident_is_called_by_the_worst_alert_that_goes_on(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    let raise = async |fingerprint: &str, severity| {
        let alert = Alert { severity, ..room.alert(fingerprint) };
        assert_eq!(room.alerts.raise(alert).await.unwrap().incident, id);
        room.incident(id).await.title
    };
    let resolve = async |fingerprint: &str| {
        room.resolve(fingerprint).await;
        room.incident(id).await.title
    };
    let of = |fingerprint: &str| format!("latency: answers of {fingerprint} are slow");
    assert_eq!(room.incident(id).await.title, of("de"), "the monitor is named");
    assert_eq!(raise("fr", Severity::Warning).await, of("de"));
    assert_eq!(raise("es", Severity::Critical).await, of("es"));
    assert_eq!(resolve("es").await, of("de"), "what is over says nothing any more");
    assert_eq!(resolve("de").await, of("fr"));
    assert_eq!(raise("it", Severity::Warning).await, of("it"), "the newest of equals");
    assert_eq!(resolve("fr").await, of("it"));
    assert_eq!(resolve("it").await, of("it"));
    assert_eq!(room.incident(id).await.state, IncidentState::Resolved);
}

async fn an_incident_is_called_as_its_alert_is_now_and_by_what_is_wrong_before_what_is_missing(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let share = |share: u32| Alert { summary: format!("the share with error is {share} %"), ..room.alert("de") };
    let id = room.alerts.raise(share(23)).await.unwrap().incident;
    let before = room.incident(id).await;
    assert_eq!(room.alerts.raise(share(42)).await.unwrap().news, News::Known);
    let after = room.incident(id).await;
    assert_eq!(after.title, "latency: the share with error is 42 %");
    assert!(after.updated > before.updated);
    room.alerts.raise(share(42)).await.unwrap();
    assert_eq!(room.incident(id).await.updated, after.updated, "nothing is new");

    let silent = Alert { missing: true, summary: "there is nothing to measure in 1m".to_owned(), ..room.alert("fr!missing") };
    room.alerts.raise(silent.clone()).await.unwrap();
    let told = room.told(id).await;
    assert_eq!(told.incident.title, after.title, "what fires is worse than what is silent");
    assert_eq!(told.alerts[0].fingerprint, "de", "and is shown before it");
    room.deliver().await;
    assert_eq!(upstream.seen()[0].json()["data"]["alerts"][0]["summary"], "the share with error is 42 %");
    room.resolve("de").await;
    assert_eq!(room.incident(id).await.title, "latency: there is nothing to measure in 1m");
    // Where that is worse it is what the incident is called by.
    room.alerts.raise(share(42)).await.unwrap();
    room.alerts.raise(Alert { severity: Severity::Critical, ..silent }).await.unwrap();
    assert_eq!(room.incident(id).await.title, "latency: there is nothing to measure in 1m");
}

async fn what_is_erased_is_not_what_an_incident_is_called_by(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("others").await.incident;
    let theirs = Alert {
        summary: "user quandelor: 4 s".to_owned(),
        labels: [("user".to_owned(), "quandelor".to_owned())].into(),
        ..room.alert("monitor/latency/quandelor")
    };
    room.alerts.raise(theirs).await.unwrap();
    assert_eq!(room.incident(id).await.title, "latency: user quandelor: 4 s");
    room.alerts.erase(room.editor.project, (&["quandelor".to_owned()], &[]), &HashSet::new()).await.unwrap();
    assert_eq!(room.incident(id).await.title, "latency: answers of others are slow");
}

async fn raised_at_once_they_are_one_incident(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut raising = JoinSet::new();
    for slice in 0..8 {
        let (alerts, alert) = (room.another(), room.alert(&format!("slice-{slice}")));
        raising.spawn(async move { alerts.raise(alert).await.unwrap() });
    }
    let mut opened = 0;
    while let Some(outcome) = raising.join_next().await {
        opened += usize::from(outcome.unwrap().news == News::Opened);
    }
    let incidents = room.incidents().await;
    assert_eq!((opened, incidents.len()), (1, 1));
    assert_eq!(room.told(incidents[0].id).await.alerts.len(), 8);
}

async fn somebody_looks_after_it(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    assert_eq!(code(room.alerts.acknowledge(&room.reader, id, "").await), "incident-forbidden");
    let acknowledged = room.alerts.acknowledge(&room.editor, id, "on it").await.unwrap();
    assert_eq!((acknowledged.state, acknowledged.acknowledged_by), (IncidentState::Acknowledged, Some(room.editor.principal)));
    assert_eq!(room.alerts.acknowledge(&room.editor, id, "again").await.unwrap(), acknowledged);
    let events = room.told(id).await.events;
    assert_eq!(kinds(&events), ["opened", "acknowledged"]);
    assert_eq!(events[0].detail["note"], "on it");
    assert_eq!(room.resolve("de").await, [id]);
    assert_eq!(code(room.alerts.acknowledge(&room.editor, id, "").await), "incident-resolved");
    assert_eq!(code(room.alerts.retry(&room.editor, id).await), "incident-nothing-failed");
}

async fn what_somebody_ends_opens_again_when_it_is_still_so(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    let closed = room.alerts.close(&room.editor, id, "a false alarm").await.unwrap();
    assert_eq!((closed.state, closed.resolved_by), (IncidentState::Resolved, Some(room.editor.principal)));
    assert!(firing(&room.told(id).await.alerts).is_empty());
    assert_eq!(room.alerts.close(&room.editor, id, "").await.unwrap(), closed);
    assert_eq!(room.raise("de").await, Outcome { incident: id, news: News::Reopened });
}

async fn a_project_sees_its_own_incidents_only(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("de").await.incident;
    assert!(
        room.alerts.list(&room.stranger, &IncidentFilter::default(), &PageRequest::first(10)).await.unwrap().items.is_empty()
    );
    assert_eq!(code(room.alerts.get(&room.stranger, id).await), "incident-not-found");
    assert_eq!(code(room.alerts.acknowledge(&room.stranger, id, "").await), "incident-not-found");
    assert_eq!(code(room.alerts.close(&room.stranger, id, "").await), "incident-not-found");
    assert_eq!(code(room.alerts.retry(&room.stranger, id).await), "incident-not-found");
    assert!(room.alerts.resolve(room.stranger.project, "de").await.unwrap().is_empty());
    let theirs = Alert { project: room.stranger.project, ..room.alert("de") };
    assert_ne!(room.alerts.raise(theirs).await.unwrap().incident, id);
    assert_eq!(room.incident(id).await.state, IncidentState::Open);
}

async fn lists_page_and_filter(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let mut ids = Vec::new();
    for (n, severity) in Severity::ALL.iter().enumerate() {
        let alert = Alert { name: format!("monitor-{n}"), severity: *severity, ..room.alert(&format!("f{n}")) };
        ids.push(room.alerts.raise(alert).await.unwrap().incident);
    }
    room.resolve("f3").await;
    let list = async |filter: IncidentFilter, page: &PageRequest| {
        let found = room.alerts.list(&room.reader, &filter, page).await.unwrap();
        (found.items.iter().map(|incident| incident.id).collect::<Vec<_>>(), found.next)
    };
    let all = IncidentFilter::default();
    let (first, next) = list(all.clone(), &PageRequest::first(3)).await;
    assert_eq!(first, [ids[3], ids[2], ids[1]]);
    let (rest, next) = list(all.clone(), &PageRequest::new(Some(3), next).unwrap()).await;
    assert_eq!((rest, next), (vec![ids[0]], None));
    let open = IncidentFilter { state: Some(IncidentState::Open), ..all.clone() };
    assert_eq!(list(open, &PageRequest::first(9)).await.0, [ids[2], ids[1], ids[0]]);
    let bad = IncidentFilter { severity: Some(Severity::Error), ..all.clone() };
    assert_eq!(list(bad, &PageRequest::first(9)).await.0, [ids[3], ids[2]]);
    let wrong = PageRequest::new(None, Some("no-cursor".to_owned())).unwrap();
    assert_eq!(code(room.alerts.list(&room.reader, &all, &wrong).await), "incident-bad-page");
}

async fn old_incidents_go_with_all_that_belongs_to_them(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let (old, open) = (room.raise("de").await.incident, Alert { name: "errors".to_owned(), ..room.alert("e") });
    let open = room.alerts.raise(open).await.unwrap().incident;
    room.deliver().await;
    room.resolve("de").await;
    room.clock.advance(91 * 24 * HOUR);
    assert_eq!(room.alerts.prune().await.unwrap(), 0, "there is a notice that has not been sent");
    room.deliver().await;
    assert_eq!(room.alerts.prune().await.unwrap(), 1);
    assert_eq!(code(room.alerts.get(&room.reader, old).await), "incident-not-found");
    assert_eq!(room.incident(open).await.state, IncidentState::Open);
    assert_eq!(room.deliveries("ops").await.len(), 1);
}

async fn more_alerts_than_an_incident_may_have_are_not_kept(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let id = room.raise("slice-0").await.incident;
    for slice in 1..500 {
        room.raise(&format!("slice-{slice}")).await;
    }
    assert_eq!(room.raise("one-more").await, Outcome { incident: id, news: News::Full });
    assert_eq!(room.raise("slice-7").await.news, News::Known);
}

/// Everything that is written of incidents and silences, as text.
async fn written(room: &Room) -> String {
    const ALL: [&str; 5] = [
        "SELECT title || labels || grouped AS text FROM incident",
        "SELECT fingerprint || name || summary || labels || facts || traces AS text FROM incident_alert",
        "SELECT detail AS text FROM incident_event",
        "SELECT notice AS text FROM delivery",
        "SELECT matchers || comment AS text FROM silence",
    ];
    let mut all = String::new();
    for sql in ALL {
        for row in room.catalog.query(sql, params![]).await.unwrap() {
            all.push_str(row.text("text").unwrap());
            all.push('\n');
        }
    }
    all
}

async fn what_was_told_of_somebody_names_nobody_after_their_erasure(catalog: Catalog) {
    let upstream = Upstream::start(Script::default()).unwrap();
    let room = Room::over(catalog).await;
    room.hook("ops", &upstream, "").await;
    let theirs = |name: &str| Alert {
        name: name.to_owned(),
        fingerprint: format!("monitor/{name}/quandelor"),
        summary: "user quandelor: 4 s".to_owned(),
        labels: [("user".to_owned(), "quandelor".to_owned())].into(),
        facts: BTreeMap::from([("filter".to_owned(), json!("user = \"quandelor\" and error"))]),
        traces: vec!["trace-one".to_owned(), "trace-two".to_owned()],
        ..room.alert("of them")
    };
    let with_others = room.alerts.raise(theirs("latency")).await.unwrap().incident;
    let others = Alert { traces: vec!["trace-one".to_owned(), "trace-three".to_owned()], ..room.alert("others") };
    assert_eq!(room.alerts.raise(others).await.unwrap().incident, with_others);
    let alone = room.alerts.raise(theirs("errors")).await.unwrap().incident;
    room.deliver().await;
    let silence = NewSilence {
        matchers: vec!["user=quandelor".parse().unwrap(), "app=*".parse().unwrap()],
        starts: None,
        ends: start().plus(24 * HOUR),
        comment: "quandelor knows".to_owned(),
    };
    room.alerts.silence(&room.editor, silence).await.unwrap();
    let before = written(&room).await;
    assert!(before.contains("quandelor") && before.contains("trace-one"));

    let (names, traces) = (["quandelor".to_owned()], HashSet::from(["trace-one".to_owned()]));
    // Another project has a user of that name, and its own traces.
    room.alerts.erase(room.stranger.project, (&names, &[]), &traces).await.unwrap();
    assert_eq!(written(&room).await, before);
    room.alerts.erase(room.editor.project, (&names, &[]), &traces).await.unwrap();
    let after = written(&room).await;
    assert!(!after.contains("quandelor") && !after.contains("trace-one") && after.contains("trace-three"), "{after}");
    let told = room.told(with_others).await;
    assert_eq!((told.incident.state, told.incident.title.as_str()), (IncidentState::Open, "latency: answers of others are slow"));
    assert_eq!(firing(&told.alerts), ["others"], "what is of them is over");
    assert!(told.alerts.iter().any(|alert| alert.fingerprint == "erased/1" && alert.ended.is_some()));
    let alone = room.told(alone).await.incident;
    assert_eq!((alone.state, alone.title.as_str()), (IncidentState::Resolved, "errors: user [erased]: 4 s"));
    room.deliver().await;
    assert!(room.said("ops").await.contains(&"resolved delivered".to_owned()), "whoever heard of it hears that it is over");
    let silences = room.alerts.silences(&room.reader, true, &PageRequest::first(10)).await.unwrap().items;
    assert!(silences[0].ends <= mainspring_kernel::Clock::now(&room.clock));
    assert_eq!(silences[0].matchers[0].to_string(), "user=[erased]");

    let once = written(&room).await;
    room.alerts.erase(room.editor.project, (&names, &[]), &traces).await.unwrap();
    assert_eq!(written(&room).await, once);
}

async fn incidents_are_told_to_whoever_sees_every_trace(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply("receiver", "ops", json!({ "webhook": { "url": "http://127.0.0.1:9/" } })).await;
    let incident = room.raise("de").await.incident;
    let limited = Actor { labels: Access::Some(["hr".to_owned()].into()), ..room.editor.clone() };
    let (alerts, first) = (&room.alerts, PageRequest::first(9));
    let refusals = [
        code(alerts.list(&limited, &IncidentFilter::default(), &first).await),
        code(alerts.get(&limited, incident).await),
        code(alerts.deliveries(&limited, &DeliveryFilter::default(), &first).await),
        code(alerts.receivers(&limited, &first).await),
        code(alerts.acknowledge(&limited, incident, "").await),
        code(alerts.close(&limited, incident, "").await),
        code(alerts.retry(&limited, incident).await),
        // That there is none is not told either.
        code(alerts.get(&limited, IncidentId::from_raw(7)).await),
    ];
    assert_eq!(refusals, ["incident-labels"; 8]);
    // A receiver of their own would be told.
    let manifest = json!({"apiVersion": "mainspring/v1", "kind": "receiver", "name": "mine", "spec": {
        "webhook": { "url": "http://127.0.0.1:9/" },
    }});
    let mine = Draft { origin: "mine.yaml".to_owned(), value: manifest };
    let refused = room.registry.apply(&limited, &[mine], "").await.map_err(AlertFault::Registry);
    assert_eq!(code(refused), "registry-labels");
    assert_eq!(room.told(incident).await.alerts.len(), 1);
}
