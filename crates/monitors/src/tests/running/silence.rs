//! What is told where nothing comes, and where nobody can look.

use mainspring_testservers::on_every_engine;

use super::*;

on_every_engine!(Catalog: [
    silence_is_told_where_the_spec_says_so,
    what_cannot_be_looked_at_for_long_is_told_as_silence_is,
    slices_that_never_came_are_told_where_the_spec_says_so,
    a_slice_that_pauses_is_told_of_where_that_is_asked_for_and_all_of_them_in_any_case,
    a_slice_that_fired_is_not_over_by_a_day_of_silence,
]);

async fn silence_is_told_where_the_spec_says_so(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "notify_missing": true })).await;
    room.traffic(0..15, true);
    room.traffic(30..45, false);
    room.at(15.0).await;
    room.at(30.0).await;
    // What has fired goes on, and that nothing comes is an alert of its own.
    assert_eq!((room.state().await, room.going().len()), (Some(State::Missing), 2));
    assert!(room.going().contains(&"monitor/errors!missing".to_owned()));
    let said: Vec<bool> = room.ears.said.lock().unwrap().iter().map(|signal| signal.missing).collect();
    assert_eq!(said, [false, true]);
    room.at(45.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Ok), Vec::new()));
}

async fn what_cannot_be_looked_at_for_long_is_told_as_silence_is(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "notify_missing": true, "labels": { "app": "desk" } })).await;
    room.traffic(0..15, true);
    room.traffic(15..120, false);
    room.at(15.0).await;
    let away = |room: &Room, away: bool| room.traffic.0.lock().unwrap().away = away;
    away(&room, true);
    assert_eq!((room.at(30.0).await, room.at(44.0).await), (1, 1));
    assert_eq!(room.going(), ["monitor/errors"], "it may be back any moment");
    // Whoever goes on after a death knows since when.
    room.monitors = open(&room.catalog, &room.registry, &room.clock, &room.traffic, &room.ears);
    room.at(45.0).await;
    assert_eq!(room.going(), ["monitor/errors", "monitor/errors!missing"], "what has fired goes on");
    let told = room.ears.said.lock().unwrap().last().unwrap().clone();
    assert!(told.summary.starts_with("it cannot be looked at, since 2026-09-24T00:30"), "{}", told.summary);
    assert_eq!((told.labels["app"].as_str(), &told.facts["code"]), ("desk", &json!("away")));
    let stands = room.monitors.get(&room.editor, &name()).await.unwrap();
    assert_eq!((stands.going.len(), stands.going[1].missing, stands.trouble.is_some()), (2, true, true));
    assert_eq!(stands.going[1].incident, Some(IncidentId::from_raw(5)));
    away(&room, false);
    room.at(60.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Ok), Vec::new()));
    // Another time begins anew, and is told where that is asked for.
    away(&room, true);
    room.at(75.0).await;
    room.at(80.0).await;
    assert_eq!(room.going(), Vec::<String>::new());
    room.apply(json!({ "notify_missing": false })).await;
    room.at(120.0).await;
    assert_eq!(room.going(), Vec::<String>::new());
}

async fn slices_that_never_came_are_told_where_the_spec_says_so(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "slices": "model", "notify_missing": true })).await;
    room.at(15.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Missing), vec!["monitor/errors!missing".to_owned()]));
    room.traffic(15..30, false);
    room.at(30.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Ok), Vec::new()));
    room.at(45.0).await;
    assert_eq!(room.going(), ["monitor/errors!missing"], "the only one there is");
    // When nobody waits for the last of them any more, it is still that nothing comes.
    room.at(25.0 * 60.0).await;
    assert_eq!(room.going(), ["monitor/errors!missing"]);
    room.apply(json!({ "slices": "model" })).await;
    room.at(25.0 * 60.0 + 1.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Missing), Vec::new()));
}

async fn a_slice_that_pauses_is_told_of_where_that_is_asked_for_and_all_of_them_in_any_case(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    let traffic = |room: &Room, slice: &'static str, minutes: std::ops::Range<u32>| {
        room.traffic.0.lock().unwrap().add(minutes, 20, |event| Event { slice, ..event });
    };
    room.apply(json!({ "slices": "user", "notify_missing": true })).await;
    traffic(&room, "ann", 0..30);
    traffic(&room, "bob", 0..15);
    room.at(15.0).await;
    room.at(30.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Missing), Vec::new()), "bob has gone to lunch");
    room.at(45.0).await;
    assert_eq!(room.going(), ["monitor/errors!missing"]);
    let told = room.ears.said.lock().unwrap().last().unwrap().clone();
    assert_eq!((told.summary.as_str(), told.labels.get("user")), ("there is nothing to measure in 15m", None));
    assert_eq!(told.facts["since"], json!(at(45.0 * 60.0)), "until then there was ann");
    traffic(&room, "ann", 45..60);
    room.at(60.0).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Missing), Vec::new()));
    // Whoever wants to hear of each says so.
    room.apply(json!({ "slices": "user", "notify_missing": true, "notify_missing_slices": true })).await;
    traffic(&room, "bob", 45..60);
    traffic(&room, "ann", 60..75);
    room.at(61.0).await;
    room.at(75.0).await;
    assert_eq!(room.going(), ["monitor/errors!missing/bob"]);
    room.at(90.0).await;
    assert_eq!(room.going(), ["monitor/errors!missing/ann", "monitor/errors!missing/bob"], "each, and no more");
}

async fn a_slice_that_fired_is_not_over_by_a_day_of_silence(catalog: Catalog) {
    let mut room = Room::over(catalog).await;
    room.apply(json!({ "slices": "model" })).await;
    room.traffic(0..15, true);
    room.at(15.0).await;
    assert_eq!(room.going(), ["monitor/errors/one"]);
    let day = 24 * 60;
    for days in [1, 2, 3] {
        assert_eq!(room.at(f64::from(days * day + 60)).await, 1, "{days}");
        assert_eq!((room.state().await, room.going()), (Some(State::Missing), vec!["monitor/errors/one".to_owned()]), "{days}");
    }
    room.traffic(4 * day..4 * day + 15, false);
    room.at(f64::from(4 * day + 15)).await;
    assert_eq!((room.state().await, room.going()), (Some(State::Ok), Vec::new()));
}
