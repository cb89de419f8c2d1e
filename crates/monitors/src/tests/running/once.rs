//! What one look finds is said once, and of what its figures are.

use mainspring_testservers::on_every_engine;

use super::*;

on_every_engine!(Catalog: [
    what_one_look_finds_is_raised_together,
    what_was_measured_is_said_with_its_unit,
]);

async fn what_one_look_finds_is_raised_together(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "slices": "user" })).await;
    assert_eq!(room.at(1.0).await, 1);
    room.traffic(0..30, true);
    room.traffic.0.lock().unwrap().add(0..30, 20, |event| Event { failed: true, slice: "two", ..event });
    room.traffic.0.lock().unwrap().add(15..30, 20, |event| Event { failed: true, slice: "three", ..event });
    room.at(15.0).await;
    room.at(30.0).await;
    assert_eq!(*room.ears.together.lock().unwrap(), [2, 3], "once for each look");
    assert_eq!(room.ears.said.lock().unwrap()[2].fingerprint, "monitor/errors/three", "what is new comes first");
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert!(stands.going.len() == 3 && stands.going.iter().all(|going| going.incident == Some(IncidentId::from_raw(5))));
}

async fn what_was_measured_is_said_with_its_unit(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.traffic(0..15, true);
    let mut fires = async |minute: f64, fields: Value| {
        room.apply(fields).await;
        assert_eq!(room.at(minute).await, 1);
        let said = room.ears.said.lock().unwrap().last().unwrap().clone();
        (said.summary, said.facts.get("unit").cloned())
    };
    let (said, unit) = fires(15.0, json!({})).await;
    assert!(said.starts_with("the share with error is 100 %"), "{said}");
    assert_eq!(unit, Some(json!("share")));
    let of = |field: &str| json!({ "measure": { "percentile": { "field": field, "at": 0.95 } }, "compare": { "threshold": { "above": 0.5 } } });
    let (said, unit) = fires(16.0, of("duration")).await;
    assert!(said.ends_with(", not to be above 500 ms"), "{said}");
    assert_eq!(unit, Some(json!("s")));
    let (said, unit) = fires(17.0, of("cost")).await;
    assert!(said.ends_with(", not to be above $0.5"), "{said}");
    assert_eq!(unit, Some(json!("$")));
    let (said, unit) = fires(18.0, of("score.relevance")).await;
    assert!(said.ends_with(", not to be above 0.5"), "{said}");
    assert_eq!(unit, None, "nobody knows what a score is of");
}
