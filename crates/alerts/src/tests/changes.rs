//! What changed before an incident.

use mainspring_catalog::Catalog;
use mainspring_kernel::{AssetKind, Name, Selector};
use mainspring_registry::Expect;
use mainspring_testservers::{
    on_every_engine,
    upstream::{Script, Seen, Upstream},
};

use super::*;
use crate::{Change, Notice, Released};

on_every_engine!(Catalog: [
    what_moved_before_it_stands_in_the_incident_with_the_way_back,
    what_moved_long_before_or_elsewhere_does_not,
    what_cannot_be_why_takes_no_place_from_what_may,
    what_is_likelier_comes_first,
]);

impl Room {
    async fn point(&self, name: &str, alias: &str, to: u32) {
        self.clock.advance(MINUTE);
        let (name, alias): (Name, Name) = (name.parse().unwrap(), alias.parse().unwrap());
        let to = (&alias, &Selector::Number(to));
        self.registry.set_alias(&self.editor, (AssetKind::Prompt, &name), to, Expect::Anything, "better").await.unwrap();
    }
}

async fn what_moved_before_it_stands_in_the_incident_with_the_way_back(catalog: Catalog) {
    let room = Room::over(catalog).await;
    for text in ["one", "two"] {
        room.apply("prompt", "answer", json!({ "text": text })).await;
    }
    room.point("answer", "production", 1).await;
    room.point("answer", "production", 2).await;
    room.apply("prompt", "other", json!({ "text": "new" })).await;
    room.clock.advance(HOUR);
    let id = room.raise("de").await.incident;
    room.point("answer", "production", 1).await;

    let changes = room.incident(id).await.changes;
    let said: Vec<(String, bool)> = changes.iter().map(|change| (change.to_string(), change.named)).collect();
    assert_eq!(
        said,
        [
            ("prompt/answer@production: v1 → v2".to_owned(), true),
            ("prompt/answer@production: nothing → v1".to_owned(), true),
            ("prompt/answer: v2 was made".to_owned(), true),
            ("prompt/answer: v1 was made".to_owned(), true),
            ("prompt/other: v1 was made".to_owned(), false),
        ]
    );
    assert_eq!(changes[0].rollback().as_deref(), Some("mainspring alias prompt/answer production v1 --expected 2"));
    assert_eq!((changes[0].message.as_str(), changes[0].by), ("better", Some(room.editor.principal)));
    assert!(changes[1..].iter().all(|change| change.rollback().is_none()), "there was nothing before");
}

async fn what_moved_long_before_or_elsewhere_does_not(catalog: Catalog) {
    let room = Room::over(catalog).await;
    room.apply("prompt", "answer", json!({ "text": "one" })).await;
    room.clock.advance(25 * HOUR);
    room.apply("prompt", "answer", json!({ "text": "two" })).await;
    let ours = room.raise("de").await.incident;
    let said: Vec<String> = room.incident(ours).await.changes.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["prompt/answer: v2 was made"]);
    let theirs = Alert { project: room.stranger.project, ..room.alert("de") };
    let theirs = room.alerts.raise(theirs).await.unwrap().incident;
    assert!(room.alerts.get(&room.stranger, theirs).await.unwrap().incident.changes.is_empty());
}

async fn what_cannot_be_why_takes_no_place_from_what_may(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.apply("prompt", "answer", json!({ "text": "one" })).await;
    for n in 0..12 {
        room.apply("monitor", &format!("monitor-{n}"), json!({ "n": n })).await;
        room.apply("dashboard", &format!("panels-{n}"), json!({ "n": n })).await;
    }
    room.hook("ops", &upstream, "").await;
    let id = room.raise("de").await.incident;
    let incident = room.incident(id).await;
    let said: Vec<String> = incident.changes.iter().map(ToString::to_string).collect();
    assert_eq!((said.as_slice(), incident.changes_left_out), (&["prompt/answer: v1 was made".to_owned()][..], 0));
    room.deliver().await;
    let data = upstream.seen()[0].json()["data"].clone();
    assert_eq!(
        (data["changes"][0]["what"].as_str(), data["changes"].as_array().map(Vec::len)),
        (Some(said[0].as_str()), Some(1))
    );
    assert!(data.get("changes_left_out").is_none(), "{data}");
}

async fn what_is_likelier_comes_first(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let upstream = Upstream::start(Script::default()).unwrap();
    room.hook("ops", &upstream, "").await;
    let address = room.file("slack", &at(&upstream, "slack", ""));
    room.apply("receiver", "slack", json!({ "slack": { "url": address } })).await;
    room.apply("prompt", "moved", json!({ "text": "one" })).await;
    room.point("moved", "production", 1).await;
    room.apply("prompt", "labelled", json!({ "text": "one" })).await;
    for n in 0..60 {
        room.apply("prompt", &format!("made-{n}"), json!({ "text": n.to_string() })).await;
    }
    let mut alert = Alert { versions: Vec::new(), ..room.alert("de") };
    alert.labels.insert("prompt".to_owned(), "labelled@1".to_owned());
    let id = room.alerts.raise(alert).await.unwrap().incident;
    let incident = room.incident(id).await;
    let said: Vec<(String, bool)> = incident.changes.iter().take(3).map(|change| (change.to_string(), change.named)).collect();
    let wanted = [
        ("prompt/labelled: v1 was made", true),
        ("prompt/moved@production: nothing → v1", false),
        ("prompt/made-59: v1 was made", false),
    ];
    assert_eq!(said, wanted.map(|(what, named)| (what.to_owned(), named)));
    assert_eq!((incident.changes.len(), incident.changes_left_out), (50, 13));
    room.deliver().await;
    let bodies: Vec<Value> = upstream.seen().iter().map(Seen::json).collect();
    let slack = bodies.iter().find_map(|body| body["attachments"][0]["text"].as_str()).unwrap();
    assert!(slack.ends_with("\nand 53 more"), "{slack}");
    let data = bodies.iter().find_map(|body| body.get("data")).unwrap();
    assert_eq!((data["changes"].as_array().map(Vec::len), &data["changes_left_out"]), (Some(10), &json!(53)));
    let notice: Notice = serde_json::from_value(data.clone()).unwrap();
    assert!(notice.plain().ends_with("\n  and 53 more"), "{}", notice.plain());
}

#[test]
fn a_release_from_elsewhere_is_told_without_a_way_back_and_what_was_kept_before_is_read() {
    let released = |before: Option<&str>| Change {
        kind: None,
        name: "shop".into(),
        release: Some(Released { release: "1.5".into(), before: before.map(str::to_owned) }),
        alias: None,
        from: None,
        to: None,
        at: Timestamp::from_micros(5),
        by: None,
        message: String::new(),
        named: false,
    };
    let (next, first) = (released(Some("1.4")), released(None));
    assert_eq!((next.to_string(), next.rollback()), ("service shop: 1.4 → 1.5".to_owned(), None));
    assert_eq!(first.to_string(), "service shop: 1.5 was seen first");
    let kept = serde_json::to_value(&next).unwrap();
    assert_eq!(serde_json::from_value::<Change>(kept).unwrap(), next);
    let moved = json!({
        "kind": "prompt", "name": "answer", "alias": "production", "from": 1, "to": 2, "at": Timestamp::from_micros(5),
        "by": PrincipalId::from_raw(7),
    });
    let moved: Change = serde_json::from_value(moved).unwrap();
    assert_eq!((moved.to_string(), moved.by), ("prompt/answer@production: v1 → v2".to_owned(), Some(PrincipalId::from_raw(7))));
}
