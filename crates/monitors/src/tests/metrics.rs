//! Metrics that programs send.

use std::time::Duration;

use mainspring_statistics::Random;
use serde_json::{Value, json};

use super::events::{Event, Watch};
use crate::{State, sentence};

fn watch(value: &str, compare: &Value) -> Watch {
    let metric = json!({ "name": "shop.orders", "value": value, "kind": "histogram", "attributes": { "region": ["eu", "us"] } });
    Watch::new(json!({ "measure": { "metric": metric }, "compare": compare }))
}

#[tokio::test]
async fn a_value_is_held_against_its_limit_however_few_points_it_is_of_and_silence_is_missing() {
    let mut watch = watch("sum", &json!({ "threshold": { "above": 20.0 } }));
    watch.traffic.add(0..15, 1, |event| event);
    watch.traffic.add(15..30, 1, |event| Event { value: 2.0, ..event });
    let found = watch.look(15.0).await;
    assert_eq!((found.state, found.slices[0].figures.value, found.slices[0].figures.count), (State::Ok, Some(15.0), 15));
    let found = watch.look(30.0).await;
    assert_eq!((found.state, found.slices[0].figures.value), (State::Firing, Some(30.0)));
    let told = "the sum of shop.orders with region eu or us is 30 (15 measured), not to be above 20";
    assert_eq!(sentence(&watch.spec, &found.slices[0]), told);
    let found = watch.look(45.0).await;
    assert_eq!(found.state, State::Missing);
    assert!(found.history.is_open(None), "silence ends nothing");
}

#[tokio::test]
async fn a_value_is_told_as_programs_say_it_whatever_they_call_its_unit() {
    for (unit, told) in [("{order}", "30 order"), ("{points}", "30"), ("share", "30"), ("$", "$30"), ("1", "30")] {
        let metric = json!({ "name": "shop.orders", "value": "sum", "kind": "histogram", "unit": unit });
        let mut watch = Watch::new(json!({ "measure": { "metric": metric }, "compare": { "threshold": { "above": 20.0 } } }));
        watch.traffic.add(0..15, 1, |event| Event { value: 2.0, ..event });
        let found = watch.look(15.0).await;
        let says = sentence(&watch.spec, &found.slices[0]);
        assert!(says.contains(&format!(" is {told} (15 measured)")), "{unit}: {says}");
    }
}

#[tokio::test]
async fn a_value_is_held_against_the_window_before_by_what_matters() {
    let mut watch = watch("sum", &json!({ "previous": { "by": 0.5 } }));
    for (minutes, value) in [(0..15, 1.0), (15..30, 1.4), (30..45, 2.2), (45..60, 0.0)] {
        watch.traffic.add(minutes, 1, |event| Event { value, ..event });
    }
    assert_eq!(watch.look(15.0).await.state, State::Warming, "there is nothing to compare it with");
    assert_eq!(watch.look(30.0).await.state, State::Ok);
    let found = watch.look(45.0).await;
    assert_eq!((found.state, found.slices[0].figures.reference_count), (State::Firing, Some(15)));
    assert_eq!(watch.look(60.0).await.state, State::Ok, "it fell to nought, which is a value as any other");
}

#[tokio::test]
async fn counts_are_compared_by_a_test() {
    let mut watch = watch("count", &json!({ "previous": {} }));
    for (minutes, per_minute) in [(0..15, 20), (15..30, 21), (30..45, 40)] {
        watch.traffic.add(minutes, per_minute, |event| event);
    }
    watch.look(15.0).await;
    assert_eq!(watch.look(30.0).await.state, State::Ok, "so much more is chance");
    let found = watch.look(45.0).await;
    let figures = &found.slices[0].figures;
    assert_eq!((found.state, figures.value, figures.reference), (State::Firing, Some(600.0), Some(315.0)));
}

#[tokio::test]
async fn a_mean_of_few_numbers_says_nothing() {
    let mut watch = watch("mean", &json!({ "threshold": { "above": 2.0 } }));
    watch.traffic.add(0..1, 29, |event| Event { value: 9.0, ..event });
    watch.traffic.add(15..16, 30, |event| Event { value: 9.0, ..event });
    assert_eq!(watch.look(15.0).await.state, State::Warming);
    assert_eq!(watch.look(30.0).await.state, State::Firing);
}

#[tokio::test]
async fn a_percentile_is_a_rate_of_what_is_beyond_its_limit_also_for_a_sequential_test() {
    let mut fixed = watch("p95", &json!({ "threshold": { "above": 2.0 } }));
    fixed.traffic.add(0..15, 20, |event| event);
    fixed.traffic.add(15..30, 20, |event| Event { value: 5.0, ..event });
    assert_eq!(fixed.look(15.0).await.state, State::Ok);
    let found = fixed.look(30.0).await;
    assert!(found.state == State::Firing && found.slices[0].figures.value.is_some_and(|value| (4.9..5.1).contains(&value)));

    let mut watch = watch("p95", &json!({ "threshold": { "above": 2.0, "test": "sequential" } }));
    let mut random = Random::new(8);
    watch.traffic.add(0..300, 20, |event| Event { value: if random.happens(0.02) { 5.0 } else { 1.0 }, ..event });
    watch.traffic.add(300..310, 20, |event| Event { value: if random.happens(0.5) { 5.0 } else { 1.0 }, ..event });
    let mut began = None;
    for minute in 1..=310 {
        let found = watch.look(f64::from(minute)).await;
        if found.entered(State::Firing).next().is_some() {
            began = began.or(Some(minute));
            let told = sentence(&watch.spec, &found.slices[0]);
            assert!(told.contains("have a shop.orders above 2, and 5 % may"), "{told}");
        }
    }
    assert!(began.is_some_and(|minute| (301..=305).contains(&minute)), "{began:?}");
}

#[tokio::test]
async fn after_a_pause_no_more_is_read_than_in_any_other_look() {
    let mut watch = watch("p95", &json!({ "threshold": { "above": 2.0, "test": "sequential" } }));
    watch.traffic.add(0..600, 20, |event| event);
    for minute in [20.0, 600.0] {
        assert_eq!(watch.look(minute).await.state, State::Ok);
    }
    let asked = watch.traffic.asked.lock().unwrap();
    let stretches: Vec<Duration> = asked.iter().map(|query| query.to.since(query.from)).collect();
    assert_eq!(stretches, [Duration::from_secs(15 * 60); 2]);
}
